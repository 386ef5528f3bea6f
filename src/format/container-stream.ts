// SPDX-License-Identifier: Apache-2.0
/**
 * .whittle files as they arrive: first the header, then the content of each tensor in file order, in pieces as large as
 * the stream's chunks. At no time more is held than the header and a chunk. A tensor's checksum is verified at its
 * last piece, so what was made of the pieces must not be used before the stream has ended well.
 */
import { checkAborted } from '../base/check.ts'
import { concatBytes } from '../base/bytes.ts'
import { crc32 } from '../base/crc.ts'
import { FormatError } from '../base/errors.ts'
import { checkPadding, wrongChecksum, wrongSize } from './container.ts'
import { dataBytes, dataStart, readHeader, readPreamble } from './container-header.ts'
import { type ContainerHeader, type ContainerTensor, preambleBytes } from './container-records.ts'

/** How far an operation has come. `total` is left out where it is not known. */
export interface Progress {
  readonly phase: string
  /** Bytes. */
  readonly loaded: number
  readonly total?: number
}

export interface StreamOptions {
  /** Starts every message; 'whittle' where left out. */
  readonly where?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

export type ContainerPiece =
  | { readonly kind: 'header'; readonly header: ContainerHeader }
  | {
      readonly kind: 'data'
      /** Position in the directory. */
      readonly index: number
      readonly tensor: ContainerTensor
      /** Where in the tensor's section the piece starts. A tensor without bytes has one piece without bytes. */
      readonly offset: number
      /** Valid until the next piece is asked for. */
      readonly bytes: Uint8Array
    }

/**
 * Reads a file from a stream of chunks.
 * @throws FormatError for damaged or truncated files, UnsupportedError for another version, AbortError
 */
export async function* streamContainer(
  chunks: AsyncIterable<Uint8Array>,
  options: StreamOptions = {},
): AsyncGenerator<ContainerPiece> {
  const where = options.where ?? 'whittle'
  const input = new ChunkReader(chunks, where, options)
  try {
    const preamble = await input.exactly(preambleBytes, 'preamble')
    const { headerBytes } = readPreamble(preamble, where)
    const header = readHeader(concatBytes([preamble, await input.exactly(headerBytes, 'header')]), where)
    const start = dataStart(headerBytes)
    input.total = start + dataBytes(header)
    yield { kind: 'header', header }
    for (const [index, tensor] of header.tensors.entries()) {
      checkPadding(await input.exactly(start + tensor.offset - input.loaded, 'padding'), where)
      yield* readSection(input, tensor, index, where)
    }
    checkPadding(await input.exactly(input.total - input.loaded, 'padding'), where)
    if (await input.hasMore()) throw wrongSize(where, input.total, input.total + 1)
  } finally {
    await input.close()
  }
}

async function* readSection(
  input: ChunkReader,
  tensor: ContainerTensor,
  index: number,
  where: string,
): AsyncGenerator<ContainerPiece> {
  let checksum = 0
  let offset = 0
  do {
    const bytes = await input.atMost(tensor.length - offset, `tensor '${tensor.name}'`)
    checksum = crc32(bytes, checksum)
    if (offset + bytes.byteLength === tensor.length && checksum !== tensor.crc32) throw wrongChecksum(where, tensor)
    yield { kind: 'data', index, tensor, offset, bytes }
    offset += bytes.byteLength
  } while (offset < tensor.length)
}

/** Takes a stream of chunks apart by counts of bytes. */
class ChunkReader {
  /** Bytes taken so far. */
  loaded = 0
  /** Bytes of the file, once they are known. */
  total: number | undefined
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #where: string
  readonly #options: StreamOptions
  #chunk = new Uint8Array(0)
  #isDone = false

  constructor(chunks: AsyncIterable<Uint8Array>, where: string, options: StreamOptions) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#where = where
    this.#options = options
  }

  /** True when there is a byte left. */
  async hasMore(): Promise<boolean> {
    while (this.#chunk.byteLength === 0 && !this.#isDone) {
      checkAborted(this.#where, this.#options.signal)
      const next = await this.#chunks.next()
      if (next.done === true) this.#isDone = true
      else this.#chunk = next.value as Uint8Array<ArrayBuffer>
    }
    return !this.#isDone
  }

  /** The next bytes, at most `count` and at least one of them (none when `count` is 0). */
  async atMost(count: number, what: string): Promise<Uint8Array> {
    if (count === 0) return this.#chunk.subarray(0, 0)
    if (!(await this.hasMore())) {
      const expected = `${count} more bytes of ${what}`
      throw new FormatError({
        where: this.#where,
        expected,
        got: `the end after ${this.loaded} bytes`,
        todo: 'get the file again',
      })
    }
    const taken = this.#chunk.subarray(0, count)
    this.#chunk = this.#chunk.subarray(taken.byteLength)
    this.loaded += taken.byteLength
    const { total } = this
    this.#options.onProgress?.({ phase: 'read', loaded: this.loaded, ...(total === undefined ? {} : { total }) })
    return taken
  }

  /** The next `count` bytes, joined. */
  async exactly(count: number, what: string): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for (let left = count; left > 0; left -= parts[parts.length - 1].byteLength)
      parts.push(await this.atMost(left, what))
    return concatBytes(parts)
  }

  /** Lets the source go. */
  async close(): Promise<void> {
    if (!this.#isDone) await this.#chunks.return?.()
  }
}
