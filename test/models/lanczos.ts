// SPDX-License-Identifier: Apache-2.0
/** Squeezing the rows of an RGB image by a Lanczos window of three lobes, widened by the factor, as image tools do. */

const lobes = 3

function lanczos(x: number): number {
  if (x === 0) return 1
  if (Math.abs(x) >= lobes) return 0
  const p = Math.PI * x
  return (lobes * Math.sin(p) * Math.sin(p / lobes)) / (p * p)
}

/** The image with `to` columns instead of `from`. */
export function resized(rgb: Uint8Array, rows: number, from: number, to: number): Uint8Array {
  const factor = from / to
  const reach = lobes * factor
  const result = new Uint8Array(rows * to * 3)
  for (let x = 0; x < to; x++) {
    const centre = (x + 0.5) * factor
    const first = Math.max(0, Math.floor(centre - reach))
    const last = Math.min(from, Math.ceil(centre + reach))
    const weights = Array.from({ length: last - first }, (_, i) => lanczos((first + i + 0.5 - centre) / factor))
    const total = weights.reduce((a, b) => a + b, 0)
    for (let y = 0; y < rows; y++) {
      for (let c = 0; c < 3; c++) {
        const sum = weights.reduce((s, w, i) => s + w * rgb[3 * (y * from + first + i) + c], 0)
        result[3 * (y * to + x) + c] = Math.min(255, Math.max(0, Math.round(sum / total)))
      }
    }
  }
  return result
}
