// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { encodeUtf8 } from '../../src/base/bytes.ts'
import { FormatError, GraphError, UnsupportedError, WhittleError } from '../../src/base/errors.ts'
import { randomInteger, seededRandom } from '../../src/base/rng.ts'
import { parseOnnx } from '../../src/format/onnx.ts'
import type { OnnxFunction, OnnxNode } from '../../src/format/onnx-records.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { print } from '../../src/ir/dim.ts'
import { isGraph } from '../../src/ir/graph.ts'
import { printNode } from '../../src/ir/text.ts'
import { verifyGraph } from '../../src/ir/verify.ts'
import { fromOnnx } from '../../src/model/from-onnx.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { dataPath, missingData } from '../models/data.ts'
import { graph, model, node, realModels, tensorRecord, valueInfo } from '../support/onnx.ts'

test('initializers become constants, and inputs that have one are no inputs', () => {
  const result = fromOnnx(
    model({
      initializers: [tensorRecord('w', 'float32', [1, 2])],
      inputs: [valueInfo('x', 'float32', [2]), valueInfo('w', 'float32', [2])],
      nodes: [node('Add', ['x', 'w'], ['y'])],
      outputs: [valueInfo('y', 'float32', [2])],
    }),
  )
  expect(result.inputs.map(({ name }) => name)).toEqual(['x'])
  expect(result.constants.get('w')).toEqual({ dtype: 'float32', dims: [2], tensor: new Tensor('float32', [1, 2]) })
  verifyGraph(result)
})

test('Constant nodes of every form become constants', () => {
  const forms: [OnnxNode['attributes'][number], Tensor][] = [
    [{ name: 'value', kind: 'tensor', value: tensorRecord('', 'uint8', [5], []) }, new Tensor('uint8', [5], [])],
    [{ name: 'value_float', kind: 'float', value: 0.5 }, new Tensor('float32', [0.5], [])],
    [{ name: 'value_floats', kind: 'floats', value: [] }, new Tensor('float32', [])],
    [{ name: 'value_int', kind: 'int', value: 2n ** 62n }, new Tensor('int64', [2n ** 62n], [])],
    [{ name: 'value_ints', kind: 'ints', value: [1, -1] }, new Tensor('int64', [1n, -1n])],
    [{ name: 'value_string', kind: 'string', value: encodeUtf8('é') }, new Tensor('string', ['é'], [])],
    [{ name: 'value_strings', kind: 'strings', value: [encodeUtf8('a')] }, new Tensor('string', ['a'])],
    [
      {
        name: 'sparse_value',
        kind: 'sparse',
        value: {
          values: tensorRecord('', 'float32', [3, 4]),
          indices: tensorRecord('', 'int64', [0, 1, 1, 0].map(BigInt), [2, 2]),
          dims: [2, 2],
        },
      },
      new Tensor('float32', [0, 3, 4, 0], [2, 2]),
    ],
  ]
  const nodes = forms.map(([attribute], i) => node('Constant', [], [`c${i}`], {}, { attributes: [attribute] }))
  const { constants, nodes: left } = fromOnnx(model({ nodes }))
  expect(left).toEqual([])
  expect(forms.map((_, i) => constants.get(`c${i}`)?.tensor)).toEqual(forms.map(([, tensor]) => tensor))
})

test('sparse initializers are written out, and indices outside refused', () => {
  const sparse = (at: bigint[]) => ({
    values: tensorRecord('w', 'int8', [7, 8]),
    indices: tensorRecord('', 'int64', at),
    dims: [2, 2],
  })
  expect(fromOnnx(model({ sparseInitializers: [sparse([3n, 0n])] })).constants.get('w')?.tensor).toEqual(
    new Tensor('int8', [8, 0, 0, 7], [2, 2]),
  )
  for (const bad of [[4n, 0n], [-1n, 0n], [0n]])
    expect(() => fromOnnx(model({ sparseInitializers: [sparse(bad)] }))).toThrow(FormatError)
})

test('operators of other domains carry theirs in front', () => {
  const nodes = [
    node('X', [], ['a'], {}, { domain: 'com.microsoft' }),
    node('Relu', ['a'], ['b'], {}, { domain: 'ai.onnx' }),
  ]
  expect(fromOnnx(model({ nodes })).nodes.map(({ op }) => op)).toEqual(['com.microsoft.X', 'Relu'])
})

test('nodes get unique names, and names left out at the end are dropped', () => {
  const nodes = [
    node('Relu', ['x', '', ''], ['a', ''], {}, { name: 'n' }),
    node('Relu', ['', 'x', ''], ['b'], {}, { name: 'n' }),
    node('Relu', ['x'], ['c']),
  ]
  const result = fromOnnx(model({ nodes, inputs: [valueInfo('x', 'float32', [2])] })).nodes
  expect(result.map(({ name, inputs, outputs }) => [name, ...inputs, '>', ...outputs].join(' '))).toEqual([
    'n x > a',
    'n_1  x > b',
    'Relu_2 x > c',
  ])
})

test('dims become numbers and symbols; what is unknown gets a symbol of its own', () => {
  const dims = (list: Parameters<typeof valueInfo>[2]) =>
    fromOnnx(model({ inputs: [valueInfo('x', 'float32', list)] })).inputs[0].dims
  expect(dims(['batch', 3, null, '?', 0, 'a+b'])?.map(print)).toEqual(['batch', '3', 'x.dim2', 'x.dim3', '0', '"a+b"'])
  expect(dims(null)).toBe(null)
  expect(dims([])).toEqual([])
})

test('weights inside branches are constants of those branches', () => {
  const branch = (value: number, name: string) =>
    graph({
      name,
      initializers: [tensorRecord(`w_${name}`, 'float32', [value])],
      nodes: [
        node('Constant', [], [`c_${name}`], { value: tensorRecord('', 'float32', [1]) }),
        node('Add', [`w_${name}`, 'x'], [`y_${name}`]),
      ],
      outputs: [valueInfo(`y_${name}`, 'float32', null)],
    })
  const result = fromOnnx(
    model({
      inputs: [valueInfo('x', 'float32', [1]), valueInfo('p', 'bool', [])],
      nodes: [node('If', ['p'], ['y'], { then_branch: branch(1, 't'), else_branch: branch(2, 'e') })],
      outputs: [valueInfo('y', 'float32', null)],
    }),
  )
  verifyGraph(result)
  const { then_branch: inner } = result.nodes[0].attributes
  if (!isGraph(inner)) throw new Error('no branch')
  expect([...inner.constants.keys()]).toEqual(['w_t', 'c_t'])
  expect(result.constants.size).toBe(0)
})

test('attributes of every kind are converted; integers beyond 2^53 to the nearest number', () => {
  const attributes: OnnxNode['attributes'] = [
    { name: 'i', kind: 'int', value: 2n ** 63n - 1n },
    { name: 's', kind: 'string', value: encodeUtf8('text') },
    { name: 'strings', kind: 'strings', value: [encodeUtf8('a')] },
    { name: 'f', kind: 'floats', value: [0.5] },
    { name: 't', kind: 'tensors', value: [tensorRecord('', 'int8', [1])] },
  ]
  const [{ attributes: result }] = fromOnnx(model({ nodes: [node('Op', [], ['y'], {}, { attributes })] })).nodes
  expect(result).toEqual({ i: 2 ** 63, s: 'text', strings: ['a'], f: [0.5], t: [new Tensor('int8', [1])] })
})

test('what graphs cannot hold is refused, naming the place', () => {
  const one = (more: object) => () => fromOnnx(model(more))
  const bytes = { name: 's', kind: 'string', value: Uint8Array.of(255) } as const
  expect(one({ nodes: [node('Op', [], ['y'], {}, { attributes: [bytes] })] })).toThrow(
    /Op 'y' › attribute s: expected UTF-8/,
  )
  expect(
    one({ nodes: [node('Op', [], ['y'], {}, { attributes: [{ name: 't', kind: 'type', value: { kind: 'map' } }] })] }),
  ).toThrow(UnsupportedError)
  expect(one({ inputs: [{ name: 'x', type: { kind: 'sequence', element: null } }] })).toThrow(UnsupportedError)
  expect(one({ initializers: [tensorRecord('w', 'int8', [1]), tensorRecord('w', 'int8', [1])] })).toThrow(GraphError)
  expect(one({ nodes: [node('Constant', [], ['c'])] })).toThrow(/Constant 'c' › attributes: expected value/)
})

const scaled: OnnxFunction = {
  name: 'Scaled',
  domain: 'local',
  overload: '',
  inputs: ['a', 'b'],
  outputs: ['out'],
  attributes: ['alpha'],
  defaults: [{ name: 'axis', kind: 'int', value: 1 }],
  nodes: [
    node(
      'LeakyRelu',
      ['a'],
      ['t'],
      {},
      { name: 'act', attributes: [{ name: 'alpha', kind: 'reference', value: 'alpha' }] },
    ),
    node('Concat', ['t', 'b'], ['out'], {}, { attributes: [{ name: 'axis', kind: 'reference', value: 'axis' }] }),
  ],
  opsets: [{ domain: '', version: 17 }],
}
const call = (outputs: string[], more = {}): OnnxNode =>
  node('Scaled', ['x', 'x'], outputs, more, { domain: 'local', name: outputs[0] })

test('functions are written out with names of their own, attributes of the call and defaults', () => {
  const nodes = [call(['p'], { alpha: 0.5 }), call(['q'], { axis: 0 })]
  const result = fromOnnx(model({ nodes, inputs: [valueInfo('x', 'float32', [2, 2])] }, 17, { functions: [scaled] }))
  expect(result.nodes.map((n) => printNode(n).replace(/ @.*/, '').replace(/"/g, ''))).toEqual([
    'p/t = LeakyRelu(x) {alpha: 0.5}',
    'p = Concat(p/t, x) {axis: 1}',
    'q/t = LeakyRelu(x)',
    'q = Concat(q/t, x) {axis: 0}',
  ])
  verifyGraph(result)
})

test('nodes of a function are of its opset', () => {
  const old: OnnxFunction = {
    ...scaled,
    nodes: [node('Squeeze', ['a'], ['out'], { axes: [0] })],
    opsets: [{ domain: '', version: 11 }],
  }
  const result = fromOnnx(
    model({ nodes: [call(['p'])], inputs: [valueInfo('x', 'float32', [1])] }, 17, { functions: [old] }),
  )
  expect(result.constants.get(result.nodes[0].inputs[1])?.tensor).toEqual(new Tensor('int64', [0n]))
})

test('functions that call themselves or grow without measure are refused', () => {
  const selfish: OnnxFunction = { ...scaled, nodes: [call(['out'])] }
  expect(() => fromOnnx(model({ nodes: [call(['p'])] }, 17, { functions: [selfish] }))).toThrow(/no recursion/)
  const bomb = Array.from({ length: 40 }, (_, i): OnnxFunction => {
    const inner = (name: string): OnnxNode => node(`F${i + 1}`, [], [name], {}, { domain: 'local' })
    return { ...scaled, name: `F${i}`, nodes: i === 39 ? [node('Relu', ['a'], ['out'])] : [inner('s'), inner('t')] }
  })
  const start = node('F0', [], ['y'], {}, { domain: 'local' })
  expect(() => fromOnnx(model({ nodes: [start] }, 17, { functions: bomb }))).toThrow(/at most \d+ nodes/)
})

test.each(realModels())('%s becomes a graph that holds together', (file) => {
  const result = fromOnnx(parseOnnx(readFileSync(file), basename(file)))
  verifyGraph(result)
  expect(result.nodes.some(({ op }) => op === 'Constant')).toBe(false)
})

test('softmaxes of the recogniser are plain ones: their ranks are known', () => {
  const file = realModels().find((name) => name.includes('_rec_'))!
  const ops = fromOnnx(parseOnnx(readFileSync(file))).nodes.map(({ op }) => op)
  expect(ops.filter((op) => op === 'Softmax').length).toBe(3)
  expect(ops).not.toContain('Flatten')
})

test('damaged models give a named error or a graph', () => {
  const branch = graph({
    nodes: [node('Squeeze', ['x'], ['z'], { axes: [0] })],
    outputs: [valueInfo('z', 'float32', null)],
  })
  const good = writeOnnx(
    model(
      {
        initializers: [tensorRecord('w', 'float32', [1, 2])],
        inputs: [valueInfo('x', 'float32', ['n', 2])],
        nodes: [
          node('Add', ['x', 'w'], ['a'], { axis: 1, broadcast: 1 }),
          node('Softmax', ['a'], ['b'], { axis: 1 }),
          node('If', ['b'], ['c'], { then_branch: branch }),
          call(['d']),
          node('Clip', ['d'], ['y'], { min: 0 }),
        ],
        outputs: [valueInfo('y', 'float32', null)],
      },
      6,
      { functions: [scaled] },
    ),
  )
  const random = seededRandom(21)
  for (let round = 0; round < 3000; round++) {
    const bad = good.slice()
    for (let i = 0; i < 2; i++) bad[randomInteger(random, 0, bad.length - 1)] = randomInteger(random, 0, 255)
    try {
      fromOnnx(parseOnnx(bad))
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error
    }
  }
})

test.skipIf(missingData('models/mnist') !== undefined)('damage to a real model gives a named error or a graph', () => {
  const good = new Uint8Array(readFileSync(dataPath('models/mnist/opt-mnist.onnx')))
  const random = seededRandom(33)
  // all but a few hundred bytes are weights, where damage goes unseen: it is done to the rest
  const { initializers } = parseOnnx(good).graph
  const inWeights = new Uint8Array(good.length)
  for (const { data } of initializers) {
    if (data instanceof Uint8Array)
      inWeights.fill(1, data.byteOffset - good.byteOffset, data.byteOffset - good.byteOffset + data.length)
  }
  const rest = [...inWeights.keys()].filter((at) => inWeights[at] === 0)
  for (let round = 0; round < 2500; round++) {
    const bad = round % 5 === 0 ? good.slice(0, randomInteger(random, 0, good.length - 1)) : good.slice()
    const changes = randomInteger(random, 1, 3)
    for (let i = 0; i < changes; i++)
      bad[rest[randomInteger(random, 0, rest.length - 1)]] = randomInteger(random, 0, 255)
    try {
      fromOnnx(parseOnnx(bad))
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error
    }
  }
})
