// SPDX-License-Identifier: Apache-2.0
/**
 * "Did you mean": the known name that takes the fewest edits to reach from an unknown one. Used by messages only, so
 * it is plain and small. Case does not count.
 */

/** The nearest of `names`, or undefined when none is within half the length of `name`. */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(name.length / 2)) + 1
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best
}

/** Levenshtein distance. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1))
    }
    row = next
  }
  return row[b.length]
}

/** The names in front of an operator's own, with the dot: 'com.microsoft.' */
const domainOf = (op: string): string => op.slice(0, op.lastIndexOf('.') + 1)

/**
 * The operator to use instead of an unknown one: the nearest by the name without its domain, so first the same of another
 * domain. Operators of whittle's own domain, which no exporter writes, are none.
 */
export function nearestOperator(op: string, operators: Iterable<string>): string | undefined {
  const domain = domainOf(op)
  const byName = new Map<string, string>()
  for (const known of operators) {
    const its = domainOf(known)
    const name = known.slice(its.length)
    if (its !== 'whittle.' && (its === domain || !byName.has(name))) byName.set(name, known)
  }
  return byName.get(nearestName(op.slice(domain.length), byName.keys()) ?? '')
}
