// SPDX-License-Identifier: Apache-2.0
/** The reference of operators that are a view (view.ts) of their input. */
import type { Tensor } from '../tensor/tensor.ts'
import { offsetsOf } from './elements.ts'
import { pick } from './numeric.ts'
import type { View } from './view.ts'

/** The tensor of shape `dims` (the view's size) that the view reads. */
export function viewed(tensor: Tensor, view: View, dims: readonly number[] = view.dims): Tensor {
  const offsets = offsetsOf(view.dims, view.strides, view.start)
  return pick(tensor, dims, (i) => offsets[i])
}
