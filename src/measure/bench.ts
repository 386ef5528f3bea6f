// SPDX-License-Identifier: Apache-2.0
/**
 * The benchmark of one model: how long loading and the first run take, how long runs take once it is warm and how much
 * that varies, and where the time goes. Another engine may take turns with it in the same rounds. The profile is of a
 * session of its own, because timing each step costs a call into Wasm per step.
 */
import { checkAborted, checkInteger } from '../base/check.ts'
import { type OutputComparison, compare } from '../runtime/compare.ts'
import { openNear } from '../runtime/near.ts'
import type { Feeds } from '../runtime/feeds.ts'
import type { MeasurementPlace } from '../runtime/measurements.ts'
import type { KernelChoice } from '../runtime/module.ts'
import { type LoadOptions, checkOptions } from '../runtime/options.ts'
import type { Profile } from '../runtime/profile.ts'
import { Session } from '../runtime/session.ts'
import type { Source } from '../platform/source.ts'
import { type OperatorTime, type StepTime, operatorTimes, stepTimes } from './operators.ts'
import { type Spread, type Timing, quantile, spreadOf, timeInTurns, timed } from './spread.ts'
import { type Span, type Track, stepSpans } from './trace.ts'

/** Another engine. */
export interface Rival {
  readonly name: string
  /** Loads the model for it. */
  open(like: Session): Promise<Session>
}

export interface BenchProgress {
  readonly phase: 'load' | 'runs' | 'profile'
  readonly loaded: number
  readonly total: number
}

export interface BenchOptions {
  /** 1 where left out. */
  readonly threads?: number
  readonly kernels?: KernelChoice
  /** As for `load`. */
  readonly measurements?: MeasurementPlace
  /** Timed rounds; 20 where left out. */
  readonly rounds?: number
  readonly against?: Rival
  readonly signal?: AbortSignal
  readonly onProgress?: (event: BenchProgress) => void
}

/** Times of one engine, in milliseconds. */
export interface EngineTimes {
  readonly name: string
  readonly load: number
  readonly firstRun: number
  readonly runs: Spread
  /** Every counted round, in order. */
  readonly times: readonly number[]
}

export interface BenchResult {
  /** Bytes of the model. */
  readonly bytes: number
  readonly build: string
  readonly threads: number
  /** whittle first. */
  readonly engines: readonly EngineTimes[]
  /** How far whittle's outputs are from those of the other engine; null without one. */
  readonly outputs: readonly OutputComparison[] | null
  readonly operators: readonly OperatorTime[]
  readonly steps: readonly StepTime[]
  readonly memory: Profile['memory']
  /** Share of a run that is not spent in Wasm: copies, the step list, JavaScript of nodes without a kernel; median of some runs. */
  readonly outsideWasm: number
}

/** Runs that the profile is the mean of. */
const profiledRuns = 5

const defaultRounds = 20

/** A session under the clock. */
interface Runner {
  readonly name: string
  readonly session: Session
  readonly load: Timing
  readonly firstRun: Timing
}

/**
 * Benchmarks a model.
 * @param feedsOf gives the inputs, once the model's are known
 * @returns the figures, and the same timings as tracks for `traceOf`
 * @throws what loading, the feeds and the other engine throw; AbortError
 */
export async function bench(
  source: Source,
  feedsOf: (inputs: Session['inputs']) => Promise<Feeds>,
  options: BenchOptions = {},
): Promise<{ readonly result: BenchResult; readonly tracks: readonly Track[] }> {
  const { threads = 1, kernels = 'auto', measurements = true, against, signal, onProgress } = options
  const rounds = checkInteger('options.rounds', options.rounds ?? defaultRounds, 1)
  const settings = { threads, kernels, measurements, ...(signal ? { signal } : {}) } satisfies LoadOptions
  const tell = (phase: BenchProgress['phase'], loaded: number, total: number): void => {
    checkAborted('bench', signal)
    onProgress?.({ phase, loaded, total })
  }
  const runners: Runner[] = []
  let feeds: Feeds | undefined
  const start = async (name: string, open: () => Promise<Session>): Promise<Runner> => {
    let session: Session | undefined
    const load = await timed(async () => {
      session = await open()
    })
    const opened = session!
    try {
      const given = (feeds ??= await feedsOf(opened.inputs))
      const runner = { name, session: opened, load, firstRun: await timed(() => opened.run(given)) }
      runners.push(runner)
      return runner
    } catch (error) {
      await opened.dispose()
      throw error
    }
  }
  try {
    tell('load', 0, 1)
    const own = await start('whittle', async () => new Session(await openNear(source, await checkOptions(settings))))
    if (against) await start(against.name, () => against.open(own.session))
    const inputs = feeds!
    const outputs = against ? (await compare(runners[1].session, own.session, inputs, { rounds: 1 })).outputs : null
    const timings = await timeInTurns(
      runners.map(
        ({ session }) =>
          () =>
            session.run(inputs),
      ),
      rounds,
      { ...(signal ? { signal } : {}), onRound: (round) => tell('runs', round, rounds) },
    )
    const { build, memory } = await own.session.profile()
    const outsideWasm = await shareOutside(own.session, inputs)
    tell('profile', 0, 1)
    const { steps, run } = await profileModel(source, inputs, settings)
    return {
      result: {
        bytes: own.session.bytes,
        build,
        threads,
        engines: runners.map((runner, i) => timesOf(runner, timings[i])),
        outputs,
        operators: operatorTimes(steps),
        steps,
        memory,
        outsideWasm,
      },
      tracks: [...runners.map((runner, i) => trackOf(runner, timings[i])), profileTrack(steps, run)],
    }
  } finally {
    for (const { session } of runners) await session.dispose()
  }
}

/** As users see it: of whole calls of `run`, the share that is not inside Wasm. */
async function shareOutside(session: Session, feeds: Feeds): Promise<number> {
  const shares: number[] = []
  for (let i = 0; i < profiledRuns; i++) {
    // asking for the split disturbs the run after it
    await session.run(feeds)
    await session.run(feeds)
    const { time } = await timed(() => session.run(feeds))
    shares.push(1 - (await session.profile()).wasmTime / time)
  }
  return quantile(shares, 0.5)
}

/** Steps with their mean times, and when the last of the runs was. */
async function profileModel(
  source: Source,
  feeds: Feeds,
  settings: LoadOptions,
): Promise<{ steps: StepTime[]; run: Timing }> {
  const session = new Session(await openNear(source, await checkOptions({ ...settings, profile: true })))
  try {
    await session.run(feeds)
    const profiles: Profile[] = []
    let run: Timing = { start: 0, time: 0 }
    for (let i = 0; i < profiledRuns; i++) {
      run = await timed(() => session.run(feeds))
      profiles.push(await session.profile())
    }
    return { steps: stepTimes(profiles), run }
  } finally {
    await session.dispose()
  }
}

function timesOf({ name, load, firstRun }: Runner, timings: readonly Timing[]): EngineTimes {
  const times = timings.map(({ time }) => time)
  return { name, load: load.time, firstRun: firstRun.time, runs: spreadOf(times), times }
}

function trackOf({ name, load, firstRun }: Runner, timings: readonly Timing[]): Track {
  const spans: Span[] = [
    { name: 'load', category: 'load', ...load },
    { name: 'first run', category: 'run', ...firstRun },
    ...timings.map((timing, i) => ({ name: `run ${i + 1}`, category: 'run', ...timing })),
  ]
  return { process: name, name: 'session', spans }
}

/** The steps at their mean times, from where the last profiled run began. */
function profileTrack(steps: readonly StepTime[], { start, time }: Timing): Track {
  const spans = steps.map(({ op, node, kernel, bytes, time: taken }) => ({
    name: op,
    category: kernel === null ? 'host' : 'kernel',
    time: taken,
    details: { node, kernel, bytes },
  }))
  return { process: 'whittle', name: 'profile', spans: stepSpans('profiled run', start, time, spans) }
}
