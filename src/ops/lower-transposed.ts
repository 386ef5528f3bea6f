// SPDX-License-Identifier: Apache-2.0
/**
 * Transposed convolution as a convolution, without zeros between its pixels. Along an axis of stride s, results o with
 * the same p = (o + pad) mod s are sums over the taps t = p + s j alone, and of the pixels floor((o + pad) / s) - j: a
 * convolution of ceil(k / s) taps and stride 1. All s of them (s * s in a plane) are one convolution with as many times
 * the output channels, whose results are then put side by side. Taps that k lacks, or that a dilation leaves out, are
 * zero weights.
 */
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { fromChannelsLast, toChannelsLast } from './channels-first.ts'
import { noEpilogue } from './epilogue.ts'
import { type ConvShape, convMatrix, depthwiseLayout, emitConv, isDepthwise } from './lower-conv.ts'
import { shifted } from './lower-elementwise.ts'
import { packF32 } from './lower-gemm.ts'
import { copyElements, fill } from './lower-move.ts'
import type { Lowering, Ref } from './lower.ts'
import type { Window } from './window.ts'

interface Axis {
  readonly stride: number
  /** Taps of each of the convolutions. */
  readonly taps: number
  /** First position that the convolution computes, and how many there are. */
  readonly first: number
  readonly count: number
  readonly begin: number
  /** Results, and how many before them are cut off. */
  readonly out: number
  readonly cut: number
}

function axisOf({ kernel, strides, dilations, begin }: Window<number>, i: number, out: number): Axis {
  const stride = strides[i]
  const taps = Math.ceil(((kernel[i] - 1) * dilations[i] + 1) / stride)
  const first = Math.floor(begin[i] / stride)
  const count = Math.ceil((out + begin[i]) / stride) - first
  return { stride, taps, first, count, begin: taps - 1 - first, out, cut: begin[i] - first * stride }
}

/** Weights [C, M / group, kh, kw] with the taps that lack as zeros: the kernel's extent is stride * taps. */
function wholeTaps(lowering: Lowering, w: Ref, kernels: number, window: Window<number>, axes: readonly Axis[]): Ref {
  const extents = axes.map(({ stride, taps }) => stride * taps)
  if (window.kernel.every((size, i) => size === extents[i])) return w
  const target = lowering.scratch(kernels * sizeOf(extents) * 4)
  fill(lowering, target, kernels * sizeOf(extents), 0)
  const [down, right] = window.dilations
  copyElements(lowering, {
    width: 4,
    dims: [kernels, ...window.kernel],
    source: w,
    strides: stridesOf([kernels, ...window.kernel]),
    target,
    targetStrides: [sizeOf(extents), down * extents[1], right],
  })
  return target
}

/** The weights of the one convolution: [group][s][s][M / group][taps][taps][C / group], taps reversed. */
function turned(lowering: Lowering, w: Ref, group: number, inC: number, outC: number, axes: readonly Axis[]): Ref {
  const [y, x] = axes
  const width = x.stride * x.taps
  const plane = y.stride * y.taps * width
  const dims = [y.stride, x.stride, outC, y.taps, x.taps, inC]
  const strides = [width, 1, plane, -y.stride * width, -x.stride, outC * plane]
  const target = lowering.scratch(group * sizeOf(dims) * 4)
  const source = shifted(w, ((y.taps - 1) * y.stride * width + (x.taps - 1) * x.stride) * 4)
  const whole = {
    width: 4,
    dims: [group, ...dims],
    source,
    strides: [inC * outC * plane, ...strides],
    target,
    targetStrides: stridesOf([group, ...dims]),
  }
  if (copyElements(lowering, whole)) return target
  for (let g = 0; g < group; g++) {
    copyElements(lowering, {
      width: 4,
      dims,
      source: shifted(source, g * inC * outC * plane * 4),
      strides,
      target: shifted(target, g * sizeOf(dims) * 4),
      targetStrides: stridesOf(dims),
    })
  }
  return target
}

/** Results [images][y][x][group][s][s][M / group] side by side as NHWC, without what is cut off. */
function interleave(
  lowering: Lowering,
  source: Ref,
  target: Ref,
  { images, group, outC, axes }: { images: number; group: number; outC: number; axes: readonly Axis[] },
): void {
  const [y, x] = axes
  const [height, width, channels] = [y.count * y.stride, x.count * x.stride, group * outC]
  const whole = height === y.out && width === x.out
  const place = whole ? target : lowering.scratch(images * height * width * channels * 4)
  const phases = y.stride * x.stride
  // images and rows of positions follow each other on both sides
  copyElements(lowering, {
    width: 4,
    dims: [images * y.count, y.stride, x.count, x.stride, group, outC],
    source,
    strides: [x.count * phases * channels, x.stride * outC, phases * channels, outC, phases * outC, 1],
    target: place,
    targetStrides: stridesOf([images * y.count, y.stride, x.count, x.stride, group, outC]),
  })
  if (whole) return
  const dims = [images, y.out, x.out, channels]
  copyElements(lowering, {
    width: 4,
    dims,
    source: shifted(place, (y.cut * width + x.cut) * channels * 4),
    strides: stridesOf([images, height, width, channels]),
    target,
    targetStrides: stridesOf(dims),
  })
}

/**
 * Emits it, channels first: inputs 0, 1 and 2 are X, W and B.
 * @param window the one that slides over the result, a plane; its `out` are the input's dims
 * @param out the result's height and width
 */
export function lowerTransposed(
  lowering: Lowering,
  group: number,
  window: Window<number>,
  out: readonly number[],
): void {
  const [x, w, bias] = [lowering.input(0)!, lowering.input(1)!, lowering.input(2)]
  const [images, inC] = x.dims
  const outC = w.dims[1]
  const [inH, inW] = window.out
  const axes = [0, 1].map((i) => axisOf(window, i, out[i]))
  const phases = axes[0].stride * axes[1].stride
  const begin = axes.map((axis) => axis.begin)
  const shape: ConvShape = {
    images,
    inH,
    inW,
    inC,
    outC: group * phases * outC,
    group,
    window: {
      kernel: axes.map(({ taps }) => taps),
      strides: [1, 1],
      dilations: [1, 1],
      begin,
      end: axes.map(({ count, taps }, i) => count + taps - 1 - begin[i] - window.out[i]),
      out: axes.map(({ count }) => count),
    },
  }
  const pixels = toChannelsLast(lowering, x.ref, { images, channels: inC, pixels: inH * inW })
  const taps = wholeTaps(lowering, w.ref, inC * outC, window, axes)
  const weights = turned(lowering, taps, group, inC / group, outC, axes)
  const packing = isDepthwise(shape) ? undefined : packF32(convMatrix(shape))
  const layout = packing?.layout ?? depthwiseLayout(shape)
  const packed = lowering.scratch(layout.bytes)
  for (const step of layout.steps(weights, packed)) lowering.step(step)
  let biases = bias?.ref ?? null
  if (bias && phases > 1) {
    biases = lowering.scratch(shape.outC * 4)
    const dims = [group, phases, outC]
    const copy = { width: 4, dims, source: bias.ref, strides: [outC, 0, 1], target: biases }
    copyElements(lowering, { ...copy, targetStrides: stridesOf(dims) })
  }
  const result = { images, channels: group * outC, pixels: out[0] * out[1] }
  fromChannelsLast(lowering, lowering.output(0).ref, result, (place) => {
    const y = phases === 1 ? place : lowering.scratch(images * axes[0].count * axes[1].count * shape.outC * 4)
    emitConv(lowering, { shape, x: pixels, w: packed, packing, y, epilogue: { ...noEpilogue, bias: biases } })
    if (phases > 1) interleave(lowering, y, place, { images, group, outC, axes })
  })
}
