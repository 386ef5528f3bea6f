// SPDX-License-Identifier: Apache-2.0
/** A host that compiles no Wasm from bytes and has no workers: models run on builds that were compiled before. */
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StateError, Tensor, UnsupportedError, load, probe } from '../../src/index.ts'
import { type WasmBuild, wasmUrl } from '../../src/runtime/assets.ts'
import { exactLayers } from './exact-layers.ts'

const compiled = async (build: WasmBuild): Promise<WebAssembly.Module> =>
  new WebAssembly.Module(await readFile(wasmUrl(build)))
const simd = await compiled('simd')
const [layer] = exactLayers()
const x = new Tensor('float32', Float32Array.from(layer.x.data), layer.x.dims)

function forbidden(): never {
  throw new StateError({ where: 'host', expected: 'no Wasm from bytes', got: 'some' })
}

describe('where Wasm is compiled beforehand', () => {
  beforeEach(() => {
    const { Instance, Memory, Module } = WebAssembly
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
    vi.stubGlobal('Worker', undefined)
    vi.stubGlobal('fetch', forbidden)
    vi.stubGlobal('WebAssembly', {
      Instance,
      Memory,
      Module: new Proxy(Module, { construct: forbidden }),
      compile: forbidden,
      compileStreaming: forbidden,
      instantiate: forbidden,
      validate: forbidden,
    })
  })
  afterEach(() => void vi.unstubAllGlobals())

  it('a model runs on the builds that were given, on one thread', async () => {
    await using session = await load(layer.model, { wasm: { simd }, threads: 2 })
    const { y } = await session.run({ x })
    expect(Array.from(y.data as Float32Array)).toEqual(layer.y.data)
    expect(await session.profile()).toMatchObject({ threads: 1, build: 'simd' })
  })

  it('probe measures the builds that were given', async () => {
    const report = await probe({ wasm: { simd } })
    expect(report).toMatchObject({ runtime: 'edge', relaxed: 'none', build: 'simd', sharedMemory: false })
  })

  it('a host without them is told what to pass', async () => {
    const error = await load(layer.model).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UnsupportedError)
    expect(String(error)).toMatch(/options\.wasm.*whittle\/wasm\/simd\.wasm/)
    await expect(load(layer.model, { wasm: {} })).rejects.toThrow(/options\.wasm: expected the build 'simd'/)
  })
})

describe('elsewhere', () => {
  it('builds that were given are the only ones used', async () => {
    for (const threads of [1, 2]) {
      const wasm = { simd, 'simd-threads': await compiled('simd-threads') }
      await using session = await load(layer.model, { wasm, threads })
      const { y } = await session.run({ x })
      expect(Array.from(y.data as Float32Array)).toEqual(layer.y.data)
      expect(await session.profile()).toMatchObject({ threads, build: threads === 1 ? 'simd' : 'simd-threads' })
    }
    await expect(load(layer.model, { wasm: { simd }, kernels: 'relaxed' })).rejects.toThrow(UnsupportedError)
  })
})
