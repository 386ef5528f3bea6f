// SPDX-License-Identifier: Apache-2.0
/**
 * A place that keeps one text between sessions and programs: a file in the user's cache folder, in pages an entry of the
 * Cache API, which workers have too and which needs no schema. Edge hosts have none.
 */
import { hasFiles } from './node-modules.ts'
import { runtimeOf } from './host.ts'

/** Keeps one text. */
export interface TextStore {
  /** What was set last; undefined or null where there is nothing. */
  get(): MaybePromise<string | null | undefined>
  set(text: string): MaybePromise<unknown>
}

type MaybePromise<T> = T | Promise<T>

/**
 * The place of this runtime, undefined where it has none.
 * @param place a file, in pages the name of a cache; what is usual where left out
 */
export async function openStore(place?: string): Promise<TextStore | undefined> {
  if (hasFiles()) return (await import('./file-store.ts')).fileStore(place)
  return runtimeOf() === 'edge' ? undefined : (await import('./page-store.ts')).pageStore(place)
}
