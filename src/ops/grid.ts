// SPDX-License-Identifier: Apache-2.0
/** How work over flat ranges and rows is cut into units. Products are cut by kernels/blocks.ts. */

/** Elements of a block of a kernel that walks a flat range, and how many blocks there are. */
export function flatGrid(size: number): { readonly block: number; readonly units: number } {
  const block = 4096
  return { block, units: Math.ceil(size / block) }
}

/** Units that make a grain of about 16 K elements when each unit handles `elements` of them. */
export function grainOf(elements: number): number {
  return Math.max(1, Math.floor(16384 / Math.max(1, elements)))
}
