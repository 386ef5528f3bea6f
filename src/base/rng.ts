// SPDX-License-Identifier: Apache-2.0
/**
 * Seeded randomness: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018),
 * its state filled from the seed by splitmix32. The same seed gives the same numbers on every host.
 */

/** Uniform numbers in [0, 1) with 32 bits of resolution. `seed` is any integer; only its low 32 bits count. */
export function seededRandom(seed: number): () => number {
  let mix = seed | 0
  const next = (): number => {
    mix = (mix + 0x9e3779b9) | 0
    let z = mix
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return z ^ (z >>> 15)
  }
  let a = next()
  let b = next()
  let c = next()
  let d = next() | 1
  return () => {
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 11) | (d >>> 21)
    return (result >>> 0) / 2 ** 32
  }
}

/** An integer in [min, max], both included. */
export function randomInteger(random: () => number, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1))
}

/** A standard normal number (Box and Muller, 1958). */
export function randomNormal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
