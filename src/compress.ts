// SPDX-License-Identifier: Apache-2.0
/** whittle/compress: makes small models of large ones. Nothing a page needs to run a model is here. */
export type { Calibration } from './compress/calibrate.ts'
export {
  type CompressOptions,
  type CompressProgress,
  type CompressReport,
  type Compressed,
  type RoundedBy,
  compress,
} from './compress/compress.ts'
export { type Contender, type MeasureOptions, type MeasureProgress, measure } from './measure/measure.ts'
export { reportPage } from './measure/page.ts'
export type { PassReport } from './passes/pipeline.ts'
export type { LayerReport } from './compress/quantize-graph.ts'
export { type FullRecipe, type Recipe, presets } from './compress/recipe.ts'
export type { ReportData } from './report/data.ts'
