// SPDX-License-Identifier: Apache-2.0
/** The pipeline as a whole: order, options, and what it makes of a small network and of the OCR recogniser. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { parseOnnx } from '../../src/format/onnx.ts'
import { fromOnnx } from '../../src/model/from-onnx.ts'
import { loadReferences } from '../../src/ops/references.ts'
import { evaluateNode, operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { operatorsWritten, passNames, pipeline, runPasses } from '../../src/passes/pipeline.ts'
import { ocrModel } from '../models/data.ts'
import { graphOf, through } from './through.ts'

const network = `input x: float32[n, 3, 8, 8] const k: float32[4, 3, 3, 3] = ... const d: float32[4, 1, 3, 3] = ... const w: float32[64, 5] = ... const b: float32[5] = ...
  const g: float32[4] = ... const s: float32[4] = ... const m: float32[4] = ... const var: float32[4] = ... const three: float32[] = 3 const six: float32[] = 6 const zero: float32[] = 0
  const half: float32[1] = 0.5 const target: int64[1] = -1
  c = Conv(x, k) {pads: [1, 1, 1, 1]} @stem c1 = BatchNormalization(c, g, s, m, var) a = Add(c1, three) r = Clip(a, zero, six) p = Mul(c1, r) h = Div(p, six)
  e = Conv(h, d) {pads: [1, 1, 1, 1], group: 4} @depthwise f = Add(e, h) v = MaxPool(f) {kernel_shape: [2, 2], strides: [2, 2]}
  i = Identity(v) s0 = Shape(x) q0 = Slice(s0, zero_, one_) t = Concat(q0, target) {axis: 0} l = Reshape(i, t) u = MatMul(l, w) o = Add(u, b) z = Mul(o, half) y = Softmax(z)
  const zero_: int64[1] = 0 const one_: int64[1] = 1 output y: float32[n, 5]`

describe('pipeline', () => {
  it('puts every pass behind those it needs', () => {
    pipeline.forEach((pass, at) => {
      for (const need of pass.needs) {
        const place = pipeline.findIndex((other) => other.name === need)
        expect(place < at, `${pass.name} needs ${need}`).toBe(true)
      }
    })
  })

  it('leaves of a small network nothing but layers and pools', async () => {
    const { graph } = await through(pipeline, network)
    const ops = graph.nodes.map((node) => node.op)
    expect(ops.filter((op) => op === 'Transpose')).toHaveLength(1)
    expect(ops.filter((op) => !op.startsWith('whittle.') && op !== 'Transpose')).toEqual(['Reshape', 'Softmax'])
    const stem = graph.nodes.find((node) => node.name === 'stem')!
    expect(stem.attributes).toMatchObject({ activation: 'HardSwish' })
    expect(graph.nodes.find((node) => node.name === 'depthwise')!.inputs[3]).toBe(stem.outputs[0])
  })

  it('changes nothing the second time', async () => {
    const first = await through(pipeline, network)
    const opSet = await loadOps([...operatorsOf(first.graph), ...operatorsWritten()])
    const { report } = runPasses(first.graph, { opSet })
    expect(report.filter(({ fired }) => fired > 0)).toEqual([])
  })

  it('reports each pass, and leaves out those named', async () => {
    const graph = graphOf('input x: float32[2] a = Identity(x) y = Relu(a) output y: float32[2]')
    const opSet = await loadOps([...operatorsOf(graph), ...operatorsWritten()])
    const fired: string[] = []
    const { report } = runPasses(
      graph,
      { opSet, trace: ({ pass, rule, node }) => fired.push(`${pass} ${rule} ${node}`) },
      { verify: true },
    )
    expect(report.find(({ pass }) => pass === 'remove-no-ops')).toEqual({
      pass: 'remove-no-ops',
      fired: 1,
      nodes: [2, 1],
    })
    expect(fired).toEqual(['remove-no-ops no-op a'])
    const off = runPasses(graph, { opSet }, { off: ['remove-no-ops'] })
    expect(off.graph.nodes).toHaveLength(2)
    expect(off.report.map(({ pass }) => pass)).not.toContain('remove-no-ops')
  })

  it('rejects names that are no pass', () => {
    const run = (): unknown => runPasses(graphOf(''), { opSet: new Map() }, { off: ['remove-noops'] })
    expect(run).toThrow(InputError)
    expect(run).toThrow('the nearest is remove-no-ops')
    expect(passNames()).toContain('fuse-epilogue')
  })

  it('names pass and node when a graph is wrong', () => {
    const graph = graphOf('input x: float32[2] y = Frobnicate(x) output y: float32[2]')
    expect(() => runPasses(graph, { opSet: new Map() })).toThrow('pass fold-constants › Frobnicate "y"')
  })
})

describe('the OCR recogniser', () => {
  it('is left with the Transposes of its input and its attention alone, every epilogue taken in', async () => {
    const graph = fromOnnx(parseOnnx(readFileSync(ocrModel('ch_PP-OCRv4_rec_infer.onnx')), 'recogniser'))
    const names = [...operatorsOf(graph), ...operatorsWritten()]
    const evaluator = { ops: await loadOps(names), references: await loadReferences(names) }
    const result = runPasses(
      graph,
      { opSet: evaluator.ops, evaluate: (node, inputs, opset) => evaluateNode(evaluator, node, inputs, opset) },
      { verify: true },
    )
    const count = (...ops: string[]): number => result.graph.nodes.filter((node) => ops.includes(node.op)).length
    expect(count('Transpose')).toBe(3)
    expect(count('whittle.Attention')).toBe(2)
    expect(count('whittle.Conv', 'whittle.Gemm')).toBe(47)
    expect(count('LayerNormalization')).toBe(5)
    expect(count('Add', 'Div', 'Clip', 'BatchNormalization', 'Sigmoid', 'HardSwish', 'Shape', 'Conv', 'Cast')).toBe(0)
    // left as nodes: two gates of squeeze and excitation
    expect(count('Mul')).toBe(2)
  })
})
