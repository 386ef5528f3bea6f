// SPDX-License-Identifier: Apache-2.0
/** The PP-OCR recogniser and angle classifier on sixty rendered lines, by the recipes of labels.json. */
import { readFileSync } from 'node:fs'
import { type Session, Tensor } from '../../src/index.ts'
import { dataPath, ocrModel, readGzip } from './data.ts'
import { resized } from './lanczos.ts'
import { editDistance, worst } from './statistics.ts'
import { type Task, evenly, points } from './task.ts'

const height = 48
const angleWidth = 192

/** One rendered line. */
export interface Line {
  readonly width: number
  readonly offset: number
  readonly text: string
  readonly reference: string
  readonly argmax: readonly number[]
  readonly angle: { readonly upright: readonly number[]; readonly rotated180: readonly number[] }
}

/** The lines and their pixels, RGB rows one image after the other. */
export function readLines(): { readonly items: readonly Line[]; readonly rgb: Uint8Array } {
  const { items } = JSON.parse(readFileSync(dataPath('models/ocr/labels.json'), 'utf8')) as { items: Line[] }
  return { items, rgb: readGzip('models/ocr/lines.rgb.gz') }
}

/** RGB rows as BGR planes of `to` columns, (v / 255 - 0.5) / 0.5, zeros behind the image. */
function planes(rgb: Uint8Array, width: number, to = width): Tensor {
  const data = new Float32Array(3 * height * to)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        data[((2 - c) * height + y) * to + x] = (rgb[3 * (y * width + x) + c] / 255 - 0.5) / 0.5
      }
    }
  }
  return new Tensor('float32', data, [1, 3, height, to])
}

function pixelsOf(rgb: Uint8Array, { offset, width }: Line): Uint8Array {
  return rgb.subarray(offset, offset + 3 * height * width)
}

/** The recogniser's input for a line. */
export function lineInput(rgb: Uint8Array, line: Line): Tensor {
  return planes(pixelsOf(rgb, line), line.width)
}

/** The angle classifier's input: 48 x 192, squeezed where the line is wider. */
export function angleInput(rgb: Uint8Array, line: Line, turned: boolean): Tensor {
  const own = pixelsOf(rgb, line)
  const pixels = turned ? turnedRound(own) : own
  if (line.width <= angleWidth) return planes(pixels, line.width, angleWidth)
  return planes(resized(pixels, height, line.width, angleWidth), angleWidth)
}

function turnedRound(rgb: Uint8Array): Uint8Array {
  const result = new Uint8Array(rgb.length)
  for (let i = 0; i < rgb.length; i += 3) result.set(rgb.subarray(i, i + 3), rgb.length - 3 - i)
  return result
}

const run = async (session: Session, x: Tensor): Promise<Tensor> =>
  (await session.run({ [session.inputs[0].name]: x }))[session.outputs[0].name]

function bestClasses({ data, dims: [, steps, count] }: Tensor): number[] {
  const scores = data as Float32Array
  return Array.from({ length: steps }, (_, step) => {
    let best = 0
    for (let c = 1; c < count; c++) if (scores[step * count + c] > scores[step * count + best]) best = c
    return best
  })
}

/** What a session of the recogniser reads. */
export async function readText(session: Session, x: Tensor, classes: readonly string[]): Promise<string> {
  const best = bestClasses(await run(session, x))
  return best.map((c, i) => (c === 0 || c === best[i - 1] ? '' : classes[c])).join('')
}

/** Characters by class. */
export function lineClasses(): string[] {
  const keys = readFileSync(ocrModel('ppocr_keys_v1.txt'), 'utf8')
  return ['', ...keys.replace(/\r?\n$/, '').split(/\r?\n/), ' ']
}

async function scoreLines(session: Session, part: number) {
  const { items, rgb } = readLines()
  const classes = lineClasses()
  const chosen = evenly(items, part)
  let [exact, same, edits, characters, steps, unlike] = [0, 0, 0, 0, 0, 0]
  for (const line of chosen) {
    const best = bestClasses(await run(session, lineInput(rgb, line)))
    const text = best.map((c, i) => (c === 0 || c === best[i - 1] ? '' : classes[c])).join('')
    if (text === line.text) exact++
    if (text === line.reference) same++
    edits += editDistance(text, line.text)
    characters += [...line.text].length
    steps += best.length
    unlike += best.filter((c, i) => c !== line.argmax[i]).length
  }
  return {
    points: {
      'characters right': 100 - points(edits, characters),
      'exact strings': points(exact, chosen.length),
      'strings as the reference': points(same, chosen.length),
    },
    // classes are what there is of expected outputs
    error: unlike / steps,
  }
}

async function scoreAngles(session: Session, part: number) {
  const { items, rgb } = readLines()
  let [hits, total, error] = [0, 0, 0]
  for (const line of evenly(items, part)) {
    for (const turned of [false, true]) {
      const found = (await run(session, angleInput(rgb, line, turned))).data as Float32Array
      total++
      if (found[1] > found[0] === turned) hits++
      // a squeezed image depends on the last bit of the resize
      if (line.width > angleWidth) continue
      error = Math.max(error, worst(found, turned ? line.angle.rotated180 : line.angle.upright))
    }
  }
  return { points: { 'top-1': points(hits, total) }, error }
}

export const recogniser: Task = {
  name: 'PP-OCR recogniser',
  data: 'models/ocr',
  model: () => ocrModel('ch_PP-OCRv4_rec_infer.onnx'),
  baseline: { 'characters right': 97.72, 'exact strings': 80, 'strings as the reference': 100 },
  // two of sixty
  mostLoss: { 'strings as the reference': 3.4 },
  // one line of fifteen, one character of 182
  quickLoss: { 'exact strings': 6.7, 'strings as the reference': 6.7, 'characters right': 0.6 },
  quick: 0.25,
  score: scoreLines,
}

export const angles: Task = {
  name: 'PP-OCR angle classifier',
  data: 'models/ocr',
  model: () => ocrModel('ch_ppocr_mobile_v2.0_cls_infer.onnx'),
  baseline: { 'top-1': 95 },
  quick: 1,
  score: scoreAngles,
}
