// SPDX-License-Identifier: Apache-2.0
/**
 * Channels first to channels last and back: the two transposes around kernels that want NHWC when the model keeps
 * NCHW. Axes of length 1 move for free: then the same memory serves and no step is emitted.
 */
import type { Lowering, Ref } from './lower.ts'

/** Whether both are the same bytes: an operand makes a Ref anew each time it is asked. */
export function samePlace(a: Ref, b: Ref): boolean {
  return a.id === b.id && a.offset === b.offset
}

/** y[b][j][i] = x[b][i][j] over float32 in a scratch buffer, or `x` itself where the bytes are the same. */
export function transposed(lowering: Lowering, x: Ref, batch: number, rows: number, cols: number): Ref {
  if (rows <= 1 || cols <= 1 || batch === 0) return x
  const y = lowering.scratch(batch * rows * cols * 4)
  transposeInto(lowering, x, y, batch, rows, cols)
  return y
}

/** The same into `y`, which is written in any case. */
export function transposeInto(lowering: Lowering, x: Ref, y: Ref, batch: number, rows: number, cols: number): void {
  if (batch * rows * cols === 0) return
  lowering.step({ kernel: 'transpose_4', units: batch * Math.ceil(rows / 8), args: { x, y, batch, rows, cols } })
}

/** An NCHW (or NCW) image batch: pixels = the product of its spatial dims. */
export interface ImageShape {
  readonly images: number
  readonly channels: number
  readonly pixels: number
}

/** NHWC of an NCHW value. */
export function toChannelsLast(lowering: Lowering, x: Ref, { images, channels, pixels }: ImageShape): Ref {
  return transposed(lowering, x, images, channels, pixels)
}

/**
 * Runs `emit` with a place for its NHWC result, then brings that to `y`, NCHW. Where both layouts are the same bytes
 * `emit` writes `y` itself.
 */
export function fromChannelsLast(
  lowering: Lowering,
  y: Ref,
  { images, channels, pixels }: ImageShape,
  emit: (place: Ref) => void,
): void {
  if (channels === 1 || pixels === 1) {
    emit(y)
    return
  }
  const place = lowering.scratch(images * channels * pixels * 4)
  emit(place)
  transposeInto(lowering, place, y, images, pixels, channels)
}
