// SPDX-License-Identifier: Apache-2.0
/**
 * Runs what one operator lowers to: the node is lowered by the runtime's collector, every place gets an address, weights
 * are packed by their own steps, and each step is called as a whole. Results and scratch start as NaN, so that what no
 * step writes shows.
 */
import type { HostTraits, Ref, StepSpec } from '../../src/ir/lowering.ts'
import type { OpContext, OpDef } from '../../src/ir/op-set.ts'
import { resolveAttributes } from '../../src/ir/attributes.ts'
import { infoOfConstant } from '../../src/ir/infer.ts'
import type { Attributes, Node, ValueInfo } from '../../src/ir/graph.ts'
import { kernelTable } from '../../src/kernels/table.ts'
import { lowerNode, refIds } from '../../src/runtime/lowering.ts'
import { byteLengthOf } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { bytesOf, tensorFromBytes } from '../../src/tensor/tensor.ts'
import type { Sample } from '../../src/ops/define.ts'
import { knownAnswers, type ProbeExports } from '../../src/runtime/known-answers.ts'
import type { Build } from '../contract/kernel.ts'

/** The node of a sample, its context and the types of its inputs and outputs. */
export function nodeOf(op: string, def: OpDef, sample: Sample, attributes: Attributes = sample.attributes ?? {}) {
  const inputs = sample.inputs.map((tensor, i) => (tensor ? `in${i}` : ''))
  const outputs = Array.from({ length: sample.outputs ?? 1 }, (_, i) => `out${i}`)
  const node: Node = { name: 'it', op, inputs, outputs, attributes }
  const context: OpContext = { node, opset: sample.opset ?? 21, attributes: resolveAttributes(node, def) }
  const infos = sample.inputs.map(
    (t): ValueInfo | null => t && infoOfConstant({ dtype: t.type, dims: t.dims, tensor: t }),
  )
  return { context, infos, types: def.infer(infos, context) }
}

export interface LoweredRun {
  readonly host: HostTraits
  /** Inputs that are weights; the others are values whose content the host does not know, but for integers. */
  readonly constants: (i: number) => boolean
}

/**
 * The ways to multiply bytes that are exact in this build on this host. Without relaxed SIMD all are, since there the dot
 * is made of exact instructions; with it, whole bytes are where the dot takes them: elsewhere its pairs saturate.
 */
export function exactWays({ name, exports, memory }: Build): HostTraits['int8'][] {
  const isRelaxed = name.startsWith('relaxed')
  const { relaxed } = knownAnswers(exports as unknown as ProbeExports, memory, isRelaxed)
  if (relaxed === 'sdot') return ['s8', 'pairs']
  return relaxed === 'vnni' || !isRelaxed ? ['u8', 'pairs'] : ['pairs']
}

/** Outputs by steps, or null when the operator has none for this case. */
export function runLowered(
  build: Build,
  op: string,
  def: OpDef,
  sample: Sample,
  { host, constants }: LoweredRun,
): Tensor[] | null {
  const { context, infos, types } = nodeOf(op, def, sample)
  const known = new Map<string, ValueInfo>(types.map((type, i) => [`out${i}`, type]))
  infos.forEach((info, i) => {
    if (info) known.set(`in${i}`, info.dtype.startsWith('int') ? info : { dtype: info.dtype, dims: info.dims })
  })
  const weights = new Map<string, Tensor>(
    sample.inputs.flatMap((t, i) => (t && constants(i) ? [[`in${i}`, t] as const] : [])),
  )
  const tables = new Map<string, Uint8Array>()
  const lowered = lowerNode(def, context, 0, {
    host,
    constants: new Map(
      [...weights].map(([name, t]) => [
        name,
        { dtype: t.type, dims: t.dims, ...(t.type === 'int64' ? { tensor: t } : {}) },
      ]),
    ),
    info: (name) => known.get(name),
    intern(bytes) {
      tables.set(`table ${tables.size}`, bytes)
      return `table ${tables.size - 1}`
    },
  })
  if (lowered === null) return null
  const heap = new Heap(build)
  const places = new Map<string, number>()
  for (const [id, bytes] of lowered.tables) places.set(id, heap.put(bytes))
  for (const [id, bytes] of lowered.scratches) places.set(id, heap.empty(bytes))
  sample.inputs.forEach((t, i) => {
    if (t && !constants(i)) places.set(refIds.value(`in${i}`), heap.put(bytesOf(t)))
  })
  types.forEach(({ dtype, dims }, i) =>
    places.set(refIds.value(`out${i}`), heap.empty(byteLengthOf(dtype, sizeOf(dims as number[])))),
  )
  for (const { id, constant, layout, beside = [] } of lowered.weights.values()) {
    const sources = [constant, ...beside].map((name) => heap.put(bytesOf(weights.get(name)!)))
    const target = layout ? heap.empty(layout.bytes) : sources[0]!
    places.set(id, target)
    const [first, ...others] = sources.map((_, i) => ({ id: `source ${i}`, offset: 0 }))
    const there = new Map([['target', target], ...sources.map((at, i) => [`source ${i}`, at] as const)])
    for (const step of layout?.steps(first!, { id: 'target', offset: 0 }, others) ?? []) heap.run(step, there)
  }
  for (const [id, ref] of lowered.aliases) places.set(id, places.get(ref.id)! + ref.offset)
  for (const step of lowered.steps) heap.run(step, places)
  return sample.outputs === undefined || sample.outputs === 1
    ? [heap.read(types[0], places.get(refIds.value('out0'))!)]
    : types.slice(0, sample.outputs).map((type, i) => heap.read(type, places.get(refIds.value(`out${i}`))!))
}

/** Addresses behind the first page, never given back. */
class Heap {
  readonly #build: Build
  #next = 65536 + 1024

  constructor(build: Build) {
    this.#build = build
  }

  empty(bytes: number): number {
    const at = this.#next
    this.#next = Math.ceil((at + bytes + 64) / 64) * 64
    const missing = this.#next - this.#build.memory.buffer.byteLength
    if (missing > 0) this.#build.memory.grow(Math.ceil(missing / 65536))
    new Uint8Array(this.#build.memory.buffer, at, bytes).fill(0xff)
    return at
  }

  put(bytes: Uint8Array): number {
    const at = this.empty(bytes.length)
    new Uint8Array(this.#build.memory.buffer).set(bytes, at)
    return at
  }

  read({ dtype, dims }: ValueInfo, at: number): Tensor {
    const shape = dims as number[]
    const bytes = new Uint8Array(this.#build.memory.buffer, at, byteLengthOf(dtype, sizeOf(shape))).slice()
    return tensorFromBytes(dtype, bytes, shape)
  }

  run({ kernel, args, units }: StepSpec, places: ReadonlyMap<string, number>): void {
    const view = new DataView(this.#build.memory.buffer)
    Object.entries(kernelTable[kernel].args).forEach(([name, kind], word) => {
      const value = (args as Record<string, Ref | number | null>)[name]
      if (value === undefined) throw new Error(`${kernel}: argument ${name} is missing`)
      const at = 65536 + 4 * word
      if (typeof value === 'number') {
        if (kind === 'f32') view.setFloat32(at, value, true)
        else view.setInt32(at, value, true)
        return
      }
      if (value !== null && !places.has(value.id)) throw new Error(`${kernel}: no place for ${name} (${value.id})`)
      view.setInt32(at, value === null ? 0 : places.get(value.id)! + value.offset, true)
    })
    this.#build.exports[kernel](65536, 0, units, 0)
  }
}
