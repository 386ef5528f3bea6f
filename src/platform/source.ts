// SPDX-License-Identifier: Apache-2.0
/**
 * Where bytes come from: a path, a URL or memory, all behind ByteStream. `openSource` finds out whether the thing is
 * there and how long it is; its content is read when `stream` or `bytes` is called, as often as wanted. Files are read
 * through node:fs where the runtime has it (Node, Deno, Bun), everything else through fetch. Every failure is a
 * SourceError that names the source; an aborted signal is an AbortError.
 */
import { concatBytes } from '../base/bytes.ts'
import { checkAborted, describe } from '../base/check.ts'
import { AbortError, InputError, SourceError, WhittleError } from '../base/errors.ts'
import { hasFiles, importNode } from './node-modules.ts'

/** What a model can be loaded from. Strings are URLs where they have a scheme, else paths (in pages: relative URLs). */
export type Source = string | URL | Uint8Array | ArrayBuffer

export interface ByteStream {
  /** For messages: the path, the URL, or 'bytes'. */
  readonly name: string
  /** Bytes in all, where known. */
  readonly size?: number
  /** The content in pieces, front to back. A piece is the consumer's to keep. */
  stream(signal?: AbortSignal): AsyncIterable<Uint8Array>
  /** The whole content. */
  bytes(signal?: AbortSignal): Promise<Uint8Array>
  /** Opens what lies at a relative path beside this source. @throws SourceError for bytes in memory */
  resolve(relative: string, signal?: AbortSignal): Promise<ByteStream>
}

/** Bytes read from a file at a time. */
const chunkSize = 2 ** 18

/**
 * Opens a source.
 * @throws InputError for what is no Source, SourceError when it is not there, AbortError
 */
export async function openSource(source: Source, signal?: AbortSignal): Promise<ByteStream> {
  checkAborted('source', signal)
  if (typeof source === 'string') return openText(source, signal)
  if (source instanceof URL) return openUrl(source, signal)
  if (ArrayBuffer.isView(source) || isBuffer(source)) return memoryStream(asBytes(source))
  throw new InputError({
    where: 'source',
    expected: 'a path, a URL, a Uint8Array or an ArrayBuffer',
    got: describe(source),
  })
}

function isBuffer(source: unknown): source is ArrayBuffer {
  const kind = Object.prototype.toString.call(source)
  return kind === '[object ArrayBuffer]' || kind === '[object SharedArrayBuffer]'
}

function asBytes(source: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source)
}

async function openText(source: string, signal: AbortSignal | undefined): Promise<ByteStream> {
  // a scheme has at least two letters: 'C:\model.onnx' is a path
  if (/^[A-Za-z][\w+.-]+:/.test(source) && URL.canParse(source)) return openUrl(new URL(source), signal)
  if (hasFiles()) return openFile(source)
  const base = (globalThis as { location?: { href: string } }).location?.href
  if (base === undefined || !URL.canParse(source, base)) {
    throw new SourceError({
      where: `source '${source}'`,
      expected: 'a URL',
      got: 'a path',
      todo: 'this runtime has no files',
    })
  }
  return openUrl(new URL(source, base), signal)
}

async function openUrl(url: URL, signal: AbortSignal | undefined): Promise<ByteStream> {
  if (url.protocol !== 'file:') return openFetch(url, signal)
  if (!hasFiles()) throw new SourceError({ where: `source '${url.href}'`, expected: 'a URL to fetch', got: 'a file' })
  const { fileURLToPath } = await importNode('node:url')
  return openFile(fileURLToPath(url))
}

/** A ByteStream over bytes in memory: `stream` gives them in one piece, uncopied. */
export function memoryStream(bytes: Uint8Array, name = 'bytes'): ByteStream {
  return {
    name,
    size: bytes.byteLength,
    async *stream(signal) {
      checkAborted(name, signal)
      yield bytes
    },
    async bytes(signal) {
      checkAborted(name, signal)
      return bytes
    },
    async resolve(relative) {
      throw new SourceError({
        where: name,
        expected: `the file '${relative}' beside it`,
        got: 'bytes in memory',
        todo: 'load it by path or URL',
      })
    },
  }
}

async function openFile(path: string): Promise<ByteStream> {
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

async function openFetch(url: URL, signal: AbortSignal | undefined): Promise<ByteStream> {
  const name = url.href
  const request = (requestSignal: AbortSignal | undefined): Promise<Response> =>
    guarded(name, requestSignal, async () => {
      const response = await fetch(url, requestSignal === undefined ? {} : { signal: requestSignal })
      if (response.ok) return response
      await response.body?.cancel()
      throw new SourceError({
        where: name,
        expected: 'HTTP status 200',
        got: `${response.status} ${response.statusText}`.trim(),
      })
    })
  // asked for now, so that what is missing is reported now; the answer serves the first reader
  let first: Response | undefined = await request(signal)
  const size = contentLength(first)
  const take = async (readSignal: AbortSignal | undefined): Promise<Response> => {
    const response = first ?? (await request(readSignal))
    first = undefined
    return response
  }
  async function* stream(readSignal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const response = await take(readSignal)
    const reader = response.body?.getReader()
    if (reader === undefined) return
    try {
      for (;;) {
        const { done, value } = await guarded(name, readSignal, () => reader.read())
        if (done) return
        yield value
      }
    } finally {
      await reader.cancel().catch(() => undefined)
    }
  }
  return {
    name,
    ...(size === undefined ? {} : { size }),
    stream,
    async bytes(readSignal) {
      const parts: Uint8Array[] = []
      for await (const part of stream(readSignal)) parts.push(part)
      return concatBytes(parts)
    },
    resolve: (relative, readSignal) =>
      openFetch(new URL(relative.split('/').map(encodeURIComponent).join('/'), url), readSignal),
  }
}

/** Length of the body as the reader will see it; unknown when it travels compressed. */
function contentLength(response: Response): number | undefined {
  if ((response.headers.get('content-encoding') ?? 'identity') !== 'identity') return undefined
  const length = Number(response.headers.get('content-length') ?? NaN)
  return Number.isSafeInteger(length) && length >= 0 ? length : undefined
}

/** Runs a platform call; its failure comes out as an AbortError or a SourceError. */
async function guarded<T>(name: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
  checkAborted(name, signal)
  try {
    return await body()
  } catch (cause) {
    if (cause instanceof WhittleError) throw cause
    if (signal?.aborted === true)
      throw new AbortError({ where: name, expected: 'to go on', got: 'an aborted signal' }, { cause })
    throw new SourceError(
      { where: name, expected: 'to read it', got: reasonOf(cause), todo: 'check the path or URL' },
      { cause },
    )
  }
}

/** The innermost message of a platform error: fetch hides the reason in `cause`. */
function reasonOf(error: unknown): string {
  const { cause, code, message } = error as { cause?: unknown; code?: unknown; message?: unknown }
  if (code === 'ENOENT') return 'no such file'
  if (cause instanceof Error) return reasonOf(cause)
  return typeof message === 'string' && message !== '' ? message : String(code ?? error)
}
