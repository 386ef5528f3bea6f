// SPDX-License-Identifier: Apache-2.0
/**
 * Runs once before the suites: bundles the worker scripts, so that sessions with threads run today's sources.
 *
 * `npm test` builds everything itself and says so by WHITTLE_BUILT. A bundle that fails is reported and the suites go
 * on: only those that start workers depend on it.
 */

interface Bundler {
  readonly bundle: (options: { workersOnly: boolean }) => Promise<string[]>
}

export async function setup(): Promise<void> {
  if (process.env['WHITTLE_BUILT']) return
  const url = new URL('../../scripts/bundle.mjs', import.meta.url).href
  const { bundle } = (await import(url)) as Bundler
  try {
    await bundle({ workersOnly: true })
  } catch (error) {
    console.error(`workers: the scripts in dist/ are stale, since bundling them failed: ${String(error)}`)
  }
}
