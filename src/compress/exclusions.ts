// SPDX-License-Identifier: Apache-2.0
/**
 * Whether a recipe's exclusions mean something: each has to be the name of a layer or of a weight of one, as they are called
 * after the passes and in the report, or of what passes made them of. A name that is mistaken would leave its layer compressed without a word.
 */
import { describe } from '../base/check.ts'
import { InputError } from '../base/errors.ts'
import type { Graph } from '../ir/graph.ts'
import { editDistance } from '../ir/nearest.ts'
import { layerWeights } from './quantize-graph.ts'
import { type FullRecipe, isMeant } from './recipe.ts'

/** Names that a message lists. */
const mostNamed = 3

/** @throws InputError naming the exclusion that no layer of the graph has, and the layers whose names are nearest */
export function checkExclusions(graph: Graph, { exclude }: Pick<FullRecipe, 'exclude'>): void {
  if (exclude.length === 0) return
  const known = [
    ...new Set(
      graph.nodes.flatMap((node) => {
        const weights = layerWeights(graph, node)
        return weights.length === 0 ? [] : [node.name, ...weights.map(({ name }) => name)]
      }),
    ),
  ]
  const at = exclude.findIndex((exclusion) => !known.some((name) => isMeant(exclusion, name)))
  if (at < 0) return
  const near = known
    .map((name) => ({ name, distance: editDistance(exclude[at].toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, mostNamed)
  throw new InputError({
    where: `recipe.exclude.${at}`,
    expected: 'the name of a layer or of its weight, as the model or the report has it',
    got: describe(exclude[at]),
    todo:
      near.length === 0
        ? 'leave it out, the model has no layers with weights'
        : `the nearest are ${near.map(({ name }) => describe(name)).join(', ')}`,
  })
}
