// SPDX-License-Identifier: Apache-2.0
/**
 * A Transpose before a Reshape gets behind it where the Reshape merges only axes that were neighbours already, or splits
 * axes. Both shapes are cut into blocks of equal size; a block whose axes stand together and in order before the
 * Transpose too can be reshaped there, and the blocks are permuted afterwards. Axes of length 1 do not count.
 */
import { type Dim, equal, isKnown, mod, mul } from '../ir/dim.ts'
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { View } from '../ir/rewrite.ts'
import { nodeWithIntegers, reshapeOperand } from './operands.ts'
import { permuted } from './permute-tensor.ts'
import { type Transposed, permutedBehind } from './transposed.ts'

/** Axes of the source (those longer than 1) and axes of the target that hold the same elements. */
interface Block {
  readonly source: readonly number[]
  readonly target: readonly number[]
}

/** The finest cut of both shapes into blocks; undefined where sizes cannot be compared. */
export function blocksOf(source: readonly Dim[], target: readonly Dim[]): Block[] | undefined {
  const from = source.flatMap((dim, axis) => (dim === 1 ? [] : [axis]))
  const blocks: Block[] = []
  let [i, j] = [0, 0]
  while (i < from.length || j < target.length) {
    const block = { source: [] as number[], target: [] as number[] }
    let [a, b]: Dim[] = [1, 1]
    const takeSource = (): void => {
      a = mul(a, source[from[i]])
      block.source.push(from[i++])
    }
    const takeTarget = (): void => {
      b = mul(b, target[j])
      block.target.push(j++)
    }
    if (i < from.length) takeSource()
    if (j < target.length) takeTarget()
    while (!equal(a, b)) {
      if (j < target.length && goesInto(b, a)) takeTarget()
      else if (i < from.length && goesInto(a, b)) takeSource()
      else return undefined
    }
    while (j < target.length && target[j] === 1) takeTarget()
    blocks.push(block)
  }
  return blocks
}

/** True when the smaller product may still grow to the larger. */
function goesInto(smaller: Dim, larger: Dim): boolean {
  if (isKnown(smaller) && isKnown(larger)) return smaller < larger
  return smaller === 1 || mod(larger, smaller) === 0
}

/** The row of Reshape and Flatten in sink-rows.ts. */
export function sunkReshape(node: Node, view: View, { x, perm }: Transposed): Patch | undefined {
  const [dims, target] = [view.dims(x), view.dims(node.outputs[0])]
  if (dims === undefined || target === undefined || [...dims, ...target].includes(0)) return undefined
  const blocks = blocksOf(permuted(dims, perm), target)
  if (blocks === undefined || blocks.some((block) => block.source.length === 0)) return undefined
  // places of the long axes before the Transpose, counted without those of length 1
  const order = dims.flatMap((dim, axis) => (dim === 1 ? [] : [axis]))
  const placed = blocks.map((block) => ({ block, places: block.source.map((axis) => order.indexOf(perm[axis])) }))
  if (!placed.every(({ places }) => places.every((place, k) => place === places[0] + k))) return undefined
  const before = [...placed].sort((a, b) => a.places[0] - b.places[0]).flatMap(({ block }) => block.target)
  const inner = permuted(target, before)
  const operand = reshapeOperand(dims, inner)
  if (operand === undefined) return undefined
  const behind = target.map((_, axis) => before.indexOf(axis))
  return permutedBehind(
    view,
    nodeWithIntegers(view, { ...node, op: 'Reshape', attributes: {} }, x, operand),
    node.outputs[0],
    behind,
  )
}
