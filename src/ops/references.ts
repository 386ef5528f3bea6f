// SPDX-License-Identifier: Apache-2.0
/**
 * The references of operators: plain TypeScript in double precision, the oracle of every test and the fallback of
 * operators without kernels. Reached only through `import()`, so that a page whose model has kernels for all it does
 * fetches none of them. This file touches only the `references` of op files.
 */
import type { Reference } from './define.ts'
import { moduleOf } from './table.ts'

/** References by operator name (with domain, as Node.op). */
export type ReferenceSet = ReadonlyMap<string, Reference>

/** References of these operators. Names the table does not have are left out. */
export async function loadReferences(names: Iterable<string>): Promise<ReferenceSet> {
  const found = await Promise.all(
    [...new Set(names)].map(async (name) => [name, (await moduleOf(name)?.())?.references[name]] as const),
  )
  const references = new Map<string, Reference>()
  for (const [name, reference] of found) if (reference !== undefined) references.set(name, reference)
  return references
}
