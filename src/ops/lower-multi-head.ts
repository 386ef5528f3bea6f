// SPDX-License-Identifier: Apache-2.0
/** MultiHeadAttention as steps. */
import { sizeOf } from '../tensor/shape.ts'
import type { Attributes } from './define.ts'
import { type Place, addToScores, emitAttention } from './lower-attention.ts'
import { emitComparison, emitSelect } from './lower-compare.ts'
import { emitBinary, isFloat32, shifted } from './lower-elementwise.ts'
import { floatsAt, joinHeads, numberAt, placeOf, replaceScores } from './lower-heads.ts'
import type { Lowering, Operand } from './lower.ts'

/** Positions of MultiHeadAttention's inputs. */
export const at = { query: 0, key: 1, value: 2, bias: 3, mask: 4, attentionBias: 5, pastKey: 6, pastValue: 7 } as const

/** What takes the place of scores of later keys, float32's least. */
export const lowest = -3.4028234663852886e38

/**
 * Emits a node's steps.
 * @param isAsked whether each output is asked for
 * @returns false where there are no kernels for it
 */
export function lowerMultiHead(lowering: Lowering, attributes: Attributes, isAsked: readonly boolean[]): boolean {
  const inputs = Array.from({ length: 8 }, (_, i) => lowering.input(i))
  const [query, key, value, bias] = inputs
  const [mask, added] = [inputs[at.mask], inputs[at.attentionBias]]
  const past = [inputs[at.pastKey], inputs[at.pastValue]]
  if (!isFloat32(query, key, value, bias, added, ...past) || isAsked[3]) return false
  if ([query, key, value].some((operand) => operand?.size === 0)) return false
  const heads = attributes.num_heads as number
  const parts = placesOf(lowering, [query!, key, value], bias, heads)
  if (!parts) return false
  const [q, ...now] = parts
  const [batch, , sequence, size] = q.dims
  const [k, v] = now.map((place, i): Place | null => {
    if (!past[i] && !isAsked[1 + i]) return place
    const bytes = batch * heads * ((past[i]?.dims[2] ?? 0) + place.dims[2]) * place.dims[3] * 4
    return joinHeads(lowering, past[i], place, isAsked[1 + i] ? lowering.output(1 + i).ref : lowering.scratch(bytes))
  })
  if (!k || !v) return false
  const given = attributes.scale as number
  const offset = k.dims[2] - now[0].dims[2]
  const isCausal = attributes.unidirectional === 1 && sequence > 1
  return emitAttention(lowering, {
    ...{ q, k, v, y: placeOf(lowering.output(0), heads) },
    scale: given === 0 ? 1 / Math.sqrt(size) : given,
    before(scores) {
      if (mask && !addMask(lowering, scores, mask, attributes.mask_filter_value as number)) return false
      if (added && !addToScores(lowering, scores, added)) return false
      return !isCausal || closeLater(lowering, scores, offset)
    },
  })
}

/** Where queries, keys and values of now are, their biases added. @returns null where there is no kernel */
function placesOf(
  lowering: Lowering,
  [query, key, value]: readonly [Operand, Operand | null, Operand | null],
  bias: Operand | null,
  heads: number,
): Place[] | null {
  /** One of several that lie behind each other for each head. */
  const inside = ({ ref, dims }: Operand, part: number): Place => {
    const [batch, places, , parts, size] = dims
    const strides = [places * heads * parts * size, parts * size, heads * parts * size, 1]
    return { ref: shifted(ref, part * size * 4), dims: [batch, heads, places, size], strides }
  }
  if (!key) return bias ? null : [0, 1, 2].map((part) => inside(query, part))
  if (key.dims.length === 5) return bias ? null : [placeOf(query, heads), inside(key, 0), inside(key, 1)]
  const places: Place[] = []
  let from = 0
  for (const operand of [query, key, value!]) {
    const { dims, size } = operand
    const channels = dims[2]
    let { ref } = operand
    if (bias) {
      ref = lowering.scratch(size * 4)
      const own = { ref: shifted(bias.ref, from * 4), dims: [channels] }
      if (!emitBinary(lowering, 'binary_add_f32', operand, own, ref, dims)) return null
      from += channels
    }
    places.push(placeOf({ ref, dims }, heads))
  }
  return places
}

/** Adds the filter to scores of keys that the mask closes. @returns false where there is no kernel */
function addMask(lowering: Lowering, scores: Place, mask: Operand, filter: number): boolean {
  const closed = closedKeys(lowering, scores.dims, mask)
  if (!closed) return false
  const filters = floatsAt(lowering.scratch(closed.size * 4), closed.dims)
  return (
    emitSelect(lowering, closed, [numberAt(lowering, filter), numberAt(lowering, 0)], filters) &&
    addToScores(lowering, scores, filters)
  )
}

/** Bools that broadcast to the scores: which keys a mask closes. @returns null where there is no kernel */
function closedKeys(lowering: Lowering, [batch, , queries, keys]: readonly number[], mask: Operand): Operand | null {
  const bools = (dims: readonly number[]): Operand => {
    const size = sizeOf(dims)
    return { name: '', dtype: 'bool', dims, size, ref: lowering.scratch(size), constant: false }
  }
  if (mask.dims.length > 1) {
    const closed = bools([batch, 1, mask.dims.length === 3 ? queries : 1, keys])
    const zero = { ...mask, ref: lowering.table(Int32Array.of(0)), dims: [] }
    return emitComparison(lowering, 'LessOrEqual', [{ ...mask, dims: closed.dims }, zero], closed) ? closed : null
  }
  const dims = [batch, 1, 1, keys]
  const numbers = { ...mask, ref: lowering.table(Int32Array.from({ length: keys }, (_, i) => i)), dims: [keys] }
  const bound = (from: number): Operand => ({ ...mask, ref: shifted(mask.ref, from * 4), dims: [batch, 1, 1, 1] })
  const behind = bools(dims)
  if (!emitComparison(lowering, 'GreaterOrEqual', [numbers, bound(0)], behind)) return null
  if (mask.size !== 2 * batch) return behind
  const [before, either] = [bools(dims), bools(dims)]
  const isDone =
    emitComparison(lowering, 'Less', [numbers, bound(batch)], before) &&
    emitComparison(lowering, 'Or', [behind, before], either)
  return isDone ? either : null
}

/** The lowest score for keys behind a query. @returns false where there is no kernel */
function closeLater(lowering: Lowering, scores: Place, offset: number): boolean {
  const [queries, keys] = scores.dims.slice(2)
  const count = (from: number, length: number): Int32Array => Int32Array.from({ length }, (_, i) => from + i)
  const later = { ref: lowering.scratch(queries * keys), dims: [queries, keys] }
  const numbers = { ref: lowering.table(count(0, keys)), dims: [keys], dtype: 'int32' } as const
  const ends = { ref: lowering.table(count(offset, queries)), dims: [queries, 1], dtype: 'int32' } as const
  return emitComparison(lowering, 'Greater', [numbers, ends], later) && replaceScores(lowering, scores, later, lowest)
}
