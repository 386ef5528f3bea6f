// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { encodeUtf8, equalBytes } from '../../src/base/bytes.ts'
import { crc32 } from '../../src/base/crc.ts'
import { AbortError, FormatError, UnsupportedError, WhittleError } from '../../src/base/errors.ts'
import { randomInteger, seededRandom } from '../../src/base/rng.ts'
import { type ContainerFile, isContainer, readContainer, writeContainer } from '../../src/format/container.ts'
import type { ContainerGraph, ContainerHeader } from '../../src/format/container-records.ts'
import { type ContainerPiece, type Progress, streamContainer } from '../../src/format/container-stream.ts'

const inner: ContainerGraph = { name: 'then', opset: 28, inputs: [], outputs: [], constants: [['c', 1]], nodes: [] }

function sample(): ContainerFile {
  return {
    graph: {
      name: 'g',
      opset: 28,
      inputs: [{ name: 'x', dtype: 'float32', dims: ['batch', 3, '2*w + 1'] }],
      outputs: [{ name: 'y', dtype: 'int4', dims: null }],
      constants: [
        ['w', 2],
        ['s', 3],
        ['e', 4],
      ],
      nodes: [
        { name: 'n', op: 'whittle.Conv', inputs: ['x', 'w', ''], outputs: ['y'] },
        {
          name: 'm',
          op: 'If',
          inputs: [],
          outputs: ['z'],
          attributes: {
            alpha: 0.5,
            low: { float: '-inf' },
            t: { tensor: 0 },
            then: { graph: inner },
            list: [1, { float: 'nan' }],
            text: ['a'],
          },
        },
      ],
    },
    tensors: [
      { name: 't', dtype: 'bool', dims: [], data: Uint8Array.of(1) },
      { name: 'c', dtype: 'int2', dims: [5], data: Uint8Array.of(0x1b, 1) },
      { name: 'w', dtype: 'float32', dims: [20, 5], data: Uint8Array.from({ length: 400 }, (_, i) => i) },
      { name: 's', dtype: 'string', dims: [2], data: ['', 'größe'] },
      { name: 'e', dtype: 'int64', dims: [0, 3], data: new Uint8Array(0) },
    ],
    metadata: { producer: 'test', report: { layers: [1, null, 'x'] } },
  }
}

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

/** Drains a stream; the content of each tensor, joined. */
async function drain(bytes: Uint8Array, size: number): Promise<{ header?: ContainerHeader; contents: number[][] }> {
  const contents: number[][] = []
  let header: ContainerHeader | undefined
  for await (const piece of streamContainer(chunked(bytes, size))) {
    if (piece.kind === 'header') header = piece.header
    else {
      const content = (contents[piece.index] ??= [])
      expect(piece.offset).toBe(content.length)
      content.push(...piece.bytes)
    }
  }
  return { ...(header === undefined ? {} : { header }), contents }
}

/** JSON, to be edited freely. */
type Editable = ReturnType<typeof JSON.parse>
type Edit = (header: Editable) => unknown

/** The file with its header edited and its checksum made right again. */
function edited(edit: Edit): Uint8Array {
  const bytes = writeContainer(sample())
  const length = new DataView(bytes.buffer).getUint32(12, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(20, 20 + length))) as unknown
  const result = edit(header) ?? header
  return resealed(bytes, encodeUtf8(typeof result === 'string' ? result : JSON.stringify(result)), 20 + length)
}

function resealed(bytes: Uint8Array, header: Uint8Array, end: number): Uint8Array {
  const data = bytes.subarray(Math.ceil(end / 64) * 64)
  const start = Math.ceil((20 + header.length) / 64) * 64
  const file = new Uint8Array(start + data.length)
  file.set(bytes.subarray(0, 12))
  file.set(header, 20)
  file.set(data, start)
  const view = new DataView(file.buffer)
  view.setUint32(12, header.length, true)
  view.setUint32(16, crc32(header, crc32(file.subarray(0, 16))), true)
  return file
}

test('what is written is read, whole and in chunks of any size', async () => {
  const file = sample()
  const bytes = writeContainer(file)
  expect(isContainer(bytes)).toBe(true)
  const { graph, tensors, metadata, header } = readContainer(bytes)
  expect({ graph, tensors, metadata }).toEqual(file)
  for (const size of [1, 7, 64, 65, 4096]) {
    const streamed = await drain(bytes, size)
    expect(streamed.header).toEqual(header)
    expect(streamed.contents.map((content) => crc32(Uint8Array.from(content)))).toEqual(
      header.tensors.map((t) => t.crc32),
    )
  }
})

test('the same records give the same bytes, sections start at multiples of 64, tensors are views', () => {
  const bytes = writeContainer(sample())
  expect(equalBytes(writeContainer(sample()), bytes)).toBe(true)
  for (const { data } of readContainer(bytes).tensors) {
    if (data instanceof Uint8Array) expect([data.byteOffset % 64, data.buffer === bytes.buffer]).toEqual([0, true])
  }
})

test('a file without tensors is a file', async () => {
  const bytes = writeContainer({ graph: { ...inner, constants: [] }, tensors: [], metadata: {} })
  expect(readContainer(bytes).tensors).toEqual([])
  expect((await drain(bytes, 10)).contents).toEqual([])
})

test.each<[string, Edit, RegExp]>([
  ['no JSON', () => '{"graph":', /header: expected JSON/],
  ['a missing part', (h) => void delete h.tensors, /header at tensors/],
  ['an unknown part', (h) => void (h.more = 1), /header at more/],
  ['a wrong type', (h) => void (h.graph.nodes[0].name = 3), /graph.nodes.0.name/],
  ['an unknown element type', (h) => void (h.tensors[0].dtype = 'float33'), /tensors.0.dtype/],
  ['a negative dim', (h) => void (h.tensors[2].dims = [-1]), /tensors.2.dims.0/],
  ['a fractional offset', (h) => void (h.tensors[2].offset = 64.5), /tensors.2.offset/],
  ['an absurd shape', (h) => void (h.tensors[2].dims = [2 ** 40, 2 ** 40]), /2\^53 elements/],
  ['a wrong length', (h) => void (h.tensors[2].length = 399), /tensor 'w': expected 400 bytes, got 399/],
  ['a wrong length of text', (h) => void (h.tensors[3].length = 7), /tensor 's': expected 8 bytes/],
  ['an offset that is not aligned', (h) => void (h.tensors[1].offset = 65), /tensor 'c': expected offset 64, got 65/],
  ['overlapping sections', (h) => void (h.tensors[3].offset = 128), /tensor 's': expected offset 576/],
  [
    'sections past the end',
    (h) =>
      void (
        (h.tensors[2].dims = [2 ** 30]),
        (h.tensors[2].length = 2 ** 32),
        (h.tensors[3].offset += 2 ** 32 - 448),
        (h.tensors[4].offset += 2 ** 32 - 448)
      ),
    /a file of \d{10} bytes/,
  ],
  ['two tensors of one name', (h) => void (h.tensors[1].name = 't'), /'t' twice/],
  ['two constants of one name', (h) => void (h.graph.constants[1][0] = 'w'), /'w' twice/],
  ['a constant outside of the directory', (h) => void (h.graph.constants[0][1] = 5), /a tensor below 5, got 5/],
  ['an attribute outside of the directory', (h) => void (h.graph.nodes[1].attributes.t.tensor = 9), /node 'm'/],
  [
    'a subgraph outside of the directory',
    (h) => void (h.graph.nodes[1].attributes.then.graph.constants[0][1] = 9),
    /constant 'c'/,
  ],
  ['a wrong checksum', (h) => void (h.tensors[2].crc32 ^= 1), /checksum|crc32/],
  [
    'graphs without end',
    () => {
      const open =
        '{"name":"","opset":1,"inputs":[],"outputs":[],"constants":[],"nodes":[{"name":"","op":"","inputs":[],"outputs":[],"attributes":{"g":{"graph":'
      return `{"graph":${open.repeat(20000)}0${'}}}]}'.repeat(20000)},"tensors":[],"metadata":{}}`
    },
    /header/,
  ],
])('a header with %s is refused', async (_, edit, message) => {
  const bytes = edited(edit)
  expect(() => readContainer(bytes)).toThrow(FormatError)
  expect(() => readContainer(bytes)).toThrow(message)
  await expect(drain(bytes, 100)).rejects.toThrow(FormatError)
})

test.each<[string, (bytes: Uint8Array) => Uint8Array, typeof WhittleError, RegExp]>([
  ['empty', () => new Uint8Array(0), FormatError, /./],
  ['of another kind', (b) => (b.set([0x50]), b), FormatError, /expected a .whittle file/],
  ['of a newer version', (b) => (b.set([2], 8), b), UnsupportedError, /version 1, got 2; use a newer whittle/],
  ['with an absurd header length', (b) => (b.set([255, 255, 255, 255], 12), b), FormatError, /header of at most/],
  ['with a damaged header', (b) => (b.set([0x20], 30), b), FormatError, /fits its checksum/],
  ['with a damaged weight', (b) => (b.set([0xff], b.length - 200), b), FormatError, /checksum/],
  ['with damaged padding', (b) => (b.set([1], b.length - 577 + 1), b), FormatError, /zeros between sections|checksum/],
  ['cut in the preamble', (b) => b.slice(0, 14), FormatError, /14|truncated|end/],
  ['cut in the header', (b) => b.slice(0, 100), FormatError, /end/],
  ['cut in a weight', (b) => b.slice(0, -300), FormatError, /get the file again/],
  ['too long', (b) => Uint8Array.from([...b, 0]), FormatError, /a file of/],
])('a file %s is refused', async (_, damage, Class, message) => {
  const bytes = damage(writeContainer(sample()))
  expect(() => readContainer(bytes)).toThrow(Class)
  expect(() => readContainer(bytes)).toThrow(message)
  await expect(drain(bytes, 33)).rejects.toThrow(Class)
})

test('no single flipped bit goes unnoticed', () => {
  const good = writeContainer(sample())
  const random = seededRandom(2)
  for (let round = 0; round < 3000; round++) {
    const bad = good.slice()
    bad[randomInteger(random, 0, bad.length - 1)] ^= 1 << randomInteger(random, 0, 7)
    expect(() => readContainer(bad)).toThrow(WhittleError)
  }
})

test('damaged headers with right checksums give a named error or records', () => {
  const random = seededRandom(4)
  const good = writeContainer(sample())
  const length = new DataView(good.buffer).getUint32(12, true)
  for (let round = 0; round < 3000; round++) {
    const header = good.slice(20, 20 + length)
    for (let i = 0; i < 2; i++) header[randomInteger(random, 0, length - 1)] = randomInteger(random, 32, 126)
    try {
      readContainer(resealed(good, header, 20 + length))
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error
    }
  }
})

test('progress counts every byte up to the total, and a signal ends the stream', async () => {
  const bytes = writeContainer(sample())
  const seen: Progress[] = []
  const all: ContainerPiece[] = []
  for await (const piece of streamContainer(chunked(bytes, 100), { onProgress: (p) => seen.push(p) })) all.push(piece)
  expect(seen.at(-1)).toEqual({ phase: 'read', loaded: bytes.length, total: bytes.length })
  expect(seen.every(({ loaded }, i) => i === 0 || loaded > seen[i - 1].loaded)).toBe(true)

  const abort = new AbortController()
  let closed = false
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield* chunked(bytes, 100)
    } finally {
      closed = true
    }
  }
  const reading = (async () => {
    for await (const piece of streamContainer(source(), { signal: abort.signal }))
      if (piece.kind === 'data') abort.abort()
  })()
  await expect(reading).rejects.toThrow(AbortError)
  expect(closed).toBe(true)
})
