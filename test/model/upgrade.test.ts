// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { GraphError, UnsupportedError } from '../../src/base/errors.ts'
import type { OnnxDim, OnnxModel, OnnxNode, OnnxTensor } from '../../src/format/onnx-records.ts'
import { printNode } from '../../src/ir/text.ts'
import { fromOnnx } from '../../src/model/from-onnx.ts'
import { newestOpset } from '../../src/model/upgrade.ts'
import { evaluateGraph, operatorsOf } from '../../src/ops/evaluate.ts'
import { loadReferences } from '../../src/ops/references.ts'
import { loadOps } from '../../src/ops/table.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

type Dims = readonly OnnxDim[] | null

interface Case {
  readonly node: OnnxNode
  readonly opset: number
  /** Shapes of the graph inputs x, y, z (unknown ranks where left out). */
  readonly dims?: readonly Dims[]
  readonly initializers?: readonly OnnxTensor[]
  readonly dtype?: 'float32' | 'float16'
}

/** The nodes a node becomes, as text; small constants stand where they are read. */
function upgraded({ node: old, opset, dims = [], initializers = [], dtype = 'float32' }: Case): string[] {
  const names = ['x', 'y', 'z'].filter((name) => old.inputs.includes(name))
  const graph = fromOnnx(
    model(
      {
        nodes: [{ ...old, name: 'n' }],
        initializers,
        inputs: names.map((name, i) => valueInfo(name, dtype, dims[i] ?? null)),
        outputs: [valueInfo('o', dtype, null)],
      },
      opset,
    ),
  )
  expect(graph.opset).toBe(newestOpset)
  const show = (name: string): string => {
    const { tensor } = graph.constants.get(name) ?? {}
    if (!(tensor instanceof Tensor)) return name
    return tensor.dims.length === 0 ? String(tensor.data[0]) : `[${Array.from(tensor.data as Float32Array).join(' ')}]`
  }
  return graph.nodes.map((n) =>
    printNode({ ...n, name: '', inputs: n.inputs.map(show) })
      .replace(/ @.*$/, '')
      .replace(/"/g, ''),
  )
}

/** What the references make of a model. */
async function evaluated(file: OnnxModel, feeds: Readonly<Record<string, Tensor>>): Promise<readonly Tensor[]> {
  const graph = fromOnnx(file)
  const names = operatorsOf(graph)
  const evaluator = { ops: await loadOps(names), references: await loadReferences(names) }
  return evaluateGraph(evaluator, graph, new Map(Object.entries(feeds)))
}

/** '2x2: 1 2 3 4' */
function show({ dims, data }: Tensor): string {
  return `${dims.join('x')}: ${Array.from(data as Float32Array).join(' ')}`
}

const x = ['x']
const o = ['o']

test.each<[string, Case, string[]]>([
  ['Clip', { node: node('Clip', x, o, { min: 0, max: 6.5 }), opset: 6 }, ['o = Clip(x, 0, 6.5)']],
  ['Clip', { node: node('Clip', x, o), opset: 6 }, ['o = Clip(x)']],
  ['Clip', { node: node('Clip', x, o, { max: 1 }), opset: 10 }, ['o = Clip(x, _, 1)']],
  [
    'Clip',
    { node: node('Clip', x, o, { max: 1 }), opset: 10, dtype: 'float16' },
    ['n/CastLike_output = CastLike(1, x)', 'o = Clip(x, _, n/CastLike_output)'],
  ],
  ['Squeeze', { node: node('Squeeze', x, o, { axes: [0, -1] }), opset: 11 }, ['o = Squeeze(x, [0 -1])']],
  ['Unsqueeze', { node: node('Unsqueeze', x, o, { axes: [1] }), opset: 1 }, ['o = Unsqueeze(x, [1])']],
  [
    'ReduceMean',
    { node: node('ReduceMean', x, o, { axes: [2], keepdims: 0 }), opset: 17 },
    ['o = ReduceMean(x, [2]) {keepdims: 0}'],
  ],
  ['ReduceMean', { node: node('ReduceMean', x, o), opset: 17 }, ['o = ReduceMean(x)']],
  ['ReduceSum', { node: node('ReduceSum', x, o, { axes: [2] }), opset: 12 }, ['o = ReduceSum(x, [2])']],
  [
    'Slice',
    { node: node('Slice', x, o, { starts: [1], ends: [2n ** 63n - 1n] }), opset: 9 },
    ['o = Slice(x, [1], [9223372036854775807], [0])'],
  ],
  [
    'Slice',
    { node: node('Slice', x, o, { starts: [1], ends: [2], axes: [3] }), opset: 1 },
    ['o = Slice(x, [1], [2], [3])'],
  ],
  [
    'Pad',
    { node: node('Pad', x, o, { paddings: [0, 1], mode: 'edge' }), opset: 1 },
    ['o = Pad(x, [0 1]) {mode: edge}'],
  ],
  ['Pad', { node: node('Pad', x, o, { pads: [0, 1], value: 0.5 }), opset: 10 }, ['o = Pad(x, [0 1], 0.5)']],
  ['Reshape', { node: node('Reshape', x, o, { shape: [0, -1] }), opset: 4 }, ['o = Reshape(x, [0 -1])']],
  ['TopK', { node: node('TopK', x, ['o', 'i'], { k: 3 }), opset: 1 }, ['o, i = TopK(x, [3])']],
  [
    'Split',
    { node: node('Split', x, ['o', 'p'], { split: [1, 2], axis: 1 }), opset: 2 },
    ['o, p = Split(x, [1 2]) {axis: 1}'],
  ],
  ['Split', { node: node('Split', x, ['o', 'p']), opset: 13 }, ['o, p = Split(x) {num_outputs: 2}']],
  ['Dropout', { node: node('Dropout', x, o, { ratio: 0.5, is_test: 1 }), opset: 6 }, ['o = Dropout(x)']],
  ['Cast', { node: node('Cast', x, o, { to: 'INT64' }), opset: 1 }, ['o = Cast(x) {to: 7}']],
  ['Concat', { node: node('Concat', ['x', 'y'], o), opset: 1 }, ['o = Concat(x, y) {axis: 1}']],
  [
    'Scatter',
    { node: node('Scatter', ['x', 'y', 'z'], o, { axis: 1 }), opset: 9 },
    ['o = ScatterElements(x, y, z) {axis: 1}'],
  ],
  [
    'RoiAlign',
    { node: node('RoiAlign', ['x', 'y', 'z'], o), opset: 10 },
    ['o = RoiAlign(x, y, z) {coordinate_transformation_mode: output_half_pixel}'],
  ],
  ['GridSample', { node: node('GridSample', ['x', 'y'], o), opset: 16 }, ['o = GridSample(x, y) {mode: linear}']],
  ['DFT', { node: node('DFT', x, o), opset: 17 }, ['o = DFT(x, _, 1)']],
  [
    'LSTM',
    { node: node('LSTM', x, o, { output_sequence: 1, hidden_size: 2 }), opset: 1 },
    ['o = LSTM(x) {hidden_size: 2}'],
  ],
  [
    'BatchNormalization',
    {
      node: node('BatchNormalization', ['x', 'y'], ['o', 'm', 'v'], { is_test: 1, spatial: 1, epsilon: 0.5 }),
      opset: 6,
    },
    ['o = BatchNormalization(x, y) {epsilon: 0.5}'],
  ],
  [
    'Gemm',
    { node: node('Gemm', ['x', 'y', 'z'], o, { broadcast: 1, transB: 1 }), opset: 6 },
    ['o = Gemm(x, y, z) {transB: 1}'],
  ],
  ['Relu', { node: node('Relu', x, o, { consumed_inputs: [0] }), opset: 1 }, ['o = Relu(x)']],
])('%s of an older opset becomes the newest form', (_, one, expected) => {
  expect(upgraded(one)).toEqual(expected)
})

test('nodes of the newest opset stay as they are', () => {
  expect(upgraded({ node: node('Softmax', x, o, { axis: 1 }), opset: 13 })).toEqual(['o = Softmax(x) {axis: 1}'])
  expect(upgraded({ node: node('ReduceSum', ['x', 'y'], o), opset: 13 })).toEqual(['o = ReduceSum(x, y)'])
  expect(upgraded({ node: node('Clip', x, o, { min: 1 }, { domain: 'com.x' }), opset: 6 })).toEqual([
    'o = com.x.Clip(x) {min: 1}',
  ])
})

describe('softmax over flattened axes', () => {
  const softmax = (axis: number, dims?: readonly OnnxDim[]): string[] =>
    upgraded({ node: node('Softmax', x, o, { axis }), opset: 11, ...(dims ? { dims: [dims] } : {}) })

  test('is a plain one on the last axis', () => {
    expect(softmax(-1)).toEqual(['o = Softmax(x) {axis: -1}'])
    expect(softmax(2, ['n', 3, 4])).toEqual(['o = Softmax(x) {axis: -1}'])
  })

  test('goes through a matrix where there is more than one axis, or may be', () => {
    for (const dims of [undefined, ['n', 3, 4] as const]) {
      expect(softmax(1, dims)).toEqual([
        'n/Shape_output = Shape(x)',
        'n/Flatten_output = Flatten(x) {axis: 1}',
        'n/flat_output = Softmax(n/Flatten_output) {axis: -1}',
        'o = Reshape(n/flat_output, n/Shape_output)',
      ])
    }
  })
})

describe('broadcasting from an axis', () => {
  const add = (dims: readonly Dims[], more: Record<string, number> = { axis: 1, broadcast: 1 }): string[] =>
    upgraded({ node: node('Add', ['x', 'y'], o, more), opset: 6, dims })

  test('appends dims where the ranks are known', () => {
    expect(add([['n', 3, 4, 5], [3]])).toEqual([
      'n/Unsqueeze_output = Unsqueeze(y, [1 2])',
      'o = Add(x, n/Unsqueeze_output)',
    ])
    expect(
      add(
        [
          ['n', 3, 4, 5],
          [4, 5],
        ],
        { axis: -2, broadcast: 1 },
      ),
    ).toEqual(['o = Add(x, y)'])
    expect(add([null, null], { broadcast: 1 })).toEqual(['o = Add(x, y)'])
  })

  test('computes the shape where they are not', () => {
    expect(add([]).at(-1)).toBe('o = Add(x, n/Reshape_output)')
    expect(() => add([], { axis: -1, broadcast: 1 })).toThrow(UnsupportedError)
  })

  test('holds for the slope of PRelu', () => {
    const prelu = (slope: Dims): string =>
      upgraded({ node: node('PRelu', ['x', 'y'], o), opset: 6, dims: [['n', 3, 4], slope] }).join('; ')
    expect(prelu([3])).toBe('n/Unsqueeze_output = Unsqueeze(y, [1]); o = PRelu(x, n/Unsqueeze_output)')
    expect(prelu([1])).toBe('o = PRelu(x, y)')
  })
})

describe('resizing', () => {
  const scales = (...values: number[]): OnnxTensor => tensorRecord('s', 'float32', values)
  const resize = (op: string, values: number[], opset: number): string[] =>
    upgraded({ node: node(op, ['x', 's'], o, { mode: 'nearest' }), opset, initializers: [scales(...values)] })

  test('of opset 10 is asymmetric; it rounds down where it grows and up where it shrinks', () => {
    const common = 'coordinate_transformation_mode: asymmetric, nearest_mode'
    expect(resize('Resize', [1, 1, 2, 2], 10)).toEqual([
      `o = Resize(x, _, [1 1 2 2]) {mode: nearest, ${common}: floor}`,
    ])
    expect(resize('Resize', [1, 1, 0.5, 0.5], 10)).toEqual([
      `o = Resize(x, _, [1 1 0.5 0.5]) {mode: nearest, ${common}: ceil}`,
    ])
  })

  test('by Upsample is Resize', () => {
    const end = '{mode: nearest, coordinate_transformation_mode: asymmetric, nearest_mode: floor}'
    expect(resize('Upsample', [1, 1, 2, 2], 9)).toEqual([`o = Resize(x, _, [1 1 2 2]) ${end}`])
    const seven = node('Upsample', x, o, { scales: [1, 1, 2, 1.5] })
    expect(upgraded({ node: seven, opset: 7 })).toEqual([`o = Resize(x, _, [1 1 2 1.5]) ${end}`])
    const one = node('Upsample', x, o, { height_scale: 2, width_scale: 3, mode: 'bilinear' })
    expect(upgraded({ node: one, opset: 1 })[0]).toBe(
      'o = Resize(x, _, [1 1 2 3]) {mode: linear, coordinate_transformation_mode: asymmetric, nearest_mode: floor}',
    )
  })
})

test('group normalization with a scale per group normalizes the groups as channels', () => {
  expect(upgraded({ node: node('GroupNormalization', ['x', 'y', 'z'], o, { num_groups: 2 }), opset: 18 })).toEqual([
    'n/Shape_output = Shape(x)',
    'n/Reshape_output = Reshape(x, [0 2 -1])',
    'n/grouped_output = GroupNormalization(n/Reshape_output, y, z) {num_groups: 2}',
    'o = Reshape(n/grouped_output, n/Shape_output)',
  ])
})

describe('tiling along one axis', () => {
  const initializers = [tensorRecord('t', 'int64', [3n], []), tensorRecord('a', 'int64', [-1n], [])]
  const tile = node('Tile', ['x', 't', 'a'], o)

  test('is a repeat of 1 along the others', () => {
    expect(upgraded({ node: tile, opset: 1, initializers, dims: [[2, 2]] })).toEqual(['o = Tile(x, [1 3])'])
  })

  test('by a count, an axis or a rank that only a run tells, puts the count among ones', () => {
    const nodes = [
      'n/Shape_output = Shape(x)',
      'n/Shape_1_output = Shape(n/Shape_output)',
      'n/ConstantOfShape_output = ConstantOfShape(n/Shape_1_output) {value: int64[1] = 1}',
      'n/Reshape_output = Reshape(3, [1])',
      'n/Reshape_1_output = Reshape(-1, [1])',
      'n/ScatterElements_output = ScatterElements(n/ConstantOfShape_output, n/Reshape_1_output, n/Reshape_output)',
      'o = Tile(x, n/ScatterElements_output)',
    ]
    expect(upgraded({ node: tile, opset: 1, initializers })).toEqual(nodes)
  })

  test('gives what repeats along it give', async () => {
    const inputs = [valueInfo('x', 'float32', ['a', 'b']), valueInfo('t', 'int64', [1]), valueInfo('a', 'int64', [])]
    const x = new Tensor('float32', [1, 2, 3, 4], [2, 2])
    const run = (count: bigint, axis: bigint) => {
      const feeds = { x, t: new Tensor('int64', [count]), a: new Tensor('int64', [axis], []) }
      return evaluated(model({ nodes: [tile], inputs, outputs: [valueInfo('o', 'float32', null)] }, 5), feeds)
    }
    expect((await run(2n, 1n)).map(show)).toEqual(['2x4: 1 2 1 2 3 4 3 4'])
    expect((await run(2n, -2n)).map(show)).toEqual(['4x2: 1 2 3 4 1 2 3 4'])
    await expect(run(2n, 2n)).rejects.toThrow(GraphError)
  })

  test('names an axis that is none', () => {
    const wrong = [initializers[0], tensorRecord('a', 'int64', [2n], [])]
    const complaint = /Tile 'n' › input axis: expected an axis in \[-2, 2\), got 2/
    expect(() => upgraded({ node: tile, opset: 1, initializers: wrong, dims: [[2, 2]] })).toThrow(complaint)
  })
})

test('batch normalization of each element of an image by its own statistics is spelled out', async () => {
  const names = ['x', 'scale', 'bias', 'mean', 'variance']
  const batch = node('BatchNormalization', names, o, { spatial: 0, epsilon: 0.5 })
  const dims = (name: string) => (name === 'x' ? [2, 1, 2] : [1, 2])
  const inputs = names.map((name) => valueInfo(name, 'float32', dims(name)))
  const file = model({ nodes: [batch], inputs, outputs: [valueInfo('o', 'float32', null)] }, 8)
  const values = [
    [1, 2, 3, 4],
    [1, 10],
    [0.5, -1],
    [1, 3],
    [3.5, 0.5],
  ]
  const feeds = Object.fromEntries(names.map((name, i) => [name, new Tensor('float32', values[i], dims(name))]))
  // (x - mean) / sqrt(variance + 0.5) * scale + bias
  expect((await evaluated(file, feeds)).map(show)).toEqual(['2x1x2: 0.5 -11 1.5 9'])
})

test('the mask of a dropout is of the type of the data below opset 10, and bool from there on', async () => {
  const dropout = node('Dropout', x, ['o', 'mask'], { ratio: 0.25 })
  for (const [opset, type] of [[7, 'float32'] as const, [10, 'bool'] as const]) {
    const outputs = [valueInfo('o', 'float32', null), valueInfo('mask', type, null)]
    const file = model({ nodes: [dropout], inputs: [valueInfo('x', 'float32', [2])], outputs }, opset)
    const results = await evaluated(file, { x: new Tensor('float32', [3, 4]) })
    expect(results.map(show)).toEqual(['2: 3 4', '2: 1 1'])
    expect(results[1].type).toBe(type)
  }
  expect(upgraded({ node: node('Dropout', x, o, { ratio: 0.25, is_test: 1 }), opset: 6 })).toEqual(['o = Dropout(x)'])
})

test('what cannot be expressed is an UnsupportedError naming the node', () => {
  expect(() => upgraded({ node: node('Scan', x, o), opset: 8 })).toThrow(UnsupportedError)
})

test('attributes of an old form are held to its kind', () => {
  const slice = (attributes: Parameters<typeof node>[3]) => () =>
    upgraded({ node: node('Slice', x, o, attributes), opset: 9 })
  expect(slice({ starts: [0], ends: [0.5] })).toThrow(
    /Slice 'n' › attribute ends: expected a list of integers, got \[0.5\]/,
  )
  expect(slice({ starts: [0] })).toThrow(/attribute ends: expected a list of integers, got nothing/)
  expect(() => upgraded({ node: node('TopK', x, o, { k: 'all' }), opset: 9 })).toThrow(
    /attribute k: expected an integer/,
  )
  expect(() => upgraded({ node: node('Clip', x, o, { max: 'six' }), opset: 6 })).toThrow(
    /attribute max: expected a number/,
  )
})
