// SPDX-License-Identifier: Apache-2.0
/**
 * Every kernel: families, one line each in usual.ts or others.ts. The position in this table is the kernel's number in a
 * step. Who is in the engine's way from the start reads usual.ts instead.
 */
import { otherRows } from './others.ts'
import { usualRows } from './usual.ts'

export const kernelTable = { ...usualRows, ...otherRows } as const

export type KernelName = keyof typeof kernelTable
export type KernelArgs<K extends KernelName> = (typeof kernelTable)[K]['args']

/** Names in the order of their numbers. */
export const kernelNames: readonly KernelName[] = Object.keys(kernelTable) as KernelName[]
