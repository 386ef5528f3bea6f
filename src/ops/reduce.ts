// SPDX-License-Identifier: Apache-2.0
/**
 * Reduce*: a table of folds over chosen axes. Axes come as input 1, or as an attribute in models of older opsets;
 * none means all of them, unless noop_with_empty_axes says none. Sums, products and extremes of integers are exact,
 * and known for small integer tensors before anything runs (shape arithmetic).
 * https://onnx.ai/onnx/operators/onnx__ReduceSum.html and its siblings
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { reduceOps } from '../kernels/codes.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { stridesOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type OpContext,
  type OpDef,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
} from './define.ts'
import { axesOf, contentOf, integersFrom, needed, valueOf } from './infer.ts'
import { emitUnary, isFloat32 } from './lower-elementwise.ts'
import { type Reduction, emitReduce, emitReduction, gatherReduced } from './lower-reduce.ts'
import { widthOf } from './lower-move.ts'
import type { Lowering } from './lower.ts'
import { integersOf, isFloat, offsetsOf, rangeOf } from './elements.ts'
import { type Exact, exactOf, tensorOf } from './numeric.ts'
import { floats, integers, longs } from './sample-tensors.ts'

interface Row {
  readonly reduction: Reduction
  /** Of 32- and 64-bit integers. */
  readonly integer?: (typeof reduceOps)[number]
  /** Takes the logarithm of it. */
  readonly log?: boolean
  /** Exact fold over known elements, for shape arithmetic. */
  readonly content?: (elements: readonly Dim[]) => Dim
}

const rows: Readonly<Record<string, Row>> = {
  ReduceL1: { reduction: 'l1' },
  ReduceL2: { reduction: 'l2' },
  ReduceLogSum: { reduction: 'sum', log: true },
  ReduceLogSumExp: { reduction: 'logSumExp' },
  ReduceMax: { reduction: 'max', integer: 'Max', content: (e) => e.reduce(dim.max) },
  ReduceMean: { reduction: 'mean' },
  ReduceMin: { reduction: 'min', integer: 'Min', content: (e) => e.reduce(dim.min) },
  ReduceProd: { reduction: 'prod', integer: 'Prod', content: dim.product },
  ReduceSum: { reduction: 'sum', integer: 'Sum', content: (e) => e.reduce(dim.add, 0) },
  ReduceSumSquare: { reduction: 'sumSquare' },
}

const wholeKernels: Readonly<Partial<Record<Dtype, 'reduce_i32' | 'reduce_i64'>>> = {
  int32: 'reduce_i32',
  int64: 'reduce_i64',
}

/** Axes of `dims` that a node reduces, given what input or attribute says (null: neither). */
function axesFor(axes: readonly number[] | null, rank: number, attributes: Attributes): readonly number[] {
  if (axes !== null && axes.length > 0) return axes.map((axis) => (axis < 0 ? axis + rank : axis))
  return attributes.noop_with_empty_axes === 1 ? [] : Array.from({ length: rank }, (_, i) => i)
}

function reducedDims<D extends Dim>(dims: readonly D[], axes: readonly number[], keep: boolean): (D | 1)[] {
  const kept = dims.map((d, axis) => (axes.includes(axis) ? 1 : d))
  return keep ? kept : kept.filter((_, axis) => !axes.includes(axis))
}

function inferReduce(row: Row, inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  const x = needed(context, inputs[0], 'data')
  const { attributes } = context
  const axesInput = inputs[1]
  const given = axesInput ? integersFrom(axesInput) : ((attributes.axes as number[] | undefined) ?? null)
  if (x.dims === null || (axesInput && given === null)) return [{ dtype: x.dtype, dims: null }]
  if (given !== null) axesOf(context, given, x.dims.length)
  const axes = axesFor(given, x.dims.length, attributes)
  const dims = reducedDims<Dim>(x.dims, axes, attributes.keepdims !== 0)
  const elements = contentOf(x)
  const whole = axes.length === x.dims.length && elements !== null && elements.length > 0
  const content = whole && row.content ? [row.content(elements)] : null
  return [valueOf(x.dtype, dims, content)]
}

function lowerReduce(row: Row, lowering: Lowering, attributes: Attributes): boolean {
  const x = lowering.input(0)!
  const axesInput = lowering.input(1)
  const whole = row.integer && wholeKernels[x.dtype]
  if (!(isFloat32(x) || whole) || x.size === 0 || (axesInput !== null && axesInput.tensor === undefined)) return false
  const given = axesInput?.tensor ? integersOf(axesInput.tensor) : ((attributes.axes as number[] | undefined) ?? null)
  const axes = axesFor(given, x.dims.length, attributes)
  const gathered = gatherReduced(lowering, x.ref, x.dims, axes, widthOf(x.dtype)!)
  if (gathered === null) return false
  const y = lowering.output(0)
  if (whole) {
    emitReduction(lowering, whole, gathered.x, y.ref, gathered.shape, { op: reduceOps.indexOf(row.integer!) })
    return true
  }
  emitReduce(lowering, row.reduction, gathered.x, y.ref, gathered.shape)
  if (row.log) emitUnary(lowering, 'unary_log_f32', y.ref, y.ref, y.size)
  return true
}

export const ops: Readonly<Record<string, OpDef>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]): [string, OpDef] => [
    name,
    {
      inputs: [1, 2],
      attributes: {
        axes: { kind: 'ints' },
        keepdims: { kind: 'int', default: 1 },
        noop_with_empty_axes: { kind: 'int', default: 0 },
      },
      numerics: name === 'ReduceMax' || name === 'ReduceMin' ? 'exact' : { relative: 1e-5, absolute: 1e-6 },
      infer: (inputs, context) => inferReduce(row, inputs, context),
      lower: (lowering, { attributes }) => lowerReduce(row, lowering, attributes),
    },
  ]),
)

type Fold = (values: readonly Exact[], dtype: Dtype) => Exact

const numbers = (values: readonly Exact[]): number[] => values.map(Number)
const sum = (values: readonly number[]): number => values.reduce((total, v) => total + v, 0)

/** log of the sum of exponentials, shifted by the maximum so that nothing overflows. */
function logSumExp(values: readonly number[]): number {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity)
  return Number.isFinite(most) ? most + Math.log(sum(values.map((v) => Math.exp(v - most)))) : most
}

/** Folds of floats: doubles. */
const floatFolds: Readonly<Record<string, (values: readonly number[]) => number>> = {
  ReduceL1: (v) => sum(v.map(Math.abs)),
  ReduceL2: (v) => Math.sqrt(sum(v.map((x) => x * x))),
  ReduceLogSum: (v) => Math.log(sum(v)),
  ReduceLogSumExp: logSumExp,
  ReduceMax: (v) => v.reduce((a, b) => Math.max(a, b), -Infinity),
  ReduceMean: (v) => sum(v) / v.length,
  ReduceMin: (v) => v.reduce((a, b) => Math.min(a, b), Infinity),
  ReduceProd: (v) => v.reduce((product, x) => product * x, 1),
  ReduceSum: sum,
  ReduceSumSquare: (v) => sum(v.map((x) => x * x)),
}

/** Folds of integers that stay in the integers; the others go through doubles. */
const exactFolds: Readonly<Record<string, (values: readonly bigint[], dtype: Dtype) => bigint>> = {
  ReduceL1: (v) => v.reduce((total, x) => total + (x < 0n ? -x : x), 0n),
  ReduceMax: (v, dtype) => v.reduce((a, b) => (a > b ? a : b), rangeOf(dtype)[0]),
  ReduceMean: (v) => (v.length === 0 ? 0n : v.reduce((total, x) => total + x, 0n) / BigInt(v.length)),
  ReduceMin: (v, dtype) => v.reduce((a, b) => (a < b ? a : b), rangeOf(dtype)[1]),
  ReduceProd: (v) => v.reduce((product, x) => product * x, 1n),
  ReduceSum: (v) => v.reduce((total, x) => total + x, 0n),
  ReduceSumSquare: (v) => v.reduce((total, x) => total + x * x, 0n),
}

/** Folds of booleans: any and all. */
const boolFolds: Readonly<Record<string, (values: readonly number[]) => number>> = {
  ReduceMax: (v) => (v.includes(1) ? 1 : 0),
  ReduceMin: (v) => (v.includes(0) ? 0 : 1),
}

function foldFor(name: string, dtype: Dtype): Fold {
  const exact = exactFolds[name]
  if (dtype === 'bool' && boolFolds[name]) return (values) => boolFolds[name](numbers(values))
  if (!isFloat(dtype) && exact) return (values) => exact(values.map(BigInt), dtype)
  return (values) => floatFolds[name](numbers(values))
}

function reference(name: string): Reference {
  return ([x, axesInput], attributes) => {
    const { dims, type } = x!
    const given = axesInput ? integersOf(axesInput) : ((attributes.axes as number[] | undefined) ?? null)
    const axes = axesFor(given, dims.length, attributes)
    const kept = [...dims.keys()].filter((axis) => !axes.includes(axis))
    const strides = stridesOf(dims)
    const starts = offsetsOf(
      kept.map((axis) => dims[axis]),
      kept.map((axis) => strides[axis]),
    )
    const steps = offsetsOf(
      axes.map((axis) => dims[axis]),
      axes.map((axis) => strides[axis]),
    )
    const data = exactOf(x!)
    const fold = foldFor(name, type)
    const values = Array.from(starts, (start) =>
      fold(
        Array.from(steps, (step) => data[start + step]),
        type,
      ),
    )
    return [tensorOf(type, values, reducedDims(dims, axes, attributes.keepdims !== 0))]
  }
}

export const references: Readonly<Record<string, Reference>> = Object.fromEntries(
  Object.keys(rows).map((name) => [name, reference(name)]),
)

function samplesOf(name: string): Samples {
  return (random) => {
    const low = name === 'ReduceLogSum' ? 0.1 : -2
    const x = (...dims: number[]): Tensor => floats(random, dims, low, 2)
    const cases: Sample[] = [
      { inputs: [x(3, 4, 5)] },
      { inputs: [x(3, 4, 5), longs(1)] },
      { inputs: [x(3, 4, 5), longs(0, 2)], attributes: { keepdims: 0 } },
      { inputs: [x(2, 3, 4, 150), longs(1, 2)] },
      { inputs: [x(7, 33), longs(-1)], attributes: { keepdims: 0 } },
      { inputs: [x(3, 4), longs()], attributes: { noop_with_empty_axes: 1 } },
      { inputs: [x(3, 4)], attributes: { axes: [1] } },
      { inputs: [x()] },
    ]
    const whole = integers(random, [2, 3], 1, 4, 'int64')
    const odd = integers(random, [3, 4, 5], -3, 3)
    return [
      ...cases,
      { inputs: [whole, longs(0)] },
      { inputs: [whole] },
      { inputs: [odd, longs(0, 2)] },
      { inputs: [odd, longs(1)], attributes: { keepdims: 0 } },
    ]
  }
}

export const samples: Readonly<Record<string, Samples>> = Object.fromEntries(
  Object.keys(rows).map((name) => [name, samplesOf(name)]),
)
