// SPDX-License-Identifier: Apache-2.0
/** Two samples binned over one range. */
import type { Histogram } from './data.ts'

/** Counts of `before` and `after` in `bins` equal bins from the least to the greatest finite value of both. */
export function histogramOf(label: string, before: ArrayLike<number>, after: ArrayLike<number>, bins = 48): Histogram {
  let low = Infinity
  let high = -Infinity
  for (const values of [before, after]) {
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) continue
      if (values[i] < low) low = values[i]
      if (values[i] > high) high = values[i]
    }
  }
  if (low > high) return { label, edges: [0, 1], before: [0], after: [0] }
  if (low === high) high = low + Math.max(1e-6, Math.abs(low) * 1e-6)
  const width = (high - low) / bins
  const count = (values: ArrayLike<number>): number[] => {
    const counts = new Array<number>(bins).fill(0)
    for (let i = 0; i < values.length; i++) {
      if (Number.isFinite(values[i])) counts[Math.min(bins - 1, Math.floor((values[i] - low) / width))]++
    }
    return counts
  }
  const edges = Array.from({ length: bins + 1 }, (_, i) => low + i * width)
  return { label, edges, before: count(before), after: count(after) }
}
