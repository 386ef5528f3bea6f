// SPDX-License-Identifier: Apache-2.0
/** Steps for casts between the types that shape arithmetic, masks and indices have (kernels/integer.ts). */
import { castKinds, halfKinds } from '../kernels/codes.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { flatGrid } from './grid.ts'
import type { Lowering, Ref } from './lower.ts'

/** dst = src as another type, `size` elements. @returns false where there is no kernel for the two types */
export function emitCast(
  lowering: Lowering,
  [from, src]: readonly [Dtype, Ref],
  [to, dst]: readonly [Dtype, Ref],
  size: number,
): boolean {
  const [source, target] = [from, to].map((dtype) => (castKinds as readonly Dtype[]).indexOf(dtype))
  const { block, units } = flatGrid(size)
  const args = { src, dst, size, block }
  const half = halfKinds[from === 'float32' ? to : from]
  if (half !== undefined && (from === 'float32' || to === 'float32')) {
    const kernel = to === 'float32' ? 'cast_to_f32' : 'cast_from_f32'
    lowering.step({ kernel, args: { ...args, kind: half }, units })
    return true
  }
  if (source < 0 || target < 0) return false
  if (to === 'float32') {
    lowering.step({ kernel: 'cast_to_f32', args: { ...args, kind: from === 'bool' ? 1 : source }, units })
  } else if (from === 'float32' && (to === 'int32' || to === 'int64')) {
    lowering.step({ kernel: 'cast_from_f32', args: { ...args, kind: target }, units })
  } else {
    lowering.step({ kernel: 'cast_any', args: { ...args, from: source, to: target }, units })
  }
  return true
}
