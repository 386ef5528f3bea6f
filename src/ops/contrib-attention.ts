// SPDX-License-Identifier: Apache-2.0
/** What inference of ONNX Runtime's attention operators shares: checks of operands, and refusals of what they may ask for. */
import { UnsupportedError } from '../base/errors.ts'
import { describeNode } from '../ir/attributes.ts'
import { type Dim, add, floorDiv, isKnown, mul, print } from '../ir/dim.ts'
import type { Dtype } from '../tensor/dtype.ts'
import type { AttributeSpec, OpContext, ValueInfo } from './define.ts'
import { mayEqual } from './conv-types.ts'
import { complaint, printDims } from './infer.ts'

/** An UnsupportedError whose place is the node. */
export function refusal(context: OpContext, expected: string, got: string, todo?: string): UnsupportedError {
  return new UnsupportedError({ where: describeNode(context.node), expected, got, todo })
}

/** @throws UnsupportedError naming the node for an input, by its position, that is there and has no support */
export function refuseInputs(
  context: OpContext,
  inputs: readonly (ValueInfo | null)[],
  names: Readonly<Record<number, string>>,
): void {
  for (const [i, name] of Object.entries(names))
    if (inputs[Number(i)]) throw refusal(context, `no input ${name}`, name, 'export the model without it')
}

/** @throws UnsupportedError naming the node for an attribute with any value but these (or none) */
export function refuseAttributes(
  context: OpContext,
  allowed: Readonly<Record<string, readonly (number | string)[]>>,
): void {
  for (const [name, values] of Object.entries(allowed)) {
    const given = context.attributes[name]
    if (given === undefined || values.includes(given as number)) continue
    throw refusal(context, `${name} ${values.map((v) => JSON.stringify(v)).join(' or ')}`, JSON.stringify(given))
  }
}

/**
 * Checks an operand that may be left out: its type, and its dims, each one of several (null: any).
 * @throws GraphError naming the node
 */
export function checkOperand(
  context: OpContext,
  name: string,
  info: ValueInfo | null | undefined,
  dtype: Dtype,
  dims?: readonly (Dim | readonly Dim[] | null)[],
): void {
  if (!info) return
  if (info.dtype !== dtype) throw complaint(context, `${name} of type ${dtype}`, info.dtype)
  if (!dims || info.dims === null) return
  const fits = (own: Dim, wanted: Dim | readonly Dim[] | null): boolean =>
    wanted === null || (Array.isArray(wanted) ? (wanted as Dim[]) : [wanted as Dim]).some((one) => mayEqual(own, one))
  if (info.dims.length === dims.length && info.dims.every((own, i) => fits(own, dims[i]))) return
  const text = dims.map((one) => {
    if (one === null) return '?'
    return Array.isArray(one) ? (one as Dim[]).map(print).join(' or ') : print(one as Dim)
  })
  throw complaint(context, `${name} of dims [${text.join(', ')}]`, printDims(info.dims))
}

/** Elements of a head, where `channels` are `parts` heads. @throws GraphError naming the node */
export function headSize(context: OpContext, name: string, channels: Dim, parts: number): Dim {
  if (isKnown(channels) && (channels % parts !== 0 || channels === 0))
    throw complaint(context, `a ${name} of ${parts} heads`, `${channels} channels`)
  return floorDiv(channels, parts)
}

/** An attribute that counts heads. @throws GraphError naming the node */
export function headCount(context: OpContext, name: string): number {
  const count = context.attributes[name] as number
  if (count < 1 || count > 2 ** 20) throw complaint(context, `${name} of 1 or more`, String(count))
  return count
}

/** Both of two operands or neither. @throws GraphError naming the node */
export function checkPair(context: OpContext, names: string, a: unknown, b: unknown): void {
  if (!a !== !b) throw complaint(context, `${names} both or neither`, 'one of them')
}

/** Attributes of operators with a mask and heads that all have keys of their own. */
export const maskedAttributes: Readonly<Record<string, AttributeSpec>> = {
  mask_filter_value: { kind: 'float', default: -10000 },
  num_heads: { kind: 'int', required: true },
  scale: { kind: 'float', default: 0 },
  unidirectional: { kind: 'int', default: 0 },
}

/**
 * A mask over `dims`, B, S queries and T keys: [B, T] or [B, S, T], more than 0 where a key is seen; or [B], the keys of each
 * sequence, [2 B], the same and their first ones behind all of these, or [3 B + 2], which begins as [B]. Where it masks,
 * mask_filter_value is added to the score.
 * @throws GraphError naming the node
 */
export function checkMask(
  context: OpContext,
  mask: ValueInfo | null | undefined,
  dims: readonly [Dim, Dim, Dim],
): void {
  const [batch, sequence, total] = dims
  const rank = mask?.dims?.length
  if (rank === undefined) checkOperand(context, 'a mask', mask, 'int32')
  else if (rank === 2) checkOperand(context, 'a mask', mask, 'int32', [batch, total])
  else if (rank === 3) checkOperand(context, 'a mask', mask, 'int32', [batch, sequence, total])
  else if (rank === 1) checkOperand(context, 'a mask', mask, 'int32', [[batch, mul(batch, 2), add(mul(batch, 3), 2)]])
  else throw complaint(context, 'a mask of rank 1, 2 or 3', printDims(mask!.dims))
}
