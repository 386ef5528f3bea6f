// SPDX-License-Identifier: Apache-2.0
/**
 * The table of operators: one line each, name (with its domain unless ONNX's own) to the file that defines it. Lines
 * are in alphabetical order. A file is imported only when a graph has one of its operators. In the published build
 * the facets of a file (`ops`, `references`) are chunks of their own: `loadOps` touches only `ops`, `references.ts`
 * only `references`, and only tests touch `samples`.
 */
import type { OpDef, OpSet, Reference, Samples } from './define.ts'

/** What an op file exports. */
export interface OpModule {
  readonly ops: Readonly<Record<string, OpDef>>
  readonly references: Readonly<Record<string, Reference>>
  readonly samples: Readonly<Record<string, Samples>>
}

export const opTable = {
  Conv: () => import('./conv.ts'),
  Gemm: () => import('./gemm.ts'),
  Identity: () => import('./identity.ts'),
  MatMul: () => import('./matmul.ts'),
  'whittle.Conv': () => import('./whittle-conv.ts'),
  'whittle.DynamicQuantizeConv': () => import('./dynamic-quantize-conv.ts'),
  'whittle.DynamicQuantizeGemm': () => import('./dynamic-quantize-gemm.ts'),
  'whittle.Gemm': () => import('./whittle-gemm.ts'),
} satisfies Record<string, () => Promise<OpModule>>

const loaders: Readonly<Record<string, () => Promise<OpModule>>> = opTable

/**
 * The file of one operator, or undefined when the table does not have it.
 * @param op name with its domain, as `Node.op`
 */
export function moduleOf(op: string): (() => Promise<OpModule>) | undefined {
  return Object.hasOwn(loaders, op) ? loaders[op] : undefined
}

/** Definitions of these operators. Names the table does not have are left out: the graph check reports them. */
export async function loadOps(names: Iterable<string>): Promise<OpSet> {
  const found = await Promise.all(
    [...new Set(names)].map(async (name) => [name, (await moduleOf(name)?.())?.ops[name]] as const),
  )
  const defs = new Map<string, OpDef>()
  for (const [name, def] of found) if (def !== undefined) defs.set(name, def)
  return defs
}
