// SPDX-License-Identifier: Apache-2.0
/**
 * How many threads a program runs best with, found on its own first runs: each count takes its turn in a few rounds and
 * the one with the shortest time stays; where the times are known from before, there is nothing to find out. Results do not
 * depend on the count, so every run of the search is as good as any other. Pure: times come from outside.
 */

/** Turns of each count. */
const rounds = 3

/** A larger count has to be faster by this: threads are other programs' too. */
const margin = 0.97

/** Counts that are tried: powers of two and the most there are. */
export function candidatesFor(most: number): readonly number[] {
  const counts: number[] = []
  for (let count = 1; count < most; count *= 2) counts.push(count)
  return [...counts, most]
}

/** Least milliseconds by count. */
type Times = Readonly<Record<number, number>>

/** The search of one program. */
export class ThreadSearch {
  /** Least time by count, in ascending order of counts. */
  readonly #times: Map<number, number>
  /** Counts of the runs to come, last first. */
  readonly #turns: number[] = []
  readonly #onFound: (times: Times) => unknown
  #found: number | undefined

  /**
   * @param most threads there are
   * @param known the times of an earlier search
   * @param onFound is told the times when the search is over
   */
  constructor(most: number, known?: Times, onFound: (times: Times) => unknown = () => undefined) {
    this.#onFound = onFound
    const counts = candidatesFor(most)
    this.#times = new Map(counts.map((count) => [count, known?.[count] ?? Infinity]))
    for (let round = 0; round < rounds; round++) this.#turns.push(...counts)
    // its first run meets kernels that are not compiled to the end and counts for nobody
    this.#turns.push(most)
    if (most === 1 || known) this.#found = this.#best()
  }

  /** Threads of the next run. */
  get count(): number {
    return this.#found ?? this.#turns[this.#turns.length - 1]
  }

  /** True when `count` stays what it is. */
  get isOver(): boolean {
    return this.#found !== undefined
  }

  /** Takes the time of the run with `count` threads. */
  note(time: number): void {
    if (this.#found !== undefined) return
    const count = this.#turns.pop()!
    const isFirst = this.#turns.length === rounds * this.#times.size
    if (!isFirst) this.#times.set(count, Math.min(this.#times.get(count)!, time))
    if (this.#turns.length > 0) return
    this.#found = this.#best()
    this.#onFound(Object.fromEntries(this.#times))
  }

  #best(): number {
    let best = 1
    for (const [count, time] of this.#times) if (time < this.#times.get(best)! * margin) best = count
    return best
  }
}
