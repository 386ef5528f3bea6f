// SPDX-License-Identifier: Apache-2.0
/**
 * Results as text and as a page: `report.mjs <page> <results …>`. Tables hold medians and what follows from them; the page
 * holds the same ratios as bars, drawn by Chart.js from inside the file.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import Table from 'cli-table3'
import type { CaseResult, GroupResult } from './harness/results.ts'
import { medianOf } from './harness/results.ts'
import { geometricMean } from './harness/statistics.ts'

const peer = 'onnxruntime-web'

function table({ title, setting, cases }: GroupResult): string {
  const names = [
    ...new Set(cases.flatMap(({ entries, missing }) => [...entries.map((e) => e.contender), ...Object.keys(missing)])),
  ]
  const lines = new Table({
    style: { head: [], border: [], compact: true },
    head: [
      title,
      ...names.flatMap((name) => (name === peer ? [`${name}, ms`] : [`${name}, ms`, 'times the peer'])),
      'GMAC/s',
      'of peak',
    ],
  })
  for (const one of cases) {
    const cells = names.flatMap((name) => (name === peer ? [time(one, name)] : [time(one, name), ratioText(one, name)]))
    lines.push([one.name, ...cells, ...speed(one, setting.peaks)])
  }
  const { processor, runtime, build, threads, load, date } = setting
  const where = `${processor}, ${runtime}, build ${build}, ${threads} thread${threads > 1 ? 's' : ''}, load ${load.map((l) => l.toFixed(1)).join(' to ')}, ${date}`
  return `${where}\n${lines.toString()}`
}

/** Median and half the distance of its quartiles. */
function time({ entries }: CaseResult, contender: string): string {
  const entry = entries.find((candidate) => candidate.contender === contender)
  if (!entry) return 'none'
  const [low, high] = entry.quartiles
  return `${entry.median.toPrecision(3)} ± ${(((high - low) / 2 / entry.median) * 100).toFixed(0)} %`
}

/** How many times as fast as the peer. */
function ratio(one: CaseResult, contender: string): number | null {
  const [own, other] = [medianOf(one, contender), medianOf(one, peer)]
  return own === null || other === null ? null : other / own
}

function ratioText(one: CaseResult, contender: string): string {
  return ratio(one, contender)?.toFixed(2) ?? ''
}

function speed(one: CaseResult, peaks: GroupResult['setting']['peaks']): [string, string] {
  const own = medianOf(one, 'whittle')
  if (own === null || one.macs === null) return ['', '']
  const rate = one.macs / own / 1e6
  const kind = one.name.startsWith('float32') ? 'f32' : one.name.startsWith('int8') ? 'int8' : 'int4'
  const peak = peaks[kind]
  return [rate.toFixed(1), peak === null ? '' : `${((100 * rate) / peak).toFixed(0)} %`]
}

/** Geometric means over the shapes of a group, by what stands before the shape in the case's name. */
function means({ title, cases }: GroupResult): string[] {
  const kinds = [...new Set(cases.filter(({ macs }) => macs !== null).map(({ name }) => name.split(' ')[0]))]
  return kinds.flatMap((kind) => {
    const ratios = cases.filter(({ name }) => name.startsWith(kind)).map((one) => ratio(one, 'whittle'))
    const known = ratios.filter((value) => value !== null)
    return known.length === 0
      ? []
      : [`${title}, ${kind}: ${geometricMean(known).toFixed(2)} times ${peer} (geometric mean of ${known.length})`]
  })
}

/** Who could not run what, a line per reason. */
function gaps({ cases }: GroupResult): string[] {
  const reasons = new Map<string, string[]>()
  for (const { name, missing } of cases)
    for (const [contender, reason] of Object.entries(missing)) {
      const key = `${contender}: not measured, ${reason}`
      reasons.set(key, [...(reasons.get(key) ?? []), name])
    }
  return [...reasons].map(([reason, names]) => `${reason} (${names.join(', ')})`)
}

/** How much of whittle's runs is not spent in Wasm. */
function splits({ title, cases }: GroupResult): string[] {
  return cases.flatMap(({ name, entries }) => {
    const shares = entries.flatMap(({ contender, outsideWasm }) =>
      outsideWasm === undefined ? [] : [`${contender} ${(100 * outsideWasm).toFixed(1)} %`],
    )
    return shares.length === 0 ? [] : [`${title}, ${name}, outside Wasm: ${shares.join(', ')}`]
  })
}

/** Sparse products beside the dense one of the same type, and what timing both forms at load said. */
function overDense({ cases }: GroupResult): string[] {
  return cases.flatMap((one) => {
    const [own, dense] = [medianOf(one, 'whittle'), medianOf(one, 'whittle dense')]
    if (own === null || dense === null) return []
    const { form, timed: all } = one.forms?.whittle ?? {}
    const timed = (all ?? []).map(({ rows, times }) => {
      const each = Object.entries(times).map(([name, time]) => `${name} ${time.toFixed(3)} ms`)
      return `, at load with ${rows} rows ${each.join(', ')}`
    })
    return [`${one.name}: ${(dense / own).toFixed(2)} times own dense (runs ${form ?? 'as it is'}${timed.join('')})`]
  })
}

/** Where both forms of sparse weights are as fast. */
function crossings({ crossovers = [] }: GroupResult): string[] {
  return crossovers.map(({ kind, m, k, n, zeros, points }) => {
    const [least] = points
    const share = (part: number): string => `${(100 * part).toFixed(0)} % zeros`
    const what =
      zeros === null
        ? 'dense is faster at all shares of zeros'
        : zeros === least.zeros
          ? `faster than dense at ${share(zeros)} already`
          : `as fast as dense at ${share(zeros)}`
    return `${kind}: ${what} (${m}x${k}x${n})`
  })
}

/** Runs on several threads beside those on one, and the geometric mean of a group. */
function overAlone({ title, cases }: GroupResult): string[] {
  const gains = cases.flatMap((one) => {
    const [own, alone] = [medianOf(one, 'whittle'), medianOf(one, 'whittle alone')]
    return own === null || alone === null ? [] : [{ name: one.name, gain: alone / own }]
  })
  if (gains.length === 0) return []
  const mean = geometricMean(gains.map(({ gain }) => gain))
  const each = gains.map(({ name, gain }) => `${name} ${gain.toFixed(2)}`).join(', ')
  return [`${title}: ${mean.toFixed(2)} times own on one thread (geometric mean of ${each})`]
}

interface Bars {
  readonly title: string
  readonly setting: string
  readonly labels: readonly string[]
  readonly series: readonly { readonly label: string; readonly data: readonly (number | null)[] }[]
}

function bars({ title, setting, cases }: GroupResult): Bars {
  const names = [...new Set(cases.flatMap(({ entries }) => entries.map((entry) => entry.contender)))]
  return {
    title,
    setting: `${setting.processor}, ${setting.runtime}, ${setting.build}, ${setting.date.slice(0, 10)}`,
    labels: cases.map(({ name }) => name),
    series: names.map((label) => ({ label, data: cases.map((one) => ratio(one, label)) })),
  }
}

function page(charts: readonly Bars[], library: string): string {
  const heights = charts.map(({ labels, series }) => 70 + labels.length * series.length * 18)
  const sections = charts.map(
    ({ title, setting }, i) =>
      `<section><h2>${title}</h2><p>${setting}</p><div style="height:${heights[i]}px"><canvas></canvas></div></section>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>whittle: benchmarks</title>
<style>body{font:15px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem;background:#fff;color:#222}p{color:#666}h2{margin:2rem 0 0}</style>
</head><body><h1>Speed beside ${peer}</h1><p>How many times as fast as ${peer} in the same run: medians of interleaved rounds. Longer is better, 1 is the peer.</p>
${sections.join('\n')}
<script>${library.replaceAll('</script', '<\\/script')}</script>
<script>
const charts = ${JSON.stringify(charts).replaceAll('<', '\\u003c')}
const colors = ['#8a8f98', '#c9a227', '#1f6feb', '#1a7f5a']
document.querySelectorAll('canvas').forEach((canvas, i) => new Chart(canvas, {
  type: 'bar',
  data: { labels: charts[i].labels, datasets: charts[i].series.map((s, j) => ({ ...s, backgroundColor: colors[j % 4] })) },
  options: { indexAxis: 'y', animation: false, maintainAspectRatio: false, scales: { x: { beginAtZero: true, title: { display: true, text: 'times the peer' } } } },
}))
</script></body></html>
`
}

const [target, ...files] = process.argv.slice(2)
const results = await Promise.all(files.map(async (file) => JSON.parse(await readFile(file, 'utf8')) as GroupResult))
for (const result of results) console.log(table(result))
for (const line of results.flatMap(means)) console.log(line)
for (const line of results.flatMap(overDense)) console.log(line)
for (const line of results.flatMap(crossings)) console.log(line)
for (const line of results.flatMap(overAlone)) console.log(line)
for (const line of results.flatMap(splits)) console.log(line)
for (const line of results.flatMap(gaps)) console.log(line)
const library = await readFile(
  createRequire(import.meta.url)
    .resolve('chart.js')
    .replace(/[^/\\]+$/, 'chart.umd.min.js'),
  'utf8',
)
await writeFile(target, page(results.map(bars), library))
console.log(`wrote ${target}`)
