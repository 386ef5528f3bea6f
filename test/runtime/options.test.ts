// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it, vi } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { checkOptions, threadsFor } from '../../src/runtime/options.ts'

describe('checkOptions', () => {
  it('fills in what is left out', async () => {
    expect(await checkOptions({})).toEqual({
      threads: 0,
      worker: true,
      kernels: 'auto',
      deterministic: false,
      profile: false,
      passes: true,
      measurements: true,
    })
  })

  it('takes a place for measurements by name, and a store where the engine is in the same thread', async () => {
    const store = { get: () => null, set: () => undefined }
    for (const measurements of [true, false, 'file.json', store])
      expect(await checkOptions({ measurements })).toMatchObject({ measurements })
    await expect(checkOptions({ measurements: store, instances: 2 })).rejects.toThrow(/cannot go to a worker/)
    vi.stubGlobal('document', {})
    vi.stubGlobal('process', undefined)
    try {
      await expect(checkOptions({ measurements: store })).rejects.toThrow(/cannot go to a worker/)
      expect(await checkOptions({ measurements: store, worker: false })).toMatchObject({ measurements: store })
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it('takes the simd build where results are to be the same everywhere, and one thread for each instance', async () => {
    expect(await checkOptions({ deterministic: true })).toMatchObject({ deterministic: true, kernels: 'simd' })
    expect(await checkOptions({ deterministic: true, kernels: 'simd' })).toMatchObject({ kernels: 'simd' })
    expect(await checkOptions({ instances: 3 })).toMatchObject({ instances: 3, threads: 1 })
    expect(await checkOptions({ instances: 3, threads: 1 })).toMatchObject({ instances: 3, threads: 1 })
    expect(await checkOptions({ worker: false })).toMatchObject({ worker: false, threads: 1 })
    expect(await checkOptions({ worker: true, instances: 2 })).toMatchObject({ instances: 2, threads: 1 })
  })

  it.each([
    [{ threads: 0 }, 'options.threads'],
    [{ threads: 1.5 }, 'options.threads'],
    [{ threads: '2' }, "options.threads: expected 'auto' or an integer in [1, "],
    [{ threads: 100000 }, 'options.threads'],
    [{ threads: 2, instances: 2 }, 'options.threads'],
    [{ threads: 'auto', instances: 2 }, 'options.threads'],
    [{ instances: 0 }, 'options.instances'],
    [{ worker: 0 }, 'options.worker'],
    [{ worker: false, threads: 2 }, 'options.threads'],
    [{ worker: false, threads: 'auto' }, 'options.threads'],
    [{ worker: false, instances: 1 }, 'options.worker'],
    [{ instances: 65 }, 'options.instances'],
    [{ instances: 'auto' }, 'options.instances'],
    [{ deterministic: 1 }, 'options.deterministic'],
    [{ deterministic: true, kernels: 'relaxed' }, 'options.kernels'],
    [{ deterministic: true, kernels: 'auto' }, 'options.kernels'],
    [{ kernels: 'fast' }, 'options.kernels'],
    [{ profile: 1 }, 'options.profile'],
    [{ passes: 'no' }, 'options.passes'],
    [{ passes: { off: 'fuse-epilogue' } }, 'options.passes'],
    [{ passes: { on: [] } }, 'options.passes'],
    [{ onProgress: 3 }, 'options.onProgress'],
    [{ signal: {} }, 'options.signal'],
    [{ wasm: null }, 'options.wasm'],
    [{ wasm: { fast: {} } }, 'options.wasm.fast'],
    [{ wasm: { simd: new Uint8Array(8) } }, 'options.wasm.simd'],
    [{ measurements: '' }, 'options.measurements'],
    [{ measurements: 1 }, 'options.measurements'],
    [{ measurements: null }, 'options.measurements'],
    [{ measurements: { get: () => '' } }, 'options.measurements'],
    [{ thread: 2 }, 'options.thread'],
    [null, 'options'],
  ])('rejects %j, naming the option', async (options, name) => {
    await expect(checkOptions(options)).rejects.toThrow(InputError)
    await expect(checkOptions(options)).rejects.toThrow(name)
  })
})

describe('threadsFor', () => {
  const host = { runtime: 'node', threads: 16, sharedMemory: true } as const

  it('takes at most four threads unasked, and as many as asked for', () => {
    expect(threadsFor(0, host)).toBe(4)
    expect(threadsFor(0, { ...host, threads: 2 })).toBe(2)
    expect(threadsFor(9, host)).toBe(9)
    expect(threadsFor('auto', host)).toBe(8)
  })

  it('falls back to one where no build that was given has threads', () => {
    const module = {} as WebAssembly.Module
    expect(threadsFor(4, host, { simd: module, relaxed: module })).toBe(1)
    expect(threadsFor(4, host, { 'simd-threads': module })).toBe(4)
  })

  it('falls back to one where memory cannot be shared', () => {
    expect(threadsFor(4, { ...host, sharedMemory: false })).toBe(1)
  })
})
