// SPDX-License-Identifier: Apache-2.0
/**
 * Along one axis: folds of integers, where the extreme is, running sums, the best k. A run is x[o][..][i]: elements
 * `inner` apart.
 */
import { ArgExtremeF32Args, ReduceI32Args, RunningF32Args, TopKF32Args } from '../generated/args'
import { ceilDiv } from '../units'

/** Units [from, to) of a fold of integers, F a class with `apply(a: T, b: T): T`, starting with `start`. */
export function foldIntegers<T, F>(args: usize, from: u32, to: u32, start: T): void {
  const g = changetype<ReduceI32Args>(args)
  const blocks = ceilDiv(g.inner, g.block)
  const row = <usize>g.inner * sizeof<T>()
  for (let unit = from; unit < to; unit++) {
    const o = unit / blocks
    const first = (unit - o * blocks) * g.block
    const count = min<u32>(g.block, g.inner - first)
    let x = g.x + <usize>o * g.reduce * row + <usize>first * sizeof<T>()
    let y = g.y + <usize>o * row + <usize>first * sizeof<T>()
    for (let i: u32 = 0; i < count; i++, x += sizeof<T>(), y += sizeof<T>()) {
      let total = start
      let p = x
      for (let r = g.reduce; r; r--, p += row) total = changetype<F>(0).apply(total, load<T>(p))
      store<T>(y, total)
    }
  }
}

/** Units [from, to): where the extreme of each run is. */
export function argExtreme<T>(args: usize, from: u32, to: u32): void {
  const g = changetype<ArgExtremeF32Args>(args)
  const step = <usize>g.inner * sizeof<T>()
  for (let unit = from; unit < to; unit++) {
    const o = unit / g.inner
    let p = g.x + (<usize>o * g.reduce * g.inner + (unit - o * g.inner)) * sizeof<T>()
    let best = load<T>(p)
    let at: u32 = 0
    for (let r: u32 = 1; r < g.reduce; r++) {
      p += step
      const x = load<T>(p)
      if ((g.least ? x < best : x > best) || (g.last && x == best)) {
        best = x
        at = r
      }
    }
    store<i64>(g.y + (<usize>unit << 3), <i64>at)
  }
}

/** Units [from, to): running sums or products of T, kept in A. */
export function runningTotals<T, A>(args: usize, from: u32, to: u32): void {
  const g = changetype<RunningF32Args>(args)
  const step = <isize>g.inner * sizeof<T>()
  const stride = g.reverse ? -step : step
  for (let unit = from; unit < to; unit++) {
    const o = unit / g.inner
    let at = <isize>(<usize>o * g.length * g.inner + (unit - o * g.inner)) * sizeof<T>()
    if (g.reverse) at += <isize>(g.length - 1) * step
    let total = g.product ? <A>1 : <A>0
    for (let r = g.length; r; r--, at += stride) {
      const x = <A>load<T>(g.x + at)
      const next = g.product ? <A>(total * x) : <A>(total + x)
      store<T>(g.y + at, <T>(g.exclusive ? total : next))
      total = next
    }
  }
}

/** Units [from, to): the best k of each run, kept in order while the run is read. */
export function bestOfRuns(args: usize, from: u32, to: u32): void {
  const g = changetype<TopKF32Args>(args)
  const step = <usize>g.inner << 2
  for (let unit = from; unit < to; unit++) {
    const o = unit / g.inner
    const i = unit - o * g.inner
    const place = <usize>o * g.k * g.inner + i
    const y = g.y + (place << 2)
    const index = g.index + (place << 3)
    let x = g.x + ((<usize>o * g.length * g.inner + i) << 2)
    let kept: u32 = 0
    for (let r: u32 = 0; r < g.length; r++, x += step) {
      const value = load<f32>(x)
      if (kept == g.k && !isBetter(value, load<f32>(y + <usize>(kept - 1) * step), g.least)) continue
      if (kept < g.k) kept++
      let at = <usize>(kept - 1) * step
      for (; at; at -= step) {
        const above = load<f32>(y + at - step)
        if (!isBetter(value, above, g.least)) break
        store<f32>(y + at, above)
        store<i64>(index + 2 * at, load<i64>(index + 2 * (at - step)))
      }
      store<f32>(y + at, value)
      store<i64>(index + 2 * at, <i64>r)
    }
  }
}

// @ts-ignore: decorator
@inline
function isBetter(x: f32, than: f32, least: u32): bool {
  // any number is better than NaN, which is better than nothing
  return x == x && !(least ? x >= than : x <= than)
}
