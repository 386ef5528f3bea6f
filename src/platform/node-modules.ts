// SPDX-License-Identifier: Apache-2.0
/**
 * The one door to Node's built-in modules (Deno and Bun have them too). They are imported when they are needed and by
 * a name bundlers do not follow, so every file of whittle loads in a page.
 */

import { runtimeOf } from './host.ts'

interface NodeModules {
  'node:fs/promises': typeof import('node:fs/promises')
  'node:os': typeof import('node:os')
  'node:path': typeof import('node:path')
  'node:url': typeof import('node:url')
  'node:worker_threads': typeof import('node:worker_threads')
}

/** True where node:fs is. Edge hosts may look like Node and have no files. */
export function hasFiles(): boolean {
  return ['node', 'deno', 'bun'].includes(runtimeOf())
}

/** A built-in module. Call it only where `hasFiles()` is true. */
export async function importNode<K extends keyof NodeModules>(name: K): Promise<NodeModules[K]> {
  return (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as NodeModules[K]
}
