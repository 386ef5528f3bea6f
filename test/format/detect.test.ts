// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { concatBytes, encodeUtf8 } from '../../src/base/bytes.ts'
import { FormatError } from '../../src/base/errors.ts'
import { writeContainer } from '../../src/format/container.ts'
import { detectFormat } from '../../src/format/detect.ts'
import { detectStream } from '../../src/format/detect-stream.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { model } from '../support/onnx.ts'

const onnx = writeOnnx(model({}))
const graph = { name: '', opset: 1, inputs: [], outputs: [], constants: [], nodes: [] }
const whittle = writeContainer({ graph, tensors: [], metadata: {} })

async function* bytewise(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (const byte of bytes) yield Uint8Array.of(byte)
}

test('models are told by their content, also from a stream, which is given back whole', async () => {
  for (const [format, bytes] of [
    ['onnx', onnx],
    ['whittle', whittle],
  ] as const) {
    expect(detectFormat(bytes)).toBe(format)
    const stream = await detectStream(bytewise(bytes))
    expect(stream.format).toBe(format)
    const parts: Uint8Array[] = []
    for await (const part of stream.chunks) parts.push(part)
    expect(concatBytes(parts)).toEqual(bytes)
  }
})

test.each([
  ['an empty file', new Uint8Array(0)],
  ['HTML', encodeUtf8('<!doctype html>')],
  ['JSON', encodeUtf8('{"a": 1}')],
  ['zip', encodeUtf8('PK\x03\x04....')],
  ['GGUF', encodeUtf8('GGUF....')],
  ['Git LFS', encodeUtf8('version https://git-lfs.github.com/spec/v1')],
  ['another kind', encodeUtf8('hello world')],
])('%s is refused, and said to be that', async (what, bytes) => {
  expect(() => detectFormat(bytes)).toThrow(FormatError)
  expect(() => detectFormat(bytes)).toThrow(what)
  await expect(detectStream(bytewise(bytes))).rejects.toThrow(FormatError)
})
