// SPDX-License-Identifier: Apache-2.0
/**
 * The walker of assembly/run.ts against docs/steps.md: alone, and with helpers that are prompt, late, absent or dead.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import type { StepSpec } from '../../src/ir/lowering.ts'
import { kernelTable } from '../../src/kernels/table.ts'
import { encodeSteps } from '../../src/runtime/encode.ts'
import { buildBytes } from '../contract/kernel.ts'

const CONTROL = 65536
const LIST = 2 * 65536
const DATA = 4 * 65536
/** Byte offsets in the control block. */
const STOP = 64
const STATE = 192
const IDLE = 0
const WORKING = 2

type Run = (list: number, words: number, control: number, thread: number, threads: number) => number
interface Exports {
  readonly run: Run
  readonly serve: (control: number, thread: number) => void
  readonly stop: (control: number, threads: number) => void
}

class Machine {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly exports: Exports
  readonly workers: Worker[] = []
  words = 0

  constructor(build: 'simd' | 'simd-threads') {
    this.module = new WebAssembly.Module(buildBytes(build))
    this.memory = new WebAssembly.Memory({ initial: 32, maximum: 65536, shared: build === 'simd-threads' })
    this.exports = new WebAssembly.Instance(this.module, { env: { memory: this.memory } }).exports as unknown as Exports
  }

  /** A helper; comes back when it is in `serve`, or at once when it is to be late. */
  async help(thread: number, delay = 0): Promise<Worker> {
    const workerData = { module: this.module, memory: this.memory, control: CONTROL, thread, delay }
    const worker = new Worker(new URL('./serve.mjs', import.meta.url), { workerData })
    this.workers.push(worker)
    if (delay === 0) await once(worker, 'message')
    return worker
  }

  write(steps: readonly StepSpec[]): void {
    const { words } = encodeSteps(steps, (ref) => DATA + ref.offset, kernelTable)
    new Uint32Array(this.memory.buffer, LIST, words.length).set(words)
    this.words = words.length
  }

  run(threads: number): number {
    return this.exports.run(LIST, this.words, CONTROL, 0, threads)
  }

  floats(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, DATA + at, length)
  }

  /** A word of the control block. */
  word(offset: number): Int32Array {
    return new Int32Array(this.memory.buffer, CONTROL + offset, 1)
  }

  get states(): number[] {
    return [1, 2, 3].map((t) => this.word(STATE + 64 * t)[0]!)
  }
}

const machines: Machine[] = []
function machine(build: 'simd' | 'simd-threads'): Machine {
  const made = new Machine(build)
  machines.push(made)
  return made
}
afterEach(async () => {
  for (const { workers } of machines.splice(0)) await Promise.all(workers.map((worker) => worker.terminate()))
})

const SIZE = 4096
const at = (offset: number) => ({ id: '', offset })

/** y = 0.5 x + 1 forth and back between two buffers, cut in many ways, some steps of one chunk and some of none. */
function ladder(steps: number): StepSpec[] {
  return Array.from({ length: steps }, (_, i): StepSpec => {
    const block = [16, 64, 256, 4096][i % 4]!
    const [x, y] = i % 2 ? [SIZE * 4, 0] : [0, SIZE * 4]
    return {
      kernel: 'unary_affine_f32',
      args: { x: at(x), y: at(y), size: SIZE, block, p0: 0.5, p1: 1 },
      units: SIZE / block,
      grain: [1, 3, 2, 1][i % 4]!,
    }
  })
}

/** What the ladder makes of x = i. */
function expectLadder(made: Machine, steps: number): void {
  const got = made.floats(steps % 2 ? SIZE * 4 : 0, SIZE)
  const half = 0.5 ** steps
  const wrong = got.findIndex((value, i) => Math.abs(value - (2 + (i - 2) * half)) > 1e-4)
  expect(wrong).toBe(-1)
}

const start = (made: Machine): void => made.floats(0, SIZE).forEach((_, i, all) => (all[i] = i))

/** A convolution: each thread gathers pixels into a scratch of its own, so a helper that took work leaves a trace. */
const SCRATCH = 512 * 1024
const conv: StepSpec = {
  kernel: 'conv_f32',
  args: {
    a: at(0), lda: 8, batchA: 64 * 64 * 8, b: at(256 * 1024), batchBBytes: 0, c: at(300 * 1024), ldc: 8, batchC: 64 * 64 * 8,
    batch: 1, m: 64 * 64, n: 8, k: 72, mb: 24, nb: 8,
    groups: 1, inH: 64, inW: 64, outW: 64, kh: 3, kw: 3, strideH: 1, strideW: 1, padTop: 1, padLeft: 1, dilationH: 1, dilationW: 1,
    channels: 8, pixelStride: 8, scratch: at(SCRATCH), scratchBytes: 16384, ldp: 72,
    bias: null, residual: null, ldr: 0, batchR: 0, activation: 0, p0: 0, p1: 0, postScale: 1, postShift: 0,
  },
  units: Math.ceil((64 * 64) / 24),
}

test('one thread walks all steps, in every build, and passes over steps without units', () => {
  for (const build of ['simd', 'simd-threads'] as const) {
    const made = machine(build)
    made.write([...ladder(7), { ...ladder(1)[0]!, units: 0 }])
    start(made)
    expect(made.run(1)).toBe(0)
    expectLadder(made, 7)
  }
})

test('an empty list is a run', () => {
  const made = machine('simd-threads')
  expect(made.run(1)).toBe(0)
  expect(made.run(3)).toBe(0)
})

test.each([2, 3, 4])('%i threads give the values of one, run after run', async (threads) => {
  const made = machine('simd-threads')
  for (let t = 1; t < threads; t++) await made.help(t)
  made.write(ladder(101))
  for (let i = 0; i < 20; i++) {
    start(made)
    expect(made.run(threads)).toBe(0)
    expectLadder(made, 101)
    expect(made.states).toEqual([IDLE, IDLE, IDLE])
  }
})

test('helpers take work, and change no bit', async () => {
  const made = machine('simd-threads')
  for (let i = 0; i < 64 * 64 * 8; i++) made.floats(0, 64 * 64 * 8)[i] = Math.sin(i)
  for (let i = 0; i < 72 * 8; i++) made.floats(256 * 1024, 72 * 8)[i] = Math.cos(i)
  made.write([conv, conv, conv, conv])
  const result = made.floats(300 * 1024, 64 * 64 * 8)
  expect(made.run(1)).toBe(0)
  const alone = result.slice()
  await made.help(1)
  const trace = made.floats(SCRATCH + 16384, 64)
  for (let i = 0; i < 2000 && trace.every((value) => value === 0); i++) {
    result.fill(0)
    expect(made.run(2)).toBe(0)
    expect(result).toEqual(alone)
  }
  expect(trace.some((value) => value !== 0)).toBe(true)
})

test('helpers that never came, come late or died while idle hold nothing up', async () => {
  const made = machine('simd-threads')
  const dead = await made.help(1)
  void made.help(2, 30)
  await dead.terminate()
  made.write(ladder(51))
  for (let i = 0; i < 200; i++) {
    start(made)
    expect(made.run(4)).toBe(0)
    expectLadder(made, 51)
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  }
})

test('lists may change between runs', async () => {
  const made = machine('simd-threads')
  await made.help(1)
  for (let i = 1; i < 60; i++) {
    new Uint32Array(made.memory.buffer, LIST, made.words).fill(0xffffffff)
    made.write(ladder(i))
    start(made)
    expect(made.run(2)).toBe(0)
    expectLadder(made, i)
  }
})

test('stop sends helpers home, from their sleep too, and a run after it does nothing', async () => {
  const made = machine('simd-threads')
  const workers = [await made.help(1), await made.help(2)]
  const returned = Promise.all(workers.map((worker) => once(worker, 'message')))
  await new Promise((resolve) => setTimeout(resolve, 20))
  made.exports.stop(CONTROL, 3)
  expect(await returned).toEqual([['returned'], ['returned']])
  made.write(ladder(4))
  start(made)
  expect(made.run(3)).toBe(1)
  expect(made.floats(SIZE * 4, SIZE).every((value) => value === 0)).toBe(true)
})

test('a run that waits for a helper that died at work returns when the stop word is set', async () => {
  const made = machine('simd-threads')
  Atomics.store(made.word(STATE + 64), 0, WORKING)
  const stopper = new Worker(
    `const { workerData } = require('node:worker_threads')
     const words = new Int32Array(workerData.buffer)
     setTimeout(() => Atomics.store(words, workerData.at / 4, 1), 50)`,
    { eval: true, workerData: { buffer: made.memory.buffer, at: CONTROL + STOP } },
  )
  made.workers.push(stopper)
  made.write(ladder(4))
  expect(made.run(2)).toBe(1)
})

test('without shared memory serve and stop return at once', () => {
  const made = machine('simd')
  made.exports.serve(0, 1)
  made.exports.stop(0, 4)
  made.write(ladder(3))
  start(made)
  expect(made.run(4)).toBe(0)
  expectLadder(made, 3)
})
