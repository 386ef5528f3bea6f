// SPDX-License-Identifier: Apache-2.0
/**
 * The programs of a model, and running them one behind the other. Programs are kept per set of input shapes. One that
 * ends early (a shape only data tells) hands its results to the stage behind it, which has programs of its own, kept per
 * what it was given. The least recently used program of a stage goes when there are too many.
 */
import { StateError } from '../base/errors.ts'
import { print } from '../ir/dim.ts'
import type { Graph, ValueInfo } from '../ir/graph.ts'
import { inferGraph } from '../ir/infer.ts'
import type { HostTraits } from '../ir/lowering.ts'
import type { OpSet } from '../ir/op-set.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { compile } from './compile.ts'
import type { BoundProgram, EvaluateHost, Executor, Timings } from './execute.ts'
import type { ProfiledProgram } from './profile.ts'
import type { Fetch } from './session.ts'

/** Part of the model that is compiled as one: the whole, or what is behind a shape known only from data. */
interface Stage {
  readonly graph: Graph
  /** What is known of its inputs beforehand. */
  readonly infos: ReadonlyMap<string, ValueInfo>
  /** Inputs whose content it is compiled for, where they are short and of integers or booleans. */
  readonly follows: (name: string) => boolean
  readonly programs: Map<string, CompiledStage>
}

interface CompiledStage {
  /** What it was compiled for. */
  readonly infos: ReadonlyMap<string, ValueInfo>
  readonly bound: BoundProgram
  readonly evaluate: EvaluateHost
  readonly next: Stage | undefined
}

/** A stage that can run at once on the inputs it was asked for. */
export type ReadyStage = CompiledStage

/** Programs a stage keeps. */
const mostPrograms = 16

/** Elements of an integer tensor whose content a stage is compiled for. */
const mostContent = 16

/** Contents of the model's inputs that are compiled for before conditions are waited for instead. */
const mostFollowed = 8

/** A model's stages over one executor. */
export class Stages {
  readonly #ops: OpSet
  readonly #host: HostTraits
  readonly #executor: Executor
  readonly #first: Stage
  /** Inputs that conditions hang on; undefined before the first run. */
  #steering: ReadonlySet<string> | undefined
  /** Their contents so far. */
  readonly #steered = new Set<string>()

  constructor(graph: Graph, ops: OpSet, host: HostTraits, executor: Executor) {
    this.#ops = ops
    this.#host = host
    this.#executor = executor
    const follows = (name: string): boolean => this.#steered.size < mostFollowed && !!this.#steering?.has(name)
    this.#first = { graph, infos: new Map(), follows, programs: new Map() }
  }

  /**
   * Runs the model on checked inputs.
   * @param timed whether every step is timed, which takes a call into Wasm for each
   * @param ready what `readyFor` gave
   * @param fetch what is wanted; all outputs where left out
   * @returns the graph's outputs, and the programs that ran
   */
  async run(
    inputs: ReadonlyMap<string, Tensor>,
    timed: boolean,
    ready?: ReadyStage,
    fetch?: Fetch,
  ): Promise<{ readonly outputs: ReadonlyMap<string, Tensor>; readonly programs: readonly ProfiledProgram[] }> {
    const programs: ProfiledProgram[] = []
    let outputs = inputs
    let stage: Stage | undefined = this.#first
    while (stage) {
      const compiled: CompiledStage = stage === this.#first && ready ? ready : await this.#compiled(stage, outputs)
      const { bound, evaluate, next } = compiled
      const timings: Timings = []
      outputs = await this.#executor.run(bound, outputs, evaluate, {
        ...(timed ? { timings } : {}),
        ...(fetch && !next ? { fetch } : {}),
      })
      programs.push({ program: bound.program, timings })
      stage = next
    }
    return { outputs, programs }
  }

  /** The program for these inputs where there is one, and it reads them within the call of `run` and never again. */
  readyFor(inputs: ReadonlyMap<string, Tensor>): ReadyStage | undefined {
    const known = this.#known(this.#first, keyOf(this.#inputInfos(this.#first, inputs)))
    if (!known || known.next) return undefined
    const { segments, results } = known.bound.program
    const isPlain = segments.every(({ kind }) => kind === 'stretch') && !results.some((name) => inputs.has(name))
    return isPlain ? known : undefined
  }

  /** A compiled stage, now the one used last. */
  #known(stage: Stage, key: string): CompiledStage | undefined {
    const known = stage.programs.get(key)
    if (!known) return undefined
    stage.programs.delete(key)
    stage.programs.set(key, known)
    return known
  }

  async #compiled(stage: Stage, values: ReadonlyMap<string, Tensor>): Promise<CompiledStage> {
    this.#steering ??= hasChoices(this.#first.graph)
      ? (await import('./branches.ts')).steeringInputs(this.#first.graph)
      : new Set()
    const infos = this.#inputInfos(stage, values)
    const key = keyOf(infos)
    const known = this.#known(stage, key)
    if (known) return known
    const compiled = await this.#compile(stage, infos)
    if (stage === this.#first)
      this.#steered.add(JSON.stringify([...infos].map(([, { content }]) => content?.map(print))))
    stage.programs.set(key, compiled)
    const [oldest] = stage.programs
    if (stage.programs.size > mostPrograms) {
      stage.programs.delete(oldest[0])
      this.#forget(oldest[1])
    }
    return compiled
  }

  async #compile(stage: Stage, inputs: ReadonlyMap<string, ValueInfo>): Promise<CompiledStage> {
    const ops = this.#ops
    const isGiven = (name: string, isConstant: boolean): boolean =>
      stage.follows(name) && (isConstant || stage.infos.has(name))
    const infer = (lead: Graph): Map<string, ValueInfo> => inferGraph(lead, ops, { inputs })
    const { whole, cut } = hasChoices(stage.graph)
      ? (await import('./branches.ts')).cutBranches(stage.graph, inputs, isGiven, infer)
      : { whole: stage.graph, cut: undefined }
    const graph = cut?.lead ?? whole
    const behind = cut && { nodes: cut.tail, outputs: whole.outputs }
    const infos = inferGraph(graph, ops, { inputs })
    const intern = (bytes: Uint8Array): string => this.#executor.weights.intern(bytes)
    const program = compile({ graph, ...(behind ? { behind } : {}), infos, ops, host: this.#host, intern })
    const hostNodes = program.segments.flatMap((segment) => (segment.kind === 'host' ? [segment.call.node] : []))
    const evaluate =
      hostNodes.length > 0
        ? await (await import('./host-calls.ts')).hostEvaluator(hostNodes, graph.opset, ops)
        : noHostCalls
    const bound = await this.#executor.bind(program)
    const isCut = cut !== undefined && cut.tail.length === program.rest?.graph.nodes.length
    const follows = (name: string): boolean => !isCut || cut.conditions.includes(name)
    const next = program.rest && { ...program.rest, follows, programs: new Map<string, CompiledStage>() }
    return { infos: inputs, bound, evaluate, next }
  }

  #forget({ bound, next }: CompiledStage): void {
    this.#executor.unbind(bound)
    for (const compiled of next?.programs.values() ?? []) this.#forget(compiled)
  }

  /** Concrete types of a stage's inputs, and the content of those it is compiled for. */
  #inputInfos(stage: Stage, values: ReadonlyMap<string, Tensor>): Map<string, ValueInfo> {
    const infos = new Map<string, ValueInfo>(stage.infos)
    for (const { name } of stage.graph.inputs) {
      const tensor = values.get(name)
      if (!tensor) continue
      const { type: dtype, dims } = tensor
      const hasContent = dtype === 'int64' || dtype === 'int32' || dtype === 'bool'
      const follow = stage.follows(name) && hasContent && tensor.size <= mostContent
      const content = follow ? Array.from(tensor.data as ArrayLike<number | bigint>, Number) : undefined
      infos.set(name, { dtype, dims, ...(content ? { content } : {}) })
    }
    return infos
  }
}

/** Only such graphs need branches.ts. */
function hasChoices({ nodes }: Graph): boolean {
  return nodes.some(({ op }) => op === 'whittle.Select')
}

function keyOf(infos: ReadonlyMap<string, ValueInfo>): string {
  const texts = [...infos].map(([name, { dims, content }]) => [name, dims?.map(print), content?.map(print)])
  return JSON.stringify(texts)
}

/** Stands in where no node runs on the host. */
function noHostCalls(): never {
  throw new StateError({ where: 'session', expected: 'a program without host calls', got: 'one' })
}
