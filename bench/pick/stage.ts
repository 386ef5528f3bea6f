// SPDX-License-Identifier: Apache-2.0
/**
 * One node in a Wasm memory, ready to be timed: it is lowered as the library lowers it, weights are packed by their own
 * steps, and every step becomes a call. The product among the steps can be cut into other blocks.
 */
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { resolveAttributes } from '../../src/ir/attributes.ts'
import type { Attributes, Node, ValueInfo } from '../../src/ir/graph.ts'
import type { HostTraits, Ref, StepSpec } from '../../src/ir/lowering.ts'
import type { OpSet } from '../../src/ir/op-set.ts'
import { kernelTable } from '../../src/kernels/table.ts'
import { createMemory } from '../../src/runtime/address.ts'
import { instantiateKernels } from '../../src/runtime/instance.ts'
import { lowerNode, refIds } from '../../src/runtime/lowering.ts'
import type { KernelModule } from '../../src/runtime/module.ts'
import { type Dtype, byteLengthOf } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { type Tensor, bytesOf } from '../../src/tensor/tensor.ts'

export interface Machine {
  readonly memory: WebAssembly.Memory
  readonly exports: Readonly<Record<string, (args: number, from: number, to: number, thread: number) => void>>
}

export interface NodeSpec {
  readonly op: string
  readonly attributes: Attributes
  readonly inputs: readonly InputSpec[]
}

export interface InputSpec {
  readonly dtype: Dtype
  readonly dims: readonly number[]
  readonly constant: boolean
  /** What is in it; made up where left out. */
  readonly tensor?: Tensor
}

/** Sizes of a block of the product; kernels that have none for rows do not read `mb`. */
export interface Cut {
  readonly mb: number
  readonly nb: number
}

/** One kernel call over all its units. */
export interface Call {
  readonly kernel: string
  readonly args: number
  readonly units: number
}

const firstByte = 65536

/** A node in a memory of its own. */
export function stageOf({ module }: Pick<KernelModule, 'module'>, ops: OpSet, spec: NodeSpec, host: HostTraits): Stage {
  const memory = createMemory(false)
  const exports = instantiateKernels(module, memory) as unknown as Machine['exports']
  return new Stage({ memory, exports }, ops, spec, host)
}

/** Lays nodes out from the memory's second page on; one at a time. */
export class Stage {
  readonly #machine: Machine
  readonly #places = new Map<string, number>()
  #next = firstByte
  readonly steps: readonly StepSpec[]
  readonly #outputSize: number

  constructor(machine: Machine, ops: OpSet, { op, attributes, inputs }: NodeSpec, host: HostTraits) {
    this.#machine = machine
    const def = ops.get(op)!
    const node: Node = { name: 'it', op, inputs: inputs.map((_, i) => `in${i}`), outputs: ['out0'], attributes }
    const context = { node, opset: 21, attributes: resolveAttributes(node, def) }
    const infos = new Map<string, ValueInfo>(inputs.map(({ dtype, dims }, i) => [`in${i}`, { dtype, dims }]))
    const [type] = def.infer(
      inputs.map(({ dtype, dims }) => ({ dtype, dims })),
      context,
    )
    infos.set('out0', type)
    const constants = new Map<string, InputSpec>()
    // kernels read these weights; what is in them is looked at nowhere else
    inputs.forEach(({ dtype, dims, constant }, i) => constant && constants.set(`in${i}`, { dtype, dims, constant }))
    const intern = (): never => {
      throw new Error(`${op}: expected no tables`)
    }
    const lowered = lowerNode(def, context, 0, { host, constants, info: (name) => infos.get(name), intern })
    if (!lowered) throw new Error(`${op}: expected steps, got none`)
    inputs.forEach((input, i) => {
      const id = input.constant ? refIds.raw(`in${i}`) : refIds.value(`in${i}`)
      this.#places.set(id, input.tensor ? this.#copied(input.tensor) : this.#fresh(input.dtype, input.dims, i))
    })
    this.#outputSize = sizeOf(type.dims as number[])
    this.#places.set(refIds.value('out0'), this.#room(byteLengthOf('float32', this.#outputSize)))
    for (const [id, bytes] of lowered.scratches) this.#places.set(id, this.#room(bytes))
    const raw = (name: string): Ref => ({ id: refIds.raw(name), offset: 0 })
    for (const { id, constant, layout, beside } of lowered.weights.values()) {
      if (!layout) continue
      this.#places.set(id, this.#room(layout.bytes))
      const steps = layout.steps(raw(constant), { id, offset: 0 }, beside?.map(raw))
      for (const step of steps) this.run([this.#call(step)])
    }
    this.steps = lowered.steps
  }

  /** All steps, as they were lowered. */
  calls(): Call[] {
    return this.steps.map((step) => this.#call(step))
  }

  /** The step that has blocks, or undefined. */
  get product(): StepSpec | undefined {
    return this.steps.find(({ args }) => 'nb' in args)
  }

  /** The product in other blocks. */
  cut({ mb, nb }: Cut): Call {
    const { kernel, args, units } = this.product!
    const old = args as unknown as Readonly<Record<string, number>>
    const words: Record<string, Ref | number | null> = { ...args, nb, ...('mb' in args ? { mb } : {}) }
    if ('ldp' in args) words.scratch = { id: this.#roomFor(`gathered ${mb}`, mb * args.ldp * 4), offset: 0 }
    if ('depths' in args) {
      // sums of sparse products: more for each column
      words.scratchBytes = old.scratchBytes + 256 * Math.max(nb, old.nb)
      words.scratch = { id: this.#roomFor(`sums ${nb}`, words.scratchBytes), offset: 0 }
    }
    const across = Math.ceil(old.n / nb)
    if (!('mb' in args)) return this.#encode(kernel, words, (units / Math.ceil(old.n / old.nb)) * across)
    return this.#encode(kernel, words, (old.batch ?? 1) * Math.ceil(old.m / mb) * across)
  }

  /** The bits of the node's output. */
  output(): Uint32Array {
    return new Uint32Array(
      this.#machine.memory.buffer,
      this.#places.get(refIds.value('out0'))!,
      this.#outputSize,
    ).slice()
  }

  run(calls: readonly Call[]): void {
    for (const { kernel, args, units } of calls) this.#machine.exports[kernel](args, 0, units, 0)
  }

  #call({ kernel, args, units }: StepSpec): Call {
    return this.#encode(kernel, args as Readonly<Record<string, Ref | number | null>>, units)
  }

  #encode(kernel: StepSpec['kernel'], values: Readonly<Record<string, Ref | number | null>>, units: number): Call {
    const row = Object.entries(kernelTable[kernel].args)
    const at = this.#room(row.length * 4)
    const view = new DataView(this.#machine.memory.buffer)
    row.forEach(([name, kind], word) => {
      const value = values[name]
      const place = typeof value === 'number' ? value : value ? this.#places.get(value.id)! + value.offset : 0
      if (kind === 'f32') view.setFloat32(at + 4 * word, place, true)
      else view.setInt32(at + 4 * word, place, true)
    })
    return { kernel, args: at, units }
  }

  #roomFor(id: string, bytes: number): string {
    if (!this.#places.has(id)) this.#places.set(id, this.#room(bytes))
    return id
  }

  #room(bytes: number): number {
    const at = this.#next
    this.#next = Math.ceil((at + bytes + 64) / 64) * 64
    const { memory } = this.#machine
    const missing = this.#next - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / 65536))
    return at
  }

  #copied(tensor: Tensor): number {
    const bytes = bytesOf(tensor)
    const at = this.#room(bytes.byteLength)
    new Uint8Array(this.#machine.memory.buffer, at, bytes.byteLength).set(bytes)
    return at
  }

  /** Content as weights and activations have it: normal numbers, or all values of the integers. */
  #fresh(dtype: Dtype, dims: readonly number[], seed: number): number {
    const size = sizeOf(dims)
    const bytes = byteLengthOf(dtype, size)
    const at = this.#room(bytes)
    const random = seededRandom(seed)
    const { buffer } = this.#machine.memory
    if (dtype === 'float32') {
      const floats = new Float32Array(buffer, at, size)
      for (let i = 0; i < size; i++) floats[i] = randomNormal(random)
    } else {
      const integers = new Uint8Array(buffer, at, bytes)
      for (let i = 0; i < bytes; i++) integers[i] = Math.floor(random() * 256)
    }
    return at
  }
}
