// SPDX-License-Identifier: Apache-2.0
/**
 * Oracles of the GEMM family (src/kernels/gemm.ts): direct sums in double precision over logical matrices and images,
 * and the layouts built one element at a time. Bounds come from the number of roundings, and are zero where scales are
 * 1 and the integers stay below 2^24. Bytes of A stay below 128, where the dot of every host agrees.
 */
import { type Activation, activations } from '../../../src/kernels/gemm.ts'
import { activationFunctions } from '../../../src/ops/activation-reference.ts'
import { type Arg, exact, input, type KernelCase, type Oracle, output, scratch } from '../kernel.ts'
import { randomFloats, randomIntegers } from '../values.ts'
import { type Kind, kinds, panels, roundUp } from './panels.ts'

type Random = () => number

interface EpilogueOptions {
  readonly activation?: Activation
  readonly bias?: boolean
  readonly residual?: boolean
  /** Elements past the columns of a row of C and of the residual. */
  readonly gap?: number
  /** Bytes that operands are away from 64-byte alignment. */
  readonly offset?: number
}

interface Sum {
  readonly value: number
  /** Largest error that float32 arithmetic may have made; 0: the value is an exact integer. */
  readonly error: number
}

const parameters: Partial<Record<Activation, readonly [number, number]>> = {
  Clip: [-0.5, 1.25],
  LeakyRelu: [0.125, 0],
  HardSigmoid: [0.2, 0.5],
}

/** C and the epilogue's arguments for images of `rows` x `columns`, whose sums `sumAt` gives. */
function finished(
  random: Random,
  images: number,
  rows: number,
  columns: number,
  options: EpilogueOptions,
  sumAt: (image: number, row: number, column: number) => Sum,
) {
  const { activation = 'None', bias = true, residual = false, gap = 0, offset = 0 } = options
  const [p0, p1] = parameters[activation] ?? [0, 0]
  const plain = activation === 'None'
  const postScale = plain ? 1 : 1.5
  const postShift = plain ? 0 : -0.25
  const ldc = columns + gap
  const ldr = columns + 2 * gap
  const batchC = rows * ldc + gap
  const batchR = rows * ldr
  const biases = randomFloats(random, columns)
  const residuals = randomFloats(random, images * batchR)
  const want = new Array<number | undefined>(images * batchC).fill(undefined)
  const bounds = new Float64Array(want.length)
  for (let image = 0; image < images; image++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = image * batchC + row * ldc + column
        const sum = sumAt(image, row, column)
        const parts = [
          sum.value,
          bias ? biases[column]! : 0,
          residual ? residuals[image * batchR + row * ldr + column]! : 0,
        ]
        const x = parts[0]! + parts[1]! + parts[2]!
        const y = activationFunctions[activation](x, p0, p1)
        want[at] = y * postScale + postShift
        if (sum.error === 0 && plain && !bias && !residual) continue
        const size = parts.reduce((total, part) => total + Math.abs(part), 0)
        bounds[at] = 1.3 * postScale * (sum.error + 1e-6 * (size + Math.abs(y))) + 2e-7 * Math.abs(want[at]!)
      }
    }
  }
  const args: Record<string, Arg> = {
    c: output(Float32Array, want, (i) => (bounds[i] === 0 ? exact : { abs: bounds[i]!, rel: 0 }), offset),
    ldc,
    batchC,
    bias: bias ? input(biases, offset) : null,
    residual: residual ? input(residuals, offset) : null,
    ldr,
    batchR,
    activation: activations.indexOf(activation),
    p0,
    p1,
    postScale,
    postShift,
  }
  return args
}

/** A float32 sum of `terms` products whose sizes add up to `size`. */
const floatSum = (value: number, size: number, terms: number): Sum => ({
  value,
  error: (terms + 2) * 6e-8 * size + 1e-30,
})

/** Scales, zero points and column sums, and what they make of an integer sum. */
function quantised(
  random: Random,
  records: number,
  weights: ArrayLike<number>,
  shape: { groups: number; n: number; k: number },
  unit: boolean,
) {
  const { groups, n, k } = shape
  const params = new Float32Array(2 * records)
  const zeros = new Int32Array(params.buffer)
  for (let i = 0; i < records; i++) {
    params[2 * i] = unit ? 1 : 0.004 + 0.01 * random()
    zeros[2 * i + 1] = Math.floor(random() * 256) - (i % 2) * 128
  }
  const wScale = unit ? new Float32Array(groups * n).fill(1) : randomFloats(random, groups * n, 0.01)
  const sums = new Int32Array(groups * roundUp(n, 8))
  for (let group = 0; group < groups; group++) {
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < k; i++) sums[group * roundUp(n, 8) + j]! += weights[(group * n + j) * k + i]!
    }
  }
  const sumOf = (acc: number, record: number, group: number, j: number): Sum => {
    const zero = zeros[2 * record + 1]!
    const value = params[2 * record]! * wScale[group * n + j]! * (acc - zero * sums[group * roundUp(n, 8) + j]!)
    return { value, error: unit ? 0 : Math.abs(value) * 3e-7 + 1e-30 }
  }
  return { args: { aParams: input(params), wScale: input(wScale), wSum: input(sums) }, zeros, sumOf }
}

interface GemmOptions extends EpilogueOptions {
  readonly batch?: number
  readonly mb?: number
  readonly nb?: number
  /** One B for all batches. */
  readonly shared?: boolean
  /** Elements between rows of A beyond k. */
  readonly between?: number
  /** One scale and zero point per batch, not per row. */
  readonly perBatch?: boolean
  /** Scales of 1: the output is the integers. */
  readonly integers?: boolean
}

function gemmCase(kind: Kind, random: Random, m: number, n: number, k: number, options: GemmOptions = {}): KernelCase {
  const { batch = 1, mb = m, nb = n, shared = false, between = 0, perBatch = false, integers = false } = options
  const { group, values } = kinds[kind]
  const lda = roundUp(k, group) + between
  const a = values(random, batch * m * lda + group)
  const copies = shared ? 1 : batch
  const w =
    kind === 'f32' ? randomFloats(random, copies * n * k) : randomIntegers(Int8Array, random, copies * n * k, -128, 127)
  const packed = panels(kind, w, copies, n, k)
  const quant = quantised(random, perBatch ? batch : batch * m, w, { groups: copies, n, k }, integers)
  const sumAt = (image: number, row: number, column: number): Sum => {
    const copy = shared ? 0 : image
    let value = 0
    let size = 0
    for (let i = 0; i < k; i++) {
      const product = a[(image * m + row) * lda + i]! * w[(copy * n + column) * k + i]!
      value += product
      size += Math.abs(product)
    }
    if (kind === 'f32') return floatSum(value, size, k)
    return quant.sumOf(value, perBatch ? image : image * m + row, copy, column)
  }
  const epilogue = finished(random, batch, m, n, integers ? { ...options, bias: false } : options, sumAt)
  return {
    title: `${m}x${k}x${n} ${JSON.stringify(options)}`,
    units: batch * Math.ceil(m / mb) * Math.ceil(n / nb),
    args: {
      a: input(a, kind === 's8_dot' ? (options.offset ?? 0) >> 2 : options.offset),
      lda,
      batchA: m * lda,
      b: input(packed, options.offset),
      batchBBytes: copies > 1 ? packed.byteLength / copies : 0,
      batch,
      m,
      n,
      k,
      mb,
      nb,
      ...epilogue,
      ...(kind === 'f32' ? {} : { ...quant.args, aParamsStride: perBatch ? 0 : 1, batchParams: perBatch ? 1 : m }),
    },
  }
}

const gemmOracle =
  (kind: Kind): Oracle =>
  (random) => {
    const one = (m: number, n: number, k: number, options?: GemmOptions) => gemmCase(kind, random, m, n, k, options)
    const cases = [
      one(1, 1, 1),
      one(6, 8, 16, { bias: false }),
      one(12, 16, 64, { residual: true }),
      one(7, 9, 5, { gap: 3, residual: true, offset: 4 }),
      one(31, 43, 19, { mb: 12, nb: 16, gap: 1, activation: 'Relu' }),
      one(26, 24, 3, { mb: 6, nb: 8, batch: 2, residual: true, gap: 2, between: 5 }),
      one(9, 20, 12, { batch: 3, shared: true, perBatch: true, offset: 12 }),
      one(5, 12, 7, { batch: 3 }),
      one(3, 33, 8, { batch: 2, nb: 24, gap: 7 }),
      one(1, 77, 37, { nb: 40 }),
      one(2, 45, 21, { residual: true }),
      one(10, 1, 33, { activation: 'Sigmoid', residual: true }),
      one(4, 2, 6, { gap: 2 }),
      one(8, 3, 2, { perBatch: true }),
      one(3, 5, 0),
      ...activations.map((activation) => one(7, 21, 24, { activation, residual: true, mb: 6, nb: 16 })),
    ]
    if (kind !== 'f32') {
      for (const [m, n, k] of [
        [6, 8, 300],
        [1, 40, 13],
        [4, 3, 130],
        [2, 17, 64],
        [11, 9, 1],
      ]) {
        cases.push(one(m!, n!, k!, { integers: true }))
      }
    }
    return cases
  }

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
export function geometry(s: Pick<ConvShape, 'h' | 'w' | 'kernel' | 'stride' | 'dilation' | 'pad'>) {
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
  const packed = panels(kind, w, groups, n, k)
  const quant = quantised(random, images, w, { groups, n, k }, false)
  // a byte of padding has to be one that every host's dot reads alike
  if (kind === 's8_dot') quant.zeros.forEach((zero, i) => (quant.zeros[i] = i % 2 ? zero & 127 : zero))
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
    args: {
      a: input(x, kind === 's8_dot' ? (options.offset ?? 0) >> 2 : options.offset),
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
    one({ h: 3, w: 3, channels: 4, kernel: [3, 3], dilation: [5, 5], pad: [5, 5, 5, 5] }),
  ]
}

export const oracles: Readonly<Record<string, Oracle>> = {
  gemm_f32: gemmOracle('f32'),
  gemm_s8_dot: gemmOracle('s8_dot'),
  gemm_s8_pairs: gemmOracle('s8_pairs'),
  conv_f32: convOracle('f32'),
  conv_s8_dot: convOracle('s8_dot'),
  conv_s8_pairs: convOracle('s8_pairs'),
  dwconv_f32: depthwiseOracle,
}
