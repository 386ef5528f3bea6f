// SPDX-License-Identifier: Apache-2.0
/**
 * Programs in Wasm memory, and running them. Binding a program gives it a step list in memory, written for where weights
 * and arena lie; when the arena moves, the words are written again before the next run. A run copies inputs in, makes
 * one call per stretch, evaluates host calls between, and copies results out: what it returns is the caller's own.
 */
import { GraphError, StateError } from '../base/errors.ts'
import type { Ref, StepSpec } from '../ir/lowering.ts'
import { nextTask, now } from '../platform/clock.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { bytesOf, copyOfTensor, tensorFromBytes } from '../tensor/tensor.ts'
import { type Heap, controlAddress } from './address.ts'
import { rootOf } from './arena.ts'
import type { HostCall, Program, Slot } from './compile.ts'
import { type EarlyRows, cutLast, earlyRows } from './early-copy.ts'
import { type KernelRows, encodeSteps, rowsOf } from './encode.ts'
import type { KernelExports } from './instance.ts'
import { refIds } from './lowering.ts'
import type { Fetch } from './session.ts'
import type { ThreadSearch } from './thread-search.ts'
import type { WeightStore } from './weights.ts'

/** A program with its step list in memory. */
export interface BoundProgram {
  readonly program: Program
  /** Rows that have the kernels of its steps. */
  readonly rows: KernelRows
  readonly list: number
  readonly listBytes: number
  readonly starts: Uint32Array
  /** The arena the words were written for. */
  arena: number
  /** Of a large result, with helpers. */
  readonly early: EarlyRows | undefined
  /** Where threads are searched for: how many it is to run with. */
  readonly search?: ThreadSearch
}

/** Threads of a session: all there are, and, where each program is to find out how many of them it runs best with, what does. */
export interface Threads {
  readonly count: number
  readonly search?: (program: Program) => ThreadSearch
}

/** Runs a node's reference. */
export type EvaluateHost = (call: HostCall, value: (name: string) => Tensor | undefined) => Tensor[]

/** Milliseconds of one step or host call, in order. */
export type Timings = number[]

/** How a program is run. */
export interface RunOptions {
  /** Filled with a time per step and host call, which then are run one by one. */
  readonly timings?: Timings
  /** What is wanted of the results; copies of all where left out. */
  readonly fetch?: Fetch
}

/** What `run` of the kernels returned, in words. */
const failures: Readonly<Record<number, string>> = {
  1: 'a stopped pool of threads',
  2: 'a thread that made no progress for 30 seconds',
}

/** What `run` and `resume` return besides. */
const finished = 0
const underWay = 3
const led = 4

/** Binds and runs the programs of one session, one at a time. */
export class Executor {
  readonly #heap: Heap
  readonly #kernels: KernelExports
  readonly #threads: Threads
  readonly #weights: WeightStore
  #arena = { address: 0, bytes: 0 }
  /** Threads called into runs as they are now. */
  #active: number
  #wasmTime = 0

  constructor(heap: Heap, kernels: KernelExports, threads: Threads, weights: (run: Executor['runNow']) => WeightStore) {
    this.#heap = heap
    this.#kernels = kernels
    this.#threads = threads
    this.#active = threads.count
    this.#weights = weights(this.runNow)
  }

  /** Threads the last run was done with. */
  get activeThreads(): number {
    return this.#active
  }

  /** Milliseconds in Wasm so far, of the thread that waits for the others. */
  get wasmTime(): number {
    return this.#wasmTime
  }

  get weights(): WeightStore {
    return this.#weights
  }

  get arenaBytes(): number {
    return this.#arena.bytes
  }

  /** Runs steps once, from a list that is gone afterwards. */
  readonly runNow = async (steps: readonly StepSpec[], resolve: (ref: Ref) => number): Promise<void> => {
    const { words } = encodeSteps(steps, resolve, await rowsOf(steps))
    if (words.length === 0) return
    const list = this.#heap.allocate(words.byteLength)
    try {
      this.#write(list, words)
      await this.#walk(list, words.length)
    } finally {
      this.#heap.release(list, words.byteLength)
    }
  }

  /** Gives a program its place; weights and tables it needs are brought in. */
  async bind(program: Program): Promise<BoundProgram> {
    const raws = program.segments.flatMap((segment) => (segment.kind === 'host' ? segment.call.reads : []))
    const requests = [...program.weights.values()]
    for (const name of [...raws, ...program.results]) {
      if (this.#weights.isConstant(name) && !this.#weights.hasTensor(name))
        requests.push({ id: refIds.raw(name), constant: name })
    }
    await this.#weights.ensure(requests, program.tables)
    const rows = await rowsOf(program.steps)
    this.#weights.retainTables(program.tables.keys())
    this.#reserveArena(program.arena.bytes)
    const { count, search } = this.#threads
    const early = count > 1 ? earlyRows(program) : undefined
    const { words, starts } = this.#encode(program, rows, early)
    const list = this.#heap.allocate(words.byteLength)
    this.#write(list, words)
    const bound = { program, rows, early, list, listBytes: words.byteLength, starts, arena: this.#arena.address }
    return search ? { ...bound, search: search(program) } : bound
  }

  /** Gives a bound program's memory back. */
  unbind({ program, list, listBytes }: BoundProgram): void {
    this.#heap.release(list, listBytes)
    this.#weights.releaseTables(program.tables.keys())
  }

  /**
   * Runs.
   * @throws StateError when a helper died
   */
  async run(
    bound: BoundProgram,
    inputs: ReadonlyMap<string, Tensor>,
    evaluate: EvaluateHost,
    options: RunOptions = {},
  ): Promise<Map<string, Tensor>> {
    const { search } = bound
    this.#active = search?.count ?? this.#threads.count
    const start = now()
    const outputs = await this.#execute(bound, inputs, evaluate, options)
    search?.note(now() - start)
    return outputs
  }

  /** Whether one thread does all, so that `runWhole` may be called. */
  get isAlone(): boolean {
    return this.#threads.count === 1
  }

  /** What `runWhole` calls. */
  get entry(): KernelExports['run'] {
    return this.#kernels.run
  }

  /** A value of a program in the arena: a view, good until the memory grows or the arena moves. */
  viewOf({ program }: BoundProgram, name: string): Tensor {
    const slot = program.types.get(name)!
    return tensorFromBytes(slot.dtype, this.#place(slot, this.#resolver(program)), slot.dims)
  }

  async #execute(
    bound: BoundProgram,
    inputs: ReadonlyMap<string, Tensor>,
    evaluate: EvaluateHost,
    { timings, fetch }: RunOptions,
  ): Promise<Map<string, Tensor>> {
    const { program, early } = bound
    this.refresh(bound)
    const resolve = this.#resolver(program)
    let begun: Uint8Array | undefined
    const lead = (): void => {
      const place = this.#place(program.types.get(early!.name)!, resolve)
      // all of it, since an array that copies is not cleared first; what is not done yet comes later
      begun = new Uint8Array(place)
    }
    const values = new Map(inputs)
    const value = (name: string): Tensor | undefined => {
      const atHand = values.get(name)
      if (atHand) return atHand
      const view = this.#view(program, resolve, name)
      return view && copyOfTensor(view)
    }
    for (const name of program.arenaInputs) this.#copyIn(program, resolve, name, values.get(name))
    for (const segment of program.segments) {
      if (segment.kind === 'stretch') {
        await this.#runStretch(bound, segment.from, segment.to, timings, fetch ? undefined : lead)
        continue
      }
      const start = now()
      const { call } = segment
      const outputs = evaluate(call, value)
      for (const [i, name] of call.node.outputs.entries()) {
        if (name === '' || outputs[i] === undefined) continue
        values.set(name, outputs[i])
        if (call.arenaWrites.includes(name)) this.#copyIn(program, resolve, name, outputs[i])
      }
      timings?.push(now() - start)
    }
    const results = new Map<string, Tensor>()
    for (const name of program.results) {
      const value = values.get(name) ?? this.#view(program, resolve, name)
      if (!value) throw new GraphError({ where: `output '${name}'`, expected: 'to be computed', got: 'nothing' })
      if (begun && name === early!.name) {
        begun.set(bytesOf(value).subarray(early!.bytes), early!.bytes)
        results.set(name, tensorFromBytes(value.type, begun, value.dims))
        continue
      }
      const result = fetch ? fetch.take(name, value) : copyOfTensor(value)
      if (result) results.set(name, result)
    }
    return results
  }

  async #runStretch(
    { list, starts }: BoundProgram,
    from: number,
    to: number,
    timings: Timings | undefined,
    lead: (() => void) | undefined,
  ): Promise<void> {
    if (!timings) return this.#walk(list + starts[from] * 4, starts[to] - starts[from], lead)
    for (let step = from; step < to; step++) {
      const start = now()
      await this.#walk(list + starts[step] * 4, starts[step + 1] - starts[step])
      timings.push(now() - start)
    }
  }

  /**
   * Does steps. While a helper keeps it waiting, the host gets to see whether that one died.
   * @param lead called when a step that leads is done, while helpers are at the next
   */
  async #walk(list: number, words: number, lead?: () => void): Promise<void> {
    let code = words === 0 ? finished : this.#call(list, words)
    let failed: { readonly error: unknown } | undefined
    while (code === underWay || code === led) {
      try {
        if (code === led) lead?.()
        else await nextTask()
      } catch (error) {
        // helpers are in the run, which has to end before anything else begins
        failed = { error }
      }
      code = this.#call(0, 0)
    }
    if (failed) throw failed.error
    if (code === finished) return
    throw failure(failures[code] ?? `code ${code}`)
  }

  /** Begins a list of `words`, or goes on with the one that was begun where there are none. */
  #call(list: number, words: number): number {
    const start = now()
    try {
      if (words === 0) return this.#kernels.resume(controlAddress, 0, this.#active)
      return this.#kernels.run(list, words, controlAddress, 0, this.#active)
    } catch (error) {
      throw trap(error)
    } finally {
      this.#wasmTime += now() - start
    }
  }

  #reserveArena(bytes: number): void {
    if (bytes <= this.#arena.bytes) return
    if (this.#arena.bytes > 0) this.#heap.release(this.#arena.address, this.#arena.bytes)
    this.#arena = { address: 0, bytes: 0 }
    this.#arena = { address: this.#heap.allocate(bytes), bytes }
  }

  /** Writes the words again where the arena has moved; a run needs that before it. */
  refresh(bound: BoundProgram): void {
    if (bound.arena === this.#arena.address) return
    this.#reserveArena(bound.program.arena.bytes)
    const { program, rows, early } = bound
    this.#write(bound.list, this.#encode(program, rows, early).words)
    bound.arena = this.#arena.address
  }

  #encode(program: Program, rows: KernelRows, early: EarlyRows | undefined): ReturnType<typeof encodeSteps> {
    const encoded = encodeSteps(program.steps, this.#resolver(program), rows)
    return early ? cutLast(encoded, early) : encoded
  }

  #write(list: number, words: Uint32Array): void {
    this.#heap.view(list, words.byteLength).set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength))
  }

  #resolver(program: Program): (ref: Ref) => number {
    return (ref) => {
      const root = rootOf(ref, program.aliases)
      const offset = program.arena.offsets.get(root.id)
      const base = offset === undefined ? this.#weights.addressOf(root.id) : this.#arena.address + offset
      if (base === undefined) throw new GraphError({ where: root.id, expected: 'a place in memory', got: 'none' })
      return base + root.offset
    }
  }

  #copyIn(program: Program, resolve: (ref: Ref) => number, name: string, tensor: Tensor | undefined): void {
    const slot = program.types.get(name)
    if (!tensor || !slot || tensor.type !== slot.dtype || tensor.size !== sizeOf(slot.dims)) {
      const got = tensor ? `${tensor.type}[${tensor.dims.join(', ')}]` : 'nothing'
      const expected = slot ? `${slot.dtype}[${slot.dims.join(', ')}]` : 'no value'
      throw new GraphError({ where: `value '${name}'`, expected, got })
    }
    const bytes = bytesOf(tensor)
    this.#place(slot, resolve).set(bytes)
  }

  /** A value that is not at hand: known, constant, or in the arena, of whose memory it is a view. */
  #view(program: Program, resolve: (ref: Ref) => number, name: string): Tensor | undefined {
    const atHand = program.known.get(name) ?? (this.#weights.isConstant(name) && this.#weights.tensorOf(name))
    if (atHand) return atHand
    const slot = program.types.get(name)
    return slot && tensorFromBytes(slot.dtype, this.#place(slot, resolve), slot.dims)
  }

  /** Where a value lies. */
  #place({ name, dtype, dims }: Slot, resolve: (ref: Ref) => number): Uint8Array {
    return this.#heap.view(resolve({ id: refIds.value(name), offset: 0 }), byteLengthOf(dtype, sizeOf(dims)))
  }
}

/**
 * Does the steps of a program of one stretch with what lies in the arena, on one thread, within this call.
 * @param run of the kernels
 * @param words of the list
 * @returns milliseconds in Wasm
 */
export function runWhole(run: KernelExports['run'], list: number, words: number): number {
  let code: number
  const start = now()
  try {
    code = run(list, words, controlAddress, 0, 1)
  } catch (error) {
    throw trap(error)
  }
  const time = now() - start
  if (code !== finished) throw failure(failures[code] ?? `code ${code}`)
  return time
}

function trap(error: unknown): StateError {
  return failure(`a trap in Wasm (${String(error)})`, error)
}

function failure(got: string, cause?: unknown): StateError {
  return new StateError(
    { where: 'session', expected: 'all threads to do their work', got, todo: 'load the model again' },
    { cause },
  )
}
