// SPDX-License-Identifier: Apache-2.0
/** The PP-OCRv4 recogniser on sixty rendered lines: float32 against its reference strings, int8 against float32. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compress } from '../../src/compress.ts'
import { type Session, Tensor, load } from '../../src/index.ts'
import { dataPath, missingData, ocrModel, readGzip } from './data.ts'

const missing = missingData('models/ocr')
const HEIGHT = 48

interface Item {
  readonly width: number
  readonly offset: number
  readonly reference: string
}

const keys = (): string[] => [
  '',
  ...readFileSync(ocrModel('ppocr_keys_v1.txt'), 'utf8')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/),
  ' ',
]

/** RGB rows to BGR planes, (v / 255 - 0.5) / 0.5, as labels.json says. */
function toInput(rgb: Uint8Array, { width, offset }: Item): Tensor {
  const plane = HEIGHT * width
  const data = new Float32Array(3 * plane)
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) data[(2 - c) * plane + i] = (rgb[offset + 3 * i + c] / 255 - 0.5) / 0.5
  }
  return new Tensor('float32', data, [1, 3, HEIGHT, width])
}

function decode(output: Tensor, classes: readonly string[]): string {
  const [, steps, count] = output.dims
  const scores = output.data as Float32Array
  let text = ''
  let last = 0
  for (let step = 0; step < steps; step++) {
    const row = scores.subarray(step * count, (step + 1) * count)
    let best = 0
    for (let c = 1; c < count; c++) if (row[c] > row[best]) best = c
    if (best !== 0 && best !== last) text += classes[best]
    last = best
  }
  return text
}

async function readAll(session: Session, items: readonly Item[], rgb: Uint8Array): Promise<string[]> {
  const classes = keys()
  const texts = []
  for (const item of items) {
    const outputs = await session.run({ [session.inputs[0].name]: toInput(rgb, item) })
    texts.push(decode(outputs[session.outputs[0].name], classes))
  }
  return texts
}

describe.skipIf(missing !== undefined)('PP-OCRv4 recogniser', () => {
  const read = () => {
    const { items } = JSON.parse(readFileSync(dataPath('models/ocr/labels.json'), 'utf8')) as { items: Item[] }
    return { items, rgb: readGzip('models/ocr/lines.rgb.gz') }
  }

  it('reads all 60 lines in float32 as the reference does, and at least 58 of them the same in int8', async () => {
    const { items, rgb } = read()
    const file = new Uint8Array(readFileSync(ocrModel('ch_PP-OCRv4_rec_infer.onnx')))
    await using float32 = await load(file, { threads: 1 })
    const expected = await readAll(float32, items, rgb)
    expect(expected).toEqual(items.map(({ reference }) => reference))
    const { model } = await compress(file, 'int8')
    expect(model.byteLength).toBeLessThanOrEqual(0.28 * file.byteLength)
    await using int8 = await load(model, { threads: 1 })
    const texts = await readAll(int8, items, rgb)
    expect(texts.filter((text, i) => text === expected[i]).length).toBeGreaterThanOrEqual(58)
  }, 180_000)
})
