// SPDX-License-Identifier: Apache-2.0
/**
 * One self-contained HTML file: style, the plotting library and the data are inside, nothing is fetched. Light and
 * dark follow the reader's setting; narrow screens get one column. The data stands in the page as JSON, so that other
 * programs can read it back.
 */
import { type ChartSpec, chartsOf } from './charts.ts'
import type { ReportData } from './data.ts'
import { pageScript } from './page-script.ts'
import { style } from './style.ts'

/** The page. `chartLibrary` is the source of Chart.js (its UMD build), with the notice of its licence. */
export function renderReport(data: ReportData, chartLibrary: string): string {
  const charts = chartsOf(data)
  const histograms = charts.filter(({ form }) => form === 'steps')
  const figures = charts.filter((chart) => !histograms.includes(chart)).map(figure)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(data.title)}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${escape(data.title)}</h1><p>${escape(data.setting)}</p></header>
<main>
${cards(data)}
${figures.join('\n')}
${histograms.length === 0 ? '' : histogramHead(data)}
${histograms.map(figure).join('\n')}
${outputs(data)}
${layers(data)}
${passes(data)}
</main>
<footer>${data.notes.map((note) => `<p>${escape(note)}</p>`).join('')}</footer>
<script type="application/json" id="report-data">${json(data)}</script>
<script type="application/json" id="chart-data">${json(charts)}</script>
<script>${chartLibrary.replaceAll('</script', '<\\/script').replace(/\/\/# sourceMappingURL=.*\s*$/, '')}</script>
<script>${pageScript}</script>
</body>
</html>
`
}

/** Plots that stand side by side; the others take the whole width. */
const halves = new Set(['sizes', 'latency'])

function figure({ id, title, reading, form, labels, series }: ChartSpec): string {
  const legend = series.length > 1 && form !== 'steps' ? 34 : 0
  const height = form === 'bars' ? 56 + legend + Math.max(2, labels.length) * 34 : form === 'line' ? 330 : 180
  const place = form === 'steps' ? ' class="third"' : halves.has(id) ? '' : ' class="wide"'
  const heading = form === 'steps' ? 'h3' : 'h2'
  const words = reading === '' ? '' : `<p>${escape(reading)}</p>`
  const plot = `<div class="plot" style="height:${height}px"><canvas id="${id}" role="img" aria-label="${escape(title)}"></canvas></div>`
  return `<section${place}><${heading}>${escape(title)}</${heading}>${words}${plot}</section>`
}

function histogramHead({ histograms }: ReportData): string {
  const which = histograms.length === 1 ? 'One layer' : `The ${histograms.length} layers with most weights`
  const key = (color: string, text: string): string =>
    `<span class="key" style="background:var(--${color})"></span>${text}`
  return `<section class="wide bare"><h2>Weights before and after</h2><p>${which}: how many weights have which value, on a logarithmic scale.${key('area', 'before')}${key('c1', 'after')}</p></section>`
}

function cards({ sizes, latencies, outputs: errors, layers: rows }: ReportData): string {
  const found: [value: string, name: string][] = []
  if (sizes.length > 1) {
    const [before, after] = [sizes[0], sizes[sizes.length - 1]]
    found.push([
      percent(after.bytes / before.bytes),
      `of the size: ${megabytes(before.bytes)} → ${megabytes(after.bytes)}`,
    ])
  }
  if (latencies.length > 1) {
    const ends = [latencies[0], latencies[latencies.length - 1]]
    const [before, after] = ends.map(({ runs }) => [...runs].sort((x, y) => x - y)[runs.length >> 1] ?? 0)
    if (before > 0)
      found.push([
        percent(after / before),
        `of the time${latencies.length > 2 ? ` of ${latencies[0].label}` : ''}: ${milliseconds(before)} → ${milliseconds(after)}`,
      ])
  }
  if (errors.length > 0) {
    const worst = Math.min(...errors.map(({ snr }) => snr))
    found.push([decibels(worst), `signal to noise${errors.length > 1 ? ', worst output' : ''}`])
    found.push([
      Math.min(...errors.map(({ cosine }) => cosine)).toFixed(5),
      `cosine${errors.length > 1 ? ', worst output' : ''}`,
    ])
  }
  const changed = rows.filter(({ bytesBefore, bytesAfter }) => bytesAfter < bytesBefore).length
  if (rows.length > 0) found.push([`${changed} of ${rows.length}`, 'layers made smaller'])
  if (found.length === 0) return ''
  return `<section class="wide cards">${found.map(([value, name]) => `<div><b>${escape(value)}</b><span>${escape(name)}</span></div>`).join('')}</section>`
}

function outputs({ outputs: rows }: ReportData): string {
  const cells = rows.map(({ name, cosine, maxAbsError, maxRelError, snr }) => [
    name,
    cosine.toFixed(6),
    maxAbsError.toExponential(2),
    maxRelError.toExponential(2),
    decibels(snr),
  ])
  return table(
    'Error per output',
    ['output', 'cosine', 'largest error', 'over largest value', 'signal to noise'],
    cells,
  )
}

function layers({ layers: rows }: ReportData): string {
  const cells = rows.map(({ node, op, to, bytesBefore, bytesAfter, weightSnr, outputSnr }) => [
    node,
    op,
    to,
    bytesBefore.toLocaleString('en'),
    bytesAfter.toLocaleString('en'),
    weightSnr === null ? 'unchanged' : decibels(weightSnr),
    outputSnr === null ? '' : decibels(outputSnr),
  ])
  const head = ['layer', 'operator', 'stored as', 'bytes before', 'after', 'weights', 'output']
  return table('Layers', head, cells, { text: [1, 2], faint: (row) => row[5] === 'unchanged' })
}

function passes({ passes: rows }: ReportData): string {
  const cells = rows.map(({ name, fired, nodes }) => [name, String(fired), String(nodes[0]), String(nodes[1])])
  const faint = (row: readonly string[]): boolean => row[1] === '0'
  return table('What the passes did', ['pass', 'rewrites', 'operators before', 'after'], cells, { faint })
}

interface TableLook {
  /** Columns of text beside the first. */
  readonly text?: readonly number[]
  readonly faint?: (row: readonly string[]) => boolean
}

function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { text = [], faint = () => false }: TableLook = {},
): string {
  if (rows.length === 0) return ''
  const cell = (content: string, tag: string, column: number): string =>
    `<${tag}${text.includes(column) ? ' class="text"' : ''}>${escape(content)}</${tag}>`
  const line = (cells: readonly string[], tag: string): string =>
    cells.map((content, i) => cell(content, tag, i)).join('')
  const body = rows.map((row) => `<tr${faint(row) ? ' class="none"' : ''}>${line(row, 'td')}</tr>`)
  return `<section class="wide"><h2>${escape(title)}</h2><div class="scroll" tabindex="0"><table><thead><tr>${line(head, 'th')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div></section>`
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(ratio < 0.995 ? 1 : 0)} %`
}

function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`
}

function milliseconds(time: number): string {
  return `${time.toFixed(time < 10 ? 2 : time < 100 ? 1 : 0)} ms`
}

function decibels(value: number): string {
  if (Number.isFinite(value)) return `${value.toFixed(1)} dB`
  return value > 0 ? 'equal' : 'nothing but noise'
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** JSON that can stand inside a script element; infinities become strings. */
function json(value: unknown): string {
  const plain = (_: string, item: unknown) => (typeof item === 'number' && !Number.isFinite(item) ? String(item) : item)
  return JSON.stringify(value, plain).replaceAll('<', '\\u003c')
}
