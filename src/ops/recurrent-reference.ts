// SPDX-License-Identifier: Apache-2.0
/**
 * Recurrent layers in double precision: one walk over time for LSTM, GRU and RNN, each of which is a cell, a function
 * from the gates' inputs and the state before to the state after. A direction is walked by itself; a sequence shorter
 * than the longest ends early, and the outputs behind its end are zeros.
 */
import { GraphError } from '../base/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Attributes } from './define.ts'
import { integersOf } from './elements.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { quantizeRuns } from './quantize.ts'

type Scalar = (x: number) => number

const sigmoid: Scalar = (x) => 1 / (1 + Math.exp(-x))

/** Activations of ONNX's recurrent operators, by lower-case name, of alpha and beta. */
const activations: Readonly<Record<string, (alpha?: number, beta?: number) => Scalar>> = {
  affine:
    (alpha = 1, beta = 0) =>
    (x) =>
      alpha * x + beta,
  elu:
    (alpha = 1) =>
    (x) =>
      x >= 0 ? x : alpha * Math.expm1(x),
  hardsigmoid:
    (alpha = 0.2, beta = 0.5) =>
    (x) =>
      Math.min(Math.max(alpha * x + beta, 0), 1),
  leakyrelu:
    (alpha = 0.01) =>
    (x) =>
      x >= 0 ? x : alpha * x,
  relu: () => (x) => Math.max(x, 0),
  scaledtanh:
    (alpha = 1, beta = 1) =>
    (x) =>
      alpha * Math.tanh(beta * x),
  sigmoid: () => sigmoid,
  softplus: () => (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: () => (x) => x / (1 + Math.abs(x)),
  tanh: () => Math.tanh,
  thresholdedrelu:
    (alpha = 1) =>
    (x) =>
      x >= alpha ? x : 0,
}

/** Activations that take alpha, and beta: they use up a number of the attribute lists. */
const takesAlpha = ['affine', 'elu', 'hardsigmoid', 'leakyrelu', 'scaledtanh', 'thresholdedrelu']
const takesBeta = ['affine', 'hardsigmoid', 'scaledtanh']

/** Functions for all directions, in order. @throws GraphError for an unknown name */
export function activationsOf(attributes: Attributes, defaults: readonly string[], directions: number): Scalar[] {
  const names = (attributes.activations as readonly string[] | undefined) ?? Array(directions).fill(defaults).flat()
  const alphas = [...((attributes.activation_alpha as readonly number[] | undefined) ?? [])]
  const betas = [...((attributes.activation_beta as readonly number[] | undefined) ?? [])]
  return names.map((given: string) => {
    const name = given.toLowerCase()
    if (!Object.hasOwn(activations, name)) {
      throw new GraphError({ where: 'activations', expected: Object.keys(activations).join(', '), got: given })
    }
    return activations[name](
      takesAlpha.includes(name) ? alphas.shift() : undefined,
      takesBeta.includes(name) ? betas.shift() : undefined,
    )
  })
}

/** What a cell is given at one step of one sequence: inputs of the gates in `z` (X W^T + biases), and the state. */
interface CellStep {
  /** gates x hidden: x W^T + Wb. */
  readonly input: Float64Array
  /** h R^T, gates x hidden, without bias. */
  readonly recur: (h: ArrayLike<number>) => Float64Array
  /** Rb, gates x hidden. */
  readonly bias: Float64Array
  readonly h: Float64Array
  readonly c: Float64Array
  /** Peephole weights, 3 x hidden. */
  readonly peep: Float64Array
  readonly f: readonly Scalar[]
  readonly clip: Scalar
  readonly attributes: Attributes
}

/** A layer: its gates, default activations and cell. */
export interface RecurrentKind {
  readonly gates: number
  readonly defaults: readonly string[]
  readonly cell: (step: CellStep) => { readonly h: Float64Array; readonly c: Float64Array }
}

const at = (values: ArrayLike<number>, gate: number, size: number, i: number): number => values[gate * size + i]

function lstmCell({ input, recur, bias, h, c, peep, f, clip, attributes }: CellStep) {
  const size = h.length
  const back = recur(h)
  const z = input.map((v, i) => v + back[i] + bias[i])
  const [gate, squash, out] = f
  const next = new Float64Array(size)
  const cell = new Float64Array(size)
  for (let i = 0; i < size; i++) {
    const enter = gate(clip(at(z, 0, size, i) + peep[i] * c[i]))
    const keep = attributes.input_forget === 1 ? 1 - enter : gate(clip(at(z, 2, size, i) + at(peep, 2, size, i) * c[i]))
    cell[i] = keep * c[i] + enter * squash(clip(at(z, 3, size, i)))
    next[i] = gate(clip(at(z, 1, size, i) + at(peep, 1, size, i) * cell[i])) * out(cell[i])
  }
  return { h: next, c: cell }
}

function gruCell({ input, recur, bias, h, c, f, clip, attributes }: CellStep) {
  const size = h.length
  const back = recur(h)
  const [gate, squash] = f
  const part = (g: number, i: number): number =>
    clip(at(input, g, size, i) + at(back, g, size, i) + at(bias, g, size, i))
  const update = h.map((_, i) => gate(part(0, i)))
  const reset = h.map((_, i) => gate(part(1, i)))
  const after = attributes.linear_before_reset === 1 ? null : recur(h.map((v, i) => reset[i] * v))
  const next = h.map((v, i) => {
    const own = after
      ? at(after, 2, size, i) + at(bias, 2, size, i)
      : reset[i] * (at(back, 2, size, i) + at(bias, 2, size, i))
    const candidate = squash(clip(at(input, 2, size, i) + own))
    return (1 - update[i]) * candidate + update[i] * v
  })
  return { h: next, c }
}

function rnnCell({ input, recur, bias, h, c, f, clip }: CellStep) {
  const back = recur(h)
  return { h: h.map((_, i) => f[0](clip(input[i] + back[i] + bias[i]))), c }
}

/** The layers by operator. */
export const recurrentKinds: Readonly<Record<'GRU' | 'LSTM' | 'RNN', RecurrentKind>> = {
  GRU: { gates: 3, defaults: ['Sigmoid', 'Tanh'], cell: gruCell },
  LSTM: { gates: 4, defaults: ['Sigmoid', 'Tanh', 'Tanh'], cell: lstmCell },
  RNN: { gates: 1, defaults: ['Tanh'], cell: rnnCell },
}

const slice = (tensor: Tensor | null | undefined, start: number, size: number): Float64Array =>
  tensor ? Float64Array.from(numbersOf(tensor)).slice(start, start + size) : new Float64Array(size)

/** matrix [rows, v.length] times v, at `start` of the matrix's elements. */
function times(matrix: ArrayLike<number>, start: number, rows: number, v: ArrayLike<number>): Float64Array {
  const result = new Float64Array(rows)
  for (let r = 0; r < rows; r++) {
    let sum = 0
    for (let i = 0; i < v.length; i++) sum += matrix[start + r * v.length + i] * v[i]
    result[r] = sum
  }
  return result
}

/** The same with int8 codes, one scale for each row, and v quantised to asymmetric 8 bits. */
function timesBytes(
  matrix: ArrayLike<number>,
  scales: ArrayLike<number>,
  start: number,
  rows: number,
  v: ArrayLike<number>,
): Float64Array {
  const { centred, scales: own } = quantizeRuns(Float32Array.from(v), v.length, 1)
  const first = start / v.length
  return times(matrix, start, rows, centred).map((sum, r) => sum * own[0] * scales[first + r])
}

/**
 * Y, Y_h and, for LSTM, Y_c. Inputs as ONNX orders them: X, W, R, B, sequence_lens, initial_h, initial_c, P.
 * @param scales of W and R where they are int8, [directions, rows] each
 */
export function recurrent(
  kind: RecurrentKind,
  inputs: readonly (Tensor | null | undefined)[],
  attributes: Attributes,
  scales?: readonly [Tensor, Tensor],
): Tensor[] {
  const [x, w, r] = inputs as readonly Tensor[]
  const batchFirst = attributes.layout === 1
  const [seq, batch] = batchFirst ? [x.dims[1], x.dims[0]] : [x.dims[0], x.dims[1]]
  const width = x.dims[2]
  const [directions, rows, hidden] = r.dims
  const fs = activationsOf(attributes, kind.defaults, directions)
  const most = attributes.clip as number | undefined
  const clip: Scalar = most === undefined ? (v) => v : (v) => Math.min(Math.max(v, -most), most)
  const lengths = inputs[4] ? integersOf(inputs[4]) : new Array<number>(batch).fill(seq)
  const [data, weights, back] = [numbersOf(x), numbersOf(w), numbersOf(r)].map((v) => Float64Array.from(v))
  const [ofInput, ofState] = [0, 1].map((i): typeof times => {
    const own = scales && numbersOf(scales[i])
    return own === undefined ? times : (matrix, start, count, v) => timesBytes(matrix, own, start, count, v)
  })
  const y = new Float64Array(seq * directions * batch * hidden)
  const [lastH, lastC] = [new Float64Array(directions * batch * hidden), new Float64Array(directions * batch * hidden)]
  // where a state of a direction and sequence lies in Y_h, and in initial_h
  const place = (d: number, b: number): number => (batchFirst ? b * directions + d : d * batch + b) * hidden
  for (let d = 0; d < directions; d++) {
    const isBackward = attributes.direction === 'reverse' || d === 1
    const both = slice(inputs[3], d * 2 * rows, 2 * rows)
    const [inputBias, bias] = [both.slice(0, rows), both.slice(rows)]
    const peep = slice(inputs[7], d * 3 * hidden, 3 * hidden)
    const f = fs.slice(d * kind.defaults.length, (d + 1) * kind.defaults.length)
    const recur = (h: ArrayLike<number>): Float64Array => ofState(back, d * rows * hidden, rows, h)
    for (let b = 0; b < batch; b++) {
      let h = slice(inputs[5], place(d, b), hidden)
      let c = slice(inputs[6], place(d, b), hidden)
      const length = Math.min(Math.max(lengths[b], 0), seq)
      for (let step = 0; step < length; step++) {
        const t = isBackward ? length - 1 - step : step
        const from = (batchFirst ? b * seq + t : t * batch + b) * width
        const input = ofInput(weights, d * rows * width, rows, data.subarray(from, from + width))
        const next = kind.cell({
          input: input.map((v, i) => v + inputBias[i]),
          recur,
          bias,
          h,
          c,
          peep,
          f,
          clip,
          attributes,
        })
        h = next.h as typeof h
        c = next.c as typeof c
        y.set(h, (batchFirst ? (b * seq + t) * directions + d : (t * directions + d) * batch + b) * hidden)
      }
      lastH.set(h, place(d, b))
      lastC.set(c, place(d, b))
    }
  }
  const yDims = batchFirst ? [batch, seq, directions, hidden] : [seq, directions, batch, hidden]
  const stateDims = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
  return [tensorOf(x.type, y, yDims), tensorOf(x.type, lastH, stateDims), tensorOf(x.type, lastC, stateDims)]
}
