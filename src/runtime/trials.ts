// SPDX-License-Identifier: Apache-2.0
/**
 * Times forms that compute the same, in an instance and a memory of their own: nothing of the session is touched, and
 * nothing of it stays. What is known of the host already is not timed again (measurements.ts). Forms take turns, and the least time of each
 * counts: what else the machine does can only add to it. The work is that of one thread.
 */
import type { FormTimer, FormTimes, FormTrial, Trial } from '../ir/lowering.ts'
import { kernelTable } from '../kernels/table.ts'
import { clockTicks, now } from '../platform/clock.ts'
import { Heap, createMemory } from './address.ts'
import { encodeSteps } from './encode.ts'
import { type KernelExports, instantiateKernels } from './instance.ts'
import { Measurements } from './measurements.ts'
import type { KernelModule } from './module.ts'

/** What tells the time, in milliseconds. */
export interface TrialClock {
  now(): number
  /** Whether time passes while code runs. */
  ticks(): boolean
}

/**
 * Milliseconds: of all trials of a session (a layer that was begun by then is timed to the end), of the warm-up of a form, of one whose kernels were not run yet, which an engine
 * compiles well only while they run, and of a sample, which is as many runs as that takes: longer where the clock goes on in
 * steps (0.1 ms in a page that is not isolated).
 */
const limits = { all: 400, warmUp: 4, firstWarmUp: 30, sample: 0.3 }
/** Steps of the clock in a sample. */
const clockSteps = 10
/** A sample that became short, since code was compiled better meanwhile, is made of twice as many runs, up to so many times. */
const mostGrowth = 64
/**
 * Samples of each form since the last that was faster than all before by more than `gain`: then neither a compiler's next
 * tier nor other work has a part in the least times. And most of them.
 */
const rounds = 5
const gain = 0.02
const mostRounds = 40

type Times = Readonly<Record<string, number>>

/** The forms of one session's layers. */
export class FormTrials implements FormTimer {
  readonly #kernels: Pick<KernelModule, 'module' | 'shared'>
  readonly #clock: TrialClock
  readonly #measurements: Measurements
  readonly #byLayer = new Map<string, readonly FormTimes[] | null>()
  /** Kernels that trials ran. */
  readonly #warm = new Set<string>()
  #spent = 0
  #ticks: boolean | undefined

  /** @param measurements kept for the session alone where left out */
  constructor(
    kernels: Pick<KernelModule, 'module' | 'shared'>,
    measurements: Measurements = new Measurements(),
    clock: TrialClock = { now, ticks: clockTicks },
  ) {
    this.#kernels = kernels
    this.#measurements = measurements
    this.#clock = clock
  }

  measure(layer: string, forms: readonly string[], shapes: readonly FormTrial[]): readonly FormTimes[] | null {
    const told = this.#byLayer.get(layer)
    if (told !== undefined) return told
    // a layer that was begun is timed to the end: of half its times nothing can be said
    const mayTime = this.#spent <= limits.all
    const all = shapes.map((shape) => this.#known(shape, forms) ?? (mayTime ? this.#measured(shape) : null))
    const times = all.every((one) => one !== null) ? all : null
    this.#byLayer.set(layer, times)
    return times
  }

  #known({ rows, key }: FormTrial, forms: readonly string[]): FormTimes | undefined {
    const { figures: times, date, earlier } = this.#measurements.find(key, forms) ?? {}
    return times && { rows, times, ...(earlier ? { earlier: date } : {}) }
  }

  #measured({ rows, key, trials }: FormTrial): FormTimes | null {
    const times = this.#timesOf(trials)
    if (times) this.#measurements.note(key, times)
    return times && { rows, times }
  }

  #timesOf(trials: () => Readonly<Record<string, Trial>>): Times | null {
    this.#ticks ??= this.#clock.ticks()
    if (!this.#ticks) return null
    const start = this.#clock.now()
    const forms = Object.entries(trials())
    const memory = createMemory(
      this.#kernels.shared,
      forms.reduce((sum, [, trial]) => sum + roomFor(trial), 0),
    )
    const heap = new Heap(memory)
    const kernels = instantiateKernels(this.#kernels.module, memory)
    const runs = forms.map(([form, trial]) => [form, runnerOf(trial, heap, kernels)] as const)
    const used = forms.flatMap(([, { steps }]) => steps.map(({ kernel }) => kernel))
    const warmUp = used.every((kernel) => this.#warm.has(kernel)) ? limits.warmUp : limits.firstWarmUp
    for (const kernel of used) this.#warm.add(kernel)
    const times = timeForms(runs, () => this.#clock.now(), warmUp, limits.all - this.#spent)
    this.#spent += this.#clock.now() - start
    return times
  }
}

/** Bytes of address space for a trial, with what the heap takes to spare. */
function roomFor({ buffers }: Trial): number {
  let bytes = 2 ** 23
  for (const buffer of buffers.values()) bytes += 2 * buffer.bytes
  return bytes
}

/** Lays a trial out; a call runs it. */
function runnerOf({ steps, buffers }: Trial, heap: Heap, kernels: KernelExports): () => void {
  const places = new Map<string, number>()
  for (const [id, { bytes, content }] of buffers) {
    const address = heap.allocate(bytes)
    // Written even where it holds zeros: reads of memory that nobody wrote miss the address cache at each page.
    heap.view(address, bytes).set(content ?? new Uint8Array(bytes))
    places.set(id, address)
  }
  const { words } = encodeSteps(steps, ({ id, offset }) => places.get(id)! + offset, kernelTable)
  const list = heap.allocate(words.byteLength)
  heap.view(list, words.byteLength).set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength))
  return () => void kernels.run(list, words.length, 0, 0, 1)
}

/**
 * Least milliseconds of a run of each, or null where the clock saw none.
 * @param mostTime milliseconds after which no more is done than has to be
 */
export function timeForms(
  runs: readonly (readonly [form: string, run: () => void])[],
  clock: () => number,
  warmUp: number = limits.warmUp,
  mostTime: number = limits.all,
): Times | null {
  const sample = Math.max(limits.sample, clockSteps * stepOf(clock))
  const lanes = runs.map(([form, run]) => {
    const batch = warmedUp(run, clock, warmUp, sample)
    return { form, run, batch, mostRuns: batch * mostGrowth, best: Infinity }
  })
  const end = clock() + mostTime
  for (let round = 0, still = 0; still < rounds && round < mostRounds; round++) {
    if (round >= rounds && clock() > end) break
    still++
    for (const lane of lanes) {
      const time = timeOf(lane, clock, sample / 2)
      if (time < lane.best * (1 - gain)) still = 0
      lane.best = Math.min(lane.best, time)
    }
  }
  const wereSeen = lanes.every(({ best }) => best > 0)
  return wereSeen ? Object.fromEntries(lanes.map(({ form, best }) => [form, best])) : null
}

/** Milliseconds of a run, from a sample of at least so many. */
function timeOf(
  lane: { readonly run: () => void; readonly mostRuns: number; batch: number },
  clock: () => number,
  least: number,
): number {
  for (;;) {
    const start = clock()
    for (let i = 0; i < lane.batch; i++) lane.run()
    const time = clock() - start
    if (time >= least || lane.batch >= lane.mostRuns) return time / lane.batch
    lane.batch *= 2
  }
}

/** Runs for so long: compilers have tiers. How many runs make a sample. */
function warmedUp(run: () => void, clock: () => number, least: number, sample: number): number {
  const start = clock()
  let count = 0
  let time = 0
  while (count < 3 || (time < least && count < 1000)) {
    run()
    count++
    time = clock() - start
  }
  return Math.max(1, Math.ceil((sample * count) / Math.max(time, sample)))
}

/** Least milliseconds by which the clock goes on, of a few times: something else may stop the program between two looks. */
function stepOf(clock: () => number): number {
  let step = Infinity
  for (let time = nextOf(clock, clock()), i = 0; i < clockSteps; i++) {
    const next = nextOf(clock, time)
    step = Math.min(step, next - time)
    time = next
  }
  return step
}

/** What a clock says next; where that is `from` for long, `from`. */
function nextOf(clock: () => number, from: number): number {
  for (let looks = 0; looks < 100_000; looks++) {
    const time = clock()
    if (time > from) return time
  }
  return from
}
