// SPDX-License-Identifier: Apache-2.0
/** A text in the Cache API of pages and their workers, where they come from a secure origin. Entries are replaced whole. */
import type { TextStore } from './store.ts'

/** Entries have addresses; nothing is ever fetched from this one. */
const address = 'https://whittle.invalid/measurements'

/** @throws what the page has in the place of caches: insecure origins have none, and users may forbid them */
export async function pageStore(name = 'whittle'): Promise<TextStore> {
  const cache = await caches.open(name)
  return {
    get: async () => (await cache.match(address))?.text(),
    set: (text) => cache.put(address, new Response(text)),
  }
}
