// SPDX-License-Identifier: Apache-2.0
/** ONNX files, each wrong in one way: one fixture, made here, and one test per way. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeUtf8 } from '../../../src/base/bytes.ts'
import type { OnnxFunction, OnnxGraph, OnnxModel, OnnxTensor } from '../../../src/format/onnx-records.ts'
import { writeOnnx } from '../../../src/format/onnx-write.ts'
import { openSource } from '../../../src/platform/source.ts'
import { graphOfOnnx } from '../../../src/runtime/onnx-source.ts'
import { graph, model, node, tensorRecord, valueInfo } from '../../support/onnx.ts'
import { loadBytes, refusal } from './load.ts'

const x = valueInfo('x', 'float32', [2, 3])
const y = valueInfo('y', 'float32', null)
const relu = node('Relu', ['x'], ['y'])
const longs = (name: string, ...values: (number | bigint)[]): OnnxTensor =>
  tensorRecord(name, 'int64', values.map(BigInt))

/** A model from x to y; what is given stands in place of a plain Relu. */
function fixture(parts: Partial<OnnxGraph> = {}, more: Partial<OnnxModel> = {}): Uint8Array {
  return writeOnnx(model({ inputs: [x], outputs: [y], nodes: [relu], ...parts }, 21, more))
}

/** The node in the middle of a model, with constants. */
const one = (op: ReturnType<typeof node>, ...initializers: OnnxTensor[]): Uint8Array =>
  fixture({ nodes: [op], initializers })

/** A field of the wire format: number, wire type 2, content. */
function field(number: number, content: Uint8Array): Uint8Array {
  return Uint8Array.of(number * 8 + 2, ...varint(content.length), ...content)
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}

function nested(depth: number): OnnxGraph {
  const leaf = (name: string): OnnxGraph =>
    graph({ outputs: [valueInfo(name, 'float32', null)], nodes: [node('Relu', ['x'], [name])] })
  const branches = { then_branch: depth === 0 ? leaf('deep') : nested(depth - 1), else_branch: leaf(`else${depth}`) }
  const outputs = [valueInfo(`y${depth}`, 'float32', null)]
  return graph({ name: `g${depth}`, outputs, nodes: [node('If', ['c'], [`y${depth}`], branches)] })
}

const callsItself: OnnxFunction = {
  ...{ name: 'F', domain: 'own', overload: '', inputs: ['a'], outputs: ['b'], attributes: [], defaults: [] },
  ...{ nodes: [node('F', ['a'], ['b'], {}, { domain: 'own' })], opsets: [] },
}

const huge = 2 ** 40

const wrong: readonly (readonly [way: string, file: () => Uint8Array, error: RegExp])[] = [
  ['nothing at all', () => new Uint8Array(0), /FormatError/],
  ['text', () => encodeUtf8('<!doctype html>'), /FormatError/],
  ['a length beyond the end', () => Uint8Array.of(0x3a, 0xff, 0x01, 0x0a), /FormatError/],
  ['a length of 2^63', () => Uint8Array.of(8, 8, 0x3a, 255, 255, 255, 255, 255, 255, 255, 255, 127), /FormatError/],
  ['a varint without end', () => Uint8Array.of(8, ...new Array<number>(40).fill(255)), /FormatError/],
  ['a field of number 0', () => Uint8Array.of(8, 8, 2, 0), /FormatError/],
  ['two graphs', () => Uint8Array.of(8, 8, 0x3a, 0, 0x3a, 0), /FormatError.*one graph/],
  ['a name that is not UTF-8', () => Uint8Array.of(8, 8, 0x3a, 4, 0x12, 2, 0xc3, 0x28), /FormatError.*UTF-8/],
  [
    'messages nested a thousand deep',
    () => {
      let inner: Uint8Array = new Uint8Array(0)
      // graph → node → attribute → graph
      for (let i = 0; i < 999; i++) inner = field([6, 5, 1][i % 3], inner)
      return Uint8Array.of(8, 8, ...field(7, inner))
    },
    /FormatError.*nested/,
  ],
  [
    'a tensor shorter than its dims',
    () => fixture({ initializers: [{ ...longs('w', 1, 2), dims: [3] }] }),
    /FormatError/,
  ],
  [
    'a tensor that claims terabytes',
    () => fixture({ initializers: [{ ...longs('w', 1), dims: [huge] }] }),
    /FormatError/,
  ],
  [
    'dims whose product overflows',
    () => fixture({ initializers: [{ ...longs('w'), dims: [huge, huge] }] }),
    /FormatError.*2\^53/,
  ],
  [
    'huge dims behind a zero',
    () => fixture({ initializers: [{ ...longs('w'), dims: [0, huge, huge] }] }),
    /FormatError.*2\^53/,
  ],
  ['a negative dim', () => fixture({ initializers: [{ ...longs('w', 1), dims: [-1] }] }), /FormatError/],
  [
    'a rank of a thousand',
    () => fixture({ initializers: [{ ...longs('w', 1), dims: new Array<number>(1000).fill(1) }] }),
    /FormatError.*rank/,
  ],
  ['an input of terabytes', () => fixture({ inputs: [valueInfo('x', 'float32', [huge])] }), /UnsupportedError.*bytes/],
  [
    'two initializers of one name',
    () => fixture({ initializers: [longs('w', 1), longs('w', 2)] }),
    /GraphError.*one value/,
  ],
  [
    'two nodes that make one value',
    () => fixture({ nodes: [relu, node('Abs', ['x'], ['y'])] }),
    /GraphError.*two definitions/,
  ],
  ['a node that makes an input', () => fixture({ nodes: [relu, node('Abs', ['y'], ['x'])] }), /GraphError/],
  [
    'a cycle',
    () => fixture({ nodes: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b'])] }),
    /GraphError.*cycle/,
  ],
  ['a node that reads itself', () => one(node('Add', ['x', 'y'], ['y'])), /GraphError/],
  ['a value nothing makes', () => one(node('Add', ['x', 'ghost'], ['y'])), /GraphError.*ghost/],
  ['an output nothing makes', () => fixture({ outputs: [valueInfo('ghost', 'float32', null)] }), /GraphError.*ghost/],
  ['no operator of this name', () => one(node('constructor', ['x'], ['y'])), /UnsupportedError/],
  ['too many inputs', () => one(node('Relu', ['x', 'x', 'x'], ['y'])), /GraphError.*inputs/],
  ['too few inputs', () => one(node('Conv', ['x'], ['y'])), /GraphError.*inputs/],
  ['an attribute of the wrong kind', () => one(node('Softmax', ['x'], ['y'], { axis: 'last' })), /GraphError.*integer/],
  ['an axis outside', () => one(node('Softmax', ['x'], ['y'], { axis: 7 })), /GraphError.*axis/],
  ['a permutation that is none', () => one(node('Transpose', ['x'], ['y'], { perm: [0, 0] })), /GraphError/],
  [
    'a group of 0',
    () =>
      fixture({
        inputs: [valueInfo('x', 'float32', [1, 3, 8, 8])],
        nodes: [node('Conv', ['x', 'w'], ['y'], { group: 0 as number })],
        initializers: [tensorRecord('w', 'float32', new Array<number>(27).fill(0), [1, 3, 3, 3])],
      }),
    /GraphError/,
  ],
  [
    'a kernel of a million pixels',
    () =>
      fixture({
        inputs: [valueInfo('x', 'float32', [1, 1, 8, 8])],
        nodes: [node('MaxPool', ['x'], ['y'], { kernel_shape: [1e6, 1e6], pads: [5e5, 5e5, 5e5, 5e5] })],
      }),
    /GraphError.*kernel/,
  ],
  [
    'pads beyond 32 bits',
    () =>
      fixture({
        inputs: [valueInfo('x', 'float32', [1, 1, 8, 8])],
        nodes: [node('MaxPool', ['x'], ['y'], { kernel_shape: [2, 2], pads: [2 ** 33, 0, 0, 0] })],
      }),
    /GraphError.*pads/,
  ],
  [
    'Tile to terabytes',
    () => one(node('Tile', ['x', 'n'], ['y']), longs('n', 2 ** 20, 2 ** 20)),
    /UnsupportedError.*bytes/,
  ],
  [
    'Expand to terabytes',
    () => one(node('Expand', ['x', 'n'], ['y']), longs('n', huge, 2, 3)),
    /UnsupportedError.*bytes/,
  ],
  ['Pad to terabytes', () => one(node('Pad', ['x', 'n'], ['y']), longs('n', 0, 0, huge, 0)), /UnsupportedError.*bytes/],
  [
    'ConstantOfShape of terabytes',
    () => one(node('ConstantOfShape', ['n'], ['y']), longs('n', 2 ** 20, 2 ** 22)),
    /UnsupportedError.*bytes/,
  ],
  ['ConstantOfShape of -1', () => one(node('ConstantOfShape', ['n'], ['y']), longs('n', -1)), /GraphError/],
  [
    'Range of terabytes',
    () =>
      one(
        node('Range', ['a', 'b', 'c'], ['y']),
        { ...longs('a', 0), dims: [] },
        { ...longs('b', huge), dims: [] },
        { ...longs('c', 1), dims: [] },
      ),
    /UnsupportedError.*bytes/,
  ],
  [
    'OneHot of terabytes',
    () => one(node('OneHot', ['i', 'n', 'v'], ['y']), longs('i', 1, 2), longs('n', huge), longs('v', 0, 1)),
    /UnsupportedError.*bytes/,
  ],
  [
    'a broadcast to terabytes',
    () =>
      fixture({
        inputs: [valueInfo('x', 'float32', [2 ** 20, 1])],
        nodes: [node('Transpose', ['x'], ['t']), node('Add', ['x', 't'], ['y'])],
      }),
    /UnsupportedError.*bytes/,
  ],
  [
    'graphs nested twenty deep',
    () => fixture({ inputs: [x, valueInfo('c', 'bool', [])], nodes: [...nested(20).nodes, relu] }),
    /GraphError.*inside each other/,
  ],
  [
    'a function that calls itself',
    () =>
      fixture(
        { nodes: [node('F', ['x'], ['y'], {}, { domain: 'own' })] },
        {
          functions: [callsItself],
          opsets: [
            { domain: '', version: 21 },
            { domain: 'own', version: 1 },
          ],
        },
      ),
    /FormatError.*recursion/,
  ],
  [
    'a sparse tensor of terabytes',
    () =>
      fixture({
        sparseInitializers: [{ values: tensorRecord('s', 'float32', [1]), indices: longs('', 0), dims: [huge] }],
      }),
    /FormatError/,
  ],
  [
    'a sparse index outside',
    () =>
      fixture({
        sparseInitializers: [{ values: tensorRecord('s', 'float32', [1]), indices: longs('', 9), dims: [4] }],
      }),
    /FormatError.*index/,
  ],
]

test.each(wrong)('%s is refused by name', async (_, file, error) => {
  expect(await refusal(() => loadBytes(file()))).toMatch(error)
})

test('the fixture that is not wrong is not refused', async () => {
  expect(await refusal(() => loadBytes(fixture()))).toBe('no error')
})

test('cut off anywhere, a file is refused by name or holds a whole graph', async () => {
  const whole = fixture({
    nodes: [node('Add', ['x', 'w'], ['y'])],
    initializers: [tensorRecord('w', 'float32', [1, 2, 3])],
  })
  for (let length = 0; length < whole.length; length++) {
    expect(await refusal(() => loadBytes(whole.subarray(0, length)))).toMatch(/^(FormatError|GraphError|no error)/)
  }
})

test('external data outside of the folder or of its file is refused, be it by name or by a link', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-'))
  try {
    const inside = join(folder, 'model')
    await mkdir(inside)
    await writeFile(join(folder, 'secret'), new Uint8Array(24))
    await writeFile(join(inside, 'weights'), new Uint8Array(24))
    await symlink(join(folder, 'secret'), join(inside, 'link'))
    await symlink(join(inside, 'weights'), join(inside, 'alias'))
    const load = async (location: string, offset = 0): Promise<void> => {
      const w = {
        ...tensorRecord('w', 'float32', new Array<number>(6).fill(0), [2, 3]),
        external: { location, offset },
      }
      const file = join(inside, 'model.onnx')
      const bytes = fixture({ nodes: [node('Add', ['x', 'w'], ['y'])], initializers: [w] })
      await writeFile(file, bytes)
      await graphOfOnnx(bytes, await openSource(file))
    }
    for (const location of ['../secret', '/etc/passwd', 'a/../../secret', 'file:///etc/passwd', 'C:\\x', '']) {
      expect(await refusal(() => load(location)), location).toMatch(/^FormatError/)
    }
    for (const offset of [1, 24, 2 ** 40, -8]) {
      expect(await refusal(() => load('weights', offset)), `offset ${offset}`).toMatch(/^(FormatError|SourceError)/)
    }
    expect(await refusal(() => load('link'))).toMatch(/^SourceError.*leads out/)
    for (const location of ['weights', './weights', 'alias']) {
      expect(await refusal(() => load(location)), location).toBe('no error')
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
