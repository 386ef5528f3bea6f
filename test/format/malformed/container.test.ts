// SPDX-License-Identifier: Apache-2.0
/**
 * .whittle files, each wrong in one way. Files whose bytes are wrong are made from a good one; files whose header lies
 * are written with checksums that fit, and go straight to inference and lowering as no pass has seen them.
 */
import { beforeAll, expect, test } from 'vitest'
import { encodeUtf8 } from '../../../src/base/bytes.ts'
import { crc32 } from '../../../src/base/crc.ts'
import { writeContainer } from '../../../src/format/container.ts'
import type { ContainerContent, ContainerGraph, ContainerNode } from '../../../src/format/container-records.ts'
import { type KernelModule, Modules } from '../../../src/runtime/module.ts'
import { tryFile } from '../../fuzz/trial.ts'
import { loadBytes, refusal } from './load.ts'

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i % 5)

function tensor(
  name: string,
  dtype: ContainerContent['dtype'],
  dims: readonly number[],
  size: number,
): ContainerContent {
  return { name, dtype, dims, data: bytes(size * dims.reduce((product, dim) => product * dim, 1)) }
}

const conv: ContainerNode = {
  name: 'conv',
  op: 'whittle.DynamicQuantizeConv',
  inputs: ['x', 'w', 's', 'b'],
  outputs: ['y'],
}

interface Parts {
  readonly graph?: Partial<ContainerGraph>
  readonly node?: Partial<ContainerNode>
  readonly w?: readonly number[]
  readonly s?: readonly number[]
  readonly b?: readonly number[]
  readonly x?: readonly (number | string)[]
  readonly wType?: ContainerContent['dtype']
}

/** A model of one quantised convolution over [1, 6, 6, 4] with eight outputs; what is given stands in its place. */
function fixture({
  graph = {},
  node = {},
  w = [8, 3, 3, 4],
  s = [8],
  b = [8],
  x = [1, 6, 6, 4],
  wType = 'int8',
}: Parts = {}) {
  return writeContainer({
    graph: {
      ...{ name: 'g', opset: 28, inputs: [{ name: 'x', dtype: 'float32', dims: x }] },
      outputs: [{ name: 'y', dtype: 'float32', dims: null }],
      constants: ['w', 's', 'b'].map((name, i) => [name, i] as const),
      nodes: [{ ...conv, ...node }],
      ...graph,
    },
    tensors: [
      tensor('w', wType, w, wType === 'int8' ? 1 : 4),
      tensor('s', 'float32', s, 4),
      tensor('b', 'float32', b, 4),
    ],
    metadata: {},
  })
}

type Json = ReturnType<typeof JSON.parse>

/** The header's bytes, the graph's name no UTF-8. */
function withoutUtf8(header: Json): Uint8Array {
  const text = JSON.stringify(header)
  const file = encodeUtf8(text)
  file[text.indexOf('"name":"g"') + 8] = 0xff
  return file
}

/** The good file with its header changed, and the header's length and checksum made right. */
function relabelled(change: (header: Json) => Json): Uint8Array {
  const good = fixture()
  const end = 20 + new DataView(good.buffer).getUint32(12, true)
  const json = JSON.parse(new TextDecoder().decode(good.subarray(20, end))) as Json
  const changed = change(json) as Json
  const header =
    changed instanceof Uint8Array
      ? changed
      : encodeUtf8(typeof changed === 'string' ? changed : JSON.stringify(changed ?? json))
  const data = good.subarray(Math.ceil(end / 64) * 64)
  const start = Math.ceil((20 + header.length) / 64) * 64
  const file = new Uint8Array(start + data.length)
  file.set(good.subarray(0, 12))
  file.set(header, 20)
  file.set(data, start)
  const view = new DataView(file.buffer)
  view.setUint32(12, header.length, true)
  view.setUint32(16, crc32(header, crc32(file.subarray(0, 16))), true)
  return file
}

function patched(at: number, ...values: number[]): Uint8Array {
  const file = fixture()
  file.set(values, at < 0 ? file.length + at : at)
  return file
}

const huge = 2 ** 40

/** A choice between `depth` choices inside each other and nothing; who makes value `y` is the outermost. */
function nested(depth: number): ContainerNode {
  const branch = (name: string, nodes: readonly ContainerNode[], output: string): ContainerGraph => ({
    ...{ name, opset: 28, inputs: [], constants: [], nodes },
    outputs: [{ name: output, dtype: 'float32', dims: null }],
  })
  const leaf = (name: string): ContainerGraph =>
    branch(name, [{ name: `${name} node`, op: 'Relu', inputs: ['x'], outputs: [name] }], name)
  let inner = leaf('innermost')
  for (let i = depth; i > 0; i--) inner = branch(`g${i}`, [choice(`y${i}`, inner, leaf(`else ${i}`))], `y${i}`)
  return choice('y', inner, leaf('else'))
}

const choice = (output: string, then: ContainerGraph, otherwise: ContainerGraph): ContainerNode => ({
  ...{ name: `if ${output}`, op: 'If', inputs: ['c'], outputs: [output] },
  attributes: { then_branch: { graph: then }, else_branch: { graph: otherwise } },
})

const nestedGraphs = (depth: number): Parts => ({
  graph: {
    inputs: [
      { name: 'x', dtype: 'float32', dims: [1, 6, 6, 4] },
      { name: 'c', dtype: 'bool', dims: [] },
    ],
    nodes: [nested(depth)],
  },
})

const nest = (depth: number, inner: string): string => '['.repeat(depth) + inner + ']'.repeat(depth)

const wrongBytes: readonly (readonly [way: string, file: () => Uint8Array, error: RegExp])[] = [
  ['another magic', () => patched(3, 0), /FormatError/],
  ['version 0', () => patched(8, 0), /UnsupportedError.*version/],
  ['version 2', () => patched(8, 2), /UnsupportedError.*newer/],
  ['a header of 4 GiB', () => patched(12, 255, 255, 255, 255), /FormatError.*header of at most/],
  ['a header beyond the end', () => patched(12, 0, 0, 1, 0), /FormatError/],
  ['a header that does not fit its checksum', () => patched(40, 1), /FormatError.*checksum/],
  ['a section that does not fit its checksum', () => patched(-1, 99), /FormatError.*checksum/],
  ['a byte more', () => Uint8Array.of(...fixture(), 0), /FormatError/],
  ['a byte less', () => fixture().subarray(0, -1), /FormatError/],
  ['a header that is no JSON', () => relabelled(() => '{"graph":'), /FormatError.*JSON/],
  ['a name that is not UTF-8', () => relabelled(withoutUtf8), /FormatError.*UTF-8/],
  ['a header nested ten thousand deep', () => relabelled(() => nest(10_000, '0')), /FormatError.*levels/],
  ['an unknown key', () => relabelled((h) => ({ ...h, more: 1 })), /FormatError/],
  ['a key less', () => relabelled((h) => void delete h.metadata), /FormatError/],
  ['an offset outside', () => relabelled((h) => void (h.tensors[2].offset = huge)), /FormatError.*offset/],
  ['sections that overlap', () => relabelled((h) => void (h.tensors[1].offset = 0)), /FormatError.*offset/],
  ['a negative length', () => relabelled((h) => void (h.tensors[0].length = -1)), /FormatError/],
  ['a length that is not that of the dims', () => relabelled((h) => void h.tensors[0].length--), /FormatError.*bytes/],
  [
    'a section of terabytes',
    () => relabelled((h) => void Object.assign(h.tensors[2], { dims: [huge], length: huge * 4 })),
    /FormatError/,
  ],
  [
    'dims whose product overflows',
    () => relabelled((h) => void (h.tensors[0].dims = [huge, huge])),
    /FormatError.*2\^53/,
  ],
  [
    'huge dims behind a zero',
    () => relabelled((h) => void Object.assign(h.tensors[2], { dims: [0, huge, huge], length: 0 })),
    /FormatError.*2\^53/,
  ],
  [
    'a rank of a hundred',
    () => relabelled((h) => void (h.tensors[0].dims = new Array(100).fill(1))),
    /FormatError.*rank/,
  ],
  ['a negative dim', () => relabelled((h) => void (h.tensors[0].dims[0] = -8)), /FormatError/],
  ['an element type that is none', () => relabelled((h) => void (h.tensors[0].dtype = 'int7')), /FormatError/],
  ['two tensors of one name', () => relabelled((h) => void (h.tensors[1].name = 'w')), /FormatError.*twice/],
  ['a constant beyond the directory', () => relabelled((h) => void (h.graph.constants[0][1] = 3)), /FormatError/],
  ['two constants of one name', () => relabelled((h) => void (h.graph.constants[1][0] = 'w')), /FormatError.*twice/],
  [
    'an attribute that is a tensor beyond the directory',
    () => relabelled((h) => void (h.graph.nodes[0].attributes = { a: { tensor: 9 } })),
    /FormatError/,
  ],
]

test.each(wrongBytes)('%s is refused by name', async (_, file, error) => {
  expect(await refusal(() => loadBytes(file()))).toMatch(error)
})

const node = (attributes: ContainerNode['attributes']): Parts => ({ node: { attributes: attributes! } })

const wrongGraphs: readonly (readonly [way: string, parts: Parts, error: RegExp])[] = [
  ['a negative dim of an input', { x: [1, '-6', 6, 4] }, /GraphError/],
  ['a dim that is no expression', { x: [1, '((6', 6, 4] }, /GraphError/],
  ['a dim in broken quotes', { x: [1, '"\\x"', 6, 4] }, /GraphError/],
  ['a dim nested a thousand deep', { x: [1, `${'('.repeat(1000)}n${')'.repeat(1000)}`, 6, 4] }, /GraphError.*levels/],
  ['a dim divided by 0', { x: [1, 'floordiv(n, 0)', 6, 4] }, /GraphError/],
  ['weights of another depth', { w: [8, 3, 3, 5] }, /GraphError.*channels/],
  ['weights of rank 3', { w: [8, 9, 4] }, /GraphError.*dims/],
  ['weights of rank 5', { w: [8, 3, 3, 4, 1] }, /GraphError.*dims/],
  ['weights of float32', { wType: 'float32' }, /GraphError.*int8/],
  ['a scale too few', { s: [7] }, /GraphError.*wScale/],
  ['scales of rank 2', { s: [8, 1] }, /GraphError.*wScale/],
  ['a bias too many', { b: [9] }, /GraphError.*bias/],
  ['a residual of other dims', { node: { inputs: ['x', 'w', 's', 'b', 'x'] } }, /GraphError.*residual/],
  ['an input too few', { node: { inputs: ['x', 'w'] } }, /GraphError.*inputs/],
  ['an input too many', { node: { inputs: ['x', 'w', 's', 'b', '', '', 'x'] } }, /GraphError.*inputs/],
  ['an input left out that is needed', { node: { inputs: ['', 'w', 's', 'b'] } }, /GraphError/],
  ['a group of 0', node({ group: 0 }), /GraphError/],
  ['a group of -1', node({ group: -1 }), /GraphError/],
  ['a group that does not divide', node({ group: 3 }), /GraphError/],
  ['strides of 0', node({ strides: [0, 1] }), /GraphError.*strides/],
  ['negative strides', node({ strides: [-1, 1] }), /GraphError.*strides/],
  ['a stride too many', node({ strides: [1, 1, 1] }), /GraphError.*strides/],
  [
    'dilations beyond 32 bits',
    node({ dilations: [2 ** 40, 1], pads: [2 ** 30, 0, 2 ** 30, 0] }),
    /GraphError.*dilations/,
  ],
  ['pads of gigabytes', node({ pads: [2 ** 20, 2 ** 20, 0, 0] }), /UnsupportedError.*bytes/],
  ['pads that cut everything', node({ pads: [-9, 0, 0, 0] }), /GraphError/],
  ['an auto_pad that objects have by nature', node({ auto_pad: 'constructor' }), /GraphError.*auto_pad/],
  ['an activation there is none of', node({ activation: 'toString' }), /GraphError.*activation/],
  ['an attribute of the wrong kind', node({ group: 'two' }), /GraphError.*integer/],
  [
    'a node that reads what is made later',
    {
      graph: {
        nodes: [
          { ...conv, inputs: ['late', 'w', 's'] },
          { ...conv, name: 'n', outputs: ['late'] },
        ],
      },
    },
    /GraphError.*later/,
  ],
  ['a cycle', { graph: { nodes: [{ ...conv, inputs: ['y', 'w', 's'] }] } }, /GraphError/],
  [
    'two nodes that make one value',
    { graph: { nodes: [conv, { ...conv, name: 'n' }] } },
    /GraphError.*two definitions/,
  ],
  ['two nodes of one name', { graph: { nodes: [conv, { ...conv, outputs: ['z'] }] } }, /GraphError.*two nodes/],
  ['a node that makes a constant', { node: { outputs: ['w'] } }, /GraphError.*definition/],
  ['an output nothing makes', { node: { outputs: ['z'] } }, /GraphError.*nothing makes/],
  ['graphs nested twenty deep', nestedGraphs(20), /GraphError.*inside each other/],
  ['graphs nested two hundred deep', nestedGraphs(200), /FormatError.*levels/],
  ['an operator there is none of', { node: { op: '__proto__' } }, /UnsupportedError/],
]

let kernels: KernelModule
beforeAll(async () => {
  kernels = await new Modules().choose('auto', false)
})

test.each(wrongGraphs)('%s is refused by name, at load or at the first run', async (_, parts, error) => {
  const outcome = await tryFile(fixture(parts), kernels, 1)
  expect(outcome.ending).toMatch(/refused|failed/)
  expect(await refusal(() => Promise.reject(outcome.error as Error))).toMatch(error)
})

test('the fixture that is not wrong runs', async () => {
  expect(await tryFile(fixture(), kernels, 1)).toEqual({ ending: 'ran' })
})

test('graphs nested as deep as allowed run', async () => {
  expect(await tryFile(fixture(nestedGraphs(7)), kernels, 1)).toEqual({ ending: 'ran' })
})

test('cut off anywhere, a file is refused by name', async () => {
  const whole = fixture()
  for (let length = 0; length < whole.length; length += 1 + (length >> 6)) {
    expect(await refusal(() => loadBytes(whole.subarray(0, length)))).toMatch(/^FormatError/)
  }
})
