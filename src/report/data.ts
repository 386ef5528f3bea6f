// SPDX-License-Identifier: Apache-2.0
/** What a report shows, as plain data. Every part may be missing; numbers are measured by whoever fills it in. */

export interface SizeRow {
  readonly label: string
  /** Bytes on disk. */
  readonly bytes: number
  /** Bytes of weights by element type. */
  readonly byType: Readonly<Record<string, number>>
}

export interface LatencyRow {
  readonly label: string
  /** Milliseconds of each timed run, in order. */
  readonly runs: readonly number[]
}

export interface OutputError {
  readonly name: string
  readonly cosine: number
  readonly maxAbsError: number
  /** Largest error over the reference's largest absolute value. */
  readonly maxRelError: number
  /** Decibels; Infinity where equal. */
  readonly snr: number
}

export interface LayerRow {
  readonly node: string
  readonly op: string
  readonly to: string
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Signal-to-noise of the stored weight, decibels; null where unchanged. */
  readonly weightSnr: number | null
  /** Signal-to-noise of the layer's output in a run of the whole model, decibels; null where not measured. */
  readonly outputSnr: number | null
}

export interface Histogram {
  readonly label: string
  /** Bin edges, one more than the counts. */
  readonly edges: readonly number[]
  readonly before: readonly number[]
  readonly after: readonly number[]
}

export interface PassRow {
  readonly name: string
  /** Rewrites. */
  readonly fired: number
  /** Nodes before and after. */
  readonly nodes: readonly [number, number]
}

export interface ReportData {
  readonly title: string
  /** One line: machine, runtime, build, date. */
  readonly setting: string
  /** Sentences on how it was measured. */
  readonly notes: readonly string[]
  /** The reference first, what it is all about last. */
  readonly sizes: readonly SizeRow[]
  /** The reference first, what it is all about last. */
  readonly latencies: readonly LatencyRow[]
  readonly outputs: readonly OutputError[]
  /** In the order of the graph. */
  readonly layers: readonly LayerRow[]
  readonly histograms: readonly Histogram[]
  readonly passes: readonly PassRow[]
}
