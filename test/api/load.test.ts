// SPDX-License-Identifier: Apache-2.0
/** What `load`, `probe` and sessions promise, on small models. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import {
  AbortError,
  FormatError,
  GraphError,
  InputError,
  SourceError,
  StateError,
  Tensor,
  UnsupportedError,
  load,
  probe,
} from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'

/** A model whose weight is large enough to be streamed into Wasm memory. */
const file = container(`graph main opset 17 {
  input x: float32[n, 64]
  const w: float32[64, 64] = ${Array.from({ length: 4096 }, (_, i) => (i % 65 === 0 ? 2 : 0)).join(' ')}
  h = MatMul(x, w)
  y = Relu(h)
  output y: float32[n, 64]
}`)

const x = new Tensor(
  'float32',
  Float32Array.from({ length: 128 }, (_, i) => i - 64),
  [2, 64],
)
const doubled = Array.from({ length: 128 }, (_, i) => Math.max(0, 2 * (i - 64)))

function container(text: string): Uint8Array {
  return writeContainer(toContainer(parseGraph(text)))
}

/** Of ES2025; its elements are numbers, so to TypeScript of older libraries it is an array of these. */
const Float16 = (globalThis as { Float16Array?: Float32ArrayConstructor }).Float16Array

describe('load', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'whittle-load-'))
    await writeFile(join(folder, 'model.whittle'), file)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('takes a path, a URL, bytes and a buffer', async () => {
    const path = join(folder, 'model.whittle')
    for (const source of [path, pathToFileURL(path), pathToFileURL(path).href, file, file.slice().buffer]) {
      await using session = await load(source, { threads: 1 })
      expect(session.inputs).toEqual([{ name: 'x', type: 'float32', dims: ['n', 64] }])
      expect(session.outputs).toEqual([{ name: 'y', type: 'float32', dims: ['n', 64] }])
      expect(session.bytes).toBe(file.byteLength)
      const { y } = await session.run({ x })
      expect(y).toBeInstanceOf(Tensor)
      expect(y.dims).toEqual([2, 64])
      expect(Array.from(y.data as Float32Array)).toEqual(doubled)
    }
  })

  it('reports progress up to the whole file', async () => {
    const seen: { loaded: number; total?: number }[] = []
    await using session = await load(join(folder, 'model.whittle'), {
      threads: 1,
      onProgress: (event) => seen.push(event),
    })
    expect(session.bytes).toBe(file.byteLength)
    expect(seen.at(-1)!.loaded).toBe(file.byteLength)
    expect(seen.at(-1)!.total).toBe(file.byteLength)
  })

  it('ends with an AbortError when the signal is raised before or meanwhile', async () => {
    await expect(load(file, { signal: AbortSignal.abort() })).rejects.toThrow(AbortError)
    const controller = new AbortController()
    const loading = load(join(folder, 'model.whittle'), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(loading).rejects.toThrow(AbortError)
  })

  it('names what is wrong with a source', async () => {
    await expect(load(join(folder, 'missing.whittle'))).rejects.toThrow(SourceError)
    await expect(load(7 as unknown as string)).rejects.toThrow(InputError)
    await expect(load(new Uint8Array(0))).rejects.toThrow(FormatError)
    await expect(load(new TextEncoder().encode('not a model at all'))).rejects.toThrow(FormatError)
    await expect(load(file, { kernels: 'fast' as 'auto' })).rejects.toThrow(/options.kernels/)
  })

  it('rejects every truncation and damage of a .whittle file', async () => {
    for (const length of [4, 20, 200, file.byteLength - 1]) {
      await expect(load(file.slice(0, length), { threads: 1 })).rejects.toThrow(FormatError)
    }
    for (const at of [13, 40, file.byteLength - 100]) {
      const damaged = file.slice()
      damaged[at] ^= 4
      await expect(load(damaged, { threads: 1 })).rejects.toThrow(FormatError)
    }
  })

  it('says which operator it does not have', async () => {
    const unknown = container(`graph main opset 17 {
      input x: float32[2]
      y = Frobnicate(x) @node7
      output y: float32[2]
    }`)
    const error = await load(unknown).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UnsupportedError)
    expect(String(error)).toMatch(/Frobnicate.*node7/)
  })

  it('loads models whose shapes it cannot guess', async () => {
    const model = container(`graph main opset 17 {
      input x: float32[7, n]
      const s: int64[2] = -1 100
      const w: float32[100, 48] = ${Array.from({ length: 4800 }, () => 0.5).join(' ')}
      r = Reshape(x, s)
      h = MatMul(r, w)
      y = Relu(h)
      output y: float32[m, 48]
    }`)
    await using session = await load(model, { threads: 1 })
    const { y } = await session.run({ x: new Tensor('float32', new Float32Array(7 * 200).fill(1), [7, 200]) })
    expect(y.dims).toEqual([14, 48])
    expect(new Set(y.data as Float32Array)).toEqual(new Set([50]))
    await expect(session.run({ x: new Tensor('float32', new Float32Array(7), [7, 1]) })).rejects.toThrow(GraphError)
    expect((await session.run({ x: new Tensor('float32', new Float32Array(700), [7, 100]) })).y.dims).toEqual([7, 48])
  })

  it.skipIf(Float16 === undefined)(
    'takes a Float16Array where the runtime has it (Node before 24 does not): alone, as a tensor, as a view on part of one',
    async () => {
      const text = 'graph main opset 17 { input x: float16[n] y = Add(x, x) output y: float16[n] }'
      const session = await load(container(text), { threads: 1 })
      try {
        const whole = new Float16!([0.5, -1.5, 65504, 2 ** -24])
        const part = whole.subarray(1, 3)
        for (const [data, want] of [[whole, [0x3c00, 0xc200, 0x7c00, 2]] as const, [part, [0xc200, 0x7c00]] as const]) {
          const dims = [data.length]
          for (const fed of [new Tensor('float16', data, dims), { type: 'float16', data, dims }]) {
            const { y } = await session.run({ x: fed })
            expect(y.type).toBe('float16')
            expect([...(y.data as Uint16Array)]).toEqual(want)
          }
        }
        await expect(session.run({ x: { type: 'float16', data: new Float32Array(2), dims: [2] } })).rejects.toThrow(
          InputError,
        )
      } finally {
        await session.dispose()
      }
      expect(() => new Tensor('float32', new Float16!(2), [2])).toThrow(InputError)
    },
  )

  it('turns calls away after dispose', async () => {
    const session = await load(file, { threads: 1 })
    await session.dispose()
    await session.dispose()
    await expect(session.run({ x })).rejects.toThrow(StateError)
  })

  it('says so when profile is asked before a run', async () => {
    await using session = await load(file, { threads: 1 })
    await expect(session.profile()).rejects.toThrow(StateError)
    await session.run({ x })
    const { steps, memory, build, threads } = await session.profile()
    expect(steps.every(({ time, kernel }) => time === null && kernel !== null)).toBe(true)
    expect(memory.weights).toBeGreaterThanOrEqual(64 * 64 * 4)
    expect(build).toMatch(/^(simd|relaxed)$/)
    expect(threads).toBe(1)
  })

  it('uses the threads asked for', async () => {
    await using session = await load(file, { threads: 2 })
    const { y } = await session.run({ x })
    expect(Array.from(y.data as Float32Array)).toEqual(doubled)
    expect((await session.profile()).threads).toBe(2)
  })
})

describe('probe', () => {
  it('describes this host and measures its peaks', async () => {
    const host = await probe()
    expect(host.runtime).toBe('node')
    expect(['none', 'vnni', 'sdot', 'pmaddubsw', 'broken']).toContain(host.relaxed)
    expect(host.build).toMatch(/^(simd|relaxed)$/)
    expect(host.sharedMemory).toBe(true)
    expect(host.threads).toBeGreaterThan(0)
    for (const peak of Object.values(host.peaks)) expect(peak).toBeGreaterThan(0.1)
  })
})
