// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { StateError } from '../../src/base/errors.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { kernelNames } from '../../src/kernels/table.ts'
import { controlAddress, createMemory } from '../../src/runtime/address.ts'
import { workerUrl } from '../../src/runtime/assets.ts'
import { type CoreOptions, SessionCore } from '../../src/runtime/core.ts'
import { type KernelChoice, Modules } from '../../src/runtime/module.ts'
import { Pool } from '../../src/runtime/pool.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const missing = existsSync(workerUrl('helper-worker')) ? undefined : 'skipped: dist/helper-worker.js is not built'
if (missing) console.warn(missing)

const network = (columns: number): string => `graph main opset 17 {
  input x: float32[n, 64]
  const w: float32[64, ${columns}] = ${Array.from({ length: 64 * columns }, (_, i) => Math.fround(Math.sin(i))).join(' ')}
  h = MatMul(x, w)
  s = Sigmoid(h)
  t = Transpose(s) {perm: [1, 0]}
  u = MatMul(s, t)
  y = Tanh(u)
  output y: float32[n, n]
}`

async function open(
  threads: number,
  choice: KernelChoice = 'auto',
  helperScript?: URL,
  text = network(48),
  more: Partial<CoreOptions> = {},
): Promise<SessionCore> {
  const graph = parseGraph(text)
  const ops = await loadOps(operatorsOf(graph))
  const kernels = await new Modules().choose(choice, threads > 1)
  return SessionCore.create({
    graph,
    ops,
    kernels,
    threads,
    profile: false,
    bytes: () => 0,
    ...(helperScript ? { helperScript } : {}),
    ...more,
  })
}

function input(rows: number): Tensor {
  return new Tensor(
    'float32',
    Float32Array.from({ length: rows * 64 }, (_, i) => Math.cos(i * 0.3)),
    [rows, 64],
  )
}

describe.skipIf(missing !== undefined)('threads', () => {
  it.each(['auto', 'simd'] as const)('give the bits of one thread (%s)', async (choice) => {
    const sessions = await Promise.all([1, 2, 3].map((threads) => open(threads, choice)))
    try {
      for (const rows of [1, 7, 130, 300]) {
        const [one, ...others] = await Promise.all(sessions.map((session) => session.run({ x: input(rows) })))
        for (const other of others)
          expect(new Uint32Array((other.y.data as Float32Array).buffer)).toEqual(
            new Uint32Array((one.y.data as Float32Array).buffer),
          )
      }
    } finally {
      await Promise.all(sessions.map((session) => session.dispose()))
    }
  })

  it.each([false, true])('copy large results while they work (profile: %s)', async (profile) => {
    const text = network(48).replace('u = MatMul(s, t)\n  y = Tanh(u)', 'y = MatMul(s, t)')
    const sessions = await Promise.all([1, 2, 3].map((threads) => open(threads, 'auto', undefined, text, { profile })))
    try {
      for (const rows of [180, 300, 1000, 300]) {
        const [one, ...others] = await Promise.all(sessions.map((session) => session.run({ x: input(rows) })))
        for (const other of others) {
          const bytes = Buffer.from((other.y.data as Float32Array).buffer)
          expect(bytes.equals(Buffer.from((one.y.data as Float32Array).buffer))).toBe(true)
        }
      }
    } finally {
      await Promise.all(sessions.map((session) => session.dispose()))
    }
  })

  it('end with their session, which may be disposed twice', async () => {
    const session = await open(2)
    await session.dispose()
    await session.dispose()
    await expect(session.run({ x: input(1) })).rejects.toThrow(StateError)
  })

  it('that die end the session with a StateError, not a hang', async () => {
    const session = await open(2, 'auto', new URL('./dying-helper.mjs', import.meta.url))
    try {
      let error: unknown
      for (const end = Date.now() + 10_000; error === undefined && Date.now() < end;) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        await session.run({ x: input(200) }).catch((reason: unknown) => (error = reason))
      }
      expect(error).toBeInstanceOf(StateError)
      expect(String(error)).toContain('exit code 3')
    } finally {
      await session.dispose()
    }
  })

  it.each([
    ['a run', 8],
    ['the packing of weights', 640],
  ])(
    'that die with work in hand during %s end it in moments',
    async (_, columns) => {
      const session = await open(2, 'auto', new URL('./leaving-helper.mjs', import.meta.url), network(columns))
      try {
        let error: unknown
        // the first runs may be over before the helper is there
        for (const end = Date.now() + 20_000; error === undefined && Date.now() < end;)
          await session.run({ x: input(300) }).catch((reason: unknown) => (error = reason))
        expect(error).toBeInstanceOf(StateError)
        expect(String(error)).toContain('exit code 3')
        await expect(session.run({ x: input(1) })).rejects.toThrow('exit code 3')
      } finally {
        await session.dispose()
      }
    },
    25_000,
  )

  it('that die while kernels are warmed up fail the load, which leaves no thread behind', async () => {
    const helpers: Worker[] = []
    const see = (worker: Worker): number => helpers.push(worker)
    process.on('worker', see)
    try {
      const script = new URL('./leaving-helper.mjs', import.meta.url)
      const text = network(8).replaceAll('[n, ', '[300, ').replace('[300, n]', '[300, 300]')
      let error: unknown
      // a warm-up may be over before the helper is there
      for (const end = Date.now() + 20_000; error === undefined && Date.now() < end;) {
        const weights = (async function* () {})()
        const opened = await open(2, 'auto', script, text, { weights }).catch((reason: unknown) => (error = reason))
        if (opened instanceof SessionCore) await opened.dispose()
      }
      expect(String(error)).toContain('exit code 3')
      expect(helpers.every(({ threadId }) => threadId === -1)).toBe(true)
    } finally {
      process.off('worker', see)
    }
  })

  it('that trap end the run under way, not only their own', async () => {
    const { module } = await new Modules().choose('auto', true)
    const memory = createMemory(true)
    memory.grow(4)
    const words = new Int32Array(memory.buffer)
    const [control, list] = [controlAddress / 4, 2 ** 14]
    // one step of a kernel that reads far outside of memory, its gate open, for a run that thread 1 is called to
    words.set([kernelNames.indexOf('unary_relu_f32'), 16, 4, 1, 0, 0, 0, 0, -64, -64, 4, 1, 0, 0, 0, 0], list)
    const deaths: unknown[] = []
    const pool = await Pool.start({
      threads: 2,
      module,
      memory,
      control: controlAddress,
      onDeath: (reason) => deaths.push(reason),
    })
    words.set([list * 4, 16], control + 32)
    Atomics.store(words, control, 1)
    Atomics.store(words, control + (192 + 64) / 4, 1)
    for (const end = Date.now() + 5000; deaths.length === 0 && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 5))
    await pool.dispose()
    expect(String(deaths)).toMatch(/out of bounds/)
    expect(Atomics.load(words, control + 16)).toBe(1)
  })

  it('that do not come up fail the load', async () => {
    await expect(open(2, 'auto', new URL('./no-such-helper.mjs', import.meta.url))).rejects.toThrow(StateError)
  })
})
