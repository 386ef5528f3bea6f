// SPDX-License-Identifier: Apache-2.0
/** ONNX Runtime's own operators: the references give what ONNX Runtime gives on a model of one node. */
import * as ort from 'onnxruntime-web'
import { beforeAll, describe, expect, test } from 'vitest'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import type { Numerics } from '../../src/ops/define.ts'
import type { Evaluator } from '../../src/ops/evaluate.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { type OpCase, casesOf, operators, outputFaults, wholeTable } from '../contract/op.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

/** Quantised results may differ by one where a value lies halfway. */
const step: Numerics = { relative: 0, absolute: 1 }

function bytesOf({ graph }: OpCase): Uint8Array {
  const [one] = graph.nodes
  const dot = one.op.lastIndexOf('.')
  const parts = node(one.op.slice(dot + 1), one.inputs, one.outputs, one.attributes as never, {
    domain: one.op.slice(0, Math.max(dot, 0)),
  })
  const specs = [{ domain: 'com.microsoft', version: 1 }]
  return writeOnnx(
    model(
      {
        nodes: [parts],
        inputs: graph.inputs.map(({ name, dtype, dims }) => valueInfo(name, dtype, dims as number[])),
        outputs: graph.outputs.map(({ name, dtype }) => valueInfo(name, dtype, null)),
        initializers: [...graph.constants].map(([name, { tensor }]) =>
          tensorRecord(name, tensor!.type, tensor!.data as never, tensor!.dims),
        ),
      },
      17,
      { opsets: [{ domain: '', version: 17 }, ...specs] },
    ),
  )
}

/** Forms that ONNX Runtime documents, and computes on GPUs alone. */
const gpuOnly =
  /Packed (QKV|KV).* not implemented for CPU|'key_padding_mask' shape is not expected|'bias' is expected to have 1 dimension, got 0/

async function byRuntime(one: OpCase): Promise<Tensor[]> {
  const session = await ort.InferenceSession.create(bytesOf(one))
  try {
    const feeds = Object.fromEntries(
      [...one.feeds].map(([name, { type, data, dims }]) => [
        name,
        new ort.Tensor(type as 'float32', data as never, dims),
      ]),
    )
    const outputs = await session.run(feeds)
    return one.graph.outputs.map(({ name }) => {
      const { type, data, dims } = outputs[name]
      return new Tensor(type as 'float32', data as Float32Array, dims)
    })
  } finally {
    await session.release()
  }
}

const contributed = operators.filter((op) => op.startsWith('com.microsoft.') || op === 'SimplifiedLayerNormalization')

describe('operators of ONNX Runtime', () => {
  let evaluator: Evaluator
  beforeAll(async () => {
    ort.env.wasm.numThreads = 1
    ort.env.logLevel = 'error'
    evaluator = await wholeTable()
  })

  test.each(contributed)('%s', async (op) => {
    // blocks along an axis are ONNX's alone; at accuracy level 4 the other side rounds its inputs to 8 bits too
    const cases = (await casesOf(evaluator, op)).filter(({ graph }) => {
      const { block_size: block, accuracy_level: level } = graph.nodes[0].attributes
      return op.endsWith('NBits') ? level !== 4 : block === undefined
    })
    const faults: string[] = []
    for (const one of cases) {
      const floats = { relative: 2e-3, absolute: 2e-4 }
      const isFloat = one.graph.outputs[0].dtype === 'float32'
      const outputs = await byRuntime(one).catch((error: unknown) => `${one.title}: ${String(error)}`)
      if (typeof outputs === 'string') faults.push(...(gpuOnly.test(outputs) ? [] : [outputs]))
      else if (isFloat) faults.push(...outputFaults({ ...one, numerics: floats }, outputs))
      else faults.push(...stepFaults(one, outputs))
    }
    expect(faults.join('\n')).toBe('')
  })
})

/** outputFaults holds integers to be equal; as floats they may be a step apart. */
function stepFaults(one: OpCase, outputs: readonly Tensor[]): string[] {
  const asFloats = ({ data, dims }: Tensor): Tensor =>
    new Tensor('float32', Float32Array.from(data as Uint8Array), dims)
  return outputFaults({ ...one, expected: one.expected.map(asFloats), numerics: step }, outputs.map(asFloats))
}
