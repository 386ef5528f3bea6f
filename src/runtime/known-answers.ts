// SPDX-License-Identifier: Apache-2.0
/**
 * Which instruction the relaxed byte dot became on this host, by known answers: engines differ, and one (V8 11.3 behind
 * a flag) accepts the module and computes nonsense, so validation alone is never trusted. Operands go through memory,
 * because constants may be folded. Patterns: relaxed-simd proposal, Overview.md, and the lowerings of V8, SpiderMonkey
 * and JSC; the method is XNNPACK's (src/configs/hardware-config.c).
 */
import type { ByteDot } from '../kernels/row.ts'
import { pageBytes } from './address.ts'

/** The probe's exports (`kernels/probe.ts`). */
export interface ProbeExports {
  probe_dot(a: number, b: number, c: number, out: number): void
  probe_dot16(a: number, b: number, out: number): void
  probe_madd(a: number, b: number, c: number, out: number): void
}

/** a = -128 everywhere; b mixes -128 and -1, which as unsigned bytes are 128 and 255. */
const mixedB = [-128, -128, -128, -128, -128, -128, -1, -1, -1, -1, -128, -128, -1, -1, -1, -1]

/** Answers for a = -128, b = mixedB, c = 0, by instruction. */
const patterns: readonly (readonly [ByteDot, readonly number[]])[] = [
  ['sdot', [65536, 33024, 33024, 512]],
  ['vnni', [-65536, -98048, -98048, -130560]],
  ['pmaddubsw', [-65536, -65536, -65536, -65536]],
]

/** 4 x 127 x 127, and the same added to the largest int32, which wraps. */
const plainAnswer = 64516
const wrappedAnswer = -2147419133
const largest = 2147483647

/** 16777218 * 3 + 3: rounded once it is the first, rounded twice 50331660. */
const fusedAnswer = 50331656

/** Asks the instance; `memory` is used from its first page on and holds nothing else. */
export function knownAnswers(
  exports: ProbeExports,
  memory: WebAssembly.Memory,
  isRelaxed: boolean,
): { readonly relaxed: ByteDot; readonly fma: boolean } {
  const base = pageBytes / 2
  const place = (slot: number): number => base + slot * 16
  const bytes = (slot: number): Int8Array => new Int8Array(memory.buffer, place(slot), 16)
  const ints = (slot: number): Int32Array => new Int32Array(memory.buffer, place(slot), 4)
  const floats = (slot: number): Float32Array => new Float32Array(memory.buffer, place(slot), 4)
  const dot = (a: readonly number[], b: readonly number[], c: number): number[] => {
    bytes(0).set(a)
    bytes(1).set(b)
    ints(2).fill(c)
    exports.probe_dot(place(0), place(1), place(2), place(3))
    return [...ints(3)]
  }
  floats(0).fill(16777218)
  floats(1).fill(3)
  floats(2).fill(3)
  exports.probe_madd(place(0), place(1), place(2), place(3))
  const fma = floats(3).every((value) => value === fusedAnswer)
  if (!isRelaxed) return { relaxed: 'none', fma }
  const all = (value: number): number[] => new Array<number>(16).fill(value)
  const isAll = (lanes: readonly number[], value: number): boolean => lanes.every((lane) => lane === value)
  const sane = isAll(dot(all(127), all(127), 0), plainAnswer) && isAll(dot(all(127), all(127), largest), wrappedAnswer)
  const mixed = dot(all(-128), mixedB, 0)
  const found = patterns.find(([, lanes]) => lanes.every((lane, i) => lane === mixed[i]))
  return { relaxed: sane && found ? found[0] : 'broken', fma }
}
