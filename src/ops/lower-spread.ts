// SPDX-License-Identifier: Apache-2.0
/** What a transposed convolution needs before it is a convolution: pixels spread over zeros, kernels turned round. */
import { flatGrid, grainOf } from './grid.ts'
import { shifted } from './lower-elementwise.ts'
import type { Lowering, Ref } from './lower.ts'

/** An NHWC image batch. */
export interface Pixels {
  readonly images: number
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** The image with stride - 1 zero pixels between its pixels; itself where the strides are 1. */
export function emitSpread(
  lowering: Lowering,
  x: Ref,
  shape: Pixels,
  strides: readonly number[],
): Pixels & { readonly ref: Ref } {
  const [down, right] = strides
  if (down === 1 && right === 1) return { ...shape, ref: x }
  const { images, channels } = shape
  const height = (shape.height - 1) * down + 1
  const width = (shape.width - 1) * right + 1
  const size = images * height * width * channels
  const ref = lowering.scratch(size * 4)
  const { block, units } = flatGrid(size)
  lowering.step({ kernel: 'fill_4', units, args: { dst: ref, size, block, value: 0 } })
  const [d2, d3, d4, d5] = [images, shape.height, shape.width, channels]
  lowering.step({
    kernel: 'copy_4',
    units: d2 * d3 * d4,
    grain: grainOf(d5),
    args: {
      src: x,
      dst: ref,
      d0: 1,
      d1: 1,
      d2,
      d3,
      d4,
      d5,
      s0: 0,
      s1: 0,
      s2: d3 * d4 * d5,
      s3: d4 * d5,
      s4: d5,
      s5: 1,
      t0: 0,
      t1: 0,
      t2: height * width * d5,
      t3: down * width * d5,
      t4: right * d5,
      t5: 1,
    },
  })
  return { images, height, width, channels, ref }
}

/** Weights [inC, outC, kh, kw] as [outC, kh, kw, inC] with both kernel axes reversed, in scratch. */
export function emitReversed(
  lowering: Lowering,
  w: Ref,
  { inC, outC, kh, kw }: { readonly inC: number; readonly outC: number; readonly kh: number; readonly kw: number },
): Ref {
  const taps = kh * kw
  const ref = lowering.scratch(inC * outC * taps * 4)
  lowering.step({
    kernel: 'copy_4',
    units: outC * taps,
    grain: grainOf(inC),
    args: {
      src: shifted(w, (taps - 1) * 4),
      dst: ref,
      d0: 1,
      d1: 1,
      d2: outC,
      d3: kh,
      d4: kw,
      d5: inC,
      s0: 0,
      s1: 0,
      s2: taps,
      s3: -kw,
      s4: -1,
      s5: outC * taps,
      t0: 0,
      t1: 0,
      t2: taps * inC,
      t3: kw * inC,
      t4: inC,
      t5: 1,
    },
  })
  return ref
}
