// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { checkOptions, threadsFor } from '../../src/runtime/options.ts'

describe('checkOptions', () => {
  it('fills in what is left out', () => {
    expect(checkOptions({})).toEqual({ threads: 0, kernels: 'auto', profile: false, passes: true })
  })

  it.each([
    [{ threads: 0 }, 'options.threads'],
    [{ threads: 1.5 }, 'options.threads'],
    [{ threads: '2' }, 'options.threads'],
    [{ threads: 100000 }, 'options.threads'],
    [{ kernels: 'fast' }, 'options.kernels'],
    [{ profile: 1 }, 'options.profile'],
    [{ passes: 'no' }, 'options.passes'],
    [{ onProgress: 3 }, 'options.onProgress'],
    [{ signal: {} }, 'options.signal'],
    [{ wasm: null }, 'options.wasm'],
    [{ wasm: { fast: {} } }, 'options.wasm.fast'],
    [{ wasm: { simd: new Uint8Array(8) } }, 'options.wasm.simd'],
    [{ thread: 2 }, 'options.thread'],
    [null, 'options'],
  ])('rejects %j, naming the option', (options, name) => {
    expect(() => checkOptions(options)).toThrow(InputError)
    expect(() => checkOptions(options)).toThrow(name)
  })
})

describe('threadsFor', () => {
  const host = { runtime: 'node', threads: 16, sharedMemory: true } as const

  it('takes at most four threads unasked, and as many as asked for', () => {
    expect(threadsFor(0, host)).toBe(4)
    expect(threadsFor(0, { ...host, threads: 2 })).toBe(2)
    expect(threadsFor(9, host)).toBe(9)
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
