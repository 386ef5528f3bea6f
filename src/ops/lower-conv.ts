// SPDX-License-Identifier: Apache-2.0
/**
 * Convolutions as steps, channels last. A shape goes the fastest way it fits: summed by channel, as depthwise ones are and
 * groups of few channels can be; a plain matrix product when the kernel is one pixel wide and nothing moves; else implicit
 * GEMM, which gathers pixels into the thread's scratch.
 * Channels-first convolutions come here between two transposes (lower-layout.ts).
 */
import { blocksOf, panelColumns, roundUp } from '../kernels/blocks.ts'
import type { EpilogueArgs } from './epilogue.ts'
import { grainOf } from './grid.ts'
import { shifted } from './lower-elementwise.ts'
import { type Packing, type QuantizedParts, type ByteRecipe, emitByteGemm, emitGemm } from './lower-gemm.ts'
import { copyElements } from './lower-move.ts'
import type { Lowering, Ref, WeightLayout } from './lower.ts'
import type { Window } from './window.ts'

/** A convolution over NHWC with weights [outC, kh, kw, inC / group]. */
export interface ConvShape {
  readonly images: number
  readonly inH: number
  readonly inW: number
  readonly inC: number
  readonly outC: number
  readonly group: number
  /** Two spatial axes. */
  readonly window: Window<number>
}

/** What is known of it without its input. */
export interface ConvLayer extends Pick<ConvShape, 'inC' | 'outC' | 'group'> {
  readonly window: Pick<Window<number>, 'kernel' | 'strides' | 'dilations'>
}

export type ConvWay = 'depthwise' | 'gemm' | 'gather'

/**
 * Summed by channel: there is one input channel for each output channel, or groups have so few that copying those of each
 * output side by side, to do the same, is less work than gathering. The figures are multiply-adds of a product in panels
 * in the time of: copying an element, beginning a run of copies, a multiply-add by channel, and gathering a run or ending
 * a row; by shapes of 1 to 8 channels a group on Zen 3. The answer depends on the layer alone.
 */
export function isDepthwise({ group, inC, outC, window }: ConvLayer): boolean {
  const [depth, n] = [inC / group, outC / group]
  const [taps, spread] = [window.kernel, window.strides].map(([y, x]) => y * x)
  const copies = n * depth * (spread * (10 + 160 / group) + taps * 2.5)
  const product = (taps + 1) * 100 + roundUp(n, panelColumns) * taps * depth
  return depth * n === 1 || (group > 1 && (depth === 1 || window.dilations[1] === 1) && copies < product)
}

/** Which kernels do this shape. */
export function convWay(shape: ConvShape): ConvWay {
  const { group, window } = shape
  if (isDepthwise(shape)) return 'depthwise'
  const still = [...window.kernel, ...window.strides].every((v) => v === 1)
  const whole = [...window.begin, ...window.end].every((v) => v === 0)
  return group === 1 && still && whole ? 'gemm' : 'gather'
}

/** The packed weights of a product form: per group outC / group columns of depth kh * kw * inC / group. */
export function convMatrix({ inC, outC, group, window }: ConvShape) {
  const [kh, kw] = window.kernel
  const k = (kh * kw * inC) / group
  const n = outC / group
  return { n, k, colStride: k, depthStride: 1, batch: group, batchSrc: n * k }
}

/** [outC][k] to [k][outC], float32: the weights of dwconv_f32. */
export function depthwiseLayout(shape: ConvShape): WeightLayout {
  const { outC: rows } = shape
  const { k: cols } = convMatrix(shape)
  return {
    key: `dw:${rows}:${cols}`,
    bytes: rows * cols * 4,
    steps: (x, y) => [{ kernel: 'transpose_4', units: Math.ceil(rows / 8), args: { x, y, batch: 1, rows, cols } }],
  }
}

/**
 * The same from int8 rows with a scale each. Done in every run: a packed copy may depend on its own constant alone, and
 * these weights are few.
 */
export function emitDepthwiseWeights(lowering: Lowering, w: Ref, scale: Ref, shape: ConvShape): Ref {
  const { outC: n } = shape
  const { k } = convMatrix(shape)
  const dst = lowering.scratch(n * k * 4)
  const args = { src: w, dst, scale, n, k, transposed: 1 }
  lowering.step({ kernel: 'dequantize_rows_s8', units: n, grain: grainOf(k), args })
  return dst
}

export interface ConvCall {
  readonly shape: ConvShape
  readonly x: Ref
  /** Packed as `convWay` wants. */
  readonly w: Ref
  readonly packing?: Packing
  readonly y: Ref
  readonly epilogue: EpilogueArgs
}

/** Emits the float32 convolution. */
export function emitConv(lowering: Lowering, call: ConvCall): void {
  const { shape, x, w, y, epilogue, packing } = call
  const { images, inC, outC } = shape
  const [outH, outW] = shape.window.out
  if (images * outH * outW * outC === 0) return
  const way = convWay(shape)
  if (way === 'depthwise') {
    emitDepthwise(lowering, call)
  } else if (way === 'gemm') {
    const m = images * outH * outW
    emitGemm(lowering, { a: x, lda: inC, b: w, c: y, ldc: outC, m, n: outC, k: inC, epilogue })
  } else {
    const { units, args } = gatherWords(lowering, call, inC, 4, packing!.batchBytes)
    lowering.step({ kernel: 'conv_f32', units, args: { ...args, a: x, b: w, c: y, ...epilogue } })
  }
}

/**
 * Bytes of copied pixels for each thread. They are read where they were written, in the second-level cache or not far behind
 * it; smaller bands would copy more lines that two of them need.
 */
const bandBytes = 1024 * 1024

/**
 * Emits a convolution that sums by channel. Where groups are more than a channel, each pixel becomes as many as the group has
 * channels, side by side and outC wide: the j-th has the j-th channel of each output's group. They are made for a
 * band of lines at a time.
 */
export function emitDepthwise(lowering: Lowering, { shape, x, w, y, epilogue }: ConvCall): void {
  const { images, inH, inW, inC, outC: channels, group, window } = shape
  const [outH, outW] = window.out
  const words = windowWords(window)
  const args = { x, w, y, images, channels, inH, inW, outH, outW, ...words, ...epilogue }
  if (inC === channels && group === inC) {
    lowering.step({ kernel: 'dwconv_f32', units: images * outH, args })
    return
  }
  const { strideH, padTop } = words
  const [depth, n] = [inC / group, channels / group]
  const reach = (words.kh - 1) * words.dilationH + 1
  const line = inW * depth * channels * 4
  const spare = (bandBytes * lowering.host.threads) / line - reach
  const rows = Math.min(outH, Math.max(0, Math.floor(spare / strideH)) + 1)
  const band = lowering.scratch(Math.min(inH, (rows - 1) * strideH + reach) * line)
  for (let image = 0; image < images; image++) {
    for (let row = 0; row < outH; row += rows) {
      const units = Math.min(rows, outH - row)
      const top = row * strideH - padTop
      const first = Math.max(0, top)
      const lines = Math.max(0, Math.min(inH, top + (units - 1) * strideH + reach) - first)
      copyElements(lowering, {
        width: 4,
        dims: [lines * inW, depth, n, group],
        source: shifted(x, (image * inH + first) * inW * inC * 4),
        strides: [inC, 1, 0, depth],
        target: band,
        targetStrides: [depth * channels, channels, 1, n],
      })
      const { residual, batchR, ldr } = epilogue
      const own = {
        x: band,
        y: shifted(y, (image * outH + row) * outW * channels * 4),
        images: 1,
        inH: lines,
        inW: inW * depth,
        outH: units,
        kw: words.kw * depth,
        strideW: words.strideW * depth,
        padTop: first - top,
        padLeft: words.padLeft * depth,
        residual: residual && shifted(residual, (image * batchR + row * outW * ldr) * 4),
      }
      lowering.step({ kernel: 'dwconv_f32', units, args: { ...args, ...own } })
    }
  }
}

/** Emits the byte convolution: `x` is float32, quantised per image here; `parts` are the weight's scales and sums. */
export function emitByteConv(
  lowering: Lowering,
  call: ConvCall,
  weights: Pick<QuantizedParts, 'wScale' | 'wSum'>,
  recipe: ByteRecipe,
): void {
  const { shape, x, w, y, epilogue, packing } = call
  const { images, inH, inW, inC, outC } = shape
  const [outH, outW] = shape.window.out
  if (images * outH * outW * outC === 0) return
  const gathers = convWay(shape) === 'gather'
  const pixelStride = gathers ? inC : roundUp(inC, recipe.group)
  const { q, params } = quantizeImages(lowering, x, recipe, { images, pixels: inH * inW, channels: inC, pixelStride })
  const parts = { aParams: params, aParamsStride: 0, batchParams: 1, ...weights }
  if (gathers) {
    const { units, args } = gatherWords(lowering, call, pixelStride, recipe.bytes, packing!.batchBytes)
    lowering.step({ kernel: recipe.conv, units, args: { ...args, a: q, b: w, c: y, ...parts, ...epilogue } })
    return
  }
  const m = outH * outW
  const batches = { batch: images, batchA: m * pixelStride, batchC: m * outC }
  emitByteGemm(
    lowering,
    { a: q, lda: pixelStride, b: w, c: y, ldc: outC, m, n: outC, k: inC, epilogue, ...batches },
    parts,
    recipe,
  )
}

/** Quantises each image as a whole into scratch; rows of `pixelStride` elements. */
function quantizeImages(
  lowering: Lowering,
  x: Ref,
  recipe: ByteRecipe,
  shape: { images: number; pixels: number; channels: number; pixelStride: number },
): { q: Ref; params: Ref } {
  const { images, pixels, channels, pixelStride } = shape
  const size = pixels * channels
  // partials of 16 K elements: few to fold, enough to share
  const block = Math.min(size, 16384)
  const parts = Math.ceil(size / block)
  const partial = lowering.scratch(images * parts * 8)
  const params = lowering.scratch(images * 8)
  const q = lowering.scratch(images * pixels * pixelStride * recipe.bytes)
  lowering.step({ kernel: 'minmax_f32', units: images * parts, args: { x, partial, images, size, block } })
  const rows = Math.max(1, Math.floor(16384 / channels))
  lowering.step({
    kernel: recipe.image,
    units: images * Math.ceil(pixels / rows),
    args: {
      x,
      ldx: channels,
      q,
      ldq: pixelStride,
      params,
      partial,
      parts,
      images,
      rows: pixels,
      k: channels,
      block: rows,
      bias: recipe.bias,
    },
  })
  return { q, params }
}

/** Words of a window. */
export function windowWords({ kernel, strides, dilations, begin }: Window<number>) {
  return {
    kh: kernel[0],
    kw: kernel[1],
    strideH: strides[0],
    strideW: strides[1],
    padTop: begin[0],
    padLeft: begin[1],
    dilationH: dilations[0],
    dilationW: dilations[1],
  }
}

/** Words of the implicit GEMM except operands and epilogue; `bytes` per gathered element. */
export function gatherWords(
  lowering: Lowering,
  { shape, packing }: Pick<ConvCall, 'shape' | 'packing'>,
  pixelStride: number,
  bytes: 4 | 2 | 1,
  batchBBytes: number,
) {
  const { images, inH, inW, inC, outC, group, window } = shape
  const { n, k } = convMatrix(shape)
  const [outH, outW] = window.out
  const m = outH * outW
  const weightBytes = packing === undefined || bytes === 4 ? 4 : 1
  const { threads } = lowering.host
  const grid = blocksOf({ m, n, k, batch: images * group }, { weightBytes, threads, gathers: true })
  const ldp = roundUp(k, 16 / bytes)
  const scratchBytes = roundUp(grid.mb * ldp * bytes, 64)
  const args = {
    lda: pixelStride,
    batchA: inH * inW * pixelStride,
    batchBBytes,
    ldc: outC,
    batchC: m * outC,
    batch: images * group,
    m,
    n,
    k,
    mb: grid.mb,
    nb: grid.nb,
    groups: group,
    inH,
    inW,
    outW,
    ...windowWords(window),
    channels: inC / group,
    pixelStride,
    scratch: lowering.threadScratch(scratchBytes),
    scratchBytes,
    ldp,
  }
  return { units: images * group * grid.units, args }
}
