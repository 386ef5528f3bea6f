// SPDX-License-Identifier: Apache-2.0
/**
 * The plots of a report as plain JSON, so that the page only hands them to the plotting library. Colours are left to the
 * page, which takes them from its style sheet (light and dark). A plot has numbers or null at every place; infinities
 * are drawn at a ceiling.
 */
import type { Histogram, LayerRow, ReportData } from './data.ts'

/** How a plot is drawn: bars that lie, a line with points, or an area of steps. */
export type ChartForm = 'bars' | 'line' | 'steps'

export interface ChartSeries {
  readonly label: string
  readonly data: readonly (number | null)[]
  /** From and to of a whisker on each bar. */
  readonly whiskers?: readonly (readonly [number, number] | null)[]
}

export interface ChartSpec {
  readonly id: string
  readonly title: string
  /** One sentence on how to read it. */
  readonly reading: string
  readonly form: ChartForm
  /** Of the values. */
  readonly unit: string
  /** Of the labels, where they are numbers. */
  readonly labelUnit?: string
  readonly stacked?: boolean
  /** Tells series of one plot from those of another: where the palette starts. */
  readonly firstColor?: number
  readonly labels: readonly string[]
  readonly series: readonly ChartSeries[]
}

/** Signal-to-noise of outputs is drawn up to here; beyond, they are as good as equal. Decibels. */
const SNR_CEILING = 120

/** The charts for what the data has; parts that are missing give none. */
export function chartsOf(data: ReportData): ChartSpec[] {
  return [
    ...sizes(data),
    ...latencies(data),
    ...outputs(data),
    ...layers(data),
    ...passes(data),
    ...data.histograms.map(histogram),
  ]
}

function sizes({ sizes: rows }: ReportData): ChartSpec[] {
  if (rows.length === 0) return []
  const types = [...new Set(rows.flatMap(({ byType }) => Object.keys(byType)))].filter((type) =>
    rows.some(({ bytes, byType }) => (byType[type] ?? 0) > bytes / 1000),
  )
  const rest = rows.map(({ bytes, byType }) =>
    Math.max(
      0,
      types.reduce((left, type) => left - (byType[type] ?? 0), bytes),
    ),
  )
  return [
    {
      id: 'sizes',
      title: 'Bytes on disk',
      reading: 'Each bar is a file; its parts are weights by element type, and all the rest.',
      form: 'bars',
      unit: 'MB',
      stacked: true,
      labels: rows.map(({ label }) => label),
      series: [
        ...types.map((type) => ({ label: type, data: rows.map(({ byType }) => (byType[type] ?? 0) / 1e6) })),
        { label: 'graph and the rest', data: rest.map((bytes) => bytes / 1e6) },
      ],
    },
  ]
}

function latencies({ latencies: rows }: ReportData): ChartSpec[] {
  if (rows.length === 0) return []
  const at = (runs: readonly number[], q: number): number => {
    const sorted = [...runs].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
  }
  return [
    {
      id: 'latency',
      title: 'Latency of a run',
      reading: 'Bars are medians, whiskers go from the fastest run to the 95th percentile. Shorter is better.',
      form: 'bars',
      unit: 'ms',
      labels: rows.map(({ label }) => label),
      series: [
        {
          label: 'median',
          data: rows.map(({ runs }) => (runs.length === 0 ? null : at(runs, 0.5))),
          whiskers: rows.map(({ runs }) => (runs.length === 0 ? null : [at(runs, 0), at(runs, 0.95)])),
        },
      ],
    },
  ]
}

function outputs({ outputs: rows }: ReportData): ChartSpec[] {
  if (rows.length === 0) return []
  return [
    {
      id: 'outputs',
      title: 'Signal-to-noise of each output',
      reading: `How far the signal is above the error, in decibels; 6 dB are one bit. Longer is better, ${SNR_CEILING} means equal.`,
      form: 'bars',
      unit: 'dB',
      firstColor: 2,
      labels: rows.map(({ name }) => name),
      series: [{ label: 'signal to noise', data: rows.map(({ snr }) => capped(snr)) }],
    },
  ]
}

function layers({ layers: rows }: ReportData): ChartSpec[] {
  const shown = rows.filter(({ weightSnr, outputSnr }) => weightSnr !== null || outputSnr !== null)
  const isOff = (snr: number | null): boolean => snr !== null && snr !== Infinity
  if (!shown.some(({ weightSnr, outputSnr }) => isOff(weightSnr) || isOff(outputSnr))) return []
  const series = (label: string, pick: (row: LayerRow) => number | null): ChartSeries => ({
    label,
    data: shown.map((row) => (pick(row) === Infinity ? null : capped(pick(row)))),
  })
  return [
    {
      id: 'layers',
      title: 'Signal-to-noise through the network',
      reading:
        "One place per layer, from the model's input on the left to its output on the right. A layer's output carries the errors of all layers before it; its weights only their own. Where there is no point, nothing changed.",
      form: 'line',
      unit: 'dB',
      firstColor: 2,
      labels: shown.map(({ node }) => node),
      series: [series('output', (row) => row.outputSnr), series('weights', (row) => row.weightSnr)].filter(({ data }) =>
        data.some((value) => value !== null),
      ),
    },
  ]
}

function passes({ passes: rows }: ReportData): ChartSpec[] {
  const shown = rows.filter(({ fired }) => fired > 0)
  if (shown.length === 0) return []
  return [
    {
      id: 'passes',
      title: 'Operators left after each pass',
      reading: `Passes that changed something, in their order. The model began with ${rows[0].nodes[0]} operators.`,
      form: 'bars',
      unit: 'operators',
      firstColor: 3,
      labels: shown.map(({ name }) => name),
      series: [{ label: 'operators', data: shown.map(({ nodes }) => nodes[1]) }],
    },
  ]
}

function histogram({ label, edges, before, after }: Histogram, index: number): ChartSpec {
  return {
    id: `histogram-${index}`,
    title: label,
    reading: '',
    form: 'steps',
    unit: 'weights',
    labelUnit: 'value',
    labels: before.map((_, i) => ((edges[i] + edges[i + 1]) / 2).toPrecision(3)),
    series: [
      { label: 'before', data: before },
      { label: 'after', data: after },
    ],
  }
}

function capped(value: number | null): number | null {
  return value === null || Number.isNaN(value) ? null : Math.max(-SNR_CEILING, Math.min(SNR_CEILING, value))
}
