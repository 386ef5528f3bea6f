// SPDX-License-Identifier: Apache-2.0
/**
 * Collects what one op's `lower` asks for. Nothing is placed yet: every place is a Ref whose id says what it is (see
 * `refIds`), and the outcome is plain data for the compiler. Asking for an operand's `ref` is what makes a constant be
 * brought into Wasm memory; constants only looked at on the host never get there.
 */
import { GraphError, asNamed } from '../base/errors.ts'
import { describeNode } from '../ir/attributes.ts'
import type { Constant, Node, ValueInfo } from '../ir/graph.ts'
import type { FormChoice, HostTraits, Lowering, Operand, Ref, StepSpec, WeightLayout } from '../ir/lowering.ts'
import type { OpContext, OpDef } from '../ir/op-set.ts'
import { type Dim, areKnown } from '../ir/dim.ts'
import { bytesOf, Tensor } from '../tensor/tensor.ts'
import { byteLengthOf, dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'

/** A constant in a layout. */
export interface WeightRequest {
  readonly id: string
  readonly constant: string
  /** Left out: the bytes as they are. */
  readonly layout?: WeightLayout
  /** Constants that are packed together with it. */
  readonly beside?: readonly string[]
}

/** What one node became. */
export interface LoweredNode {
  readonly steps: readonly StepSpec[]
  /** Bytes by id. */
  readonly scratches: ReadonlyMap<string, number>
  readonly weights: ReadonlyMap<string, WeightRequest>
  /** Host-made constants by id. */
  readonly tables: ReadonlyMap<string, Uint8Array>
  /** Places that are other places: id of the output's value to where it lies. */
  readonly aliases: ReadonlyMap<string, Ref>
  /** The form it runs in, where there are several. */
  readonly choice?: FormChoice
}

/** What the collector must know of the graph. */
export interface LoweringSources {
  readonly host: HostTraits
  readonly constants: ReadonlyMap<string, Constant>
  info(name: string): ValueInfo | undefined
  /** Id for these bytes, the same for equal bytes. */
  intern(bytes: Uint8Array): string
}

/** Ids of places, by what they are. */
export const refIds = {
  value: (name: string) => `value ${name}`,
  weight: (name: string, key: string) => `weight ${JSON.stringify(key)} of ${name}`,
  raw: (name: string) => `constant ${name}`,
  scratch: (node: number, i: number) => `scratch ${node}.${i}`,
} as const

/** The tensor of a value whose content is known, or undefined. */
export function knownTensor(info: ValueInfo | undefined): Tensor | undefined {
  if (!info) return undefined
  if (info.tensor) return info.tensor
  if (!info.content || !info.dims || !areKnown(info.dims) || !areKnown(info.content as readonly Dim[])) return undefined
  const { array, bits } = dtypes[info.dtype]
  if (bits < 8 || array === Array) return undefined
  return new Tensor(info.dtype, info.content as readonly number[], info.dims)
}

/**
 * Lowers one node.
 * @param index distinguishes the node's scratch buffers from those of others
 * @returns null when the op has no steps for these types and shapes
 * @throws GraphError for shapes and attributes that contradict each other
 */
export function lowerNode(def: OpDef, context: OpContext, index: number, sources: LoweringSources): LoweredNode | null {
  if (!def.lower) return null
  const infer = () =>
    def.infer(
      context.node.inputs.map((name) => sources.info(name) ?? null),
      context,
    )
  const collector = new Collector(context.node, index, sources, infer)
  try {
    return def.lower(collector, context) ? collector : null
  } catch (error) {
    throw asNamed(describeNode(context.node), error)
  }
}

class Collector implements Lowering, LoweredNode {
  readonly host: HostTraits
  readonly steps: StepSpec[] = []
  readonly scratches = new Map<string, number>()
  readonly weights = new Map<string, WeightRequest>()
  readonly tables = new Map<string, Uint8Array>()
  readonly aliases = new Map<string, Ref>()
  choice?: FormChoice
  readonly #node: Node
  readonly #index: number
  readonly #sources: LoweringSources
  readonly #infer: () => readonly ValueInfo[]

  /** @param infer what is known of all outputs of the node, those left out too */
  constructor(node: Node, index: number, sources: LoweringSources, infer: () => readonly ValueInfo[]) {
    this.host = sources.host
    this.#node = node
    this.#index = index
    this.#sources = sources
    this.#infer = infer
  }

  get outputs(): number {
    return this.#node.outputs.length
  }

  input(i: number): Operand | null {
    const name = this.#node.inputs[i]
    return name === undefined || name === '' ? null : this.#operand(name)
  }

  output(i: number): Operand {
    return this.#operand(this.#node.outputs[i] || '', i)
  }

  weight(i: number, layout?: WeightLayout, beside?: readonly number[]): Ref {
    const name = this.#constantName(i)
    const others = beside?.map((input) => this.#constantName(input))
    const id = layout ? refIds.weight([name, ...(others ?? [])].join(' '), layout.key) : refIds.raw(name)
    const more = others?.length ? { beside: others } : {}
    if (!this.weights.has(id)) this.weights.set(id, { id, constant: name, ...(layout ? { layout } : {}), ...more })
    return { id, offset: 0 }
  }

  #constantName(i: number): string {
    const name = this.#node.inputs[i]
    if (this.#sources.constants.has(name)) return name
    const where = `${this.#node.op} "${this.#node.name}"`
    throw new GraphError({ where, expected: `a constant as input ${i}`, got: name })
  }

  chose(choice: FormChoice): void {
    this.choice = choice
  }

  table(data: Int32Array | Float32Array | Uint8Array): Ref {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
    const id = this.#sources.intern(bytes)
    this.tables.set(id, bytes)
    return { id, offset: 0 }
  }

  scratch(bytes: number): Ref {
    return this.#placeScratch(this.scratches.size, bytes)
  }

  #placeScratch(i: number, bytes: number): Ref {
    const id = refIds.scratch(this.#index, i)
    this.scratches.set(id, bytes)
    return { id, offset: 0 }
  }

  threadScratch(bytesPerThread: number): Ref {
    return this.scratch(bytesPerThread * this.host.threads)
  }

  step<K extends StepSpec['kernel']>(step: Extract<StepSpec, { kernel: K }>): void {
    if (step.units > 0) this.steps.push(step)
  }

  alias(output: number, input: number, byteOffset = 0): void {
    const { ref } = this.input(input)!
    const id = refIds.value(this.#node.outputs[output])
    this.aliases.set(id, { id: ref.id, offset: ref.offset + byteOffset })
  }

  /** A value; '' is output `output`, left out: kernels write it all the same, into a buffer that nothing reads. */
  #operand(name: string, output = 0): Operand {
    const info = name === '' ? this.#infer()[output] : this.#sources.info(name)
    if (!info?.dims || !areKnown(info.dims)) {
      throw new GraphError({ where: `${this.#node.op} "${this.#node.name}"`, expected: `known dims of '${name}'` })
    }
    const { dtype, dims } = info
    const size = sizeOf(dims)
    const constant = this.#sources.constants.get(name)
    const tensor = constant ? constant.tensor : knownTensor(info)
    const place = (): Ref => {
      if (name === '') return this.#placeScratch(-1 - output, byteLengthOf(dtype, size))
      if (constant) return this.weight(this.#node.inputs.indexOf(name))
      return tensor ? this.table(bytesOf(tensor) as Uint8Array) : { id: refIds.value(name), offset: 0 }
    }
    return {
      name,
      dtype,
      dims,
      size,
      constant: constant !== undefined,
      ...(tensor ? { tensor } : {}),
      get ref(): Ref {
        return place()
      },
    }
  }
}
