// SPDX-License-Identifier: Apache-2.0
/**
 * The plots of a report as Chart.js configurations: plain JSON, so that the page only hands them to the library.
 * Colours are left to the page, which takes them from its style sheet (light and dark).
 */
import type { Histogram, LayerRow, ReportData } from './data.ts'

export interface ChartSpec {
  readonly id: string
  readonly title: string
  /** One sentence on how to read it. */
  readonly reading: string
  readonly type: 'bar'
  /** 'y': bars lie; tall enough for their labels. */
  readonly axis: 'x' | 'y'
  readonly unit: string
  readonly stacked?: boolean
  readonly labels: readonly string[]
  readonly series: readonly { readonly label: string; readonly data: readonly (number | null)[] }[]
}

/** Signal-to-noise is drawn up to here; beyond, a layer is as good as equal. Decibels. */
const SNR_CEILING = 120

/** The charts for what the data has; parts that are missing give none. */
export function chartsOf(data: ReportData): ChartSpec[] {
  return [...sizes(data), ...latencies(data), ...layers(data), ...data.histograms.map(histogram)]
}

function sizes({ sizes: rows }: ReportData): ChartSpec[] {
  if (rows.length === 0) return []
  const types = [...new Set(rows.flatMap(({ byType }) => Object.keys(byType)))]
  const rest = rows.map(({ bytes, byType }) => Math.max(0, bytes - Object.values(byType).reduce((a, b) => a + b, 0)))
  return [
    {
      id: 'sizes',
      title: 'Bytes on disk',
      reading: 'Each bar is a file; the parts are weights by element type, and what is not weights.',
      type: 'bar',
      axis: 'y',
      unit: 'MB',
      stacked: true,
      labels: rows.map(({ label }) => label),
      series: [
        ...types.map((type) => ({ label: type, data: rows.map(({ byType }) => (byType[type] ?? 0) / 1e6) })),
        { label: 'graph', data: rest.map((bytes) => bytes / 1e6) },
      ],
    },
  ]
}

function latencies({ latencies: rows }: ReportData): ChartSpec[] {
  if (rows.length === 0) return []
  const at = (q: number) =>
    rows.map(({ runs }) => {
      const sorted = [...runs].sort((a, b) => a - b)
      return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? null
    })
  return [
    {
      id: 'latency',
      title: 'Latency',
      reading: 'Milliseconds a run: least, median and 95th percentile. Lower is better.',
      type: 'bar',
      axis: 'y',
      unit: 'ms',
      labels: rows.map(({ label }) => label),
      series: [
        { label: 'least', data: at(0) },
        { label: 'median', data: at(0.5) },
        { label: '95th percentile', data: at(0.95) },
      ],
    },
  ]
}

function layers({ layers: rows }: ReportData): ChartSpec[] {
  const shown = rows.filter(({ weightSnr, outputSnr }) => weightSnr !== null || outputSnr !== null)
  if (shown.length === 0) return []
  const cap = (value: number | null) => (value === null ? null : Math.min(SNR_CEILING, value))
  const series = (label: string, pick: (row: LayerRow) => number | null) => ({
    label,
    data: shown.map((row) => cap(pick(row))),
  })
  return [
    {
      id: 'layers',
      title: 'Signal-to-noise per layer',
      reading: `Decibels; 6 dB are one bit. Higher is better, ${SNR_CEILING} means equal. A layer's output carries the errors of all layers before it.`,
      type: 'bar',
      axis: 'y',
      unit: 'dB',
      labels: shown.map(({ node }) => node),
      series: [series('weights', (row) => row.weightSnr), series('output', (row) => row.outputSnr)].filter(({ data }) =>
        data.some((value) => value !== null),
      ),
    },
  ]
}

function histogram({ label, edges, before, after }: Histogram, index: number): ChartSpec {
  return {
    id: `histogram-${index}`,
    title: `Weights of ${label}`,
    reading: 'How many weights have which value, before and after.',
    type: 'bar',
    axis: 'x',
    unit: 'weights',
    labels: before.map((_, i) => ((edges[i] + edges[i + 1]) / 2).toPrecision(3)),
    series: [
      { label: 'before', data: before },
      { label: 'after', data: after },
    ],
  }
}
