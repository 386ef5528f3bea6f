// SPDX-License-Identifier: Apache-2.0
/** Every kernel, one line per family. The position in this table is the kernel's number in a step. */
import { elementwise } from './elementwise.ts'
import { gemm } from './gemm.ts'
import { integer } from './integer.ts'
import { move } from './move.ts'
import { pack } from './pack.ts'
import { quantized } from './quantized.ts'
import { reduce } from './reduce.ts'
import { sparse } from './sparse.ts'

export const kernelTable = { ...gemm, ...pack, ...elementwise, ...reduce, ...move, ...sparse, ...integer, ...quantized } as const

export type KernelName = keyof typeof kernelTable
export type KernelArgs<K extends KernelName> = (typeof kernelTable)[K]['args']

/** Names in the order of their numbers. */
export const kernelNames: readonly KernelName[] = Object.keys(kernelTable) as KernelName[]
