// SPDX-License-Identifier: Apache-2.0
/** The HTML report: what stands in it, and that a browser draws every plot with its data, offline, light, dark and on a phone. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chartsOf } from '../../src/report/charts.ts'
import type { ReportData } from '../../src/report/data.ts'
import { histogramOf } from '../../src/report/histogram.ts'
import { renderReport } from '../../src/report/html.ts'
import { launchChromium, missingChromium } from '../page/chromium.ts'

const data: ReportData = {
  title: 'model </script><b>',
  setting: 'a machine, a runtime',
  notes: ['Measured on nothing.'],
  sizes: [
    { label: 'model.onnx', bytes: 4_200_000, byType: { float32: 4_000_000 } },
    { label: 'model.whittle', bytes: 1_150_000, byType: { int8: 1_000_000, float32: 40_000 } },
  ],
  latencies: [
    { label: 'float32', runs: [10, 11, 12, 10.5] },
    { label: 'int8', runs: [5, 5.2, 6, 5.1] },
  ],
  outputs: [{ name: 'y', cosine: 0.9999, maxAbsError: 0.01, maxRelError: 0.002, snr: 42 }],
  layers: [
    { node: 'conv1', op: 'whittle.Conv', to: 'int8', bytesBefore: 400, bytesAfter: 100, weightSnr: 44, outputSnr: 40 },
    {
      node: 'conv2',
      op: 'whittle.Conv',
      to: 'float32',
      bytesBefore: 400,
      bytesAfter: 400,
      weightSnr: null,
      outputSnr: Infinity,
    },
  ],
  histograms: [histogramOf('conv1', [-1, 0, 0.5, 1], [-1, 0, 0.5, 1], 8)],
  passes: [{ name: 'fold-constants', fired: 3, nodes: [10, 7] }],
}

describe('histogramOf', () => {
  it('counts every finite value once', () => {
    const { before, after, edges } = histogramOf('w', [0, 1, 2, 3, NaN, Infinity], [0, 0, 3], 3)
    expect(before.reduce((a, b) => a + b)).toBe(4)
    expect(after).toEqual([2, 0, 1])
    expect(edges).toHaveLength(4)
  })
  it('copes with no values and with equal values', () => {
    expect(histogramOf('w', [], []).before).toEqual([0])
    expect(histogramOf('w', [2, 2], [2], 4).before).toEqual([2, 0, 0, 0])
  })
})

describe.skipIf(missingChromium !== undefined)('in Chromium', () => {
  let browser: Browser
  let url: string
  beforeAll(async () => {
    browser = await launchChromium()
    const library = join(dirname(createRequire(import.meta.url).resolve('chart.js')), 'chart.umd.min.js')
    const file = join(mkdtempSync(join(tmpdir(), 'whittle-report-')), 'report.html')
    writeFileSync(file, renderReport(data, readFileSync(library, 'utf8')))
    url = `file://${file}`
  })
  afterAll(() => browser?.close())

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
  ] as const)('draws every plot with its data (%s, %i pixels wide)', async (colorScheme, width) => {
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, offline: true })
    const page = await context.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('request', (request) => request.url() !== url && problems.push(request.url()))
    await page.goto(url)
    const drawn = await page.evaluate(() =>
      (
        window as unknown as {
          reportCharts: { canvas: HTMLCanvasElement; data: { datasets: { data: unknown[] }[] } }[]
        }
      ).reportCharts.map(({ canvas, data: { datasets } }) => ({
        id: canvas.id,
        width: canvas.width,
        points: datasets.map((set) => set.data.length),
      })),
    )
    expect(problems).toEqual([])
    expect(drawn.map(({ id, points }) => ({ id, points }))).toEqual(
      chartsOf(data).map(({ id, series }) => ({ id, points: series.map((set) => set.data.length) })),
    )
    for (const { width: pixels } of drawn) expect(pixels).toBeGreaterThan(100)
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true)
    expect(await page.title()).toBe(data.title)
    await context.close()
  })
})
