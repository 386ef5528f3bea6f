// SPDX-License-Identifier: Apache-2.0
/**
 * LSTM, GRU and RNN as steps: the inputs of all gates are projected for the whole sequence at once, a tall product per
 * gate; then each step of time is a product with the state before, whose epilogue adds the projection and applies the
 * gate's function, and a few element-wise steps. State lies where it is handed out: h in Y, c in Y_c. With int8 weights
 * inputs and states are quantised row by row before each product.
 */
import { panelColumns, roundUp } from '../kernels/blocks.ts'
import { activations } from '../kernels/gemm.ts'
import type { Attributes, OpContext } from './define.ts'
import { type EpilogueArgs, noEpilogue } from './epilogue.ts'
import { emitBinary, emitUnary, isFloat32, shifted } from './lower-elementwise.ts'
import {
  type GemmCall,
  type SourceMatrix,
  byteRecipes,
  emitByteGemm,
  emitGemm,
  mostByteDepth,
  packF32,
  packS8,
  packedWeight,
  quantizeRows,
} from './lower-gemm.ts'
import { fill } from './lower-move.ts'
import type { Lowering, Operand, Ref } from './lower.ts'

export type RecurrentName = 'GRU' | 'LSTM' | 'RNN'

/** Positions of an operator's inputs; without scales W and R are float32. */
export interface RecurrentInputs {
  readonly x: number
  readonly w: number
  readonly wScale?: number
  readonly r: number
  readonly rScale?: number
  readonly bias: number
  readonly lengths: number
  readonly h: number
  readonly c: number
  readonly peep: number
}

/** Most steps of time: each is a handful of kernel steps in the list. */
const mostTime = 4096

/** What a layer is made of, for one direction. */
interface Walk {
  readonly lowering: Lowering
  readonly batch: number
  readonly hidden: number
  /** Elements of a state, [batch, hidden]. */
  readonly size: number
  /** Elements between the projections of two gates: the whole sequence. */
  readonly gateSize: number
  readonly projected: Ref
  /** Products with the recurrent weights of all directions. */
  readonly back: Products
  /** The direction's first gate among all. */
  readonly firstGate: number
  /** Recurrent bias of a gate, where there is one. */
  biasOf(gate: number): Ref | null
  /** A buffer of so many states. */
  scratch(states: number): Ref
}

/** Rows as the products want them: as they are, or quantised, each by itself. */
interface Rows {
  readonly a: Ref
  readonly params?: Ref
}

/** Products with weights [directions, gates, n, k], packed gate by gate. */
interface Products {
  prepare(x: Ref, m: number): Rows
  /** Those of gates first, first + 1, … at once: `batch` of them, which share their rows. */
  emit(rows: Rows, first: number, call: Pick<GemmCall, 'c' | 'ldc' | 'batchC' | 'batch' | 'm' | 'epilogue'>): void
}

function floatProducts(lowering: Lowering, input: number, shape: Shape): Products {
  const { n, k } = shape
  const packing = packF32(matrixOf(shape))
  const weights = packedWeight(lowering, input, packing)
  return {
    prepare: (a) => ({ a }),
    emit({ a }, first, call) {
      const b = { b: shifted(weights, first * packing.batchBytes), batchBBytes: packing.batchBytes }
      emitGemm(lowering, { a, lda: k, ...b, n, k, ...call })
    },
  }
}

function byteProducts(lowering: Lowering, input: number, scale: Ref, shape: Shape): Products {
  const { n, k } = shape
  const recipe = byteRecipes[lowering.host.int8]
  const packing = packS8(matrixOf(shape), recipe)
  const weights = packedWeight(lowering, input, packing)
  const ldq = roundUp(k, recipe.group)
  return {
    prepare(x, m) {
      const { q, params } = quantizeRows(lowering, recipe, { x, m, k, ldq })
      return { a: q, params }
    },
    emit({ a, params }, first, call) {
      const b = { b: shifted(weights, first * packing.batchBytes), batchBBytes: packing.batchBytes }
      const wSum = shifted(weights, packing.sums + first * roundUp(n, panelColumns) * four)
      const parts = {
        aParams: params!,
        aParamsStride: 1,
        batchParams: 0,
        wScale: shifted(scale, first * n * four),
        wSum,
      }
      emitByteGemm(lowering, { a, lda: ldq, ...b, n, k, ...call }, parts, recipe)
    },
  }
}

interface Shape {
  /** Directions times gates. */
  readonly batch: number
  readonly n: number
  readonly k: number
}

function matrixOf({ batch, n, k }: Shape): SourceMatrix {
  return { n, k, batch, batchSrc: n * k, colStride: k, depthStride: 1 }
}

function productsOf(lowering: Lowering, input: number, scale: Operand | null, shape: Shape): Products {
  return scale === null ? floatProducts(lowering, input, shape) : byteProducts(lowering, input, scale.ref, shape)
}

/** From the state before to the state after. */
type Cell = (walk: Walk, before: Ref, after: Ref, time: number) => void

interface Layer {
  readonly gates: number
  /** Gates whose recurrent bias may be added to the projection beforehand. */
  readonly early: readonly number[]
  readonly cell: (walk: Walk, cellBefore: Ref, cell: Ref) => Cell
}

const four = 4
const state = (ref: Ref, { size }: Walk, index: number): Ref => shifted(ref, index * size * four)

/** Gates first, first + 1, … of one step: act(h R^T + projection), or with own bias and no projection. */
function emitGates(
  walk: Walk,
  call: {
    readonly h: Rows
    readonly y: Ref
    readonly first: number
    readonly count: number
    readonly time: number
    readonly epilogue: Partial<EpilogueArgs>
    readonly plain?: boolean
  },
): void {
  const { batch, hidden, size, gateSize, projected, back, firstGate } = walk
  const { h, y, first, count, time, epilogue, plain = false } = call
  const residual = shifted(projected, (first * gateSize + time * size) * four)
  const added = plain ? {} : { residual, ldr: hidden, batchR: gateSize }
  back.emit(h, firstGate + first, {
    c: y,
    ldc: hidden,
    batchC: size,
    batch: count,
    m: batch,
    epilogue: { ...noEpilogue, ...added, ...epilogue },
  })
}

const act = (name: 'Sigmoid' | 'Tanh') => ({ activation: activations.indexOf(name) })

function combine(walk: Walk, op: 'mul' | 'add' | 'sub', a: Ref, b: Ref, c: Ref): void {
  const dims = [walk.size]
  emitBinary(walk.lowering, `binary_${op}_f32`, { ref: a, dims }, { ref: b, dims }, c, dims)
}

/** Gates in ONNX's order: input, output, forget, cell. */
function lstm(walk: Walk, cellBefore: Ref, cell: Ref): Cell {
  const gates = walk.scratch(4)
  const [enter, out, keep, candidate] = [0, 1, 2, 3].map((i) => state(gates, walk, i))
  let c = cellBefore
  return (_, before, after, time) => {
    const h = walk.back.prepare(before, walk.batch)
    emitGates(walk, { h, y: gates, first: 0, count: 3, time, epilogue: act('Sigmoid') })
    emitGates(walk, { h, y: candidate, first: 3, count: 1, time, epilogue: act('Tanh') })
    combine(walk, 'mul', keep, c, cell)
    combine(walk, 'mul', enter, candidate, enter)
    combine(walk, 'add', cell, enter, cell)
    emitUnary(walk.lowering, 'unary_tanh_f32', cell, candidate, walk.size)
    combine(walk, 'mul', out, candidate, after)
    c = cell
  }
}

/** update, reset, hidden: h' = n + z (h - n). `late`: the reset gate is applied behind the product. */
function gru(walk: Walk, late: boolean): Cell {
  const gates = walk.scratch(3)
  const [update, reset, next] = [0, 1, 2].map((i) => state(gates, walk, i))
  return (_, before, after, time) => {
    const h = walk.back.prepare(before, walk.batch)
    emitGates(walk, { h, y: gates, first: 0, count: 2, time, epilogue: act('Sigmoid') })
    if (late) {
      emitGates(walk, { h, y: next, first: 2, count: 1, time, epilogue: { bias: walk.biasOf(2) }, plain: true })
      combine(walk, 'mul', reset, next, next)
      combine(walk, 'add', next, shifted(walk.projected, (2 * walk.gateSize + time * walk.size) * four), next)
      emitUnary(walk.lowering, 'unary_tanh_f32', next, next, walk.size)
    } else {
      combine(walk, 'mul', reset, before, reset)
      const kept = walk.back.prepare(reset, walk.batch)
      emitGates(walk, { h: kept, y: next, first: 2, count: 1, time, epilogue: act('Tanh') })
    }
    combine(walk, 'sub', before, next, reset)
    combine(walk, 'mul', update, reset, update)
    combine(walk, 'add', next, update, after)
  }
}

function rnn(walk: Walk): Cell {
  return (_, before, after, time) => {
    const h = walk.back.prepare(before, walk.batch)
    emitGates(walk, { h, y: after, first: 0, count: 1, time, epilogue: act('Tanh') })
  }
}

function layerOf(name: RecurrentName, attributes: Attributes): Layer {
  if (name === 'LSTM') return { gates: 4, early: [0, 1, 2, 3], cell: lstm }
  if (name === 'RNN') return { gates: 1, early: [0], cell: rnn }
  const late = attributes.linear_before_reset === 1
  return { gates: 3, early: late ? [0, 1] : [0, 1, 2], cell: (walk) => gru(walk, late) }
}

const defaults: Readonly<Record<RecurrentName, readonly string[]>> = {
  GRU: ['sigmoid', 'tanh'],
  LSTM: ['sigmoid', 'tanh', 'tanh'],
  RNN: ['tanh'],
}

function isPlain(lowering: Lowering, name: RecurrentName, at: RecurrentInputs, attributes: Attributes): boolean {
  const names = attributes.activations as readonly string[] | undefined
  const wanted = defaults[name]
  const isDefault = names === undefined || names.every((given, i) => given.toLowerCase() === wanted[i % wanted.length])
  const rest = lowering.input(at.lengths) === null && lowering.input(at.peep) === null
  return isDefault && rest && attributes.clip === undefined && attributes.input_forget !== 1 && attributes.layout !== 1
}

function hasDims(operand: Operand | null, dims: readonly number[]): boolean {
  return operand === null || String(operand.dims) === String(dims)
}

/**
 * Emits the steps of a layer.
 * @param at positions of its inputs; with scales W and R are int8
 * @returns false for lengths of sequences, peepholes, clipping, other activations, and batches first
 */
export function lowerRecurrent(
  lowering: Lowering,
  name: RecurrentName,
  at: RecurrentInputs,
  { node, attributes }: Pick<OpContext, 'node' | 'attributes'>,
): boolean {
  const [x, w, r] = [at.x, at.w, at.r].map((i) => lowering.input(i)!)
  const [bias, h0, c0] = [at.bias, at.h, at.c].map((i) => lowering.input(i))
  const [wScale, rScale] = [at.wScale, at.rScale].map((i) => (i === undefined ? null : lowering.input(i)))
  const areWeights = wScale && rScale ? w.dtype === 'int8' && r.dtype === 'int8' : isFloat32(w, r)
  if (!isPlain(lowering, name, at, attributes) || !areWeights || !isFloat32(x, bias, h0, c0, wScale, rScale))
    return false
  const [time, batch, width] = x.dims
  const [directions, , hidden] = r.dims
  if (time > mostTime || [x, w, r].some(({ size }) => size === 0)) return false
  const layer = layerOf(name, attributes)
  const { gates } = layer
  const rows = gates * hidden
  const state3 = [directions, batch, hidden]
  const fits =
    hasDims(w, [directions, rows, width]) &&
    hasDims(r, [directions, rows, hidden]) &&
    [wScale, rScale].every((scale) => hasDims(scale, [directions, rows])) &&
    hasDims(bias, [directions, 2 * rows])
  if (!fits || !hasDims(h0, state3) || !hasDims(c0, state3)) return false
  if (wScale && Math.max(width, hidden) > mostByteDepth) return false
  const size = batch * hidden
  const gateSize = time * size
  const shape = { batch: directions * gates, n: hidden }
  const forward = productsOf(lowering, at.w, wScale, { ...shape, k: width })
  const back = productsOf(lowering, at.r, rScale, { ...shape, k: hidden })
  const written = (i: number, bytes: number): Ref =>
    (node.outputs[i] ?? '') === '' ? lowering.scratch(bytes) : lowering.output(i).ref
  const y = written(0, directions * gateSize * four)
  const cells = name === 'LSTM' ? written(2, directions * size * four) : null
  const zeros = h0 === null || (cells !== null && c0 === null) ? lowering.scratch(size * four) : null
  if (zeros) fill(lowering, zeros, size, 0)
  const inputs = forward.prepare(x.ref, time * batch)
  for (let d = 0; d < directions; d++) {
    const projected = lowering.scratch(gates * gateSize * four)
    // biases of a direction: those of the inputs, then the recurrent ones
    const biasAt = (i: number): Ref | null => bias && shifted(bias.ref, (d * 2 * gates + i) * hidden * four)
    for (let gate = 0; gate < gates; gate++) {
      const c = shifted(projected, gate * gateSize * four)
      const epilogue = { ...noEpilogue, bias: biasAt(gate) }
      forward.emit(inputs, d * gates + gate, { c, ldc: hidden, m: time * batch, epilogue })
      const own = layer.early.includes(gate) ? biasAt(gates + gate) : null
      const dims = [time * batch, hidden]
      if (own) emitBinary(lowering, 'binary_add_f32', { ref: c, dims }, { ref: own, dims: [hidden] }, c, dims)
    }
    const walk: Walk = {
      lowering,
      batch,
      hidden,
      size,
      gateSize,
      projected,
      back,
      firstGate: d * gates,
      biasOf: (gate) => biasAt(gates + gate),
      scratch: (states) => lowering.scratch(states * size * four),
    }
    const first = (given: typeof h0): Ref => (given ? state(given.ref, walk, d) : zeros!)
    const cell = layer.cell(walk, cells ? first(c0) : y, cells ? state(cells, walk, d) : y)
    let before = first(h0)
    for (let step = 0; step < time; step++) {
      const t = attributes.direction === 'reverse' || d === 1 ? time - 1 - step : step
      const after = state(y, walk, t * directions + d)
      cell(walk, before, after, t)
      before = after
    }
    if ((node.outputs[1] ?? '') === '') continue
    const dst = state(lowering.output(1).ref, walk, d)
    const bytes = size * four
    lowering.step({ kernel: 'copy_bytes', units: 1, args: { src: before, dst, bytes, block: bytes } })
  }
  return true
}
