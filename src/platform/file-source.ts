// SPDX-License-Identifier: Apache-2.0
/**
 * Files as sources, through node:fs where the runtime has it (Node, Deno, Bun). Imported when the first one is opened: a
 * page never has one.
 */
import { SourceError } from '../base/errors.ts'
import type { ByteStream } from './byte-stream.ts'
import { guarded } from './guarded.ts'
import { importNode } from './node-modules.ts'

/** Bytes read from a file at a time. */
const chunkSize = 2 ** 18

/** Opens the file at `path`. @throws SourceError when there is none */
export async function openFile(path: string): Promise<ByteStream> {
  const fs = await importNode('node:fs/promises')
  const { dirname, join, sep } = await importNode('node:path')
  const stat = await guarded(path, undefined, () => fs.stat(path))
  if (!stat.isFile()) throw new SourceError({ where: path, expected: 'a file', got: 'a folder or device' })
  return {
    name: path,
    size: stat.size,
    async *stream(signal) {
      const file = await guarded(path, signal, () => fs.open(path, 'r'))
      try {
        for (;;) {
          const chunk = new Uint8Array(chunkSize)
          const { bytesRead } = await guarded(path, signal, () => file.read(chunk, 0, chunkSize, null))
          if (bytesRead === 0) return
          yield chunk.subarray(0, bytesRead)
        }
      } finally {
        await file.close()
      }
    },
    async bytes(signal) {
      const buffer = await guarded(path, signal, () => fs.readFile(path, { signal }))
      return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    },
    async resolve(relative) {
      const target = join(dirname(path), relative)
      const [own, real] = await Promise.all(
        [path, target].map((one) => guarded(one, undefined, () => fs.realpath(one))),
      )
      const homes = [dirname(own), await fs.realpath(dirname(path))]
      if (homes.some((home) => real.startsWith(home.endsWith(sep) ? home : home + sep))) return openFile(real)
      throw new SourceError({
        where: target,
        expected: "a file inside the model's folder",
        got: 'a link that leads out of it',
        todo: 'the model is not to be trusted',
      })
    },
  }
}
