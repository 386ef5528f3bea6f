// SPDX-License-Identifier: Apache-2.0
/**
 * Softmax, LogSoftmax, Hardmax along one axis. Kernels take rows; another axis than the last is brought to the end
 * and back. https://onnx.ai/onnx/operators/onnx__Softmax.html
 */
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { type OpContext, type OpDef, type Reference, type Sample, type Samples, type ValueInfo } from './define.ts'
import { axisOf, needed } from './infer.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { samePlace, transposeInto, transposed } from './lower-layout.ts'
import type { Lowering, Ref } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

type RowKernel = 'softmax_f32' | 'log_softmax_f32'

function inferSame(context: OpContext, info: ValueInfo | null): ValueInfo[] {
  const x = needed(context, info, 'input')
  if (x.dims !== null && x.dims.length > 0) axisOf(context, context.attributes.axis as number, x.dims.length)
  return [{ dtype: x.dtype, dims: x.dims }]
}

function lowerRows(kernel: RowKernel, lowering: Lowering, axisAttribute: number): boolean {
  const x = lowering.input(0)!
  if (!isFloat32(x) || x.dims.length === 0) return false
  if (x.size === 0) return true
  const axis = normalizeAxis(axisAttribute, x.dims.length)
  const cols = x.dims[axis]
  const outer = sizeOf(x.dims.slice(0, axis))
  const inner = sizeOf(x.dims.slice(axis + 1))
  const y = lowering.output(0).ref
  const emit = (from: Ref, to: Ref): void =>
    lowering.step({ kernel, units: outer * inner, args: { x: from, y: to, rows: outer * inner, cols } })
  const turned = transposed(lowering, x.ref, outer, cols, inner)
  if (samePlace(turned, x.ref)) {
    emit(x.ref, y)
    return true
  }
  emit(turned, turned)
  transposeInto(lowering, turned, y, outer, inner, cols)
  return true
}

function define(kernel?: RowKernel): OpDef {
  return {
    inputs: [1, 1],
    attributes: { axis: { kind: 'int', default: -1 } },
    numerics: kernel ? { relative: 1e-5, absolute: 1e-6 } : 'exact',
    infer: ([x], context) => inferSame(context, x),
    lower: kernel && ((lowering, { attributes }) => lowerRows(kernel, lowering, attributes.axis as number)),
  }
}

export const ops = {
  Hardmax: define(),
  LogSoftmax: define('log_softmax_f32'),
  Softmax: define('softmax_f32'),
}

/** Applies `row` to the elements along the axis, in place of a copy. */
function alongAxis(row: (values: number[]) => number[]): Reference {
  return ([x], attributes) => {
    const { dims, type } = x!
    const values = Float64Array.from(numbersOf(x!))
    const axis = dims.length === 0 ? 0 : normalizeAxis(attributes.axis as number, dims.length)
    const cols = dims[axis] ?? 1
    const inner = sizeOf(dims.slice(axis + 1))
    for (let i = 0; i < values.length; i++) {
      // each run is done once, at its first element
      if (Math.floor(i / inner) % cols !== 0) continue
      const results = row(Array.from({ length: cols }, (_, j) => values[i + j * inner]))
      results.forEach((v, j) => (values[i + j * inner] = v))
    }
    return [tensorOf(type, values, dims)]
  }
}

function shifted(values: number[]): { moved: number[]; total: number } {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity)
  const moved = values.map((v) => v - most)
  return { moved, total: moved.reduce((sum, v) => sum + Math.exp(v), 0) }
}

export const references = {
  Hardmax: alongAxis((values) => {
    const best = values.reduce((at, v, i) => (v > values[at] ? i : at), 0)
    return values.map((_, i) => (i === best ? 1 : 0))
  }),
  LogSoftmax: alongAxis((values) => {
    const { moved, total } = shifted(values)
    return moved.map((v) => v - Math.log(total))
  }),
  Softmax: alongAxis((values) => {
    const { moved, total } = shifted(values)
    return moved.map((v) => Math.exp(v) / total)
  }),
} satisfies Record<string, Reference>

const plain: Samples = (random): Sample[] => [
  { inputs: [floats(random, [3, 7], -4, 4)] },
  { inputs: [floats(random, [2, 3, 40], -30, 30)] },
  { inputs: [floats(random, [2, 5, 3], -4, 4)], attributes: { axis: 1 } },
  { inputs: [floats(random, [6, 5], -4, 4)], attributes: { axis: 0 } },
  { inputs: [floats(random, [2, 0, 3])], attributes: { axis: 1 } },
  { inputs: [floats(random, [4, 1], 80, 100)], attributes: { axis: -1 } },
]

export const samples = { Hardmax: plain, LogSoftmax: plain, Softmax: plain } satisfies Record<string, Samples>
