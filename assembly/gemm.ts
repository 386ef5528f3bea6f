// SPDX-License-Identifier: Apache-2.0
/**
 * Kernels of src/kernels/gemm.ts: one line each. A kernel is a walk over units (product, convolution, depthwise) with a
 * multiply-accumulate step (gemm/mac.ts); the walks see their arguments through the views of gemm/views.ts.
 */
import {
  ConvF32Args,
  ConvS8DotArgs,
  ConvS8NarrowArgs,
  ConvS8PairsArgs,
  DwconvF32Args,
  GemmF32Args,
  GemmS4ScaledDotArgs,
  GemmS4ScaledF32Args,
  GemmS4ScaledPairsArgs,
  GemmS4ScaledShortArgs,
  GemmS8DotArgs,
  GemmS8NarrowArgs,
  GemmS8PairsArgs,
  GemmS8ScaledDotArgs,
  GemmS8ScaledF32Args,
  GemmS8ScaledNarrowArgs,
  GemmS8ScaledPairsArgs,
} from './generated/args'
import { convolve } from './gemm/conv'
import { convolveDepthwise } from './gemm/depthwise'
import { multiplyFolded } from './gemm/folded'
import { F32, Mac, S4Dot, S4Pairs, S8Dot, S8Pairs } from './gemm/mac'
import { multiplyNarrow } from './gemm/narrow'
import { multiply } from './gemm/product'
import { multiplyHalves, multiplyScaled } from './gemm/scaled'
import { multiplyShort } from './gemm/short'
import { Epilogue, Product, Scaled, Shared, Taps } from './gemm/views'
import { multiplyWidened } from './gemm/widened'

/** A product whose row of arguments is the class R. */
// @ts-ignore: decorator
@inline
function product<R, M extends Mac>(args: usize, from: u32, to: u32, quant: usize, narrow: bool = false): void {
  multiply<M>(args, quant, changetype<Epilogue>(args + offsetof<R>('bias')), from, to, narrow)
}

/** A convolution whose row of arguments is the class R. */
// @ts-ignore: decorator
@inline
function convolution<R, M extends Mac>(
  args: usize,
  from: u32,
  to: u32,
  thread: u32,
  quant: usize,
  narrow: bool = false,
): void {
  const taps = changetype<Taps>(args + offsetof<R>('groups'))
  convolve<M>(args, taps, quant, changetype<Epilogue>(args + offsetof<R>('bias')), from, to, thread, narrow)
}

/** A product with a scale per block of weights, whose row of arguments is the class R. */
// @ts-ignore: decorator
@inline
function scaled<R, M extends Mac>(args: usize, from: u32, to: u32, thread: u32): void {
  const parts = changetype<Scaled>(args + offsetof<R>('aParams'))
  const epilogue = changetype<Epilogue>(args + offsetof<R>('bias'))
  multiplyScaled<M>(changetype<Product>(args), parts, epilogue, from, to, thread)
}

/** The same by int16 pairs, with scales folded into weights. */
// @ts-ignore: decorator
@inline
function folded<R, M extends Mac>(args: usize, from: u32, to: u32, thread: u32): void {
  const parts = changetype<Scaled>(args + offsetof<R>('aParams'))
  const epilogue = changetype<Epilogue>(args + offsetof<R>('bias'))
  multiplyFolded<M>(changetype<Product>(args), parts, epilogue, from, to, thread)
}

/** The same with 4-bit weights, whose step is N, and which are widened to those of M. */
// @ts-ignore: decorator
@inline
function halves<R, N extends Mac, M extends Mac>(args: usize, from: u32, to: u32, thread: u32): void {
  const parts = changetype<Scaled>(args + offsetof<R>('aParams'))
  const epilogue = changetype<Epilogue>(args + offsetof<R>('bias'))
  multiplyHalves<N, M>(changetype<Product>(args), parts, epilogue, from, to, thread)
}

/** The same of float32 rows. */
// @ts-ignore: decorator
@inline
function widened<R>(args: usize, bits: u32, from: u32, to: u32, thread: u32): void {
  const parts = changetype<Scaled>(args + offsetof<R>('aParams'))
  const epilogue = changetype<Epilogue>(args + offsetof<R>('bias'))
  multiplyWidened(changetype<Product>(args), parts, epilogue, bits, from, to, thread)
}

export function gemm_f32(args: usize, from: u32, to: u32, thread: u32): void {
  product<GemmF32Args, F32>(args, from, to, 0)
}

export function gemm_s8_dot(args: usize, from: u32, to: u32, thread: u32): void {
  product<GemmS8DotArgs, S8Dot>(args, from, to, args + offsetof<GemmS8DotArgs>('aParams'))
}

export function gemm_s8_narrow(args: usize, from: u32, to: u32, thread: u32): void {
  product<GemmS8NarrowArgs, S8Dot>(args, from, to, args + offsetof<GemmS8NarrowArgs>('aParams'), ASC_FEATURE_RELAXED_SIMD)
}

export function gemm_s8_pairs(args: usize, from: u32, to: u32, thread: u32): void {
  product<GemmS8PairsArgs, S8Pairs>(args, from, to, args + offsetof<GemmS8PairsArgs>('aParams'))
}

export function gemm_s8_scaled_dot(args: usize, from: u32, to: u32, thread: u32): void {
  scaled<GemmS8ScaledDotArgs, S8Dot>(args, from, to, thread)
}

export function gemm_s8_scaled_narrow(args: usize, from: u32, to: u32, thread: u32): void {
  const parts = changetype<Shared>(args + offsetof<GemmS8ScaledNarrowArgs>('aParams'))
  const epilogue = changetype<Epilogue>(args + offsetof<GemmS8ScaledNarrowArgs>('bias'))
  multiplyNarrow(changetype<Product>(args), parts, epilogue, from, to, thread)
}

export function gemm_s8_scaled_pairs(args: usize, from: u32, to: u32, thread: u32): void {
  folded<GemmS8ScaledPairsArgs, S8Pairs>(args, from, to, thread)
}

export function gemm_s4_scaled_dot(args: usize, from: u32, to: u32, thread: u32): void {
  halves<GemmS4ScaledDotArgs, S4Dot, S8Dot>(args, from, to, thread)
}

export function gemm_s4_scaled_pairs(args: usize, from: u32, to: u32, thread: u32): void {
  folded<GemmS4ScaledPairsArgs, S4Pairs>(args, from, to, thread)
}

export function gemm_s4_scaled_short(args: usize, from: u32, to: u32, thread: u32): void {
  const parts = changetype<Shared>(args + offsetof<GemmS4ScaledShortArgs>('aParams'))
  const epilogue = changetype<Epilogue>(args + offsetof<GemmS4ScaledShortArgs>('bias'))
  multiplyShort(changetype<Product>(args), parts, epilogue, from, to, thread)
}

export function gemm_s8_scaled_f32(args: usize, from: u32, to: u32, thread: u32): void {
  widened<GemmS8ScaledF32Args>(args, 8, from, to, thread)
}

export function gemm_s4_scaled_f32(args: usize, from: u32, to: u32, thread: u32): void {
  widened<GemmS4ScaledF32Args>(args, 4, from, to, thread)
}

export function conv_f32(args: usize, from: u32, to: u32, thread: u32): void {
  convolution<ConvF32Args, F32>(args, from, to, thread, 0)
}

export function conv_s8_dot(args: usize, from: u32, to: u32, thread: u32): void {
  convolution<ConvS8DotArgs, S8Dot>(args, from, to, thread, args + offsetof<ConvS8DotArgs>('aParams'))
}

export function conv_s8_narrow(args: usize, from: u32, to: u32, thread: u32): void {
  const quant = args + offsetof<ConvS8NarrowArgs>('aParams')
  convolution<ConvS8NarrowArgs, S8Dot>(args, from, to, thread, quant, ASC_FEATURE_RELAXED_SIMD)
}

export function conv_s8_pairs(args: usize, from: u32, to: u32, thread: u32): void {
  convolution<ConvS8PairsArgs, S8Pairs>(args, from, to, thread, args + offsetof<ConvS8PairsArgs>('aParams'))
}

export function dwconv_f32(args: usize, from: u32, to: u32, thread: u32): void {
  const epilogue = changetype<Epilogue>(args + offsetof<DwconvF32Args>('bias'))
  convolveDepthwise(changetype<DwconvF32Args>(args), epilogue, from, to)
}
