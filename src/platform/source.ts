// SPDX-License-Identifier: Apache-2.0
/**
 * Where bytes come from: a path, a URL or memory, all behind ByteStream. `openSource` finds out whether the thing is
 * there and how long it is; its content is read when `stream` or `bytes` is called, as often as wanted. Files are read
 * through node:fs where the runtime has it (Node, Deno, Bun), everything else through fetch. Every failure is a
 * SourceError that names the source; an aborted signal is an AbortError.
 */
import { concatBytes } from '../base/bytes.ts'
import { checkAborted, describe } from '../base/check.ts'
import { InputError, SourceError } from '../base/errors.ts'
import type { ByteStream } from './byte-stream.ts'
import { guarded } from './guarded.ts'
import { hasFiles, importNode } from './node-modules.ts'

export type { ByteStream }

/** What a model can be loaded from. Strings are URLs where they have a scheme, else paths (in pages: relative URLs). */
export type Source = string | URL | Uint8Array | ArrayBuffer

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
  if (hasFiles()) return openPath(source)
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
  return openPath(fileURLToPath(url))
}

/** What opens files is left out where there are none. */
async function openPath(path: string): Promise<ByteStream> {
  return (await import('./file-source.ts')).openFile(path)
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
