// SPDX-License-Identifier: Apache-2.0
/**
 * Sessions whose life is cut short: threads ended in the middle of a run, disposal during a run, loads given up half
 * way. Each ends in a named error, holds nothing up, and leaves the ground for the next session.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import { AbortError, type Session, StateError, Tensor, load } from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { compressedFile } from '../models/compressed.ts'
import { ocrModel } from '../models/data.ts'

const SIZE = 256
const weights = Array.from({ length: SIZE * SIZE }, (_, i) => ((i * 7) % 11) / 64 - 0.08)

/** A chain of products that keeps two threads busy for some milliseconds. */
const model = writeContainer(
  toContainer(
    parseGraph(`graph main opset 17 {
  input x: float32[n, ${SIZE}]
  const w: float32[${SIZE}, ${SIZE}] = ${weights.join(' ')}
  ${Array.from({ length: 12 }, (_, i) => `h${i + 1} = MatMul(${i === 0 ? 'x' : `h${i}`}, w)`).join('\n')}
  y = Tanh(h12)
  output y: float32[n, ${SIZE}]
}`),
  ),
)
const x = new Tensor('float32', new Float32Array(400 * SIZE).fill(0.01), [400, SIZE])

/** The session and its helper threads, as the process sees them start. */
async function loadSeen(threads: number): Promise<{ session: Session; helpers: Worker[] }> {
  const helpers: Worker[] = []
  const see = (worker: Worker): number => helpers.push(worker)
  process.on('worker', see)
  try {
    return { session: await load(model, { threads }), helpers }
  } finally {
    process.off('worker', see)
  }
}

async function expectNewSession(): Promise<void> {
  await using session = await load(model, { threads: 2 })
  expect((await session.run({ x })).y.dims).toEqual([400, SIZE])
}

describe('a thread that is ended', () => {
  it('in the middle of a run fails that run or the next with a StateError, and a new session works', async () => {
    for (let delay = 0; delay < 4; delay++) {
      const { session, helpers } = await loadSeen(2)
      expect(helpers.length).toBe(1)
      await session.run({ x })
      // ending takes a moment, a run goes on within its call
      const ended = helpers[0].terminate()
      for (let turn = 0; turn < delay; turn++) await Promise.resolve()
      const first = await session.run({ x }).then(
        () => undefined,
        (error: unknown) => error,
      )
      await ended
      const error = first ?? (await session.run({ x }).catch((reason: unknown) => reason))
      expect(error).toBeInstanceOf(StateError)
      expect(String(error)).toMatch(/exit code/)
      await expect(session.run({ x })).rejects.toThrow(StateError)
      await session.dispose()
    }
    await expectNewSession()
  })
})

describe('dispose', () => {
  it.each([1, 2])('during a run waits for it and turns the waiting ones away (%i threads)', async (threads) => {
    const session = await load(model, { threads })
    const runs = [session.run({ x }), session.run({ x }), session.run({ x })]
    const outcomes = Promise.allSettled(runs)
    await Promise.resolve()
    await session.dispose()
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(StateError)
      else expect(outcome.value.y.dims).toEqual([400, SIZE])
    }
    await expect(session.run({ x })).rejects.toThrow(/disposed/)
    await expectNewSession()
  })

  it('ends the threads', async () => {
    const { session, helpers } = await loadSeen(3)
    const exits = helpers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)))
    await session.dispose()
    expect((await Promise.all(exits)).length).toBe(2)
  })
})

describe('a load that is given up', () => {
  it('at any event ends in an AbortError, with its threads ended, and a new session works', async () => {
    const counter = { events: 0 }
    await (await load(model, { threads: 2, onProgress: () => counter.events++ })).dispose()
    expect(counter.events).toBeGreaterThan(1)
    const helpers: Worker[] = []
    const see = (worker: Worker): number => helpers.push(worker)
    process.on('worker', see)
    for (let at = 0; at < counter.events; at++) {
      const controller = new AbortController()
      let seen = 0
      const onProgress = (): void => {
        if (seen++ === at) controller.abort()
      }
      await expect(load(model, { threads: 2, onProgress, signal: controller.signal })).rejects.toThrow(AbortError)
    }
    process.off('worker', see)
    for (const helper of helpers) expect(helper.threadId).toBe(-1)
    await expectNewSession()
  })
})

describe('memory', () => {
  it('stays flat over loads and disposals', async () => {
    const script = fileURLToPath(new URL('../../scripts/load-loop.mjs', import.meta.url))
    // what V8 and the C library keep for themselves grows once and stays
    const flags = ['--expose-gc', '--max-semi-space-size=2']
    const env = { ...process.env, MALLOC_ARENA_MAX: '1' }
    const model = await compressedFile(ocrModel('ch_PP-OCRv4_rec_infer.onnx'), 'int8')
    const child = spawn(process.execPath, [...flags, script, '--count', '40', '--json', model], { env })
    let text = ''
    child.stdout.on('data', (data: Buffer) => (text += data.toString()))
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0)
    const { growth } = JSON.parse(text) as { growth: number }
    expect(growth).toBeLessThan(16)
  })

  it('stays flat over runs in a worker: a call leaves nothing behind', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    await using session = await load(model, { instances: 1 })
    const few = new Tensor('float32', new Float32Array(SIZE), [1, SIZE])
    const held = async (runs: number): Promise<number> => {
      for (let i = 0; i < runs; i++) await session.run({ x: few })
      collect()
      return process.memoryUsage().heapUsed
    }
    const before = await held(500)
    // what one call could leave is some hundred bytes
    expect((await held(3000)) - before).toBeLessThan(3000 * 200)
  })
})
