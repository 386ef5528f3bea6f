// SPDX-License-Identifier: Apache-2.0
/** The figures that tasks are judged by: correlations, area under the curve, edit distance, largest relative error. */

/** Pearson's correlation. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((x, y) => x + y, 0) / values.length
  const [p, q] = [mean(a), mean(b)]
  let [both, left, right] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    both += (a[i] - p) * (b[i] - q)
    left += (a[i] - p) ** 2
    right += (b[i] - q) ** 2
  }
  return both / Math.sqrt(left * right)
}

/** Ranks from 1; equal values share their mean rank. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((i, j) => values[i] - values[j])
  const result = new Float64Array(values.length)
  for (let from = 0; from < order.length;) {
    let to = from
    while (to < order.length && values[order[to]] === values[order[from]]) to++
    for (let i = from; i < to; i++) result[order[i]] = (from + 1 + to) / 2
    from = to
  }
  return result
}

/** Spearman's correlation. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return pearson(ranks(a), ranks(b))
}

/** Area under the ROC curve: the share of (positive, negative) pairs in the right order. */
export function areaUnderCurve(scores: ArrayLike<number>, positive: readonly boolean[]): number {
  const order = ranks(scores)
  const sum = positive.reduce((total, is, i) => (is ? total + order[i] : total), 0)
  const count = positive.filter((is) => is).length
  return (sum - (count * (count + 1)) / 2) / (count * (positive.length - count))
}

/** Levenshtein's distance in characters. */
export function editDistance(a: string, b: string): number {
  const [left, right] = [[...a], [...b]]
  let row = Array.from({ length: right.length + 1 }, (_, i) => i)
  for (const [i, own] of left.entries()) {
    const next = [i + 1]
    for (const [j, other] of right.entries()) {
      next.push(Math.min(next[j] + 1, row[j + 1] + 1, row[j] + (own === other ? 0 : 1)))
    }
    row = next
  }
  return row[right.length]
}

/** Largest error over the largest absolute value, which is at least `floor`. */
export function worst(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 0): number {
  let most = floor
  let error = 0
  for (let i = 0; i < expected.length; i++) {
    most = Math.max(most, Math.abs(expected[i]))
    error = Math.max(error, Math.abs(actual[i] - expected[i]))
  }
  return error / most
}
