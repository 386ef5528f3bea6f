// SPDX-License-Identifier: Apache-2.0
/**
 * Operators that keep images channels first, for kernels that want them channels last and two axes: the two transposes
 * around a kernel, NCHW to NHWC and back, and windows of one axis as planes. Where both layouts are the same bytes nothing
 * moves.
 */
import { transposeInto, transposed } from './lower-layout.ts'
import type { Lowering, Ref } from './lower.ts'
import type { Window } from './window.ts'

/** A window of one spatial axis as one of two, with a height of 1. */
export function asPlane(window: Window<number>): Window<number> {
  if (window.kernel.length === 2) return window
  const front = (values: readonly number[], value: number): number[] => [value, ...values]
  return {
    kernel: front(window.kernel, 1),
    strides: front(window.strides, 1),
    dilations: front(window.dilations, 1),
    begin: front(window.begin, 0),
    end: front(window.end, 0),
    out: front(window.out, 1),
  }
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
