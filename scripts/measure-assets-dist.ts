// SPDX-License-Identifier: Apache-2.0
/**
 * The form of `src/measure/assets.ts` that ships: the same export, the address inside `dist/`, where the build copies the
 * library and its licence. `DIST_ROOT` becomes the way from the chunk to `dist/`.
 */

export function chartUrl(): URL {
  return new URL('DIST_ROOT/chart/chart.umd.min.js', import.meta.url)
}
