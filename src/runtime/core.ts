// SPDX-License-Identifier: Apache-2.0
/**
 * A model that runs in this thread: one Wasm memory with its threads, the programs compiled so far, and a queue, since
 * only one run at a time has the memory. Ending a session lets go of all of it: nothing of a model stays reachable.
 */
import { StateError, type WhittleError } from '../base/errors.ts'
import { print } from '../ir/dim.ts'
import type { Graph, GraphValue } from '../ir/graph.ts'
import type { HostTraits } from '../ir/lowering.ts'
import type { OpSet } from '../ir/op-set.ts'
import { type Tensor, copyOfTensor } from '../tensor/tensor.ts'
import { Heap, controlAddress, createMemory } from './address.ts'
import { Executor } from './execute.ts'
import { checkFeeds } from './feeds.ts'
import { compileGuess, foreseenWeights } from './foresee.ts'
import { instantiateKernels } from './instance.ts'
import type { MeasuredHost } from './measured-host.ts'
import type { MeasurementPlace } from './measurements.ts'
import type { KernelModule } from './module.ts'
import { Pool } from './pool.ts'
import type { Profile, ProfiledProgram } from './profile.ts'
import { Queue } from './queue.ts'
import type { Fetch, ValueDescription } from './session.ts'
import { Stages } from './stages.ts'
import { warmUp } from './warm-up.ts'
import { type ArrivingPiece, type Refetch, WeightStore, byteLengthOfConstant } from './weights.ts'

export interface CoreOptions {
  readonly graph: Graph
  readonly ops: OpSet
  readonly kernels: KernelModule
  /** Threads in all; more than 1 needs a shared build. */
  readonly threads: number
  /** True where each program is to find out with how many of them it runs best. */
  readonly searchThreads?: boolean
  readonly profile: boolean
  /** Whether a choice between kernels is timed; else what is usual decides. */
  readonly measure?: boolean
  /** Where what is measured is kept; nowhere where left out. */
  readonly measurements?: MeasurementPlace
  /** Size of the model as far as it was read. */
  bytes(): number
  /** Weights the graph has no tensors for, as they arrive. */
  readonly weights?: AsyncIterable<ArrivingPiece>
  /** Gives the bytes of such a weight once more. */
  readonly refetch?: Refetch
  /** The helpers' script where it is not the package's own. */
  readonly helperScript?: URL
  /** True: nothing is chosen by measuring; sparse layers run in the form their file names. */
  readonly fixedForms?: boolean
}

/** What a session gives back when it ends. */
export interface OpenModel {
  readonly graph: Graph
  readonly heap: Heap
  readonly executor: Executor
  readonly stages: Stages
  readonly settled?: MeasuredHost['settled']
  pool?: Pool
  last?: LastRun
}

/** The programs of the last run, and milliseconds of it in Wasm. */
export interface LastRun {
  readonly programs: readonly ProfiledProgram[]
  wasm: number
}

/** A loaded model and its runs. */
export class SessionCore {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  readonly #options: Pick<CoreOptions, 'profile' | 'bytes'> & { readonly build: string }
  readonly #queue = new Queue()
  #model: OpenModel | undefined
  #failure: WhittleError | undefined

  private constructor({ graph, profile, bytes, kernels }: CoreOptions, model: OpenModel) {
    this.#options = { profile, bytes, build: kernels.build }
    this.#model = model
    this.inputs = graph.inputs.map(describeValue)
    this.outputs = graph.outputs.map(describeValue)
  }

  /**
   * Makes the memory, starts the helpers and packs arriving weights in the layouts that steps will want.
   * @throws what the stream of weights throws; StateError when a helper does not come up
   */
  static async create(options: CoreOptions): Promise<SessionCore> {
    const { graph, ops, kernels, threads } = options
    const memory = createMemory(kernels.shared, memoryLimit(graph))
    const heap = new Heap(memory)
    const instance = instantiateKernels(kernels.module, memory)
    const { host, search, settled } = await hostOf(options)
    const executor = new Executor(
      heap,
      instance,
      { count: threads, ...(search ? { search } : {}) },
      (run) => new WeightStore(heap, graph.constants, run, options.refetch),
    )
    const stages = new Stages(graph, ops, host, executor)
    const model: OpenModel = { graph, heap, executor, stages, ...(settled ? { settled } : {}) }
    const core = new SessionCore(options, model)
    const guess = options.weights
      ? compileGuess(graph, ops, host, (bytes) => executor.weights.intern(bytes))
      : undefined
    const receive = async (): Promise<void> => {
      if (options.weights) await executor.weights.receive(options.weights, foreseenWeights(graph, guess))
    }
    const outcomes = await Promise.allSettled([core.#startHelpers(options, model), receive(), settled?.()])
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    try {
      if (failed) throw failed.reason
      if (guess && model.pool) await warmUp(graph, guess, executor)
      return core
    } catch (error) {
      const reason = await core.#final(error)
      await core.dispose()
      throw reason
    }
  }

  get bytes(): number {
    return this.#options.bytes()
  }

  /** Runs the model on the feeds as they are now. @throws InputError for feeds that do not fit, StateError when the session has ended */
  async run(feeds: unknown, fetch?: Fetch): Promise<Record<string, Tensor>> {
    const { graph, stages } = this.#open()
    const given = checkFeeds(graph.inputs, feeds)
    // what begins at once and reads its inputs first of all needs no copies of them
    const ready = this.#queue.isIdle ? stages.readyFor(given) : undefined
    // they are read when their turn comes; until then the caller may do with its arrays what it likes
    const inputs = ready ? given : new Map([...given].map(([name, tensor]) => [name, copyOfTensor(tensor)]))
    return this.#queue.add(async () => {
      const model = this.#open()
      const before = model.executor.wasmTime
      try {
        const { outputs, programs } = await model.stages.run(inputs, this.#options.profile, ready, fetch)
        model.last = { programs, wasm: model.executor.wasmTime - before }
        const wanted = model.graph.outputs.filter(({ name }) => outputs.has(name))
        return Object.fromEntries(wanted.map(({ name }) => [name, outputs.get(name)!]))
      } catch (error) {
        throw await this.#final(error)
      }
    })
  }

  /** The model, while no run is under way. @throws StateError when the session has ended */
  get idle(): OpenModel | undefined {
    const model = this.#open()
    return this.#queue.isIdle ? model : undefined
  }

  /** Whether steps are run and timed one by one. */
  get isTimed(): boolean {
    return this.#options.profile
  }

  /** What an error comes to, where no helpers are: after a StateError the memory is of no further use. */
  failed(error: unknown): unknown {
    return error instanceof StateError ? (this.#failure ??= error) : error
  }

  /** Of the last run. @throws StateError before the first one */
  async profile(): Promise<Profile> {
    const { heap, executor, last } = this.#open()
    if (!last) {
      const where = 'session.profile'
      throw new StateError({ where, expected: 'a run before it', got: 'none' })
    }
    const { build } = this.#options
    const { arenaBytes: arena, activeThreads: threads, weights } = executor
    const { profileOf } = await import('./profile.ts')
    const memory = { weights: weights.bytes, arena, total: heap.memory.buffer.byteLength }
    return profileOf(last.programs, { ...memory, build, threads, wasm: last.wasm })
  }

  /** Waits for the run under way, turns away the others, ends the helpers and lets the memory go. */
  async dispose(): Promise<void> {
    await this.#queue.close(disposed)
    const { pool, settled } = this.#model ?? {}
    this.#model = undefined
    await settled?.()
    await pool?.dispose()
  }

  #open(): OpenModel {
    if (!this.#model) throw disposed()
    if (this.#failure) throw this.#failure
    return this.#model
  }

  /** What an error comes to: after a StateError threads or memory are of no further use, and a helper's death is the cause. */
  async #final(error: unknown): Promise<unknown> {
    if (error instanceof StateError) await this.#model?.pool?.explained()
    return this.failed(error)
  }

  async #startHelpers({ threads, kernels, helperScript }: CoreOptions, model: OpenModel): Promise<void> {
    if (threads === 1) return
    const { memory } = model.heap
    const onDeath = ({ complaint }: WhittleError): void => {
      const got = `the end of one (${complaint.got ?? 'unknown'})`
      this.#failure ??= new StateError({
        where: 'session',
        expected: 'all its threads',
        got,
        todo: 'load the model again',
      })
    }
    const script = helperScript ? { script: helperScript } : {}
    const { module } = kernels
    model.pool = await Pool.start({ threads, module, memory, control: controlAddress, onDeath, ...script })
  }
}

/** What is usual on hosts of this kind, but for what is measured. */
async function hostOf(options: CoreOptions): Promise<MeasuredHost> {
  const { graph, ops, kernels, threads, measure, searchThreads, fixedForms, measurements = false } = options
  const { int8, int4, narrow } = kernels
  const host: HostTraits = { int8, int4, narrow, threads }
  const hasForms = !fixedForms && graph.nodes.some(({ op }) => ops.get(op)?.measured)
  if (!measure && !searchThreads && !hasForms) return { host }
  return (await import('./measured-host.ts')).measuredHost({ ...options, hasForms }, measurements, host)
}

/** What is said of a session that has ended. */
export function disposed(): StateError {
  return new StateError({
    where: 'session',
    expected: 'an open session',
    got: 'a disposed one',
    todo: 'load the model again',
  })
}

function describeValue({ name, dtype, dims }: GraphValue): ValueDescription {
  return { name, type: dtype, dims: dims?.map((dim) => (typeof dim === 'number' ? dim : print(dim))) ?? null }
}

/** Address space for a shared memory: room for weights, their staging and a generous arena. */
function memoryLimit({ constants }: Graph): number {
  let weights = 0
  for (const constant of constants.values()) weights += byteLengthOfConstant(constant)
  return 2 ** 29 + 4 * weights
}
