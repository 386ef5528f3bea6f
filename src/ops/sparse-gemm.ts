// SPDX-License-Identifier: Apache-2.0
/**
 * Products with weights that are mostly zero, given by those that are not. x is [..., K], y [..., N], the epilogue that
 * of whittle.Gemm.
 *
 * whittle.SparseGemm: float32, compressed rows: output n is the sum of values[i] * x[..., depths[i]] for i from starts[n]
 * to starts[n + 1]; inputs x, values [Z], depths int32 [Z], starts int32 [N + 1], bias?, residual?. The depths of an
 * output differ.
 * whittle.DynamicQuantizeSparseGemm: the same with int8 values and wScale [N] behind starts; x is quantised by rows as
 * for whittle.DynamicQuantizeGemm.
 * whittle.BlockSparseGemm: int8 in blocks of 8 outputs x 8 k: block i of the outputs from 8 p on, i from starts[p] to
 * starts[p + 1], is values[i], [output][k], of k from 8 * depths[i] on; 0 where outputs or k end before it does. x is
 * quantised by rows as for whittle.DynamicQuantizeGemm. Inputs x, values int8 [B, 8, 8], depths int32 [B], starts int32
 * [ceil(N / 8) + 1], wScale [N], bias?, residual?.
 * The attribute `narrow` of the last two says that int8 weights are, zeros among them (kernels/gemm.ts); 2, of blocks, that they are twice as narrow
 * (kernels/sparse.ts).
 */
import { roundUp } from '../kernels/blocks.ts'
import { type Dim, add, isKnown } from '../ir/dim.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type AttributeSpec,
  type Attributes,
  type OpContext,
  type Random,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { applyEpilogue } from './activation-reference.ts'
import { checkResidual, checkVector, mayEqual } from './conv-types.ts'
import { epilogueArgs, epilogueAttributes, epilogueOf } from './epilogue.ts'
import { complaint, needed, printDims } from './infer.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { mostByteDepth, narrowAttribute, packedWeight } from './lower-gemm.ts'
import { copyElements, fill } from './lower-move.ts'
import type { Lowering, Ref, WeightLayout } from './lower.ts'
import {
  type FamilyName,
  type SparseOperands,
  type SparseShape,
  clippedLayout,
  families,
  side,
} from './lower-sparse.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { rowProducts } from './product.ts'
import { quantizeRuns } from './quantize.ts'
import { floats, integers, narrowWeights } from './sample-tensors.ts'
import { type FormName, chooseForm, formNames } from './sparse-choice.ts'

const attributes = {
  ...epilogueAttributes,
  /** 'sparse' or 'dense': how to multiply where the host does not measure which is faster. */
  form: { kind: 'string', default: 'sparse' },
} as const satisfies Record<string, AttributeSpec>

/** Of bytes. */
const byteAttributes = { ...attributes, ...narrowAttribute }

/** @throws GraphError naming the node when depths, starts, bias or residual do not fit */
function inferSparse(
  context: OpContext,
  [xInfo, values, depths, starts]: readonly (ValueInfo | null)[],
  n: ValueInfo['dims'],
  type: 'float32' | 'int8',
  [bias, residual]: readonly (ValueInfo | null | undefined)[],
): ValueInfo[] {
  const x = needed(context, xInfo, 'x')
  if (needed(context, values, 'values').dtype !== type) throw complaint(context, `${type} values`, values!.dtype)
  for (const [name, info] of Object.entries({ depths, starts })) {
    if (needed(context, info, name).dtype !== 'int32') throw complaint(context, `int32 ${name}`, info!.dtype)
  }
  epilogueOf(context.attributes)
  const { form } = context.attributes
  if (!(formNames as readonly unknown[]).includes(form))
    throw complaint(context, 'a form of sparse or dense', `${form}`)
  const count = values!.dims?.[0]
  if (count !== undefined) checkVector(context, 'depths', depths, count)
  if (x.dims === null || n === null) return [{ dtype: x.dtype, dims: null }]
  if (x.dims.length === 0) throw complaint(context, 'x of rank 1 or more', printDims(x.dims))
  const dims = [...x.dims.slice(0, -1), n[0]]
  checkVector(context, 'bias', bias, n[0])
  checkResidual(context, residual, dims)
  return [{ dtype: x.dtype, dims }]
}

/** Rows of float32 with zeros behind each, up to a length of `columns`. */
function paddedRows(lowering: Lowering, x: Ref, dims: readonly [number, number], columns: number): Ref {
  const padded = lowering.scratch(dims[0] * columns * 4)
  fill(lowering, padded, dims[0] * columns, 0)
  const strides = { source: x, strides: [dims[1], 1], target: padded, targetStrides: [columns, 1] }
  copyElements(lowering, { width: 4, dims, ...strides })
  return padded
}

/**
 * Emits a product in the form that is chosen for the node. Inputs 1 to 3 are values, depths and starts; x has rows of
 * `shape.k` at `x`. Weights that are no constants are multiplied as they come.
 */
function emitSparse(
  lowering: Lowering,
  family: FamilyName,
  shape: SparseShape,
  operands: SparseOperands,
  attributes: Attributes,
): void {
  const forms = families[family]
  const inFile = attributes.form as FormName
  const packed = (index: number, layout: WeightLayout) =>
    packedWeight(lowering, index, { layout, batchBytes: 0, sums: 0 })
  const stored = forms.values(shape, lowering.host)
  const clipped = (index: number, most: number, times = 1) =>
    packed(index, clippedLayout(lowering.input(index)!.size, most, times))
  const asTheyAre = () => ({
    values: stored ? packed(1, stored.layout) : lowering.input(1)!.ref,
    depths: clipped(2, forms.mostDepth(shape), forms.depthStep(shape, lowering.host)),
    starts: clipped(3, shape.count),
  })
  const spread = () => lowering.weight(1, forms.spread(shape, lowering.host).layout, [2, 3])
  if ([1, 2, 3].every((i) => lowering.input(i)!.constant)) {
    const choice = chooseForm(lowering.host, lowering.input(1)!.name, family, shape, inFile)
    lowering.chose(choice)
    // weights that only runs of other rows want come in the same stream
    if (choice.kept.includes('dense') && choice.form !== 'dense') spread()
    if (choice.kept.includes('sparse') && choice.form !== 'sparse') asTheyAre()
    if (choice.form === 'dense') return forms.dense(lowering, shape, operands, spread())
  }
  forms.sparse(lowering, shape, operands, asTheyAre())
}

/**
 * Two weights of a column at one depth are a sum in one form and a loss in the other, and clipped depths make such: depths
 * whose numbers are at hand have to be below k. @throws GraphError naming the node
 */
function checkDepths(context: OpContext, depths: ValueInfo | null | undefined, k: Dim | undefined): void {
  if (!depths?.tensor || k === undefined || !isKnown(k)) return
  for (const depth of numbersOf(depths.tensor))
    if (depth < 0 || depth >= k) throw complaint(context, `depths from 0 to ${k - 1}`, String(depth))
}

/** Types of a product of compressed rows. */
function inferRows(context: OpContext, inputs: readonly (ValueInfo | null)[], type: 'float32' | 'int8'): ValueInfo[] {
  const [values, starts] = [inputs[1]?.dims, inputs[3]?.dims]
  if (values && values.length !== 1) throw complaint(context, 'values of dims [Z]', printDims(values))
  if (starts && (starts.length !== 1 || starts[0] === 0))
    throw complaint(context, 'starts of dims [N + 1]', printDims(starts))
  const n = starts ? [add(starts[0], -1)] : null
  if (type === 'int8' && n) checkVector(context, 'wScale', needed(context, inputs[4], 'wScale'), n[0])
  const infos = inferSparse(context, inputs, n, type, inputs.slice(type === 'int8' ? 5 : 4))
  checkDepths(context, inputs[2], inputs[0]?.dims?.at(-1))
  return infos
}

/** Lowers a product of compressed rows; `more` are the inputs behind starts: scales of bytes, bias, residual. */
function lowerRows(lowering: Lowering, attributes: Attributes, family: 'rows' | 'byteRows'): boolean {
  const bytes = family === 'byteRows'
  const [x, values, starts, scale] = [0, 1, 3, bytes ? 4 : -1].map((i) => (i < 0 ? null : lowering.input(i)))
  const [bias, residual] = (bytes ? [5, 6] : [4, 5]).map((i) => lowering.input(i))
  const y = lowering.output(0)
  const k = x!.dims[x!.dims.length - 1]
  const narrow = bytes ? (attributes.narrow as number) : 0
  const shape = { m: sizeOf(x!.dims.slice(0, -1)), n: starts!.size - 1, k, count: values!.size, narrow }
  if (!isFloat32(x, scale, bias, residual, bytes ? null : values) || shape.count * k === 0) return false
  if (bytes && k > mostByteDepth) return false
  if (shape.m * shape.n === 0) return true
  const epilogue = epilogueArgs(attributes, bias, residual, shape.n, 0)
  emitSparse(lowering, family, shape, { x: x!.ref, y: y.ref, wScale: scale?.ref ?? null, epilogue }, attributes)
  return true
}

export const ops = defineOps({
  'whittle.SparseGemm': {
    inputs: [4, 6],
    attributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer: (inputs, context) => inferRows(context, inputs, 'float32'),
    lower: (lowering, { attributes }) => lowerRows(lowering, attributes, 'rows'),
    measured: true,
  },
  'whittle.DynamicQuantizeSparseGemm': {
    inputs: [5, 7],
    attributes: byteAttributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer: (inputs, context) => inferRows(context, inputs, 'int8'),
    lower: (lowering, { attributes }) => lowerRows(lowering, attributes, 'byteRows'),
    measured: true,
  },
  'whittle.BlockSparseGemm': {
    inputs: [5, 7],
    attributes: byteAttributes,
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer(inputs, context) {
      const [, values, , starts, scale] = inputs
      const n = needed(context, scale, 'wScale').dims
      if (n !== null && n.length !== 1) throw complaint(context, 'wScale of dims [N]', printDims(n))
      if (values?.dims && (values.dims.length !== 3 || !values.dims.slice(1).every((dim) => mayEqual(dim, side)))) {
        throw complaint(context, `values of dims [B, ${side}, ${side}]`, printDims(values.dims))
      }
      if (n !== null && isKnown(n[0])) checkVector(context, 'starts', starts, Math.ceil(n[0] / side) + 1)
      const infos = inferSparse(context, inputs, n, 'int8', inputs.slice(5))
      const k = inputs[0]?.dims?.at(-1)
      checkDepths(context, inputs[2], k !== undefined && isKnown(k) ? Math.ceil(k / side) : k)
      return infos
    },
    lower(lowering, { attributes }) {
      const [x, values, , , scale, bias, residual] = [0, 1, 2, 3, 4, 5, 6].map((i) => lowering.input(i))
      const y = lowering.output(0)
      const k = x!.dims[x!.dims.length - 1]
      const [m, n] = [sizeOf(x!.dims.slice(0, -1)), scale!.size]
      if (!isFloat32(x, scale, bias, residual) || values!.size * k === 0 || k > mostByteDepth) return false
      if (m * n === 0) return true
      // rows with zeros up to whole blocks: what values stand behind the end of k then counts for nothing
      const whole = roundUp(k, side)
      const rows = whole === k ? x!.ref : paddedRows(lowering, x!.ref, [m, k], whole)
      const epilogue = epilogueArgs(attributes, bias, residual, n, 0)
      const operands = { x: rows, y: y.ref, wScale: scale!.ref, epilogue }
      const shape = { m, n, k: whole, count: values!.dims[0], narrow: attributes.narrow as number }
      emitSparse(lowering, 'byteBlocks', shape, operands, attributes)
      return true
    },
    measured: true,
  },
})

/** Indices as the kernels follow them: read as unsigned, and at most `most` (clip_u32 of kernels/pack.ts). */
function bounded(indices: Tensor, most: number): ArrayLike<number> {
  return Array.from(numbersOf(indices), (index) => Math.min(index >>> 0, Math.max(0, most)))
}

/** Sums [rows of x, n] after the epilogue. */
function finished(x: Tensor, n: number, data: Float64Array, attributes: Attributes, more: readonly (Tensor | null)[]) {
  const [bias, residual] = more
  applyEpilogue(data, n, attributes, bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null)
  return tensorOf(x.type, data, [...x.dims.slice(0, -1), n])
}

/** Compressed rows as [n, k]. */
function denseRows(
  values: ArrayLike<number>,
  depths: ArrayLike<number>,
  starts: ArrayLike<number>,
  n: number,
  k: number,
): Float64Array {
  const w = new Float64Array(n * k)
  for (let j = 0; j < n; j++) for (let i = starts[j]; i < starts[j + 1]; i++) w[j * k + depths[i]] += values[i]
  return w
}

export const references = {
  'whittle.SparseGemm'([x, values, depths, starts, ...more], attributes) {
    const k = x!.dims[x!.dims.length - 1]
    const [m, n] = [sizeOf(x!.dims.slice(0, -1)), starts!.size - 1]
    const v = numbersOf(values!)
    const [at, first] = [bounded(depths!, k - 1), bounded(starts!, values!.size)]
    const w = denseRows(v, at, first, n, k)
    return [finished(x!, n, rowProducts(numbersOf(x!), w, m, n, k), attributes, more)]
  },
  'whittle.DynamicQuantizeSparseGemm'([x, values, depths, starts, wScale, ...more], attributes) {
    const k = x!.dims[x!.dims.length - 1]
    const [m, n] = [sizeOf(x!.dims.slice(0, -1)), starts!.size - 1]
    const perOutput = numbersOf(wScale!)
    const [at, first] = [bounded(depths!, k - 1), bounded(starts!, values!.size)]
    const { centred, scales } = quantizeRuns(numbersOf(x!), k, m)
    const data = rowProducts(centred, denseRows(numbersOf(values!), at, first, n, k), m, n, k)
    for (let i = 0; i < data.length; i++) data[i] *= scales[Math.floor(i / n)] * perOutput[i % n]
    return [finished(x!, n, data, attributes, more)]
  },
  'whittle.BlockSparseGemm'([x, values, depths, starts, wScale, ...more], attributes) {
    const k = x!.dims[x!.dims.length - 1]
    const [m, n] = [sizeOf(x!.dims.slice(0, -1)), wScale!.size]
    const [v, perOutput] = [values!, wScale!].map(numbersOf)
    const [at, first] = [bounded(depths!, Math.ceil(k / side) - 1), bounded(starts!, values!.dims[0])]
    const w = new Float64Array(n * k)
    for (let panel = 0; panel * side < n; panel++) {
      for (let block = first[panel]; block < first[panel + 1]; block++) {
        for (let i = 0; i < side * side; i++) {
          const j = panel * side + Math.floor(i / side)
          const depth = at[block] * side + (i % side)
          if (j < n && depth < k) w[j * k + depth] += v[block * side * side + i]
        }
      }
    }
    const { centred, scales } = quantizeRuns(numbersOf(x!), k, m)
    const data = rowProducts(centred, w, m, n, k)
    for (let i = 0; i < data.length; i++) data[i] *= scales[Math.floor(i / n)] * perOutput[i % n]
    return [finished(x!, n, data, attributes, more)]
  },
} satisfies Record<string, Reference>

/** Ascending places below `size` for each of `lists`, about one in three, and where each list begins. */
function placesOf(random: Random, lists: number, size: number) {
  const starts = [0]
  const depths: number[] = []
  for (let list = 0; list < lists; list++) {
    for (let i = 0; i < size; i++) if (random() < 0.35) depths.push(i)
    starts.push(depths.length)
  }
  return {
    count: depths.length,
    depths: new Tensor('int32', depths, [depths.length]),
    starts: new Tensor('int32', starts, [starts.length]),
  }
}

function sample(random: Random, x: number[], n: number, attributes: Attributes, bias = true, residual = false): Sample {
  const { count, depths, starts } = placesOf(random, n, x[x.length - 1])
  const more = [bias ? floats(random, [n]) : null, residual ? floats(random, [...x.slice(0, -1), n]) : null]
  return { inputs: [floats(random, x), floats(random, [count]), depths, starts, ...more], attributes }
}

function byteSample(random: Random, x: number[], n: number, attributes: Attributes, residual = false): Sample {
  const { inputs } = sample(random, x, n, attributes, true, residual)
  const [rows, values, depths, starts, ...more] = inputs
  const largest = attributes.narrow === 1 ? 64 : 127
  const bytes = integers(random, values!.dims as number[], -largest, largest, 'int8')
  return { inputs: [rows, bytes, depths, starts, floats(random, [n], 0.001, 0.02), ...more], attributes }
}

function blockSample(random: Random, x: number[], n: number, attributes: Attributes, residual = false): Sample {
  const k = x[x.length - 1]
  const { count, depths, starts } = placesOf(random, Math.ceil(n / side), Math.ceil(k / side))
  const dims = [count, side, side]
  const narrow = narrowWeights(random, dims, side)
  const twice = new Tensor(
    'int8',
    (narrow.data as Int8Array).map((code) => Math.trunc(code / 2)),
    dims,
  )
  const values = [integers(random, dims, -127, 127, 'int8'), narrow, twice][
    (attributes.narrow as number | undefined) ?? 0
  ]
  const more = [floats(random, [n]), residual ? floats(random, [...x.slice(0, -1), n]) : null]
  return { inputs: [floats(random, x), values, depths, starts, floats(random, [n], 0.001, 0.02), ...more], attributes }
}

export const samples = {
  'whittle.SparseGemm': (random) => [
    sample(random, [1, 13], 10, {}),
    sample(random, [33, 21], 19, { form: 'dense' }, true, true),
    sample(random, [7, 25], 13, { activation: 'Relu' }, false),
    sample(random, [2, 20, 30], 140, { activation: 'Gelu', post_scale: 2, post_shift: -1 }, true, true),
    sample(random, [0, 9], 3, {}),
    sample(random, [16], 9, {}),
  ],
  'whittle.DynamicQuantizeSparseGemm': (random) => [
    byteSample(random, [1, 13], 10, {}),
    byteSample(random, [7, 25], 13, { activation: 'Relu', form: 'dense' }),
    byteSample(random, [2, 20, 31], 140, { activation: 'Gelu', post_scale: 2, post_shift: -1 }, true),
    byteSample(random, [9, 33], 20, { narrow: 1, form: 'dense' }),
    byteSample(random, [0, 9], 3, {}),
  ],
  'whittle.BlockSparseGemm': (random) => [
    blockSample(random, [9, 52], 21, { form: 'dense' }, true),
    blockSample(random, [1, 64], 16, {}),
    blockSample(random, [13, 50], 21, { narrow: 2 }),
    blockSample(random, [5, 40], 9, { narrow: 1 }),
    blockSample(random, [9, 48], 24, { narrow: 2, form: 'dense' }),
    blockSample(random, [7, 40], 24, { activation: 'Relu' }),
    blockSample(random, [2, 31, 64], 144, { activation: 'Gelu', post_scale: 2, post_shift: -1 }, true),
    blockSample(random, [0, 32], 16, {}),
  ],
} satisfies Record<string, Samples>
