// SPDX-License-Identifier: Apache-2.0
/**
 * Tells what a stream is before it is read. What knows other formats than our own is imported when a file is none of
 * ours.
 */
import { concatBytes } from '../base/bytes.ts'
import { type ModelFormat, isContainer, tellingBytes } from './container-records.ts'

/** Detects the format of a stream; `chunks` is the whole stream again. @throws FormatError */
export async function detectStream(
  source: AsyncIterable<Uint8Array>,
  where = 'model',
): Promise<{ readonly format: ModelFormat; readonly chunks: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]()
  const held: Uint8Array[] = []
  for (let length = 0; length < tellingBytes; length += held[held.length - 1].byteLength) {
    const next = await iterator.next()
    if (next.done === true) break
    held.push(next.value)
  }
  let format: ModelFormat
  try {
    const start = concatBytes([...held, new Uint8Array(0)])
    format = isContainer(start) ? 'whittle' : (await import('./detect.ts')).detectFormat(start, where)
  } catch (error) {
    await iterator.return?.()
    throw error
  }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      yield* held
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
    } finally {
      await iterator.return?.()
    }
  }
  return { format, chunks: chunks() }
}
