// SPDX-License-Identifier: Apache-2.0
/**
 * A handful of operators for the tests of the graph's floor, so that these depend on nothing above it. Inference is as
 * ONNX says, for the cases the tests have.
 */
import * as dim from '../../src/ir/dim.ts'
import type { Graph, ValueInfo } from '../../src/ir/graph.ts'
import type { OpDef, OpSet } from '../../src/ir/op-set.ts'

const same: OpDef = { inputs: [1, 1], infer: ([x]) => [{ dtype: x!.dtype, dims: x!.dims }] }
const binary: OpDef = {
  inputs: [2, 2],
  infer: ([a, b]) => {
    const content =
      a!.content && b!.content?.length === 1 ? a!.content.map((x) => dim.mul(x, b!.content![0])) : undefined
    const dims = a!.dims && b!.dims && dim.broadcastShapes(a!.dims, b!.dims)
    return [{ dtype: a!.dtype, dims, ...(content && { content }) }]
  },
}

const defs: Record<string, OpDef> = {
  Identity: { ...same, infer: ([x]) => [x!] },
  Relu: same,
  Neg: same,
  Random: { ...same, impure: true },
  Add: binary,
  Mul: binary,
  Shape: {
    inputs: [1, 1],
    infer: ([x]) => [{ dtype: 'int64', dims: [x!.dims!.length], content: x!.dims! }],
  },
  Concat: {
    inputs: [1, Infinity],
    attributes: { axis: { kind: 'int', required: true } },
    infer: (inputs) => {
      const content = inputs.every((x) => x!.content) ? inputs.flatMap((x) => [...x!.content!]) : undefined
      return [
        {
          dtype: inputs[0]!.dtype,
          dims: [inputs.map((x) => x!.dims![0]).reduce(dim.add)],
          ...(content && { content }),
        },
      ]
    },
  },
  Reshape: {
    inputs: [2, 2],
    infer: ([x, shape]) => {
      const content = shape!.content!
      const known = dim.product(content.filter((d) => d !== -1))
      return [
        { dtype: x!.dtype, dims: content.map((d) => (d === -1 ? dim.floorDiv(dim.product(x!.dims!), known) : d)) },
      ]
    },
  },
  Split: {
    inputs: [1, 1],
    outputs: [1, Infinity],
    attributes: { axis: { kind: 'int', default: 0 }, parts: { kind: 'ints' } },
    infer: ([x], { node }) => node.outputs.map((): ValueInfo => ({ dtype: x!.dtype, dims: x!.dims })),
  },
  If: {
    inputs: [1, 1],
    outputs: [1, Infinity],
    attributes: { then_branch: { kind: 'graph', required: true }, else_branch: { kind: 'graph', required: true } },
    infer: (_, { attributes, inferGraph }) => inferGraph!(attributes.then_branch as Graph, []),
  },
}

export const tinyOps: OpSet = new Map(Object.entries(defs))
