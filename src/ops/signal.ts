// SPDX-License-Identifier: Apache-2.0
/**
 * Signals: DFT and STFT over complex numbers as a last axis of two, the windows, and the mel scale. Sums are plain, in
 * doubles. https://onnx.ai/onnx/operators/onnx__DFT.html, onnx__STFT.html, onnx__MelWeightMatrix.html
 */
import { UnsupportedError } from '../base/errors.ts'
import { type Dim, isKnown } from '../ir/dim.ts'
import { dtypeOfOnnx } from '../tensor/dtype.ts'
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type OpContext,
  type OpDef,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { axisOf, complaint, integersFrom, needed, printDims, unknownDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

const flag = { kind: 'int', default: 0 } as const
const numerics = { relative: 1e-5, absolute: 1e-5 } as const

/** Bins of a spectrum of `length`. */
const binsOf = (length: number, onesided: boolean): number => (onesided ? Math.floor(length / 2) + 1 : length)

function inferDft([info, lengthInfo, axisInfo]: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  const x = needed(context, info, 'input')
  const axes = axisInfo ? integersFrom(axisInfo) : [-2]
  const { inverse, onesided } = context.attributes
  if (x.dims === null || axes === null) return [{ dtype: x.dtype, dims: null }]
  const axis = axisOf(context, axes[0], x.dims.length)
  if (x.dims.length < 2 || axis === x.dims.length - 1)
    throw complaint(context, 'an axis before the last', printDims(x.dims))
  const own = x.dims[axis]
  const half = onesided === 1
  let length: Dim | undefined = integersFrom(lengthInfo)?.[0]
  if (length === undefined && !lengthInfo && isKnown(own)) length = half && inverse === 1 ? 2 * (own - 1) : own
  const size =
    length === undefined ? unknownDims(context, 1)[0] : inverse === 1 ? length : binsOf(length as number, half)
  const last = half && inverse === 1 ? 1 : 2
  return [{ dtype: x.dtype, dims: x.dims.map((d, i) => (i === axis ? size : i === x.dims!.length - 1 ? last : d)) }]
}

function window(name: string): OpDef {
  return {
    inputs: [1, 1],
    attributes: { output_datatype: { kind: 'int', default: 1 }, periodic: { kind: 'int', default: 1 } },
    numerics: { relative: 1e-6, absolute: 1e-6 },
    infer([size], context) {
      const dtype = dtypeOfOnnx(context.attributes.output_datatype as number)
      if (dtype === undefined) throw complaint(context, 'a data type of ONNX as output_datatype', name)
      const length = integersFrom(needed(context, size, 'size'))?.[0]
      if (length !== undefined && length < 0) throw complaint(context, 'a size >= 0', String(length))
      return [{ dtype, dims: [length ?? unknownDims(context, 1)[0]] }]
    },
  }
}

export const ops = defineOps({
  BlackmanWindow: window('BlackmanWindow'),
  DFT: { inputs: [1, 3], attributes: { inverse: flag, onesided: flag }, numerics, infer: inferDft },
  HammingWindow: window('HammingWindow'),
  HannWindow: window('HannWindow'),
  MelWeightMatrix: {
    inputs: [5, 5],
    attributes: { output_datatype: { kind: 'int', default: 1 } },
    numerics,
    infer([bins, length], context) {
      const [columns, size] = [bins, length].map((info) => integersFrom(info)?.[0])
      if ((columns ?? 0) < 0 || (size ?? 0) < 0) throw complaint(context, 'sizes >= 0', `${columns} and ${size}`)
      const dims = unknownDims(context, 2)
      const dtype = dtypeOfOnnx(context.attributes.output_datatype as number) ?? 'float32'
      return [{ dtype, dims: [size === undefined ? dims[0] : binsOf(size, true), columns ?? dims[1]] }]
    },
  },
  STFT: {
    inputs: [2, 4],
    attributes: { onesided: { kind: 'int', default: 1 } },
    numerics,
    infer([signal, step, windowInfo, length], context) {
      const x = needed(context, signal, 'signal')
      const every = integersFrom(needed(context, step, 'frame_step'))?.[0]
      const size = length ? integersFrom(length)?.[0] : windowInfo?.dims?.[0]
      if (x.dims === null) return [{ dtype: x.dtype, dims: null }]
      if (x.dims.length < 2) throw complaint(context, 'a signal of dims [batch, length, 1 or 2]', printDims(x.dims))
      const total = x.dims[1]
      const [frames, bins] = unknownDims(context, 2)
      if (every !== undefined && every < 1) throw complaint(context, 'a frame_step >= 1', String(every))
      if (typeof size !== 'number' || every === undefined || !isKnown(total)) {
        return [{ dtype: x.dtype, dims: [x.dims[0], frames, bins, 2] }]
      }
      if (size < 1 || size > total) throw complaint(context, `frames of at most ${total}`, String(size))
      const count = Math.floor((total - size) / every) + 1
      return [{ dtype: x.dtype, dims: [x.dims[0], count, binsOf(size, context.attributes.onesided === 1), 2] }]
    },
  },
})

/** Real and imaginary parts by index. */
type Complex = (i: number) => readonly [number, number]

/** Products of a transform that one or two seconds are spent on. */
const mostProducts = 2 ** 28

/** @throws UnsupportedError where transforms would take too long */
function checkWork(runs: number, length: number, bins: number): void {
  if (runs * length * bins <= mostProducts) return
  const expected = `transforms of at most ${mostProducts} products`
  throw new UnsupportedError({ where: 'DFT', expected, got: String(runs * length * bins), todo: 'use shorter signals' })
}

/** e^(sign 2 pi i j / length) for j below `length`: a product takes one of these, not a sine of its own. */
function rotations(length: number, sign: 1 | -1): { cosines: Float64Array; sines: Float64Array } {
  const angles = Float64Array.from({ length }, (_, j) => (sign * 2 * Math.PI * j) / length)
  return { cosines: angles.map(Math.cos), sines: angles.map(Math.sin) }
}

/** The sum over i below `length` of x(i) e^(sign 2 pi i k / length), for bins k, by the rotations of that length. */
function transform(x: Complex, bins: number, { cosines, sines }: ReturnType<typeof rotations>): Float64Array {
  const { length } = cosines
  const values = new Float64Array(2 * length)
  for (let i = 0; i < length; i++) values.set(x(i), 2 * i)
  const out = new Float64Array(2 * bins)
  for (let k = 0; k < bins; k++) {
    let real = 0
    let imaginary = 0
    let j = 0
    for (let i = 0; i < length; i++) {
      const re = values[2 * i]
      const im = values[2 * i + 1]
      real += re * cosines[j] - im * sines[j]
      imaginary += re * sines[j] + im * cosines[j]
      j += k
      if (j >= length) j -= length
    }
    out[2 * k] = real
    out[2 * k + 1] = imaginary
  }
  return out
}

const dft: Reference = ([x, lengthInput, axisInput], { inverse, onesided }) => {
  const { dims } = x!
  const axis = normalizeAxis(axisInput ? integersOf(axisInput)[0] : -2, dims.length)
  const [own, parts] = [dims[axis], dims[dims.length - 1]]
  const [back, half] = [inverse === 1, onesided === 1]
  const length = lengthInput ? integersOf(lengthInput)[0] : half && back ? 2 * (own - 1) : own
  const bins = back ? length : binsOf(length, half)
  const lastOut = half && back ? 1 : 2
  const inner = sizeOf(dims.slice(axis + 1, -1))
  const values = numbersOf(x!)
  const outDims = dims.map((d, i) => (i === axis ? bins : i === dims.length - 1 ? lastOut : d))
  const result = new Float64Array(sizeOf(outDims))
  const runs = sizeOf(dims.slice(0, axis)) * inner
  checkWork(runs, length, bins)
  const turns = rotations(length, back ? 1 : -1)
  for (let run = 0; run < runs; run++) {
    const [outer, at] = [Math.floor(run / inner), run % inner]
    const stored: Complex = (i) => {
      if (i >= own) return [0, 0]
      const place = ((outer * own + i) * inner + at) * parts
      return [values[place], parts === 2 ? values[place + 1] : 0]
    }
    // half a spectrum of real numbers stands for the other half as well
    const mirrored: Complex = (i) => {
      if (i < own) return stored(i)
      const [re, im] = stored(length - i)
      return [re, -im]
    }
    const spectrum = transform(half && back ? mirrored : stored, bins, turns)
    for (let k = 0; k < bins; k++) {
      const place = ((outer * bins + k) * inner + at) * lastOut
      for (let part = 0; part < lastOut; part++) result[place + part] = spectrum[2 * k + part] / (back ? length : 1)
    }
  }
  return [tensorOf(x!.type, result, outDims)]
}

const stft: Reference = ([signal, stepInput, windowInput, lengthInput], { onesided }) => {
  const [batch, total] = signal!.dims
  const parts = signal!.dims[2] ?? 1
  const step = integersOf(stepInput!)[0]
  const size = lengthInput ? integersOf(lengthInput)[0] : windowInput!.dims[0]
  const shape = windowInput ? numbersOf(windowInput) : new Float64Array(size).fill(1)
  const bins = binsOf(size, onesided === 1)
  const frames = Math.floor((total - size) / step) + 1
  checkWork(batch * frames, size, bins)
  const turns = rotations(size, -1)
  const values = numbersOf(signal!)
  const result = new Float64Array(batch * frames * bins * 2)
  for (let b = 0; b < batch; b++) {
    for (let frame = 0; frame < frames; frame++) {
      const x: Complex = (i) => {
        const place = (b * total + frame * step + i) * parts
        return [values[place] * shape[i], parts === 2 ? values[place + 1] * shape[i] : 0]
      }
      result.set(transform(x, bins, turns), (b * frames + frame) * bins * 2)
    }
  }
  return [tensorOf(signal!.type, result, [batch, frames, bins, 2])]
}

/** a - b cos + c cos of twice the angle. */
function cosines(a: number, b: number, c: number): Reference {
  return ([size], { periodic, output_datatype: type }) => {
    const [length] = integersOf(size!)
    const period = periodic === 0 ? length - 1 : length
    const values = Array.from({ length }, (_, i) => {
      const angle = (2 * Math.PI * i) / period
      return a - b * Math.cos(angle) + c * Math.cos(2 * angle)
    })
    return [tensorOf(dtypeOfOnnx(type as number)!, values, [length])]
  }
}

const mel: Reference = ([binsInput, lengthInput, rateInput, lowInput, highInput], { output_datatype: type }) => {
  const [columns, length, rate] = [binsInput, lengthInput, rateInput].map((input) => integersOf(input!)[0])
  const [low, high] = [lowInput, highInput].map((input) => 2595 * Math.log10(1 + numbersOf(input!)[0] / 700))
  const rows = binsOf(length, true)
  const step = (high - low) / (columns + 2)
  const places = Array.from({ length: columns + 2 }, (_, i) => {
    const hertz = 700 * (10 ** ((i * step + low) / 2595) - 1)
    return Math.floor(((length + 1) * hertz) / rate)
  })
  const result = new Float64Array(rows * columns)
  for (let i = 0; i < columns; i++) {
    const [from, middle, to] = places.slice(i, i + 3)
    // frequencies may be far beyond the rows there are
    const [first, peak] = [Math.max(0, from), Math.max(0, middle)]
    if (middle === from) result[middle * columns + i] = 1
    else
      for (let j = first; j <= Math.min(middle, rows - 1); j++) result[j * columns + i] = (j - from) / (middle - from)
    for (let j = peak; j < Math.min(to, rows); j++) result[j * columns + i] = (to - j) / (to - middle)
  }
  return [tensorOf(dtypeOfOnnx(type as number)!, result, [rows, columns])]
}

export const references = {
  BlackmanWindow: cosines(0.42, 0.5, 0.08),
  DFT: dft,
  HammingWindow: cosines(25 / 46, 21 / 46, 0),
  HannWindow: cosines(0.5, 0.5, 0),
  MelWeightMatrix: mel,
  STFT: stft,
} satisfies Record<string, Reference>

const scalar = (value: number): Tensor => new Tensor('int64', [BigInt(value)], [])
const windows: Samples = (): Sample[] => [
  { inputs: [scalar(10)] },
  { inputs: [scalar(7)], attributes: { periodic: 0 } },
]

export const samples = {
  BlackmanWindow: windows,
  DFT: (random): Sample[] => [
    { inputs: [floats(random, [2, 10, 1])] },
    { inputs: [floats(random, [2, 5, 3, 2]), scalar(7), scalar(1)], attributes: { inverse: 1 } },
    { inputs: [floats(random, [1, 8, 1]), null, scalar(1)], attributes: { onesided: 1 } },
  ],
  HammingWindow: windows,
  HannWindow: windows,
  MelWeightMatrix: (): Sample[] => [
    {
      inputs: [scalar(8), scalar(16), scalar(8192), new Tensor('float32', [0], []), new Tensor('float32', [4096], [])],
    },
    { inputs: [scalar(4), scalar(16), scalar(1), new Tensor('float32', [0], []), new Tensor('float32', [1e30], [])] },
  ],
  STFT: (random): Sample[] => [
    { inputs: [floats(random, [2, 40, 1]), scalar(8), floats(random, [16])] },
    { inputs: [floats(random, [1, 40, 1]), scalar(5), null, longs(16)], attributes: { onesided: 0 } },
  ],
} satisfies Record<string, Samples>
