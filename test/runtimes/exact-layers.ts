// SPDX-License-Identifier: Apache-2.0
/**
 * Int8 layers whose float32 outputs say their integers: all scales are powers of two and sums stay below 2^24, so no
 * step rounds and every host must give the same numbers to the bit. The oracle is plain loops over integers. Rows that
 * are all 127 meet weights that are all 127 and -127, where dots that saturate would show.
 */
import { writeContainer } from '../../src/format/container.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { randomInteger, seededRandom } from '../../src/base/rng.ts'

/** Numbers with dims, as JSON carries them. */
export interface PlainTensor {
  readonly dims: readonly number[]
  readonly data: readonly number[]
}

export interface ExactLayer {
  readonly name: string
  /** A `.whittle` file with one layer, input `x`, output `y`. */
  readonly model: Uint8Array
  readonly x: PlainTensor
  readonly y: PlainTensor
}

const random = seededRandom(20)
const integer = (from: number, to: number): number => randomInteger(random, from, to)
const integers = (count: number, from: number, to: number): number[] =>
  Array.from({ length: count }, () => integer(from, to))

/** Integers from -128 to 127 with both ends among them, so that the scale of their range is what they were scaled by. */
function bytes(count: number): number[] {
  const values = integers(count, -128, 127)
  values[0] = -128
  values[count - 1] = 127
  return values
}

const wScales = (count: number): number[] => Array.from({ length: count }, (_, i) => 2 ** -(1 + (i % 7)))
const list = (values: readonly number[]): string => values.join(' ')

function modelOf(x: string, y: string, constants: readonly string[], call: string): Uint8Array {
  const lines = [`input x: float32[${x}]`, ...constants.map((constant) => `const ${constant}`), call]
  return writeContainer(
    toContainer(parseGraph(`graph main opset 17 {\n${lines.join('\n')}\noutput y: float32[${y}]\n}`)),
  )
}

function gemm(): ExactLayer {
  const [m, k, n] = [6, 301, 37]
  const w = integers(n * k, -127, 127).map((value, i) => (i < k ? 127 : i < 2 * k ? -127 : value))
  const scales = wScales(n)
  const bias = integers(n, -90, 90)
  const rows = Array.from({ length: m }, (_, row) =>
    row === 0 ? [-128, ...new Array<number>(k - 1).fill(127)] : bytes(k),
  )
  const y = rows.flatMap((row, r) =>
    scales.map((scale, j) => row.reduce((sum, value, i) => sum + value * w[j * k + i], 0) * scale * 2 ** -r + bias[j]),
  )
  const constants = [
    `w: int8[${n}, ${k}] = ${list(w)}`,
    `s: float32[${n}] = ${list(scales)}`,
    `b: float32[${n}] = ${list(bias)}`,
  ]
  return {
    name: 'gemm',
    model: modelOf(`m, ${k}`, `m, ${n}`, constants, 'y = whittle.DynamicQuantizeGemm(x, w, s, b)'),
    x: { dims: [m, k], data: rows.flatMap((row, r) => row.map((value) => value * 2 ** -r)) },
    y: { dims: [m, n], data: y },
  }
}

interface ConvCase {
  readonly name: string
  readonly images: number
  readonly height: number
  readonly width: number
  readonly inC: number
  readonly outC: number
  readonly kernel: number
  readonly stride: number
  readonly group: number
}

function conv(c: ConvCase): ExactLayer {
  const { images, height, width, inC, outC, kernel, stride, group } = c
  const depth = inC / group
  const pad = (kernel - 1) / 2
  const [outH, outW] = [height, width].map((size) => Math.floor((size + 2 * pad - kernel) / stride) + 1)
  const w = integers(outC * kernel * kernel * depth, -127, 127)
  const scales = wScales(outC)
  const bias = integers(outC, -90, 90)
  const x = Array.from({ length: images }, () => bytes(height * width * inC))
  const at = (image: number, row: number, column: number, channel: number): number =>
    row < 0 || row >= height || column < 0 || column >= width ? 0 : x[image][(row * width + column) * inC + channel]
  const sumAt = (image: number, row: number, column: number, channel: number): number => {
    const first = Math.floor(channel / (outC / group)) * depth
    let sum = 0
    for (let i = 0; i < kernel * kernel * depth; i++) {
      const [dy, dx, dc] = [Math.floor(i / (kernel * depth)), Math.floor(i / depth) % kernel, i % depth]
      sum +=
        w[channel * kernel * kernel * depth + i] *
        at(image, row * stride + dy - pad, column * stride + dx - pad, first + dc)
    }
    return sum
  }
  const y = Array.from({ length: images * outH * outW * outC }, (_, i) => {
    const channel = i % outC
    const pixel = Math.floor(i / outC)
    const image = Math.floor(pixel / (outH * outW))
    const sum = sumAt(image, Math.floor(pixel / outW) % outH, pixel % outW, channel)
    return sum * scales[channel] * 2 ** -image + bias[channel]
  })
  const constants = [
    `w: int8[${outC}, ${kernel}, ${kernel}, ${depth}] = ${list(w)}`,
    `s: float32[${outC}] = ${list(scales)}`,
    `b: float32[${outC}] = ${list(bias)}`,
  ]
  const attributes = `{strides: [${stride}, ${stride}], pads: [${pad}, ${pad}, ${pad}, ${pad}], group: ${group}}`
  return {
    name: c.name,
    model: modelOf(
      `n, h, w, ${inC}`,
      `n, oh, ow, ${outC}`,
      constants,
      `y = whittle.DynamicQuantizeConv(x, w, s, b) ${attributes}`,
    ),
    x: { dims: [images, height, width, inC], data: x.flatMap((image, i) => image.map((value) => value * 2 ** -i)) },
    y: { dims: [images, outH, outW, outC], data: y },
  }
}

/** A matrix product, convolutions with and without a window, one in groups, one depthwise. */
export function exactLayers(): ExactLayer[] {
  return [
    gemm(),
    conv({ name: 'conv', images: 2, height: 11, width: 9, inC: 5, outC: 19, kernel: 3, stride: 2, group: 1 }),
    conv({ name: 'pointwise', images: 2, height: 8, width: 7, inC: 33, outC: 24, kernel: 1, stride: 1, group: 1 }),
    conv({ name: 'grouped', images: 1, height: 8, width: 8, inC: 8, outC: 12, kernel: 3, stride: 1, group: 4 }),
    conv({ name: 'depthwise', images: 1, height: 9, width: 8, inC: 12, outC: 12, kernel: 3, stride: 1, group: 12 }),
  ]
}
