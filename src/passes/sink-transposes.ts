// SPDX-License-Identifier: Apache-2.0
/**
 * Pushes Transposes towards the outputs, through everything that does not care for the order of axes (sink-rows.ts),
 * until they meet another one and cancel, or a whittle.Gemm takes them into its weight. What is left and moves no
 * element becomes a Reshape. When there are more Transposes in the end than before, the graph stays as it was.
 */
import type { Graph, Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import { type Firing, type Rule, type View, rewriteGraph } from '../ir/rewrite.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { nodeWithIntegers, reshapeOperand } from './operands.ts'
import type { Pass } from './pass.ts'
import { inverse, permuteTensor, permuted } from './permute-tensor.ts'
import { mergeTransposes } from './remove-no-ops.ts'
import { sinkRows } from './sink-rows.ts'
import { type Transposed, hasKnownSize, movesOnesOnly, transposedOf } from './transposed.ts'

const sink: Rule = {
  name: 'sink',
  ops: Object.keys(sinkRows),
  match(node, view) {
    for (const input of node.inputs) {
      const from = transposedOf(view, input)
      if (from !== undefined) return sinkRows[node.op](node, view, from)
    }
    return undefined
  },
}

/** whittle.Gemm of rows that are a flattened, permuted image: the columns of the weight are permuted instead. */
const intoGemm: Rule = {
  name: 'into-gemm-weight',
  ops: ['whittle.Gemm'],
  match(node, view) {
    const rows = view.producer(node.inputs[0], 'Reshape', 'Flatten')
    const from = transposedOf(view, rows?.inputs[0])
    const weight = view.tensor(node.inputs[1])
    if (rows === undefined || from === undefined || weight === undefined || !view.isPrivate(node.inputs[0]))
      return undefined
    return view.isPrivate(node.inputs[1]) ? unpermutedRows(view, node, rows, from, weight) : undefined
  },
}

function unpermutedRows(
  view: View,
  node: Node,
  rows: Node,
  { x, perm }: Transposed,
  weight: Tensor,
): Patch | undefined {
  const [outputs, depth] = weight.dims
  const inner = view.dims(x)?.slice(1)
  const target = view.dims(rows.outputs[0])
  if (perm[0] !== 0 || target?.length !== 2 || !hasKnownSize(inner) || target[1] !== depth) return undefined
  if (sizeOf(inner) !== depth) return undefined
  const inside = perm.slice(1).map((axis) => axis - 1)
  const spread = new Tensor(weight.type, weight.data, [outputs, ...permuted(inner, inside)])
  const back = [0, ...inverse(inside).map((axis) => axis + 1)]
  const [flat, name] = [`${rows.outputs[0]}/unpermuted`, node.inputs[1]].map((base) => view.fresh(base))
  const columns = new Tensor(weight.type, permuteTensor(spread, back).data, weight.dims)
  const reshape = nodeWithIntegers(view, { name: flat, op: 'Reshape', outputs: [flat], attributes: {} }, x, [-1, depth])
  return {
    constants: { ...reshape.constants, [name]: columns },
    nodes: [...reshape.nodes, { ...node, inputs: [flat, name, ...node.inputs.slice(2)] }],
  }
}

/** Element-wise operators of one input: an axis of length 1 may be dropped behind them as well. */
const squeezeThrough: Rule = {
  name: 'sink-squeeze',
  ops: Object.keys(sinkRows).filter((op) => sinkRows[op] === sinkRows.Relu),
  match(node, view) {
    const [x, ...others] = node.inputs
    const squeeze = view.isPrivate(x) ? view.producer(x, 'Squeeze') : undefined
    if (squeeze === undefined) return undefined
    const inner = view.fresh(`${node.outputs[0]}/whole`)
    return {
      nodes: [
        { ...node, inputs: [squeeze.inputs[0], ...others], outputs: [inner] },
        { ...squeeze, inputs: [inner, ...squeeze.inputs.slice(1)], outputs: node.outputs },
      ],
    }
  },
}

/** A Transpose that leaves the elements where they are is a Reshape. */
const asReshape: Rule = {
  name: 'transpose-of-ones',
  ops: ['Transpose'],
  match(node, view) {
    const from = transposedOf(view, node.outputs[0])
    const dims = view.dims(from?.x)
    if (from === undefined || dims === undefined || !movesOnesOnly(dims, from.perm)) return undefined
    const operand = reshapeOperand(dims, permuted(dims, from.perm))
    if (operand === undefined) return undefined
    return nodeWithIntegers(view, { ...node, op: 'Reshape', attributes: {} }, from.x, operand)
  },
}

const count = (graph: Graph): number => graph.nodes.filter((node) => node.op === 'Transpose').length

/** See the head of this file. */
export const sinkTransposes: Pass = {
  name: 'sink-transposes',
  needs: ['channels-last', 'lower-matmul'],
  writes: ['Transpose', 'Reshape', 'ReduceMean', 'ReduceMax'],
  run(graph, { opSet, trace }) {
    const told: Firing[] = []
    const report = (firing: Firing): unknown => told.push(firing)
    const sunk = rewriteGraph(graph, [sink, mergeTransposes, intoGemm, squeezeThrough], { opSet, trace: report })
    const isWorse = count(sunk.graph) > count(graph)
    const base = isWorse ? { graph, fired: 0 } : sunk
    if (isWorse) told.length = 0
    const rest = rewriteGraph(base.graph, [asReshape], { opSet, trace: report })
    for (const firing of told) trace?.({ ...firing, pass: 'sink-transposes' })
    return { graph: rest.graph, fired: base.fired + rest.fired }
  },
}
