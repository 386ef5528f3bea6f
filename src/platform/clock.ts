// SPDX-License-Identifier: Apache-2.0
/** Time: milliseconds since some start, as fine as the host tells it. Some edge hosts stop the clock while code runs. */

/** Kept, since in Node the global is a getter that takes as long as the clock. */
const clock = globalThis.performance

/** Milliseconds. */
export function now(): number {
  return clock.now()
}

/** Lets the host do what waits to be done, events of workers among it. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}

/** True when time passes while code runs. Works for at most about a millisecond to find out. */
export function clockTicks(): boolean {
  const start = now()
  for (let i = 0; i < 1_000_000; i++) if (now() > start) return true
  return false
}
