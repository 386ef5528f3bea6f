// SPDX-License-Identifier: Apache-2.0
/** y = x * factor + shift with one factor and shift per channel, channels at axis 1, as steps. */
import { emitBinary } from './lower-elementwise.ts'
import type { Lowering, Ref } from './lower.ts'

/** Emits the two steps; `y` may be `x`. False where the loop has too many axes (it never has for dense operands). */
export function emitChannelAffine(
  lowering: Lowering,
  x: Ref,
  y: Ref,
  dims: readonly number[],
  factor: Ref,
  shift: Ref,
): boolean {
  const perChannel = [dims[1], ...dims.slice(2).map(() => 1)]
  return (
    emitBinary(lowering, 'binary_mul_f32', { ref: x, dims }, { ref: factor, dims: perChannel }, y, dims) &&
    emitBinary(lowering, 'binary_add_f32', { ref: y, dims }, { ref: shift, dims: perChannel }, y, dims)
  )
}
