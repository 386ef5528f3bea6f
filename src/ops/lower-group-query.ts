// SPDX-License-Identifier: Apache-2.0
/**
 * GroupQueryAttention as steps. Where sequences end is read from memory by kernels, never by the host: it makes places of
 * queries, rows of the cache that new places go to, and masks.
 */
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import type { Attributes } from './define.ts'
import { integersOf } from './elements.ts'
import { grainOf } from './grid.ts'
import { type Place, addToScores, emitAttention } from './lower-attention.ts'
import { emitCast } from './lower-cast.ts'
import { emitComparison } from './lower-compare.ts'
import { emitBinary, emitUnary, isFloat32, shifted } from './lower-elementwise.ts'
import { capScores, copyHeads, floatsAt, numberAt, placeOf, replaceScores } from './lower-heads.ts'
import { emitIntegers } from './lower-integer.ts'
import { copyElements } from './lower-move.ts'
import { emitReduce } from './lower-reduce.ts'
import type { Lowering, Operand, Ref } from './lower.ts'
import { emitRotation } from './rotation.ts'

/** Positions of GroupQueryAttention's inputs. */
export const at = {
  pastKey: 3,
  pastValue: 4,
  lengths: 5,
  total: 6,
  cos: 7,
  sin: 8,
  places: 9,
  bias: 10,
  sink: 11,
} as const

/** The sizes of a node. */
export interface Sizes {
  readonly batch: number
  readonly sequence: number
  readonly heads: number
  readonly groups: number
  readonly size: number
  /** Elements of a place in query. */
  readonly width: number
  readonly isPacked: boolean
}

export function sizesOf(query: readonly number[], isPacked: boolean, attributes: Attributes): Sizes {
  const [batch, sequence, width] = query
  const [heads, groups] = [attributes.num_heads as number, attributes.kv_num_heads as number]
  return { batch, sequence, heads, groups, size: width / (isPacked ? heads + 2 * groups : heads), width, isPacked }
}

/** Integers of a step's own. */
type Integers = Pick<Operand, 'ref' | 'dims'>

function longTable(lowering: Lowering, values: readonly number[]): Ref {
  return lowering.table(new Uint8Array(BigInt64Array.from(values, BigInt).buffer))
}

const upTo = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i)

/** What a lowering works with. */
interface Call {
  readonly lowering: Lowering
  readonly sizes: Sizes
  readonly attributes: Attributes
  /** Places that are seen. */
  readonly total: number
  /** The new places are the first ones. */
  readonly isFirst: boolean
  /** int32: the place of each query, [B, S], or [1, S] where that is the same for all. */
  readonly ends: Integers
}

/**
 * Emits a node's steps.
 * @param isAsked whether each output is asked for
 * @returns false where there are no kernels for it
 */
export function lowerGroups(lowering: Lowering, attributes: Attributes, isAsked: readonly boolean[]): boolean {
  const inputs = Array.from({ length: 12 }, (_, i) => lowering.input(i))
  const [query, key, value, pastKey, pastValue] = inputs
  const [lengths, bias, sink] = [inputs[at.lengths]!, inputs[at.bias], inputs[at.sink]]
  const tables = attributes.do_rotary === 1 ? [inputs[at.cos], inputs[at.sin]] : []
  if (!isFloat32(query, key, value, pastKey, pastValue, bias, sink, ...tables)) return false
  if (isAsked[3] || query!.size === 0) return false
  const sizes = sizesOf(query!.dims, key === null, attributes)
  const { batch, sequence, heads, groups, size } = sizes
  const kept = pastKey?.dims[2] ?? 0
  const known = inputs[at.total]!.tensor
  if (!known && kept > 0) return false
  const total = known ? integersOf(known)[0] : sequence
  const isFirst = total === sequence
  const ends = isFirst
    ? { ref: lowering.table(Int32Array.from(upTo(sequence))), dims: [1, sequence] }
    : endsOf(lowering, lengths, sizes)
  if (!ends) return false
  const call: Call = { lowering, sizes, attributes, total, isFirst, ends }
  const now = turned(call, [query!, key, value], inputs)
  const rows = isFirst ? null : cacheRows(call)
  if (!now || (!isFirst && !rows)) return false
  const [q, ...fresh] = now
  const places = fresh.map((place, i) => {
    // nothing but this node sees them
    if (isFirst && !isAsked[1 + i]) return place
    const room = Math.max(kept, total)
    const target = isAsked[1 + i] ? lowering.output(1 + i).ref : lowering.scratch(batch * groups * room * size * 4)
    return cached(call, [pastKey, pastValue][i], place, { target, room, rows })
  })
  const [k, v] = places
  if (!k || !v) return false
  const given = attributes.scale as number
  const rest = sink !== null || attributes.smooth_softmax === 1
  const sums = rest ? floatsAt(lowering.scratch(batch * heads * sequence * 4), [batch, heads, sequence, 1]) : null
  return emitAttention(lowering, {
    ...{ q, k, v, y: placeOf(lowering.output(0), heads) },
    scale: given === 0 ? 1 / Math.sqrt(size) : given,
    before(scores) {
      capScores(lowering, scores, attributes.softcap as number)
      if (bias && !addToScores(lowering, scores, bias)) return false
      if (!masked(call, scores)) return false
      const shape = { outer: batch * heads * sequence, reduce: total, inner: 1 }
      if (sums) emitReduce(lowering, 'logSumExp', scores.ref, sums.ref, shape)
      return true
    },
    after: (weights) => !sums || shared(call, weights, sums, sink),
  })
}

/** seqlens_k[b] + 1 - S + s. @returns null where there is no kernel */
function endsOf(lowering: Lowering, lengths: Operand, { batch, sequence }: Sizes): Integers | null {
  const own = { ref: lengths.ref, dims: [batch, 1] }
  if (sequence === 1) return own
  const ends = { ref: lowering.scratch(batch * sequence * 4), dims: [batch, sequence] }
  const offsets = { ref: lowering.table(Int32Array.from(upTo(sequence, 1 - sequence))), dims: [sequence] }
  return emitIntegers(lowering, 'Add', 'int32', [own, offsets], ends) ? ends : null
}

/** Queries, keys and values of now, turned where they are to be. @returns null where there is no kernel */
function turned(
  call: Call,
  [query, key, value]: readonly (Operand | null)[],
  inputs: readonly (Operand | null)[],
): Place[] | null {
  const { lowering, sizes, attributes } = call
  const { batch, sequence, heads, groups, size, width, isPacked } = sizes
  const part = (ref: Ref, from: number, count: number): Place => ({
    ref: shifted(ref, from * size * 4),
    dims: [batch, count, sequence, size],
    strides: [sequence * width, size, width, 1],
  })
  const parts = isPacked
    ? [part(query!.ref, 0, heads), part(query!.ref, heads, groups), part(query!.ref, heads + groups, groups)]
    : [placeOf(query!, heads), placeOf(key!, groups), placeOf(value!, groups)]
  if (attributes.do_rotary !== 1) return parts
  const places = positions(call, inputs[at.places])
  if (!places) return null
  const tables = { cos: inputs[at.cos]!, sin: inputs[at.sin]!, places }
  const turn = (place: Place, bytes: number): Ref | null => {
    const target = lowering.scratch(bytes)
    const isInterleaved = attributes.rotary_interleaved === 1
    return emitRotation(lowering, place, { ...tables, target, isInterleaved }) ? target : null
  }
  const [q, k, v] = parts
  if (isPacked) {
    // heads of queries and keys lie one behind the other
    const both = turn({ ...q, dims: [batch, heads + groups, sequence, size] }, query!.size * 4)
    return both && [part(both, 0, heads), part(both, heads, groups), v]
  }
  const [queries, keys] = [turn(q, query!.size * 4), turn(k, key!.size * 4)]
  return queries && keys && [{ ...q, ref: queries }, { ...k, ref: keys }, v]
}

/** int64 [B, S]: the row of cos and sin for each place. @returns null where there is no kernel */
function positions({ lowering, sizes, isFirst, ends }: Call, given: Operand | null | undefined): Ref | null {
  const { batch, sequence } = sizes
  if (given && !isFirst) return given.ref
  const target = lowering.scratch(batch * sequence * 8)
  if (!isFirst) return emitCast(lowering, ['int32', ends.ref], ['int64', target], batch * sequence) ? target : null
  const counted = {
    ref: longTable(
      lowering,
      upTo(batch * sequence).map((i) => i % sequence),
    ),
    dims: [batch * sequence],
  }
  if (!given) return counted.ref
  const dims = [batch * sequence]
  const first = { ref: given.ref, dims: [1] }
  return emitIntegers(lowering, 'Add', 'int64', [first, counted], { ref: target, dims }) ? target : null
}

/** int64 [B, G, S]: rows of the cache that new places go to. @returns null where there is no kernel */
function cacheRows({ lowering, sizes, ends }: Call): Ref | null {
  const { batch, sequence, groups } = sizes
  const once = lowering.scratch(batch * sequence * 8)
  if (!emitCast(lowering, ['int32', ends.ref], ['int64', once], batch * sequence)) return null
  if (groups === 1) return once
  const rows = { ref: lowering.scratch(batch * groups * sequence * 8), dims: [batch, groups, sequence] }
  const zeros = { ref: longTable(lowering, new Array<number>(groups).fill(0)), dims: [groups, 1] }
  const own = { ref: once, dims: [batch, 1, sequence] }
  return emitIntegers(lowering, 'Add', 'int64', [own, zeros], rows) ? rows.ref : null
}

/** The past with the new places in it: of them those that are seen. @returns null where there is no kernel */
function cached(
  { lowering, sizes, total, isFirst }: Call,
  past: Operand | null,
  now: Place,
  { target, room, rows }: { readonly target: Ref; readonly room: number; readonly rows: Ref | null },
): Place | null {
  const { batch, sequence, groups, size } = sizes
  const strides = stridesOf([batch, groups, room, size])
  const kept = isFirst ? sequence : (past?.dims[2] ?? 0)
  const place = { ref: target, dims: [batch, groups, total, size], strides }
  const isFilled = copyElements(lowering, {
    ...{ width: 4, dims: [batch, groups, room - kept, size], source: numberAt(lowering, 0).ref, strides: [0, 0, 0, 0] },
    ...{ target: shifted(target, kept * size * 4), targetStrides: strides },
  })
  if (!isFilled) return null
  if (isFirst) return copyHeads(lowering, now, place) ? place : null
  if (past && !copyHeads(lowering, placeOf(past, groups), place)) return null
  let { ref: src } = now
  const dense = stridesOf(now.dims)
  if (now.dims.some((count, axis) => count > 1 && now.strides[axis] !== dense[axis])) {
    src = lowering.scratch(sizeOf(now.dims) * 4)
    if (!copyHeads(lowering, now, { ref: src, strides: dense })) return null
  }
  lowering.step({
    kernel: 'scatter_tuples',
    units: batch * groups * sequence,
    // places of one head stay together: of equal rows the last one counts
    grain: sequence * grainOf(sequence * size),
    args: {
      ...{ src, index: rows, dst: target, depth: 1, rowBytes: size * 4, perBatch: sequence },
      ...{ batchBytes: room * size * 4, d0: room, d1: 1, d2: 1, d3: 1 },
    },
  })
  return place
}

/** -inf for keys behind a query's place, and before its window. @returns false where there is no kernel */
function masked({ lowering, sizes, attributes, total, isFirst, ends }: Call, scores: Place): boolean {
  const { sequence } = sizes
  const window = attributes.local_window_size as number
  if (isFirst && sequence === 1) return true
  const own = { ref: ends.ref, dims: [ends.dims[0], 1, sequence, 1], dtype: 'int32' } as const
  const keys = { ref: lowering.table(Int32Array.from(upTo(total))), dims: [total], dtype: 'int32' } as const
  const bools = () => {
    const dims = [own.dims[0], 1, sequence, total]
    return { ref: lowering.scratch(sizeOf(dims)), dims, dtype: 'bool' } as const
  }
  let closed = bools()
  if (!emitComparison(lowering, 'Greater', [keys, own], closed)) return false
  if (window !== -1 && window < total) {
    const first = { ...own, ref: lowering.scratch(sizeOf(own.dims) * 4) }
    const back = { ref: lowering.table(Int32Array.of(window)), dims: [] }
    const [before, either] = [bools(), bools()]
    const isDone =
      emitIntegers(lowering, 'Sub', 'int32', [own, back], first) &&
      emitComparison(lowering, 'LessOrEqual', [keys, first], before) &&
      emitComparison(lowering, 'Or', [closed, before], either)
    if (!isDone) return false
    closed = either
  }
  return replaceScores(lowering, scores, closed, -Infinity)
}

/**
 * Weights of which a part goes to the sink: times sigmoid(log of the sum of e^score - sink).
 * @param sums these logs, [B, N, S, 1]
 */
function shared({ lowering, sizes }: Call, weights: Place, sums: Operand, sink: Operand | null): boolean {
  if (sink) {
    const own = { ref: sink.ref, dims: [sizes.heads, 1, 1] }
    if (!emitBinary(lowering, 'binary_sub_f32', sums, own, sums.ref, sums.dims)) return false
  }
  emitUnary(lowering, 'unary_sigmoid_f32', sums.ref, sums.ref, sums.size)
  return emitBinary(lowering, 'binary_mul_f32', weights, sums, weights.ref, weights.dims)
}
