// SPDX-License-Identifier: Apache-2.0
/**
 * Times the inner loops of the forms between which a host has a choice, a few milliseconds in all. Compilers have tiers,
 * and may reach the next one with one loop before the other, and other work on the machine may stop a loop under way; so
 * loops take turns, and figures count only where the same loop was the fastest in every round.
 */
import { formLoops } from '../kernels/probe.ts'
import type { Form } from '../kernels/row.ts'
import type { Figures } from '../kernels/select.ts'
import { clockTicks, now } from '../platform/clock.ts'

/** Milliseconds that a turn lasts at least. */
const turnTime = 0.2
/** So many that a loop is not stopped in each of them, even where it has a third of a core. */
const rounds = 5

/** A peak loop of the build (`kernels/probe.ts`). */
type Loop = (iterations: number) => number

/** Figures of the forms, or none: where the clock stands still, and where rounds do not agree. */
export function calibrate(exports: Readonly<Record<string, Loop>>, forms: readonly Form[]): Figures {
  if (!clockTicks()) return {}
  const lanes = forms.map((form) => ({ form, ...formLoops[form], iterations: 512, best: 0 }))
  const winners = new Set<Form>()
  for (let round = 0; round < rounds; round++) {
    const rates = lanes.map((lane) => turn(lane, exports[lane.name]))
    rates.forEach((rate, i) => (lanes[i].best = Math.max(lanes[i].best, rate)))
    winners.add(forms[rates.indexOf(Math.max(...rates))])
  }
  return winners.size > 1 ? {} : Object.fromEntries(lanes.map(({ form, best }) => [form, best]))
}

/** GMAC/s over as many iterations as the clock needs. */
function turn(lane: { readonly macs: number; iterations: number }, loop: Loop): number {
  for (;;) {
    const start = now()
    loop(lane.iterations)
    const time = now() - start
    if (time >= turnTime) return (lane.iterations * lane.macs) / time / 1e6
    lane.iterations *= 2
  }
}
