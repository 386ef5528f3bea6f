// SPDX-License-Identifier: Apache-2.0
/**
 * Signal-to-noise ratio over any number of pieces: the power of the signal over that of the difference, in decibels,
 * 10 log10(sum a^2 / sum (a - b)^2). Pieces may come one after the other; equal signals are infinitely clean.
 */

/** Gathers pieces. */
export class Noise {
  #signal = 0
  #noise = 0

  /** Adds `approximation` of `signal`; elements beyond the shorter one are left out. Equal elements, NaN too, are no noise. */
  add(signal: ArrayLike<number | bigint | string>, approximation: ArrayLike<number | bigint | string>): void {
    const length = Math.min(signal.length, approximation.length)
    for (let i = 0; i < length; i++) {
      const a = Number(signal[i])
      const b = Number(approximation[i])
      if (Object.is(a, b) || a === b) {
        if (Number.isFinite(a)) this.#signal += a * a
        continue
      }
      const error = a - b
      this.#signal += Number.isFinite(a) ? a * a : 0
      this.#noise += Number.isFinite(error) ? error * error : Infinity
    }
  }

  /** Infinity where equal, -Infinity where there is nothing but noise. Never NaN. */
  get decibels(): number {
    if (this.#noise === 0) return Infinity
    if (this.#signal === 0 || this.#noise === Infinity) return -Infinity
    return 10 * Math.log10(this.#signal / this.#noise)
  }
}
