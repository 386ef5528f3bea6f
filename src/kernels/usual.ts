// SPDX-License-Identifier: Apache-2.0
/** Families that nearly every model has kernels of: their rows are at hand from the start. */
import { elementwise } from './elementwise.ts'
import { gemm } from './gemm.ts'
import { move } from './move.ts'
import { pack } from './pack.ts'
import { reduce } from './reduce.ts'

export const usualRows = { ...gemm, ...pack, ...elementwise, ...reduce, ...move } as const
