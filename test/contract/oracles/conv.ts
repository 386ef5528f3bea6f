// SPDX-License-Identifier: Apache-2.0
/**
 * Oracles of the convolutions (src/kernels/gemm.ts): direct sums in double precision over the taps of each output
 * pixel. Bytes of A stay below 128, where the dot of every host agrees, but in `wide` cases.
 */
import { input, type KernelCase, type Oracle, scratch } from '../kernel.ts'
import { randomFloats, randomIntegers } from '../values.ts'
import { type EpilogueOptions, finished, floatSum, quantised, type Sum } from './epilogue.ts'
import { bytesOf, makeNarrow, makeRowsExtreme, makeWeightsExtreme, makeWide, roundsAlike } from './extremes.ts'
import { type Kind, kinds, panels, roundUp } from './panels.ts'

type Random = () => number

interface ConvShape {
  readonly images?: number
  readonly groups?: number
  readonly h: number
  readonly w: number
  readonly channels: number
  readonly n: number
  readonly kernel: readonly [number, number]
  readonly stride?: readonly [number, number]
  readonly dilation?: readonly [number, number]
  /** Top, left, bottom, right. */
  readonly pad?: readonly [number, number, number, number]
  /** Channels of the input that this convolution does not read. */
  readonly spare?: number
  readonly mb?: number
  readonly nb?: number
}

/** Output size, and for each output pixel and tap the input pixel (or -1). */
function geometry(s: Pick<ConvShape, 'h' | 'w' | 'kernel' | 'stride' | 'dilation' | 'pad'>) {
  const [kh, kw] = s.kernel
  const [strideH, strideW] = s.stride ?? [1, 1]
  const [dilationH, dilationW] = s.dilation ?? [1, 1]
  const [top, left, bottom, right] = s.pad ?? [0, 0, 0, 0]
  const outH = Math.floor((s.h + top + bottom - dilationH * (kh - 1) - 1) / strideH) + 1
  const outW = Math.floor((s.w + left + right - dilationW * (kw - 1) - 1) / strideW) + 1
  const tapAt = (pixel: number, tap: number): number => {
    const y = Math.floor(pixel / outW) * strideH - top + Math.floor(tap / kw) * dilationH
    const x = (pixel % outW) * strideW - left + (tap % kw) * dilationW
    return y >= 0 && y < s.h && x >= 0 && x < s.w ? y * s.w + x : -1
  }
  const args = {
    inH: s.h,
    inW: s.w,
    outW,
    kh,
    kw,
    strideH,
    strideW,
    padTop: top,
    padLeft: left,
    dilationH,
    dilationW,
  }
  return { outH, outW, tapAt, args }
}

function convCase(kind: Kind, random: Random, s: ConvShape, options: EpilogueOptions = {}): KernelCase {
  const { images = 1, groups = 1, channels, n, spare = 0 } = s
  const { group, values } = kinds[kind]
  const { outH, outW, tapAt, args } = geometry(s)
  const taps = args.kh * args.kw
  const k = taps * channels
  const m = outH * outW
  const { mb = m, nb = n } = s
  const pixelStride = groups * channels + spare
  const batchA = s.h * s.w * pixelStride
  const x = values(random, images * batchA + group)
  const w =
    kind === 'f32' ? randomFloats(random, groups * n * k) : randomIntegers(Int8Array, random, groups * n * k, -128, 127)
  if (options.extreme) {
    makeRowsExtreme(x, pixelStride, channels)
    makeWeightsExtreme(w, k)
  }
  if (options.wide) makeWide(kind, random, x, w, k)
  if (kind === 's8_narrow') makeNarrow(w, k)
  const packed = panels(kind, w, groups, n, k)
  const quant = quantised(random, images, w, { groups, n, k }, false)
  // a byte of padding has to be one that every host's dot reads alike
  const most = options.wide ? 255 : 127
  if (group === 4) quant.zeros.forEach((zero, i) => (quant.zeros[i] = i % 2 ? zero & most : zero))
  const sumAt = (image: number, row: number, column: number): Sum => {
    const g = Math.floor(column / n)
    let value = 0
    let size = 0
    for (let tap = 0; tap < taps; tap++) {
      const from = tapAt(row, tap)
      for (let c = 0; c < channels; c++) {
        const outside = kind === 'f32' ? 0 : quant.zeros[2 * image + 1]!
        const read = from < 0 ? outside : x[image * batchA + from * pixelStride + g * channels + c]!
        const product = read * w[column * k + tap * channels + c]!
        value += product
        size += Math.abs(product)
      }
    }
    return kind === 'f32' ? floatSum(value, size, k) : quant.sumOf(value, image, g, column % n)
  }
  const ldp = roundUp(k, group)
  const bytes = mb * ldp * x.BYTES_PER_ELEMENT
  return {
    title: `${JSON.stringify(s)} ${JSON.stringify(options)}`,
    units: images * groups * Math.ceil(m / mb) * Math.ceil(n / nb),
    exact: kind !== 'f32' && roundsAlike(options),
    ...bytesOf(kind, options),
    args: {
      a: input(x, group === 4 ? (options.offset ?? 0) >> 2 : options.offset),
      lda: 0,
      batchA,
      b: input(packed),
      batchBBytes: packed.byteLength / groups,
      batch: images * groups,
      m,
      n,
      k,
      mb,
      nb,
      groups,
      ...args,
      channels,
      pixelStride,
      scratch: scratch(bytes),
      scratchBytes: bytes,
      ldp,
      ...finished(random, images, m, groups * n, options, sumAt),
      ...(kind === 'f32' ? {} : { ...quant.args, aParamsStride: 0, batchParams: 1 }),
    },
  }
}

const convOracle =
  (kind: Kind): Oracle =>
  (random) => {
    const one = (shape: ConvShape, options?: EpilogueOptions) => convCase(kind, random, shape, options)
    return [
      one({ h: 1, w: 1, channels: 1, n: 1, kernel: [1, 1] }),
      one({ h: 5, w: 7, channels: 8, n: 9, kernel: [1, 1], images: 2, mb: 12 }, { residual: true, gap: 1 }),
      one({ h: 4, w: 5, channels: 6, n: 10, kernel: [1, 1], groups: 2, spare: 3, nb: 8 }, { activation: 'HardSwish' }),
      one({ h: 7, w: 8, channels: 5, n: 12, kernel: [1, 1], stride: [2, 2] }, { offset: 4 }),
      one({ h: 6, w: 9, channels: 3, n: 16, kernel: [3, 3], pad: [1, 1, 1, 1], mb: 12, nb: 8 }, { activation: 'Relu' }),
      one({ h: 8, w: 8, channels: 16, n: 7, kernel: [3, 3], pad: [1, 1, 1, 1], stride: [2, 2], images: 2, mb: 6 }),
      one(
        { h: 9, w: 10, channels: 4, n: 5, kernel: [3, 2], dilation: [2, 3], pad: [2, 3, 1, 0] },
        { residual: true, gap: 2 },
      ),
      one(
        { h: 6, w: 6, channels: 7, n: 3, kernel: [3, 3], groups: 3, pad: [1, 1, 1, 1], images: 2, mb: 18 },
        { gap: 1 },
      ),
      one(
        { h: 1, w: 23, channels: 9, n: 20, kernel: [1, 5], pad: [0, 4, 0, 4], spare: 2, mb: 6, nb: 16 },
        { offset: 8 },
      ),
      one({ h: 2, w: 2, channels: 2, n: 4, kernel: [5, 5], pad: [4, 4, 4, 4], mb: 6 }, { activation: 'Silu' }),
      one(
        { h: 3, w: 3, channels: 1, n: 2, kernel: [3, 3], groups: 2, pad: [3, 3, 3, 3], stride: [3, 2] },
        { bias: false },
      ),
      one({ h: 4, w: 5, channels: 6, n: 9, kernel: [3, 3], pad: [1, 1, 1, 1], mb: 7 }, { extreme: true }),
      one({ h: 5, w: 4, channels: 8, n: 11, kernel: [1, 1] }, { extreme: true }),
      ...(kind === 'f32'
        ? []
        : [
            one({ h: 4, w: 5, channels: 6, n: 9, kernel: [3, 3], pad: [1, 1, 1, 1], mb: 7 }, { wide: true }),
            one({ h: 5, w: 4, channels: 9, n: 11, kernel: [1, 1] }, { wide: true }),
          ]),
      one({ h: 5, w: 5, channels: 20, n: 8, kernel: [2, 2], pad: [0, 0, 1, 1], stride: [1, 2], spare: 4 }),
    ]
  }

function depthwiseCase(
  random: Random,
  s: Omit<ConvShape, 'n' | 'groups' | 'mb' | 'nb' | 'spare'>,
  options: EpilogueOptions = {},
): KernelCase {
  const { images = 1, channels } = s
  const { outH, outW, tapAt, args } = geometry(s)
  const taps = args.kh * args.kw
  const x = randomFloats(random, images * s.h * s.w * channels)
  const w = randomFloats(random, taps * channels)
  if (options.extreme) {
    makeRowsExtreme(x, channels, channels)
    makeWeightsExtreme(w, channels)
  }
  const sumAt = (image: number, row: number, column: number): Sum => {
    let value = 0
    let size = 0
    for (let tap = 0; tap < taps; tap++) {
      const from = tapAt(row, tap)
      if (from < 0) continue
      const product = x[(image * s.h * s.w + from) * channels + column]! * w[tap * channels + column]!
      value += product
      size += Math.abs(product)
    }
    return floatSum(value, size, taps)
  }
  const { c, ldc: _ldc, batchC: _batchC, ...epilogue } = finished(random, images, outH * outW, channels, options, sumAt)
  return {
    title: `depthwise ${JSON.stringify(s)} ${JSON.stringify(options)}`,
    units: images * outH,
    args: { x: input(x, options.offset), w: input(w), y: c!, images, channels, outH, ...args, ...epilogue },
  }
}

const depthwiseOracle: Oracle = (random) => {
  const one = (shape: Parameters<typeof depthwiseCase>[1], options?: EpilogueOptions) =>
    depthwiseCase(random, shape, options)
  return [
    one({ h: 1, w: 1, channels: 1, kernel: [1, 1] }),
    one({ h: 6, w: 11, channels: 8, kernel: [3, 3], pad: [1, 1, 1, 1] }, { residual: true, activation: 'HardSwish' }),
    one({ h: 7, w: 14, channels: 21, kernel: [5, 5], pad: [2, 2, 2, 2], images: 2 }, { residual: true, offset: 4 }),
    one({ h: 9, w: 13, channels: 20, kernel: [3, 3], pad: [1, 1, 1, 1], stride: [2, 1] }, { activation: 'Relu' }),
    one({ h: 9, w: 16, channels: 13, kernel: [3, 3], pad: [1, 1, 1, 1], stride: [1, 2], images: 3 }),
    one({ h: 8, w: 19, channels: 12, kernel: [3, 5], dilation: [2, 2], pad: [2, 4, 2, 4] }, { activation: 'GeluTanh' }),
    one({ h: 5, w: 9, channels: 3, kernel: [3, 3], pad: [1, 1, 1, 1] }, { residual: true }),
    one({ h: 1, w: 30, channels: 6, kernel: [1, 7], pad: [0, 6, 0, 0] }, { bias: false }),
    one({ h: 2, w: 3, channels: 17, kernel: [5, 5], pad: [4, 4, 4, 4] }),
    one({ h: 4, w: 12, channels: 36, kernel: [2, 3], pad: [0, 0, 0, 0] }),
    one({ h: 6, w: 12, channels: 9, kernel: [3, 3], pad: [1, 1, 1, 1] }, { extreme: true }),
    one({ h: 6, w: 13, channels: 5, kernel: [5, 5], pad: [2, 2, 2, 2] }, { extreme: true }),
    one({ h: 7, w: 9, channels: 6, kernel: [3, 3], pad: [1, 1, 1, 1], stride: [2, 2] }, { extreme: true }),
    one({ h: 3, w: 3, channels: 4, kernel: [3, 3], dilation: [5, 5], pad: [5, 5, 5, 5] }),
  ]
}

export const oracles: Readonly<Record<string, Oracle>> = {
  conv_f32: convOracle('f32'),
  conv_s8_dot: convOracle('s8_dot'),
  conv_s8_narrow: convOracle('s8_narrow'),
  conv_s8_pairs: convOracle('s8_pairs'),
  dwconv_f32: depthwiseOracle,
}
