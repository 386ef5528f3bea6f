// SPDX-License-Identifier: Apache-2.0
/** Weights once more, from the start of their source: for layouts that nobody foresaw. Imported when one is wanted. */
import { FormatError } from '../base/errors.ts'
import { streamModel } from '../model/from-container.ts'
import type { ByteStream } from '../platform/source.ts'

/** The bytes of a constant. @throws FormatError when the source no longer has them, and what reading it throws */
export async function refetch(stream: ByteStream, constant: string): Promise<Uint8Array> {
  const { weights } = await streamModel(stream.stream(), { where: stream.name })
  let whole: Uint8Array | undefined
  let have = 0
  for await (const { constants, length, offset, bytes } of weights) {
    if (!constants.includes(constant)) continue
    whole ??= new Uint8Array(length)
    whole.set(bytes, offset)
    have += bytes.byteLength
    if (have === length) return whole
  }
  throw new FormatError({
    where: stream.name,
    expected: `the weight '${constant}'`,
    got: 'a source that changed',
    todo: 'load it again',
  })
}
