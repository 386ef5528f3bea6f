// SPDX-License-Identifier: Apache-2.0
/**
 * What an op's `lower` speaks to. Lowering happens for concrete shapes, before addresses are known: operands are
 * `Ref`s (value + byte offset), and the memory planner turns them into addresses later.
 */
import type { KernelArgs, KernelName } from '../kernels/table.ts'
import type { Dtype } from '../tensor/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** A place in Wasm memory, resolved by the planner. `id` names a value, a packed weight or a scratch buffer. */
export interface Ref {
  readonly id: string
  readonly offset: number
}

export interface Operand {
  readonly name: string
  readonly dtype: Dtype
  readonly dims: readonly number[]
  /** Elements. */
  readonly size: number
  readonly ref: Ref
  /** True for weights: their content never changes, so they may be packed. */
  readonly constant: boolean
  /** The content, where it is known on the host (shapes, axes, scalars). */
  readonly tensor?: Tensor
}

/**
 * How a weight is to lie in memory. `kernel` is a row of the pack family, called once when the model is loaded with
 * `args(source, target)`; one packed copy is kept per (constant, key) and serves every shape, so neither may depend
 * on activation shapes.
 */
export interface WeightLayout {
  /** Distinguishes layouts of one constant: 'f32x8', 's8x8c4', … */
  readonly key: string
  /** Bytes of the packed form. */
  readonly bytes: number
  /** Left out: packed in one go. */
  readonly parts?: PackingParts
  /**
   * @param beside the other constants that are packed together with the first
   * @param from, to the parts to pack, where not all: the sources hold nothing but their shares of these
   */
  steps(source: Ref, target: Ref, beside?: readonly Ref[], from?: number, to?: number): StepSpec[]
}

/** Parts that a weight can be packed in, so that little of its constants is in Wasm memory at a time. */
export interface PackingParts {
  readonly count: number
  /** By source: the lines it consists of, and the bytes of a line that a part reads; the last part's may be fewer. */
  readonly shares: readonly { readonly lines: number; readonly bytes: number }[]
}

/** One kernel call as plain data. Pointers are Refs; numbers are encoded as the table's row says. */
export type StepSpec = {
  [K in KernelName]: {
    readonly kernel: K
    readonly args: { readonly [A in keyof KernelArgs<K>]: KernelArgs<K>[A] extends 'ptr' ? Ref | null : number }
    /** Independent units of work; the kernel is called with ranges of them, in any order, on any thread. */
    readonly units: number
    /** Units a thread takes at a time; 1 where left out. */
    readonly grain?: number
  }
}[KernelName]

/** What the host's instructions are, from the probe. Lowerings choose kernels by it. */
export interface HostTraits {
  /** Fastest exact way to multiply bytes on this host and build. `u8`/`s8`: relaxed dot with an unsigned/signed activation operand; `pairs`: int16 dot. */
  readonly int8: 'u8' | 's8' | 'pairs'
  /** `short`: 4-bit weights are fastest with sums in int16, which are exact here (kernels/gemm.ts); else as int8. */
  readonly int4?: 'short'
  /** True where narrow int8 weights are multiplied as bytes though others are not (kernels/gemm.ts). */
  readonly narrow?: boolean
  readonly threads: number
  /** Times ways to do the same; left out where nothing is to be measured: what the file says is done then. */
  readonly forms?: FormTimer
  /** Of measured layers whose rows differ from run to run, by the name of their weights: the fewest rows. */
  readonly openRows?: ReadonlyMap<string, number>
}

/** Steps over buffers of their own, to be timed. Buffers without content hold zeros. */
export interface Trial {
  readonly steps: readonly StepSpec[]
  readonly buffers: ReadonlyMap<string, { readonly bytes: number; readonly content?: Uint8Array }>
}

/** A shape at which forms are timed. */
export interface FormTrial {
  /** Rows of the product. */
  readonly rows: number
  /** Says all that times depend on. */
  readonly key: string
  /** By form; called where nothing is known yet. */
  trials(): Readonly<Record<string, Trial>>
}

/** How long forms take on this host. */
export interface FormTimes {
  /** Rows of the product that was timed. */
  readonly rows: number
  /** Milliseconds by form. */
  readonly times: Readonly<Record<string, number>>
  /** When they were measured, ISO 8601, where that was for an earlier session. */
  readonly earlier?: string
}

/** Measures forms on this host, and remembers what it measured. */
export interface FormTimer {
  /**
   * Times of `forms` at each of these shapes, or null where the host's clock tells none. A layer keeps what it was told
   * first; shapes with the same key are told the same.
   */
  measure(layer: string, forms: readonly string[], shapes: readonly FormTrial[]): readonly FormTimes[] | null
}

/** The form in which a node runs, of several that compute the same. */
export interface FormChoice {
  readonly form: string
  /** Why this one. */
  readonly reason: string
  /** What both took, at each number of rows that was timed; null where nothing was. */
  readonly timed: readonly FormTimes[] | null
  /** The forms that weights are packed for: several where runs of other rows take another one. */
  readonly kept: readonly string[]
}

export interface Lowering {
  readonly host: HostTraits
  /** Input i, or null when left out. */
  input(i: number): Operand | null
  output(i: number): Operand
  /** Number of outputs the node writes. */
  readonly outputs: number
  /** The constant input i in a packed layout (raw bytes where `layout` is left out), packed together with those `beside`. */
  weight(i: number, layout?: WeightLayout, beside?: readonly number[]): Ref
  /** A host-made constant (tables of offsets, zero rows), kept once per content. */
  table(data: Int32Array | Float32Array | Uint8Array): Ref
  /** A buffer for this node's steps alone; 16-byte aligned. */
  scratch(bytes: number): Ref
  /** A buffer for each thread; the kernel adds thread * stride. Steps get the base. */
  threadScratch(bytesPerThread: number): Ref
  /** Says in which form the node runs. */
  chose(choice: FormChoice): void
  step<K extends KernelName>(step: Extract<StepSpec, { kernel: K }>): void
  /** Output i is input j's memory from `byteOffset` on: nothing is computed (Reshape, Squeeze, contiguous Slice). */
  alias(output: number, input: number, byteOffset?: number): void
}
