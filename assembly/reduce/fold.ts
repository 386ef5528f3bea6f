// SPDX-License-Identifier: Apache-2.0
/**
 * y[o][i] = finish(fold over r of x[o][r][i]): functors and the two loop nests of a reduction. With inner > 1 the lanes
 * run along `inner`, each column folded in the order of r. With inner = 1 a row is folded by sixteen partial results
 * (four vectors), combined in a fixed order. Either way a result depends on its own data alone, never on the cut.
 */
import { ReduceSumF32Args } from '../generated/args'
import { maxLanes, minLanes, productLanes, sumLanes, loadUpTo4, storeUpTo4 } from '../simd/lanes'
import { madd } from '../simd/madd'
import { splat } from '../simd/math'

@unmanaged
export abstract class Fold {
  /** The result of folding nothing. */
  abstract start(): v128
  abstract step(acc: v128, x: v128): v128
  abstract join(a: v128, b: v128): v128
  abstract lanes(acc: v128): f32
  /** @param by what `finish` of the row's arguments says */
  abstract finish(acc: v128, by: f32): v128
}

/** Units [from, to) of a reduction. */
// @ts-ignore: decorator
@inline
export function fold<F extends Fold>(args: usize, from: u32, to: u32): void {
  const a = changetype<ReduceSumF32Args>(args)
  const by = a.finish
  if (a.inner == 1) {
    const rowBytes = <usize>a.reduce << 2
    for (let o = from; o < to; o++) {
      const folded = splat(foldRow<F>(a.x + <usize>o * rowBytes, a.reduce))
      f32.store(a.y + (<usize>o << 2), f32x4.extract_lane(changetype<F>(0).finish(folded, by), 0))
    }
    return
  }
  const blocks = (a.inner + a.block - 1) / a.block
  const stride = <usize>a.inner << 2
  for (let unit = from; unit < to; unit++) {
    const o = unit / blocks
    const first = (unit - o * blocks) * a.block
    let left = min<u32>(a.block, a.inner - first)
    let x = a.x + <usize>o * a.reduce * stride + (<usize>first << 2)
    let y = a.y + <usize>o * stride + (<usize>first << 2)
    for (; left >= 16; left -= 16, x += 64, y += 64) foldColumns16<F>(x, y, a.reduce, stride, by)
    for (; <i32>left > 0; left -= 4, x += 16, y += 16) {
      let acc = changetype<F>(0).start()
      for (let r: u32 = 0, p = x; r < a.reduce; r++, p += stride) acc = changetype<F>(0).step(acc, loadUpTo4(p, left))
      storeUpTo4(y, changetype<F>(0).finish(acc, by), left)
    }
  }
}

// @ts-ignore: decorator
@inline
function foldColumns16<F extends Fold>(x: usize, y: usize, reduce: u32, stride: usize, by: f32): void {
  let acc0 = changetype<F>(0).start()
  let acc1 = acc0
  let acc2 = acc0
  let acc3 = acc0
  for (let r: u32 = 0; r < reduce; r++, x += stride) {
    acc0 = changetype<F>(0).step(acc0, v128.load(x))
    acc1 = changetype<F>(0).step(acc1, v128.load(x, 16))
    acc2 = changetype<F>(0).step(acc2, v128.load(x, 32))
    acc3 = changetype<F>(0).step(acc3, v128.load(x, 48))
  }
  v128.store(y, changetype<F>(0).finish(acc0, by))
  v128.store(y, changetype<F>(0).finish(acc1, by), 16)
  v128.store(y, changetype<F>(0).finish(acc2, by), 32)
  v128.store(y, changetype<F>(0).finish(acc3, by), 48)
}

/** The fold of `count` dense elements, before `finish`. */
// @ts-ignore: decorator
@inline
export function foldRow<F extends Fold>(x: usize, count: u32): f32 {
  let acc0 = changetype<F>(0).start()
  let acc1 = acc0
  let acc2 = acc0
  let acc3 = acc0
  const end = x + (<usize>count << 2)
  for (; x + 64 <= end; x += 64) {
    acc0 = changetype<F>(0).step(acc0, v128.load(x))
    acc1 = changetype<F>(0).step(acc1, v128.load(x, 16))
    acc2 = changetype<F>(0).step(acc2, v128.load(x, 32))
    acc3 = changetype<F>(0).step(acc3, v128.load(x, 48))
  }
  for (; x + 16 <= end; x += 16) acc0 = changetype<F>(0).step(acc0, v128.load(x))
  acc0 = changetype<F>(0).join(changetype<F>(0).join(acc0, acc1), changetype<F>(0).join(acc2, acc3))
  acc0 = splat(changetype<F>(0).lanes(acc0))
  for (; x < end; x += 4) acc0 = changetype<F>(0).step(acc0, v128.load32_splat(x))
  return f32x4.extract_lane(acc0, 0)
}

/** The sum over `by`: 1, or the count for the mean. */
@unmanaged
@final
export class Sum extends Fold {
  @inline
  start(): v128 {
    return splat(0)
  }
  @inline
  step(acc: v128, x: v128): v128 {
    return f32x4.add(acc, x)
  }
  @inline
  join(a: v128, b: v128): v128 {
    return f32x4.add(a, b)
  }
  @inline
  lanes(acc: v128): f32 {
    return sumLanes(acc)
  }
  @inline
  finish(acc: v128, by: f32): v128 {
    return f32x4.div(acc, splat(by))
  }
}

/** Largest; NaN if one is. -inf of nothing. */
@unmanaged
@final
export class Largest extends Fold {
  @inline
  start(): v128 {
    return splat(-Infinity)
  }
  @inline
  step(acc: v128, x: v128): v128 {
    return f32x4.max(acc, x)
  }
  @inline
  join(a: v128, b: v128): v128 {
    return f32x4.max(a, b)
  }
  @inline
  lanes(acc: v128): f32 {
    return maxLanes(acc)
  }
  @inline
  finish(acc: v128, by: f32): v128 {
    return acc
  }
}

/** Smallest; NaN if one is. inf of nothing. */
@unmanaged
@final
export class Smallest extends Fold {
  @inline
  start(): v128 {
    return splat(Infinity)
  }
  @inline
  step(acc: v128, x: v128): v128 {
    return f32x4.min(acc, x)
  }
  @inline
  join(a: v128, b: v128): v128 {
    return f32x4.min(a, b)
  }
  @inline
  lanes(acc: v128): f32 {
    return minLanes(acc)
  }
  @inline
  finish(acc: v128, by: f32): v128 {
    return acc
  }
}

@unmanaged
@final
export class Product extends Fold {
  @inline
  start(): v128 {
    return splat(1)
  }
  @inline
  step(acc: v128, x: v128): v128 {
    return f32x4.mul(acc, x)
  }
  @inline
  join(a: v128, b: v128): v128 {
    return f32x4.mul(a, b)
  }
  @inline
  lanes(acc: v128): f32 {
    return productLanes(acc)
  }
  @inline
  finish(acc: v128, by: f32): v128 {
    return acc
  }
}

/** The sum of squares, or its root where `by` is not 0. */
@unmanaged
@final
export class SumSquare extends Fold {
  @inline
  start(): v128 {
    return splat(0)
  }
  @inline
  step(acc: v128, x: v128): v128 {
    return madd(x, x, acc)
  }
  @inline
  join(a: v128, b: v128): v128 {
    return f32x4.add(a, b)
  }
  @inline
  lanes(acc: v128): f32 {
    return sumLanes(acc)
  }
  @inline
  finish(acc: v128, by: f32): v128 {
    return by != 0 ? f32x4.sqrt(acc) : acc
  }
}

@unmanaged
@final
export class Norm1 extends Fold {
  @inline
  start(): v128 {
    return splat(0)
  }
  @inline
  step(acc: v128, x: v128): v128 {
    return f32x4.add(acc, f32x4.abs(x))
  }
  @inline
  join(a: v128, b: v128): v128 {
    return f32x4.add(a, b)
  }
  @inline
  lanes(acc: v128): f32 {
    return sumLanes(acc)
  }
  @inline
  finish(acc: v128, by: f32): v128 {
    return acc
  }
}
