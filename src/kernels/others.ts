// SPDX-License-Identifier: Apache-2.0
/** Families that few models have kernels of: a page fetches their rows for a model that has (runtime/encode.ts). */
import { integer } from './integer.ts'
import { quantized } from './quantized.ts'
import { sparse } from './sparse.ts'

export const otherRows = { ...sparse, ...integer, ...quantized } as const
