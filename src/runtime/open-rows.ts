// SPDX-License-Identifier: Apache-2.0
/**
 * Which measured layers (OpDef.measured) meet other numbers of rows from run to run, by what inference finds for the
 * graph's inputs as they are declared: no form is the faster one at all of them. Extents that nobody knows count as 1.
 */
import { WhittleError } from '../base/errors.ts'
import { type Dim, isKnown, product, substitute, symbol, symbolsOf } from '../ir/dim.ts'
import type { Graph, ValueInfo } from '../ir/graph.ts'
import { inferGraph } from '../ir/infer.ts'
import type { OpSet } from '../ir/op-set.ts'

/** The fewest rows of each such layer, by the name of its weights. */
export function openRows(graph: Graph, ops: OpSet): Map<string, number> {
  const infos = inferred(graph, ops)
  const rows = new Map<string, readonly Dim[]>()
  for (const { op, inputs } of graph.nodes) {
    if (!ops.get(op)?.measured) continue
    const [x, weights] = inputs
    const dims = infos.get(x)?.dims
    const own = dims ? product(dims.slice(0, -1)) : symbol('rows')
    rows.set(weights, [...(rows.get(weights) ?? []), own])
  }
  // weights of several nodes meet the rows of each
  const isOpen = ([, [first, ...others]]: [string, readonly Dim[]]): boolean =>
    !isKnown(first) || others.some((other) => other !== first)
  return new Map([...rows].filter(isOpen).map(([weights, all]) => [weights, Math.min(...all.map(leastOf))]))
}

/** @returns nothing where the graph contradicts itself, which its runs will say */
function inferred(graph: Graph, ops: OpSet): ReadonlyMap<string, ValueInfo> {
  try {
    return inferGraph(graph, ops)
  } catch (error) {
    if (!(error instanceof WhittleError)) throw error
    return new Map()
  }
}

function leastOf(rows: Dim): number {
  const least = substitute(rows, new Map(symbolsOf(rows).map((name) => [name, 1])))
  return Math.max(1, least as number)
}
