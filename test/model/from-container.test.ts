// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FormatError, GraphError } from '../../src/base/errors.ts'
import { writeContainer } from '../../src/format/container.ts'
import { parseOnnx } from '../../src/format/onnx.ts'
import { add, floorDiv, symbol } from '../../src/ir/dim.ts'
import { type Graph, subgraphsOf } from '../../src/ir/graph.ts'
import { printGraph } from '../../src/ir/text.ts'
import { fromContainer, streamModel } from '../../src/model/from-container.ts'
import { fromOnnx } from '../../src/model/from-onnx.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { Tensor, bytesOf } from '../../src/tensor/tensor.ts'
import { realModels } from '../support/onnx.ts'

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

function constant(tensor: Tensor): { dtype: Tensor['type']; dims: readonly number[]; tensor: Tensor } {
  return { dtype: tensor.type, dims: tensor.dims, tensor }
}

const big = new Tensor(
  'float32',
  Float32Array.from({ length: 5000 }, (_, i) => i),
  [50, 100],
)
const shared = new Tensor(
  'int8',
  Int8Array.from({ length: 9000 }, (_, i) => i),
  [9000],
)
const value = new Tensor('float32', [7], [1])

function sample(): Graph {
  const w = symbol('w')
  const inner: Graph = {
    name: 'body',
    opset: 28,
    inputs: [],
    outputs: [{ name: 'inner_y', dtype: 'float32', dims: [9000] }],
    constants: new Map([['k', constant(new Tensor('int8', new Int8Array(9000), [9000]))]]),
    nodes: [{ name: 'i', op: 'Add', inputs: ['k', 'b2'], outputs: ['inner_y'], attributes: {} }],
  }
  return {
    name: 'g',
    opset: 28,
    inputs: [{ name: 'x', dtype: 'float32', dims: [symbol('any "text"'), floorDiv(add(w, 3), 4), 2] }],
    outputs: [{ name: 'y', dtype: 'float32', dims: null }],
    constants: new Map([
      ['unused', constant(big)],
      ['b', constant(shared)],
      ['b2', constant(shared)],
      ['a', constant(big)],
      ['s', constant(new Tensor('string', ['x', 'é'], [2]))],
    ]),
    nodes: [
      {
        name: 'n',
        op: 'whittle.X',
        inputs: ['x', 'a', '', 'b', 's'],
        outputs: ['t', '', 'u'],
        attributes: {
          f: -0,
          nan: NaN,
          list: [1, Infinity],
          empty: [],
          text: 'a',
          texts: ['b', 'c'],
          value,
          values: [value, value],
        },
      },
      { name: 'm', op: 'If', inputs: ['t'], outputs: ['y'], attributes: { then_branch: inner, branches: [inner] } },
    ],
  }
}

/** The graph as text with every tensor's content, for comparing. */
function dump(graph: Graph): unknown {
  const constants = [...graph.constants].map(([name, { tensor, dtype, dims }]) => [
    name,
    dtype,
    dims.join(),
    content(tensor),
  ])
  const attributes = graph.nodes.map((node) =>
    Object.entries(node.attributes).map(([k, v]) => [k, v instanceof Tensor ? content(v) : '']),
  )
  return [printGraph(graph), constants, attributes, graph.nodes.flatMap(subgraphsOf).map(dump)]
}

function content(tensor: Tensor | undefined): string {
  if (tensor === undefined) return 'none'
  return tensor.type === 'string' ? JSON.stringify(tensor.data) : Buffer.from(bytesOf(tensor)).toString('base64')
}

/** Takes a streamed model to its end and puts the weights where they belong. */
async function gathered(bytes: Uint8Array, size: number): Promise<Graph> {
  const { graph, weights } = await streamModel(chunked(bytes, size))
  const parts = new Map<string, Uint8Array>()
  for await (const { constants, length, offset, bytes: piece } of weights) {
    for (const name of constants) {
      if (!parts.has(name)) parts.set(name, new Uint8Array(length))
      parts.get(name)!.set(piece, offset)
    }
  }
  const constants = [...graph.constants].map(([name, { dtype, dims, tensor }]) => {
    const own = parts.get(name)
    expect(own === undefined).toBe(tensor !== undefined)
    const Data = { int8: Int8Array, float32: Float32Array }[dtype as 'int8']
    return [name, constant(tensor ?? new Tensor(dtype, new Data(own!.buffer as ArrayBuffer), dims))] as const
  })
  return { ...graph, constants: new Map(constants) }
}

test('a graph survives: dims, attributes of every kind, subgraphs; what nothing reads is left out', async () => {
  const graph = sample()
  const bytes = writeContainer(toContainer(graph, { note: 1 }))
  const loaded = fromContainer(bytes)
  const wanted: Graph = { ...graph, constants: new Map([...graph.constants].filter(([name]) => name !== 'unused')) }
  expect(loaded.metadata).toEqual({ note: 1 })
  expect(dump(loaded.graph)).toEqual(dump(wanted))
  expect(loaded.graph.nodes[0].attributes).toEqual(graph.nodes[0].attributes)
  expect(dump(await gathered(bytes, 1000))).toEqual(dump(wanted))
})

test('resident tensors come first, large weights by first use, shared ones once', () => {
  const { tensors } = toContainer(sample())
  expect(tensors.map(({ name }) => name)).toEqual(['n.value', 's', 'k', 'a', 'b'])
})

test('a stream gives the graph before the large weights, and each weight with all its names', async () => {
  const { graph, weights } = await streamModel(chunked(writeContainer(toContainer(sample())), 512))
  expect([...graph.constants].filter(([, c]) => c.tensor === undefined).map(([name]) => name)).toEqual(['b', 'b2', 'a'])
  const names = new Set<string>()
  for await (const piece of weights) names.add(piece.constants.join('+'))
  expect([...names]).toEqual(['a', 'b+b2'])
})

test('a stream in another order gives the same graph', async () => {
  const { graph, tensors, metadata } = toContainer(sample())
  const flipped = [...tensors].reverse()
  const at = (position: number): number => tensors.length - 1 - position
  const renumbered = JSON.parse(JSON.stringify(graph), (key, v: unknown) =>
    key === 'tensor' ? at(v as number) : v,
  ) as typeof graph
  type Editable = ReturnType<typeof JSON.parse>
  const fix = (g: Editable): void => {
    g.constants = g.constants.map(([name, position]: [string, number]) => [name, at(position)])
    for (const n of g.nodes)
      for (const a of Object.values(n.attributes ?? {}).flat() as Editable[]) if (a?.graph) fix(a.graph)
  }
  fix(renumbered)
  const bytes = writeContainer({ graph: renumbered, tensors: flipped, metadata })
  expect(dump(await gathered(bytes, 700))).toEqual(dump(fromContainer(bytes).graph))
})

test('a stream that ends early fails while the weights are taken', async () => {
  const bytes = writeContainer(toContainer(sample()))
  const { weights } = await streamModel(chunked(bytes.slice(0, -10), 512))
  await expect(
    (async () => {
      for await (const piece of weights) void piece
    })(),
  ).rejects.toThrow(FormatError)
})

test('constants without content and dims that are none are refused', () => {
  const graph = sample()
  const hollow = { ...graph, constants: new Map([...graph.constants, ['a', { dtype: 'int8', dims: [1] } as const]]) }
  expect(() => toContainer(hollow)).toThrow(GraphError)
  const file = toContainer(graph)
  const bad = { ...file, graph: { ...file.graph, inputs: [{ name: 'x', dtype: 'int8' as const, dims: ['a +'] }] } }
  expect(() => fromContainer(writeContainer(bad))).toThrow(GraphError)
})

describe('real models', () => {
  test.each(realModels())('%s survives', async (file) => {
    const graph = fromOnnx(parseOnnx(readFileSync(file), basename(file)))
    const bytes = writeContainer(toContainer(graph))
    const read = fromContainer(bytes).graph
    expect(
      printGraph(read) ===
        printGraph({ ...graph, constants: new Map([...graph.constants].filter(([n]) => read.constants.has(n))) }),
    ).toBe(true)
    for (const [name, { tensor }] of read.constants) {
      const before = graph.constants.get(name)!.tensor!
      if (!Buffer.from(bytesOf(tensor!)).equals(bytesOf(before))) throw new Error(`constant ${name} differs`)
    }
    expect(bytes.length).toBeLessThan(readFileSync(file).length * 1.1)
  })
})
