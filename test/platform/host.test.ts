// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { clockTicks, now } from '../../src/platform/clock.ts'
import { describeHost } from '../../src/platform/host.ts'

const node = { versions: { node: '20.0.0' } }

describe('describeHost', () => {
  it('knows the runtime it is in', () => {
    const host = describeHost()
    expect(host).toEqual({ runtime: 'node', threads: availableParallelism(), sharedMemory: true })
  })

  it.each([
    ['bun', { Bun: {}, process: node, Worker: {} }, true],
    ['deno', { Deno: {}, process: node, Worker: {} }, true],
    ['edge', { navigator: { userAgent: 'Cloudflare-Workers' }, process: node }, false],
    ['edge', {}, false],
    ['page', { document: {}, Worker: {}, crossOriginIsolated: true }, true],
    ['page', { document: {}, Worker: {}, crossOriginIsolated: false }, false],
    ['worker', { WorkerGlobalScope: {}, Worker: {}, crossOriginIsolated: true }, true],
    ['worker', { WorkerGlobalScope: {}, crossOriginIsolated: true }, false],
  ])('tells %s by %j', (runtime, globals, sharedMemory) => {
    expect(describeHost(globals)).toEqual({ runtime, threads: 1, sharedMemory })
  })

  it('takes the number of threads from the navigator', () => {
    expect(describeHost({ document: {}, navigator: { hardwareConcurrency: 8 } }).threads).toBe(8)
    expect(describeHost({ document: {}, navigator: { hardwareConcurrency: 0 } }).threads).toBe(1)
  })
})

describe('clock', () => {
  it('goes on', () => {
    const start = now()
    expect(clockTicks()).toBe(true)
    expect(now()).toBeGreaterThan(start)
  })
})
