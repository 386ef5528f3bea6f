// SPDX-License-Identifier: Apache-2.0
/** Graph → ONNX records, for graphs without subgraphs: what a test has as a graph becomes a file that an importer can read. */
import { encodeUtf8 } from '../../src/base/bytes.ts'
import type { OnnxAttribute, OnnxModel, OnnxTensor } from '../../src/format/onnx-records.ts'
import { print } from '../../src/ir/dim.ts'
import type { AttributeValue, Graph, GraphValue, Node } from '../../src/ir/graph.ts'
import type { OpSet } from '../../src/ir/op-set.ts'
import { newestOpset } from '../../src/model/upgrade.ts'
import { Tensor, bytesOf } from '../../src/tensor/tensor.ts'
import { model, node, valueInfo } from '../support/onnx.ts'

/** The model; `ops` tells whole floats from integers. */
export function onnxOfGraph(graph: Graph, ops: OpSet): OnnxModel {
  return model(
    {
      nodes: graph.nodes.map((one) => nodeRecord(one, ops)),
      inputs: graph.inputs.map(valueRecord),
      outputs: graph.outputs.map(valueRecord),
      initializers: [...graph.constants].flatMap(([name, { tensor }]) => (tensor ? [recordOf(name, tensor)] : [])),
    },
    newestOpset,
  )
}

function nodeRecord({ name, op, inputs, outputs, attributes }: Node, ops: OpSet) {
  const dot = op.lastIndexOf('.')
  const domain = dot < 0 ? '' : op.slice(0, dot)
  const kinds = ops.get(op)?.attributes ?? {}
  const list = Object.entries(attributes).map(([key, value]) => attributeRecord(key, value, kinds[key]?.kind))
  return node(op.slice(dot + 1), inputs, outputs, {}, { name, domain, attributes: list })
}

function attributeRecord(name: string, value: AttributeValue, kind: string | undefined): OnnxAttribute {
  if (value instanceof Tensor) return { name, kind: 'tensor', value: recordOf('', value) }
  if (typeof value === 'string') return { name, kind: 'string', value: encodeUtf8(value) }
  const isList = Array.isArray(value)
  const isText = isList && value.some((item) => typeof item === 'string')
  if (isText) return { name, kind: 'strings', value: (value as readonly string[]).map(encodeUtf8) }
  return { name, kind: kind ?? (isList ? 'ints' : 'int'), value } as OnnxAttribute
}

function valueRecord({ name, dtype, dims }: GraphValue) {
  return valueInfo(name, dtype, dims?.map((dim) => (typeof dim === 'number' ? dim : print(dim))) ?? null)
}

function recordOf(name: string, tensor: Tensor): OnnxTensor {
  const { type: dtype, dims } = tensor
  return { name, dtype, dims, data: dtype === 'string' ? (tensor.data as readonly string[]) : bytesOf(tensor) }
}
