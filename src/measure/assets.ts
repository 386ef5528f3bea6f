// SPDX-License-Identifier: Apache-2.0
/**
 * Where the plotting library of reports lies. This is the form for sources: the development dependency's own file. The
 * build replaces this file by `scripts/measure-assets-dist.ts`, which has the same export.
 */

/** Address of Chart.js as one script (its UMD build). */
export function chartUrl(): URL {
  return new URL('../../node_modules/chart.js/dist/chart.umd.min.js', import.meta.url)
}
