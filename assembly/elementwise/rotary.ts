// SPDX-License-Identifier: Apache-2.0
/**
 * Pairs of channels turned by an angle: (a, b) becomes (a cos - b sin, a sin + b cos). Pairs are (i, i + half), or
 * neighbours where interleaved. What is behind them in a head passes. A unit is one place of one sequence.
 */
import { RotaryF32Args } from '../generated/args'
import { loadUpTo4, storeUpTo4 } from '../simd/lanes'

/** Units [from, to): all heads of a place. */
// @ts-ignore: decorator
@inline
export function rotateHeads(args: usize, from: u32, to: u32): void {
  const g = changetype<RotaryF32Args>(args)
  const half = <usize>g.half << 2
  for (let unit = from; unit < to; unit++) {
    const image = unit / g.sequence
    const start = <usize>image * g.batchStride + <usize>(unit - image * g.sequence) * g.placeStride
    let row = <i64>unit
    if (g.places) row = min<i64>(max<i64>(load<i64>(g.places + (<usize>unit << 3)), 0), g.rows - 1)
    const cos = g.cos + <usize>row * half
    const sin = g.sin + <usize>row * half
    for (let h: u32 = 0; h < g.heads; h++) {
      const at = (start + <usize>h * g.headStride) << 2
      let x = g.x + at
      let y = g.y + at
      let left = <i32>g.half
      if (g.interleaved) {
        for (let i: usize = 0; i < half; i += 4, x += 8, y += 8) {
          const a = load<f32>(x)
          const b = load<f32>(x, 4)
          const c = load<f32>(cos + i)
          const s = load<f32>(sin + i)
          store<f32>(y, a * c - b * s)
          store<f32>(y, a * s + b * c, 4)
        }
      } else {
        for (let i: usize = 0; left > 0; left -= 4, i += 16) {
          const a = loadUpTo4(x + i, left)
          const b = loadUpTo4(x + half + i, left)
          const c = loadUpTo4(cos + i, left)
          const s = loadUpTo4(sin + i, left)
          storeUpTo4(y + i, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)), left)
          storeUpTo4(y + half + i, f32x4.add(f32x4.mul(a, s), f32x4.mul(b, c)), left)
        }
        x += 2 * half
        y += 2 * half
      }
      for (left = <i32>(g.size - 2 * g.half); left > 0; left -= 4, x += 16, y += 16) {
        storeUpTo4(y, loadUpTo4(x, left), left)
      }
    }
  }
}
