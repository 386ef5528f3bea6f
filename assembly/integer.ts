// SPDX-License-Identifier: Apache-2.0
/** Kernels of src/kernels/integer.ts; the numbers of `op` are positions in the lists of src/kernels/codes.ts. */
import { BinaryI32Args, ReduceI32Args } from './generated/args'
import { castAny, invert } from './integer/cast'
import {
  Add,
  And,
  Both,
  Div,
  Either,
  Equal,
  Greater,
  GreaterOrEqual,
  Less,
  LessOrEqual,
  Max,
  Min,
  Mod,
  Mul,
  OneOf,
  Or,
  Rem,
  Sub,
  Xor,
  mapRun,
  offsetOf,
} from './integer/pairs'
import { argExtreme, bestOfRuns, foldIntegers, runningTotals } from './integer/runs'
import { selectElements } from './integer/select'

/** c = op(a, b), all of T. */
// @ts-ignore: decorator
@inline
function arithmetic<T>(args: usize, from: u32, to: u32): void {
  const g = changetype<BinaryI32Args>(args)
  const dims = args + offsetof<BinaryI32Args>('d0')
  const aStep = <usize>g.aInner * sizeof<T>()
  const bStep = <usize>g.bInner * sizeof<T>()
  for (let unit = from; unit < to; unit++) {
    const a = g.a + offsetOf(unit, dims, args + offsetof<BinaryI32Args>('a0')) * sizeof<T>()
    const b = g.b + offsetOf(unit, dims, args + offsetof<BinaryI32Args>('b0')) * sizeof<T>()
    const c = g.c + <usize>unit * g.inner * sizeof<T>()
    const end = c + <usize>g.inner * sizeof<T>()
    switch (g.op) {
      case 0: mapRun<T, T, Add<T>>(a, b, c, end, aStep, bStep); break
      case 1: mapRun<T, T, Sub<T>>(a, b, c, end, aStep, bStep); break
      case 2: mapRun<T, T, Mul<T>>(a, b, c, end, aStep, bStep); break
      case 3: mapRun<T, T, Div<T>>(a, b, c, end, aStep, bStep); break
      case 4: mapRun<T, T, Mod<T>>(a, b, c, end, aStep, bStep); break
      case 5: mapRun<T, T, Rem<T>>(a, b, c, end, aStep, bStep); break
      case 6: mapRun<T, T, Min<T>>(a, b, c, end, aStep, bStep); break
      case 7: mapRun<T, T, Max<T>>(a, b, c, end, aStep, bStep); break
      case 8: mapRun<T, T, And<T>>(a, b, c, end, aStep, bStep); break
      case 9: mapRun<T, T, Or<T>>(a, b, c, end, aStep, bStep); break
      default: mapRun<T, T, Xor<T>>(a, b, c, end, aStep, bStep); break
    }
  }
}

/** c = op(a, b) as a byte; logic is for bytes alone. */
// @ts-ignore: decorator
@inline
function comparison<T>(args: usize, from: u32, to: u32): void {
  const g = changetype<BinaryI32Args>(args)
  const dims = args + offsetof<BinaryI32Args>('d0')
  const aStep = <usize>g.aInner * sizeof<T>()
  const bStep = <usize>g.bInner * sizeof<T>()
  for (let unit = from; unit < to; unit++) {
    const a = g.a + offsetOf(unit, dims, args + offsetof<BinaryI32Args>('a0')) * sizeof<T>()
    const b = g.b + offsetOf(unit, dims, args + offsetof<BinaryI32Args>('b0')) * sizeof<T>()
    const c = g.c + <usize>unit * g.inner * sizeof<u8>()
    const end = c + <usize>g.inner * sizeof<u8>()
    switch (g.op) {
      case 0: mapRun<T, u8, Equal<T>>(a, b, c, end, aStep, bStep); break
      case 1: mapRun<T, u8, Greater<T>>(a, b, c, end, aStep, bStep); break
      case 2: mapRun<T, u8, GreaterOrEqual<T>>(a, b, c, end, aStep, bStep); break
      case 3: mapRun<T, u8, Less<T>>(a, b, c, end, aStep, bStep); break
      default: mapRun<T, u8, LessOrEqual<T>>(a, b, c, end, aStep, bStep); break
    }
  }
}

/** c = op(a, b) of bools. */
// @ts-ignore: decorator
@inline
function logic<T>(args: usize, from: u32, to: u32): void {
  const g = changetype<BinaryI32Args>(args)
  const dims = args + offsetof<BinaryI32Args>('d0')
  const aStep = <usize>g.aInner * sizeof<T>()
  const bStep = <usize>g.bInner * sizeof<T>()
  for (let unit = from; unit < to; unit++) {
    const a = g.a + offsetOf(unit, dims, args + offsetof<BinaryI32Args>('a0')) * sizeof<T>()
    const b = g.b + offsetOf(unit, dims, args + offsetof<BinaryI32Args>('b0')) * sizeof<T>()
    const c = g.c + <usize>unit * g.inner * sizeof<u8>()
    const end = c + <usize>g.inner * sizeof<u8>()
    switch (g.op) {
      case 0: mapRun<T, u8, Equal<T>>(a, b, c, end, aStep, bStep); break
      case 1: mapRun<T, u8, Greater<T>>(a, b, c, end, aStep, bStep); break
      case 2: mapRun<T, u8, GreaterOrEqual<T>>(a, b, c, end, aStep, bStep); break
      case 3: mapRun<T, u8, Less<T>>(a, b, c, end, aStep, bStep); break
      case 4: mapRun<T, u8, LessOrEqual<T>>(a, b, c, end, aStep, bStep); break
      case 5: mapRun<T, u8, Both<T>>(a, b, c, end, aStep, bStep); break
      case 6: mapRun<T, u8, Either<T>>(a, b, c, end, aStep, bStep); break
      default: mapRun<T, u8, OneOf<T>>(a, b, c, end, aStep, bStep); break
    }
  }
}

// @ts-ignore: decorator
@inline
function reduction<T>(args: usize, from: u32, to: u32, least: T, most: T): void {
  switch (changetype<ReduceI32Args>(args).op) {
    case 0: foldIntegers<T, Add<T>>(args, from, to, 0); return
    case 1: foldIntegers<T, Max<T>>(args, from, to, least); return
    case 2: foldIntegers<T, Min<T>>(args, from, to, most); return
    default: foldIntegers<T, Mul<T>>(args, from, to, 1)
  }
}

export function binary_i32(args: usize, from: u32, to: u32, thread: u32): void {
  arithmetic<i32>(args, from, to)
}

export function binary_i64(args: usize, from: u32, to: u32, thread: u32): void {
  arithmetic<i64>(args, from, to)
}

export function compare_f32(args: usize, from: u32, to: u32, thread: u32): void {
  comparison<f32>(args, from, to)
}

export function compare_i32(args: usize, from: u32, to: u32, thread: u32): void {
  comparison<i32>(args, from, to)
}

export function compare_i64(args: usize, from: u32, to: u32, thread: u32): void {
  comparison<i64>(args, from, to)
}

export function compare_u8(args: usize, from: u32, to: u32, thread: u32): void {
  logic<u8>(args, from, to)
}

export function select_1(args: usize, from: u32, to: u32, thread: u32): void {
  selectElements<u8>(args, from, to)
}

export function select_2(args: usize, from: u32, to: u32, thread: u32): void {
  selectElements<u16>(args, from, to)
}

export function select_4(args: usize, from: u32, to: u32, thread: u32): void {
  selectElements<u32>(args, from, to)
}

export function select_8(args: usize, from: u32, to: u32, thread: u32): void {
  selectElements<u64>(args, from, to)
}

export function not_u8(args: usize, from: u32, to: u32, thread: u32): void {
  invert(args, from, to)
}

export function cast_any(args: usize, from: u32, to: u32, thread: u32): void {
  castAny(args, from, to)
}

export function reduce_i32(args: usize, from: u32, to: u32, thread: u32): void {
  reduction<i32>(args, from, to, i32.MIN_VALUE, i32.MAX_VALUE)
}

export function reduce_i64(args: usize, from: u32, to: u32, thread: u32): void {
  reduction<i64>(args, from, to, i64.MIN_VALUE, i64.MAX_VALUE)
}

export function arg_extreme_f32(args: usize, from: u32, to: u32, thread: u32): void {
  argExtreme<f32>(args, from, to)
}

export function arg_extreme_i32(args: usize, from: u32, to: u32, thread: u32): void {
  argExtreme<i32>(args, from, to)
}

export function arg_extreme_i64(args: usize, from: u32, to: u32, thread: u32): void {
  argExtreme<i64>(args, from, to)
}

export function running_f32(args: usize, from: u32, to: u32, thread: u32): void {
  runningTotals<f32, f64>(args, from, to)
}

export function running_i32(args: usize, from: u32, to: u32, thread: u32): void {
  runningTotals<i32, i32>(args, from, to)
}

export function running_i64(args: usize, from: u32, to: u32, thread: u32): void {
  runningTotals<i64, i64>(args, from, to)
}

export function top_k_f32(args: usize, from: u32, to: u32, thread: u32): void {
  bestOfRuns(args, from, to)
}
