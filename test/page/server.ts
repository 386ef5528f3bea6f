// SPDX-License-Identifier: Apache-2.0
/** A static file server for pages under test: folders under URL prefixes, with or without cross-origin isolation. */
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
}

export interface Served {
  readonly origin: string
  /** Paths asked for, in order. */
  readonly requests: string[]
  close(): Promise<void>
}

/** Serves `pages` (path → HTML) and `folders` (prefix → folder on disk). */
export async function serve(options: {
  readonly pages: Readonly<Record<string, string>>
  readonly folders: Readonly<Record<string, string>>
  readonly isolated: boolean
}): Promise<Served> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname))
    requests.push(path)
    response.setHeader('Cache-Control', 'no-store')
    if (options.isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    }
    const page = options.pages[path]
    if (page !== undefined) {
      response.setHeader('Content-Type', types['.html'])
      response.end(page)
      return
    }
    const prefix = Object.keys(options.folders).find((candidate) => path.startsWith(candidate))
    const file = prefix === undefined ? undefined : join(options.folders[prefix], path.slice(prefix.length))
    if (file === undefined || statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
      response.statusCode = 404
      response.end()
      return
    }
    response.setHeader('Content-Type', types[extname(file)] ?? 'application/octet-stream')
    createReadStream(file).pipe(response)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () => new Promise((done) => server.close(() => done())),
  }
}
