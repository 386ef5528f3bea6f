// SPDX-License-Identifier: Apache-2.0
/** Measuring a compressed model against its original, and benchmarking it, on a small network of known layers. */
import * as ort from 'onnxruntime-web'
import { beforeAll, describe, expect, it } from 'vitest'
import { InputError, StateError, UnsupportedError } from '../../src/base/errors.ts'
import { compressGraph } from '../../src/compress/compress.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import type { Graph } from '../../src/ir/graph.ts'
import { bench } from '../../src/measure/bench.ts'
import { layersOf, pairLayers } from '../../src/measure/layers.ts'
import { measure } from '../../src/measure/measure.ts'
import { isOnnxRuntime, openOnnxRuntime } from '../../src/measure/onnxruntime.ts'
import { operatorTimes, stepTimes } from '../../src/measure/operators.ts'
import type { ReportData } from '../../src/report/data.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const size = 128
const weights = (seed: number): Float32Array =>
  Float32Array.from({ length: size * size }, (_, i) => Math.sin(seed + i * i) / 4)
const file = writeOnnx(
  model({
    inputs: [valueInfo('x', 'float32', ['n', size])],
    outputs: [valueInfo('y', 'float32', ['n', size])],
    initializers: [
      tensorRecord('w1', 'float32', weights(1), [size, size]),
      tensorRecord('w2', 'float32', weights(2), [size, size]),
    ],
    nodes: [
      node('MatMul', ['x', 'w1'], ['a'], {}, { name: 'first' }),
      node('Relu', ['a'], ['b'], {}, { name: 'relu' }),
      node('MatMul', ['b', 'w2'], ['y'], {}, { name: 'second' }),
    ],
  }),
)
const x = new Tensor(
  'float32',
  Float32Array.from({ length: 3 * size }, (_, i) => Math.cos(i)),
  [3, size],
)

describe('measure', () => {
  let int8: Uint8Array
  let data: ReportData
  beforeAll(async () => {
    const compressed = await compressGraph(file, 'int8')
    int8 = compressed.model
    expect(pairLayers(compressed.graphs.before, compressed.graphs.after)).toHaveLength(2)
    const models = [
      { label: 'original', source: file },
      { label: 'small', source: int8 },
    ] as const
    data = await measure(models[0], models[1], [{ x }, { x }], { rounds: 4, inputs: 'a wave', machine: 'a machine' })
  })

  it('gives sizes, times, errors, layers, histograms and passes of both', () => {
    expect(data.sizes.map(({ label, bytes }) => [label, bytes])).toEqual([
      ['original', file.byteLength],
      ['small', int8.byteLength],
    ])
    expect(data.sizes[0].byType).toEqual({ float32: 2 * 4 * size * size })
    expect(data.sizes[1].byType.int8).toBe(2 * size * size)
    expect(data.latencies.map(({ runs }) => runs.length)).toEqual([4, 4])
    expect(data.outputs.map(({ name }) => name)).toEqual(['y'])
    expect(data.passes.reduce((sum, { fired }) => sum + fired, 0)).toBeGreaterThan(0)
    expect(data.histograms).toHaveLength(2)
    for (const { before, after } of data.histograms) {
      for (const counts of [before, after]) expect(counts.reduce((a, b) => a + b)).toBe(size * size)
    }
    expect(data.setting).toMatch(/^a machine · node · .* · 1 thread · /)
    expect(data.notes.join()).toMatch(/2 sets of inputs \(a wave\); 4 timed rounds/)
  })

  it('says of each layer what its weights and its output lost, and of the last that of the model', () => {
    expect(data.layers.map(({ to }) => to)).toEqual(['int8', 'int8'])
    for (const { weightSnr, outputSnr, bytesBefore, bytesAfter } of data.layers) {
      expect(weightSnr).toBeGreaterThan(30)
      expect(outputSnr).toBeGreaterThan(25)
      expect(bytesBefore).toBe(4 * size * size)
      expect(bytesAfter).toBe(size * size + 4 * size)
    }
    expect(data.layers[1].outputSnr).toBeCloseTo(data.outputs[0].snr, 6)
  })

  it('finds no noise between equal models', async () => {
    const models = { label: 'same', source: file }
    const { outputs, layers } = await measure(models, models, { x }, { rounds: 1 })
    expect(outputs[0].snr).toBe(Infinity)
    expect(layers.map(({ weightSnr, outputSnr }) => [weightSnr, outputSnr])).toEqual([
      [null, Infinity],
      [null, Infinity],
    ])
  })

  it('wants inputs', async () => {
    const models = { label: 'same', source: file }
    await expect(measure(models, models, [])).rejects.toThrow(InputError)
    await expect(measure(models, models, { x }, { rounds: 0 })).rejects.toThrow(/options.rounds/)
  })
})

describe('bench', () => {
  it('gives times of load, first run and rounds, a profile by operator, and tracks for a trace', async () => {
    const phases: string[] = []
    const onProgress = ({ phase }: { phase: string }): unknown => phases.push(phase)
    const { result, tracks } = await bench(file, async () => ({ x }), { rounds: 3, onProgress })
    expect(result.engines.map(({ name, times }) => [name, times.length])).toEqual([['whittle', 3]])
    expect(result.outputs).toBeNull()
    expect(result.bytes).toBe(file.byteLength)
    expect(result.operators.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9)
    expect(result.operators.reduce((sum, { steps }) => sum + steps, 0)).toBe(result.steps.length)
    expect(tracks.map(({ spans }) => spans.length)).toEqual([5, 1 + result.steps.length])
    expect([...new Set(phases)]).toEqual(['load', 'runs', 'profile'])
  })

  it('lets another engine take turns and compares its outputs', async () => {
    expect(isOnnxRuntime(ort)).toBe(true)
    const against = {
      name: 'onnxruntime-web',
      open: openRival,
    }
    const { result } = await bench(file, async () => ({ x }), { rounds: 2, against })
    expect(result.engines.map(({ name, times }) => [name, times.length])).toEqual([
      ['whittle', 2],
      ['onnxruntime-web', 2],
    ])
    expect(result.outputs!.map(({ name }) => name)).toEqual(['y'])
    expect(result.outputs![0].maxRelError).toBeLessThan(1e-5)
  })

  it('says what another engine says of a file it cannot read', async () => {
    const like = { inputs: [], outputs: [] }
    const opening = openOnnxRuntime(ort as never, new Uint8Array(8), 1, like)
    await expect(opening).rejects.toThrow(UnsupportedError)
  })

  it('has no profile of another engine', async () => {
    const rival = await openRival({ inputs: [], outputs: [] })
    await expect(rival.profile()).rejects.toThrow(StateError)
    await rival.dispose()
  })
})

function openRival(like: Parameters<typeof openOnnxRuntime>[3]): ReturnType<typeof openOnnxRuntime> {
  return openOnnxRuntime(ort as never, file, 1, like)
}

describe('layersOf', () => {
  const layerOf = (op: string, scales: Tensor, attributes: Graph['nodes'][number]['attributes']) => {
    const codes = new Tensor('int8', [1, 2, 3, 4, 5, 6, 7, 8], [2, 4])
    const constants = [['w', codes] as const, ['s', scales] as const].map(
      ([name, tensor]) => [name, { dtype: tensor.type, dims: tensor.dims, tensor }] as const,
    )
    const nodes = [{ name: 'n', op, inputs: ['x', 'w', 's'], outputs: ['y'], attributes }]
    return layersOf({ name: 'g', opset: 17, inputs: [], outputs: [], constants: new Map(constants), nodes })
  }

  it('reads weights back with a scale per channel or per block, and counts the scales', () => {
    const [channel] = layerOf('whittle.DynamicQuantizeGemm', new Tensor('float32', [1, 10], [2]), {})
    expect([...channel.weights()!]).toEqual([1, 2, 3, 4, 50, 60, 70, 80])
    expect(channel.bytes).toBe(8 + 8)
    const scales = new Tensor('float32', [1, 2, 10, 20], [2, 2])
    const [blocks] = layerOf('whittle.DynamicQuantizeGemm', scales, { block: 3 })
    expect([...blocks.weights()!]).toEqual([1, 2, 3, 8, 50, 60, 70, 160])
  })

  it('has no floats for an encoding it does not know, and no layers that are none', () => {
    const odd = new Tensor('float32', [1, 2, 3, 4, 5, 6], [2, 3])
    expect(layerOf('whittle.DynamicQuantizeGemm', odd, {})[0].weights()).toBeNull()
    expect(layerOf('Add', odd, {})).toEqual([])
  })
})

describe('profiles of several runs', () => {
  const step = (node: string, op: string, time: number, kernel: string | null = 'k') => ({
    node,
    op,
    kernel,
    reason: null,
    time,
    bytes: 4,
  })
  const profile = (times: readonly [number, number, number]) =>
    ({ steps: [step('a', 'Conv', times[0]), step('b', 'Relu', times[1], null), step('c', 'Conv', times[2])] }) as never

  it('are averaged step by step and added up by operator, the costliest first', () => {
    const steps = stepTimes([profile([1, 2, 3]), profile([3, 2, 5])])
    expect(steps.map(({ time }) => time)).toEqual([2, 2, 4])
    expect(operatorTimes(steps)).toEqual([
      { op: 'Conv', steps: 2, time: 6, share: 0.75, kernels: ['k'] },
      { op: 'Relu', steps: 1, time: 2, share: 0.25, kernels: ['host'] },
    ])
    expect(stepTimes([])).toEqual([])
  })
})
