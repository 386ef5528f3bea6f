// SPDX-License-Identifier: Apache-2.0
/**
 * The probe's exports in every build, as plain data. They are not kernels: the host calls them by name at start-up, to
 * learn what the relaxed instructions do here and how fast a thread can multiply. Vectors are 16 bytes in memory.
 */
import type { Form } from './row.ts'

/**
 * Known-answer functions, by name, with their arguments (all byte addresses of vectors).
 * probe_dot:   out = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, c); simd builds: b as unsigned bytes.
 * probe_dot16: out = i16x8.relaxed_dot_i8x16_i7x16_s(a, b); simd builds: b as unsigned bytes, wrapping.
 * probe_madd:  out = a * b + c on float32; once rounded where the host has a fused instruction.
 */
export const knownAnswers = {
  probe_dot: ['a', 'b', 'c', 'out'],
  probe_dot16: ['a', 'b', 'out'],
  probe_madd: ['a', 'b', 'c', 'out'],
} as const

export interface PeakLoop {
  /** Export `(iterations: u32) => number`; the result only keeps the work alive. */
  readonly name: string
  /** Multiply-accumulates of one iteration, in every build. */
  readonly macs: number
}

/**
 * Loops that hold all operands in registers. `s8` is the dot of bytes (in simd builds the pair step), `pairs` the dot
 * of int16 pairs, `s4` unpacks 4-bit weights and multiplies them with four rows of bytes, `short` is the dot of bytes with
 * sums in int16.
 */
export const peakLoops = {
  f32: { name: 'peak_f32', macs: 40 },
  s8: { name: 'peak_s8', macs: 160 },
  pairs: { name: 'peak_pairs', macs: 96 },
  s4: { name: 'peak_s4', macs: 128 },
  short: { name: 'peak_short', macs: 192 },
} as const satisfies Readonly<Record<string, PeakLoop>>

/** The inner loops of the forms of products. */
export const formLoops: Readonly<Record<Form, PeakLoop>> = {
  float: peakLoops.f32,
  dot: peakLoops.s8,
  pairs: peakLoops.pairs,
  short: peakLoops.short,
}
