// SPDX-License-Identifier: Apache-2.0
/**
 * One self-contained HTML file: style, the plotting library and the data are inside, nothing is fetched. Light and
 * dark follow the reader's setting; narrow screens get one column. The data stands in the page as JSON, so that other
 * programs can read it back.
 */
import { chartsOf } from './charts.ts'
import type { ReportData } from './data.ts'
import { pageScript } from './page-script.ts'
import { style } from './style.ts'

/** The page. `chartLibrary` is the source of Chart.js (its UMD build). */
export function renderReport(data: ReportData, chartLibrary: string): string {
  const charts = chartsOf(data)
  const histograms = charts.filter(({ id }) => id.startsWith('histogram-'))
  const main = charts.filter((chart) => !histograms.includes(chart))
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
${figures(data)}
${main.map(figure).join('\n')}
${histograms.length === 0 ? '' : `<section class="wide"><h2>Weights before and after</h2></section>\n${histograms.map(figure).join('\n')}`}
${outputs(data)}
${layers(data)}
${passes(data)}
</main>
<script type="application/json" id="report-data">${json(data)}</script>
<script type="application/json" id="chart-data">${json(charts)}</script>
<script>${chartLibrary.replaceAll('</script', '<\\/script')}</script>
<script>${pageScript}</script>
</body>
</html>
`
}

function figure({ id, title, reading, axis, labels, series }: ReturnType<typeof chartsOf>[number]): string {
  const rows = axis === 'y' ? 70 + labels.length * Math.max(34, 16 * series.length) : 240
  return `<section${axis === 'y' ? ' class="wide"' : ''}><h2>${escape(title)}</h2><p>${escape(reading)}</p><div class="plot" style="height:${rows}px"><canvas id="${id}" role="img" aria-label="${escape(title)}"></canvas></div></section>`
}

function figures({ sizes, latencies, outputs: errors }: ReportData): string {
  const cards: [string, string][] = []
  if (sizes.length > 1) cards.push(['size', `${((100 * sizes[1].bytes) / sizes[0].bytes).toFixed(1)} %`])
  if (latencies.length > 1) {
    const [a, b] = latencies.map(({ runs }) => [...runs].sort((x, y) => x - y)[runs.length >> 1])
    cards.push(['latency', `${((100 * b) / a).toFixed(0)} %`])
  }
  if (errors.length > 0) {
    cards.push(['least cosine', Math.min(...errors.map(({ cosine }) => cosine)).toFixed(5)])
    cards.push(['least SNR', decibels(Math.min(...errors.map(({ snr }) => snr)))])
  }
  if (cards.length === 0) return ''
  return `<section class="wide cards">${cards.map(([name, value]) => `<div><b>${value}</b><span>${name}</span></div>`).join('')}</section>`
}

function outputs({ outputs: rows }: ReportData): string {
  const cells = rows.map(({ name, cosine, maxAbsError, maxRelError, snr }) => [
    name,
    cosine.toFixed(6),
    maxAbsError.toExponential(2),
    maxRelError.toExponential(2),
    decibels(snr),
  ])
  return table('Error per output', ['output', 'cosine', 'largest error', 'over largest value', 'SNR'], cells)
}

function layers({ layers: rows }: ReportData): string {
  const cells = rows.map(({ node, op, to, bytesBefore, bytesAfter, weightSnr, outputSnr }) => [
    node,
    op,
    to,
    String(bytesBefore),
    String(bytesAfter),
    weightSnr === null ? '' : decibels(weightSnr),
    outputSnr === null ? '' : decibels(outputSnr),
  ])
  return table('Layers', ['node', 'operator', 'stored as', 'bytes before', 'after', 'weight SNR', 'output SNR'], cells)
}

function passes({ passes: rows }: ReportData): string {
  return table(
    'What the passes did',
    ['pass', 'rewrites'],
    rows.map(({ name, fired }) => [name, String(fired)]),
  )
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const row = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`
  return `<section class="wide"><h2>${escape(title)}</h2><div class="scroll"><table><thead>${row(head, 'th')}</thead><tbody>${rows.map((cells) => row(cells, 'td')).join('\n')}</tbody></table></div></section>`
}

function decibels(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(1)} dB` : 'equal'
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** JSON that can stand inside a script element; infinities become strings. */
function json(value: unknown): string {
  const plain = (_: string, item: unknown) => (typeof item === 'number' && !Number.isFinite(item) ? String(item) : item)
  return JSON.stringify(value, plain).replaceAll('<', '\\u003c')
}
