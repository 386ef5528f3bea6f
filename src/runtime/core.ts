// SPDX-License-Identifier: Apache-2.0
/**
 * A model that runs: the graph, its operators, one Wasm memory with its threads, and the programs compiled so far.
 *
 * Programs are kept per set of input shapes. A program that ends early (a shape only data tells) hands its results to
 * the stage behind it, which has programs of its own, kept per the shapes it was given. Runs are queued: one at a time.
 */
import { StateError, type WhittleError } from '../base/errors.ts'
import { print } from '../ir/dim.ts'
import type { Graph, GraphValue, ValueInfo } from '../ir/graph.ts'
import { inferGraph } from '../ir/infer.ts'
import type { HostTraits } from '../ir/lowering.ts'
import type { OpSet } from '../ir/op-set.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Heap, controlAddress, createMemory } from './address.ts'
import { compile } from './compile.ts'
import { type BoundProgram, type EvaluateHost, Executor, type Timings } from './execute.ts'
import { checkFeeds } from './feeds.ts'
import { foreseenWeights } from './foresee.ts'
import { instantiateKernels } from './instance.ts'
import type { KernelModule } from './module.ts'
import { Pool } from './pool.ts'
import { type Profile, profileOf } from './profile.ts'
import { Queue } from './queue.ts'
import type { SessionBackend, ValueDescription } from './session.ts'
import { type ArrivingPiece, type Refetch, WeightStore, byteLengthOfConstant } from './weights.ts'

export interface CoreOptions {
  readonly graph: Graph
  readonly ops: OpSet
  readonly kernels: KernelModule
  /** Threads in all; more than 1 needs a shared build. */
  readonly threads: number
  readonly profile: boolean
  /** Size of the model as far as it was read. */
  bytes(): number
  /** Weights the graph has no tensors for, as they arrive. */
  readonly weights?: AsyncIterable<ArrivingPiece>
  /** Gives the bytes of such a weight once more. */
  readonly refetch?: Refetch
  /** The helpers' script where it is not the package's own. */
  readonly helperScript?: URL
}

/** Part of the model that is compiled as one: the whole, or what is behind a shape known only from data. */
interface Stage {
  readonly graph: Graph
  /** What is known of its inputs beforehand. */
  readonly infos: ReadonlyMap<string, ValueInfo>
  readonly programs: Map<string, CompiledStage>
}

interface CompiledStage {
  readonly bound: BoundProgram
  readonly evaluate: EvaluateHost
  readonly next: Stage | undefined
}

/** Programs a stage keeps; the least recently used one goes first. */
const mostPrograms = 16

/** Elements of an integer tensor whose content a later stage is compiled for. */
const mostContent = 16

/** The engine's side of a session. */
export class SessionCore implements SessionBackend {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  readonly #options: CoreOptions
  readonly #executor: Executor
  readonly #heap: Heap
  readonly #queue = new Queue()
  readonly #first: Stage
  #pool: Pool | undefined
  #failure: WhittleError | undefined
  #last: { readonly compiled: readonly CompiledStage[]; readonly timings: readonly Timings[] } | undefined

  private constructor(options: CoreOptions, heap: Heap, executor: Executor) {
    this.#options = options
    this.#heap = heap
    this.#executor = executor
    this.inputs = options.graph.inputs.map(describeValue)
    this.outputs = options.graph.outputs.map(describeValue)
    this.#first = { graph: options.graph, infos: new Map(), programs: new Map() }
  }

  /** Instantiates and starts the helpers. */
  static async create(options: CoreOptions): Promise<SessionCore> {
    const { kernels, threads } = options
    const memory = createMemory(kernels.shared, memoryLimit(options.graph))
    const heap = new Heap(memory)
    const instance = await instantiateKernels(kernels.module, memory)
    const executor = new Executor(heap, instance, threads, (run) => new WeightStore(heap, options.graph.constants, run, options.refetch))
    const core = new SessionCore(options, heap, executor)
    const outcomes = await Promise.allSettled([core.#startHelpers(memory), core.#receiveWeights()])
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (!failed) return core
    await core.dispose()
    throw failed.reason
  }

  get bytes(): number {
    return this.#options.bytes()
  }

  /** Runs the model. @throws InputError for feeds that do not fit, StateError when the session has ended */
  run(feeds: unknown): Promise<Record<string, Tensor>> {
    return this.#queue.add(async () => {
      if (this.#failure) throw this.#failure
      const { graph } = this.#options
      let values: ReadonlyMap<string, Tensor> = checkFeeds(graph.inputs, feeds)
      const compiled: CompiledStage[] = []
      const timings: Timings[] = []
      for (let stage: Stage | undefined = this.#first; stage; stage = compiled.at(-1)?.next) {
        const current = await this.#compiled(stage, values)
        compiled.push(current)
        const times: Timings | undefined = this.#options.profile ? [] : undefined
        values = this.#execute(current, values, times)
        timings.push(times ?? [])
      }
      this.#last = { compiled, timings }
      return Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name)!]))
    })
  }

  /** Of the last run. @throws StateError before the first one */
  profile(): Profile {
    if (!this.#last) throw new StateError({ where: 'session.profile', expected: 'a run before it', got: 'none', todo: 'call run first' })
    const { kernels, threads } = this.#options
    return profileOf(
      this.#last.compiled.map(({ bound }, i) => ({ program: bound.program, timings: this.#last!.timings[i] })),
      {
        weights: this.#executor.weights.bytes,
        arena: this.#executor.arenaBytes,
        total: this.#heap.memory.buffer.byteLength,
        build: kernels.build,
        threads,
      },
    )
  }

  /** Waits for the run under way, turns away the others, ends the helpers. */
  async dispose(): Promise<void> {
    await this.#queue.close(() => new StateError({ where: 'session', expected: 'an open session', got: 'a disposed one', todo: 'load the model again' }))
    const pool = this.#pool
    this.#pool = undefined
    await pool?.dispose()
  }

  /** One program. A StateError says that the pool or the memory is of no further use: it stays the session's answer. */
  #execute({ bound, evaluate }: CompiledStage, values: ReadonlyMap<string, Tensor>, timings: Timings | undefined): Map<string, Tensor> {
    try {
      return this.#executor.run(bound, values, evaluate, timings)
    } catch (error) {
      if (error instanceof StateError) this.#failure ??= error
      throw error
    }
  }

  async #startHelpers(memory: WebAssembly.Memory): Promise<void> {
    const { threads, kernels, helperScript } = this.#options
    if (threads === 1) return
    const onDeath = (reason: WhittleError): void => this.#fail(reason)
    const script = helperScript ? { script: helperScript } : {}
    this.#pool = await Pool.start({ threads, module: kernels.module, memory, control: controlAddress, onDeath, ...script })
  }

  /** Packs weights while they arrive, in the layouts that steps will want; those are found by compiling ahead. */
  async #receiveWeights(): Promise<void> {
    const { weights, graph, ops } = this.#options
    if (!weights) return
    await this.#executor.weights.receive(weights, foreseenWeights(graph, ops, this.#traits))
  }

  get #traits(): HostTraits {
    return { int8: this.#options.kernels.int8, threads: this.#options.threads }
  }

  #fail(reason: WhittleError): void {
    this.#failure ??= new StateError(
      { where: 'session', expected: 'all its threads', got: `the end of one (${reason.complaint.got ?? 'unknown'})`, todo: 'load the model again' },
      { cause: reason },
    )
  }

  async #compiled(stage: Stage, values: ReadonlyMap<string, Tensor>): Promise<CompiledStage> {
    const infos = this.#inputInfos(stage, values)
    const key = keyOf(infos)
    const known = stage.programs.get(key)
    if (known) {
      stage.programs.delete(key)
      stage.programs.set(key, known)
      return known
    }
    const compiled = await this.#compile(stage, infos)
    stage.programs.set(key, compiled)
    const [oldest] = stage.programs
    if (stage.programs.size > mostPrograms) {
      stage.programs.delete(oldest[0])
      this.#forget(oldest[1])
    }
    return compiled
  }

  async #compile({ graph }: Stage, inputs: ReadonlyMap<string, ValueInfo>): Promise<CompiledStage> {
    const { ops } = this.#options
    const host = this.#traits
    const infos = inferGraph(graph, ops, { inputs })
    const program = compile({ graph, infos, ops, host, intern: (bytes) => this.#executor.weights.intern(bytes) })
    const hostNodes = program.segments.flatMap((segment) => (segment.kind === 'host' ? [segment.call.node] : []))
    const evaluate =
      hostNodes.length > 0 ? await (await import('./host-calls.ts')).hostEvaluator(hostNodes, graph.opset, ops) : noHostCalls
    const bound = await this.#executor.bind(program)
    const next = program.rest && { ...program.rest, programs: new Map<string, CompiledStage>() }
    return { bound, evaluate, next }
  }

  #forget({ bound, next }: CompiledStage): void {
    this.#executor.unbind(bound)
    for (const compiled of next?.programs.values() ?? []) this.#forget(compiled)
  }

  /** Concrete types of a stage's inputs; for later stages the content of short integer tensors too. */
  #inputInfos(stage: Stage, values: ReadonlyMap<string, Tensor>): Map<string, ValueInfo> {
    const infos = new Map<string, ValueInfo>(stage.infos)
    for (const { name } of stage.graph.inputs) {
      const tensor = values.get(name)
      if (!tensor) continue
      const { type: dtype, dims } = tensor
      const follow = stage !== this.#first && (dtype === 'int64' || dtype === 'int32') && tensor.size <= mostContent
      const content = follow ? Array.from(tensor.data as ArrayLike<number | bigint>, Number) : undefined
      infos.set(name, { dtype, dims, ...(content ? { content } : {}) })
    }
    return infos
  }
}

function keyOf(infos: ReadonlyMap<string, ValueInfo>): string {
  return [...infos].map(([name, { dims, content }]) => `${name}:${dims?.map(print)}${content ? `=${content.map(print)}` : ''}`).join(';')
}

function describeValue({ name, dtype, dims }: GraphValue): ValueDescription {
  return { name, type: dtype, dims: dims?.map((dim) => (typeof dim === 'number' ? dim : print(dim))) ?? null }
}

/** Stands in where no node runs on the host. */
function noHostCalls(): never {
  throw new StateError({ where: 'session', expected: 'a program without host calls', got: 'one' })
}

/** Address space for a shared memory: room for weights, their staging and a generous arena. */
function memoryLimit({ constants }: Graph): number {
  let weights = 0
  for (const constant of constants.values()) weights += byteLengthOfConstant(constant)
  return 2 ** 29 + 4 * weights
}
