// SPDX-License-Identifier: Apache-2.0
/**
 * If: the outputs of one of two subgraphs, which read the names of the graphs around them. Inference keeps what the
 * two branches have in common; a condition that is known picks its branch. whittle.Select is an If whose branches are
 * part of the graph: one of two values, of whatever shapes; the runtime computes only the one it takes.
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import type { Graph } from '../ir/graph.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type OpContext, type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { complaint, contentOf, knownSize, needed, printDims, unknownDims } from './infer.ts'
import { numbersOf } from './numeric.ts'

/** Outputs ONNX allows. */
const most = 2147483647

function branchInfos(context: OpContext, name: 'then_branch' | 'else_branch'): ValueInfo[] {
  const graph = context.attributes[name] as Graph
  if (context.inferGraph) return context.inferGraph(graph, [])
  return graph.outputs.map(({ dtype, dims }) => ({ dtype, dims }))
}

/** @throws GraphError naming the node when the condition is not one truth value */
function checkCondition(context: OpContext, info: ValueInfo | null): ValueInfo {
  const { dtype, dims } = needed(context, info, 'cond')
  const size = knownSize(dims)
  if (dtype === 'bool' && (size === null || size === 1)) return info!
  throw complaint(context, 'a condition that is one bool', `${dtype} of ${printDims(dims)}`)
}

/** What is true of a value whichever branch made it. */
function common(context: OpContext, a: ValueInfo, b: ValueInfo, output: number): ValueInfo {
  if (a.dtype !== b.dtype) throw complaint(context, 'branches with outputs of one type', `${a.dtype} and ${b.dtype}`)
  if (a.dims === null || b.dims === null || a.dims.length !== b.dims.length) return { dtype: a.dtype, dims: null }
  const fresh = unknownDims(context, a.dims.length, output)
  const theirs = b.dims
  return { dtype: a.dtype, dims: a.dims.map((d: Dim, axis) => (dim.equal(d, theirs[axis]) ? d : fresh[axis])) }
}

export const ops = defineOps({
  If: {
    inputs: [1, 1],
    outputs: [1, most],
    attributes: { then_branch: { kind: 'graph', required: true }, else_branch: { kind: 'graph', required: true } },
    infer([condition], context) {
      const known = contentOf(checkCondition(context, condition))?.[0]
      if (known === 1) return branchInfos(context, 'then_branch')
      if (known === 0) return branchInfos(context, 'else_branch')
      const others = branchInfos(context, 'else_branch')
      return branchInfos(context, 'then_branch').map((info, i) => common(context, info, others[i], i))
    },
  },
  'whittle.Select': {
    inputs: [3, 3],
    infer([condition, a, b], context) {
      const known = contentOf(checkCondition(context, condition))?.[0]
      const [first, second] = [needed(context, a, 'A'), needed(context, b, 'B')]
      if (known === 1) return [first]
      return [known === 0 ? second : common(context, first, second, 0)]
    },
    lower(lowering, { node }) {
      const condition = lowering.input(0)!.tensor
      if (node.inputs[1] !== node.inputs[2] && condition === undefined) return false
      lowering.alias(0, condition === undefined || numbersOf(condition)[0] !== 0 ? 1 : 2)
      return true
    },
  },
})

export const references = {
  If: ([condition], attributes, { evaluate }) => {
    const branch = numbersOf(condition!)[0] !== 0 ? attributes.then_branch : attributes.else_branch
    return evaluate(branch as Graph, [])
  },
  'whittle.Select': ([condition, a, b]) => [numbersOf(condition!)[0] !== 0 ? a! : b!],
} satisfies Record<string, Reference>

function constantGraph(value: Tensor): Graph {
  const { type: dtype, dims } = value
  return {
    name: 'branch',
    opset: 21,
    inputs: [],
    outputs: [{ name: 'y', dtype, dims }],
    constants: new Map([['c', { dtype, dims, tensor: value }]]),
    nodes: [{ name: 'same', op: 'Identity', inputs: ['c'], outputs: ['y'], attributes: {} }],
  }
}

export const samples = {
  If: (): Sample[] => {
    const attributes = {
      then_branch: constantGraph(new Tensor('float32', [1, 2], [2])),
      else_branch: constantGraph(new Tensor('float32', [3, 4, 5], [3])),
    }
    return [
      { inputs: [new Tensor('bool', [1], [])], attributes },
      { inputs: [new Tensor('bool', [0], [])], attributes },
    ]
  },
  'whittle.Select': (): Sample[] => {
    const [a, b] = [new Tensor('float32', [1, 2], [2]), new Tensor('float32', [3, 4, 5], [3])]
    return [1, 0].map((go) => ({ inputs: [new Tensor('bool', [go], []), a, b] }))
  },
} satisfies Record<string, Samples>
