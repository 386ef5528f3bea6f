// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { concatBytes, equalBytes } from '../../src/base/bytes.ts'
import { AbortError, InputError, SourceError } from '../../src/base/errors.ts'
import { type ByteStream, openSource } from '../../src/platform/source.ts'

const content = Uint8Array.from({ length: 700_000 }, (_, i) => i * 7)
const server = createServer((request, response) => {
  if (request.url === '/hang') {
    response.writeHead(200, { 'content-length': '1000' }).write('x')
    return
  }
  const isThere = request.url === '/model.bin' || request.url === '/a%20b'
  response.writeHead(isThere ? 200 : 404).end(isThere ? content : 'gone')
})
let folder = ''
let origin = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-source-'))
  await writeFile(join(folder, 'model.bin'), content)
  await writeFile(join(folder, 'a b'), content)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true })
})

async function collect(source: ByteStream, signal?: AbortSignal): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of source.stream(signal)) parts.push(part)
  return concatBytes(parts)
}

describe.each([
  ['a path', () => join(folder, 'model.bin')],
  ['a file URL', () => pathToFileURL(join(folder, 'model.bin'))],
  ['the text of a file URL', () => pathToFileURL(join(folder, 'model.bin')).href],
  ['a web URL', () => new URL('/model.bin', origin)],
  ['the text of a web URL', () => `${origin}/model.bin`],
  ['bytes', () => content],
  ['a buffer', () => content.buffer],
] as const)('from %s', (_, make) => {
  test('the whole content comes, in one piece or in many, again and again', async () => {
    const source = await openSource(make())
    expect(equalBytes(await collect(source), content)).toBe(true)
    expect(equalBytes(await source.bytes(), content)).toBe(true)
    expect(equalBytes(await collect(source), content)).toBe(true)
    if (!source.name.startsWith('http')) expect(source.size).toBe(content.length)
  })

  test('an aborted signal is an AbortError', async () => {
    await expect(openSource(make(), AbortSignal.abort())).rejects.toThrow(AbortError)
    const source = await openSource(make())
    await expect(collect(source, AbortSignal.abort())).rejects.toThrow(AbortError)
    await expect(source.bytes(AbortSignal.abort())).rejects.toThrow(AbortError)
  })
})

test('what is not there is a SourceError that names it', async () => {
  await expect(openSource(join(folder, 'nothing'))).rejects.toThrow(/nothing: expected to read it, got no such file/)
  await expect(openSource(folder)).rejects.toThrow(SourceError)
  await expect(openSource(`${origin}/nothing`)).rejects.toThrow(/HTTP status 200, got 404/)
  await expect(openSource('http://127.0.0.1:1/x')).rejects.toThrow(SourceError)
  await expect(openSource(7 as never)).rejects.toThrow(InputError)
})

test('a signal ends a download that hangs', async () => {
  const abort = new AbortController()
  const source = await openSource(`${origin}/hang`, abort.signal)
  const reading = collect(source, abort.signal)
  setTimeout(() => abort.abort(), 20)
  await expect(reading).rejects.toThrow(AbortError)
})

test('files beside the source are found, whatever their names', async () => {
  for (const base of [join(folder, 'model.bin'), `${origin}/model.bin`]) {
    const beside = await (await openSource(base)).resolve('a b')
    expect(equalBytes(await beside.bytes(), content)).toBe(true)
    await expect((await openSource(base)).resolve('none')).rejects.toThrow(SourceError)
  }
  await expect((await openSource(content)).resolve('a b')).rejects.toThrow(/bytes in memory/)
})
