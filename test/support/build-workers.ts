// SPDX-License-Identifier: Apache-2.0
/**
 * Runs once before the suites: bundles all scripts, so that sessions with threads run today's sources. The workers alone
 * would not do: they share chunks with the library.
 *
 * `npm test` builds everything itself and says so by WHITTLE_BUILT. A bundle that fails is reported and the suites go
 * on: only those that start workers depend on it.
 */

interface Bundler {
  readonly bundle: () => Promise<string[]>
}

export async function setup(): Promise<void> {
  if (process.env['WHITTLE_BUILT']) return
  const url = new URL('../../scripts/bundle.mjs', import.meta.url).href
  const { bundle } = (await import(url)) as Bundler
  try {
    await bundle()
  } catch (error) {
    console.error(`workers: the scripts in dist/ are stale, since bundling them failed: ${String(error)}`)
  }
}
