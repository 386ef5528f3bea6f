// SPDX-License-Identifier: Apache-2.0
/** What `load` tells while it loads, for every kind of source and file, and that a signal is heeded at each of the stages told. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { AbortError, type ProgressEvent, type Source, Tensor, load } from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const size = 64
const weight = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 2 : 0))

const whittleFile = writeContainer(
  toContainer(
    parseGraph(`graph main opset 17 {
      input x: float32[n, 64]
      const w: float32[64, 64] = ${weight.join(' ')}
      h = MatMul(x, w)
      y = Relu(h)
      output y: float32[n, 64]
    }`),
  ),
)

const parts = {
  nodes: [node('MatMul', ['x', 'w'], ['h'], {}, { name: 'a' }), node('Relu', ['h'], ['y'], {}, { name: 'b' })],
  inputs: [valueInfo('x', 'float32', ['n', size])],
  outputs: [valueInfo('y', 'float32', ['n', size])],
}
const onnxFile = writeOnnx(model({ ...parts, initializers: [tensorRecord('w', 'float32', weight, [size, size])] }))
const externalBytes = new Uint8Array(weight.buffer)
const externalFile = writeOnnx(
  model({
    ...parts,
    initializers: [
      {
        name: 'w',
        data: new Uint8Array(0),
        dtype: 'float32',
        dims: [size, size],
        external: { location: 'weights.bin', offset: 0, length: externalBytes.byteLength },
      },
    ],
  }),
)

const files = { 'model.whittle': whittleFile, 'model.onnx': onnxFile }

let folder: string
let server: Server
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-progress-'))
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
  await writeFile(join(folder, 'external.onnx'), externalFile)
  await writeFile(join(folder, 'weights.bin'), externalBytes)
  server = createServer((request, response) => {
    const bytes = files[request.url!.slice(1) as keyof typeof files]
    response.setHeader('Content-Length', bytes.byteLength)
    response.write(bytes.subarray(0, 5000))
    setTimeout(() => response.end(bytes.subarray(5000)), 20)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
})
afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

type Name = keyof typeof files
const sources: readonly [string, (name: Name) => Source][] = [
  ['a path', (name) => join(folder, name)],
  ['a file URL', (name) => pathToFileURL(join(folder, name))],
  ['an http URL', (name) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`],
  ['bytes', (name) => files[name]],
  ['a buffer', (name) => files[name].slice().buffer],
]
const phases = { 'model.whittle': ['read', 'ready'], 'model.onnx': ['read', 'optimise', 'ready'] }
const cases = Object.keys(files).flatMap((name) => sources.map(([title, make]) => [name as Name, title, make] as const))

describe.each(cases)('%s from %s', (name, _, make) => {
  it('tells phases in order and bytes that grow to the whole file', async () => {
    const seen: ProgressEvent[] = []
    await using session = await load(make(name), { threads: 1, onProgress: (event) => seen.push(event) })
    expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(phases[name])
    const reading = seen.filter(({ phase }) => phase === 'read')
    expect(reading.map(({ loaded }) => loaded)).toEqual([...reading.map(({ loaded }) => loaded)].sort((a, b) => a - b))
    const { byteLength } = files[name]
    expect(reading.at(-1)).toEqual({ phase: 'read', loaded: byteLength, total: byteLength })
    expect(seen.at(-1)).toEqual({ phase: 'ready', loaded: byteLength, total: byteLength })
    expect(session.bytes).toBe(byteLength)
  })

  it.each(phases[name])('ends with an AbortError when the signal is raised in phase %s, and loads anew', async (at) => {
    const controller = new AbortController()
    const onProgress = ({ phase }: ProgressEvent): void => (phase === at ? controller.abort() : undefined)
    const loading = load(make(name), { threads: 1, signal: controller.signal, onProgress })
    await expect(loading).rejects.toThrow(AbortError)
    await using session = await load(make(name), { threads: 1 })
    const { y } = await session.run({ x: new Tensor('float32', new Float32Array(size).fill(3), [1, size]) })
    expect(new Set(y.data as Float32Array)).toEqual(new Set([6]))
  })
})

describe.each([{ threads: 1 }, { instances: 2 }])('external data, with %o', (options) => {
  it('is told with its own bytes and counts as part of the model', async () => {
    const seen: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent): unknown => seen.push(event)
    await using session = await load(join(folder, 'external.onnx'), { ...options, onProgress })
    expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['read', 'external data', 'optimise', 'ready'])
    const total = externalBytes.byteLength
    expect(seen.filter(({ phase }) => phase === 'external data')).toEqual([
      { phase: 'external data', loaded: 0, total },
      { phase: 'external data', loaded: total, total },
    ])
    expect(session.bytes).toBe(externalFile.byteLength + total)
  })

  it('ends with an AbortError when the signal is raised while it is read', async () => {
    const controller = new AbortController()
    const onProgress = ({ phase }: ProgressEvent): void => (phase === 'external data' ? controller.abort() : undefined)
    const loading = load(join(folder, 'external.onnx'), { ...options, signal: controller.signal, onProgress })
    await expect(loading).rejects.toThrow(AbortError)
  })
})

describe.each([{ threads: 1 }, { instances: 2 }])('a listener that throws, with %o', (options) => {
  it.each(['read', 'optimise', 'ready'])('ends the load with its own error in phase %s', async (at) => {
    const onProgress = ({ phase }: ProgressEvent): void => {
      if (phase === at) throw new RangeError('enough')
    }
    await expect(load(onnxFile, { ...options, onProgress })).rejects.toThrow(RangeError)
  })
})

describe('a signal', () => {
  it('that is raised after loading changes nothing', async () => {
    const controller = new AbortController()
    await using session = await load(whittleFile, { threads: 1, signal: controller.signal })
    controller.abort()
    const { y } = await session.run({ x: new Tensor('float32', new Float32Array(size), [1, size]) })
    expect(y.dims).toEqual([1, size])
  })

  it('ends a download that has come to a standstill', async () => {
    const stalled = createServer((_, response) => {
      response.setHeader('Content-Length', whittleFile.byteLength)
      response.write(whittleFile.subarray(0, 1000))
    })
    await new Promise<void>((done) => stalled.listen(0, '127.0.0.1', done))
    const controller = new AbortController()
    const url = `http://127.0.0.1:${(stalled.address() as AddressInfo).port}/`
    setTimeout(() => controller.abort(), 50)
    await expect(load(url, { threads: 1, signal: controller.signal })).rejects.toThrow(AbortError)
    stalled.closeAllConnections()
    stalled.close()
  })
})
