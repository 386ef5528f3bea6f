// SPDX-License-Identifier: Apache-2.0
/**
 * The script inside a report: turns the plots' JSON into configurations of Chart.js and draws them, again when the colour
 * scheme changes. Every colour is a custom property of the style sheet. The charts are kept in `window.reportCharts`.
 */
export const pageScript = `
(() => {
  const specs = JSON.parse(document.getElementById('chart-data').textContent)
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const short = (value) => Math.abs(value) >= 1e6 ? +(value / 1e6).toFixed(1) + 'M' : Math.abs(value) >= 1e4 ? Math.round(value / 1e3) + 'k' : String(+(+value).toPrecision(4))
  const clip = (text, most) => text.length <= most ? text : text.slice(0, most / 2 - 1) + '…' + text.slice(-most / 2)

  const whiskers = {
    id: 'whiskers',
    afterDatasetsDraw(chart) {
      const { ctx, scales: { x: scale } } = chart
      ctx.save()
      ctx.strokeStyle = css('--ink')
      ctx.lineWidth = 1.5
      ctx.beginPath()
      chart.data.datasets.forEach(({ whiskers: ranges = [] }, i) => ranges.forEach((range, j) => {
        if (!range) return
        const { y } = chart.getDatasetMeta(i).data[j]
        const [from, to] = range.map((value) => scale.getPixelForValue(value))
        ctx.moveTo(from, y); ctx.lineTo(to, y)
        for (const x of [from, to]) { ctx.moveTo(x, y - 6); ctx.lineTo(x, y + 6) }
      }))
      ctx.stroke()
      ctx.restore()
    },
  }

  const dataset = ({ form, firstColor = 0, series }) => ({ label, data, whiskers: ranges }, i) => {
    const color = css('--c' + ((firstColor + i) % 6))
    const common = { label, data, backgroundColor: color, borderColor: color }
    if (form === 'bars') return { ...common, whiskers: ranges, borderRadius: 3, maxBarThickness: 26, categoryPercentage: 0.8, barPercentage: 0.9 }
    if (form === 'line') return { ...common, borderWidth: 2, pointRadius: data.length > 80 ? 1.5 : 3, pointHoverRadius: 5, tension: 0.25, spanGaps: true, borderDash: i === 0 ? [] : [4, 4] }
    return { ...common, stepped: 'middle', pointRadius: 0, pointHitRadius: 8, borderWidth: i === 0 ? 0 : 1.5, backgroundColor: i === 0 ? css('--area') : 'transparent', borderColor: css(i === 0 ? '--area' : '--c1'), fill: i === 0 ? 'origin' : false }
  }

  const configuration = (spec) => {
    const { form, unit, labelUnit, stacked = false, labels, series } = spec
    const soft = css('--soft'), line = css('--line')
    const narrow = innerWidth < 600
    const value = {
      stacked, beginAtZero: true, suggestedMax: Math.max(0, ...series.flatMap(({ whiskers: ranges = [] }) => ranges.map((range) => range ? range[1] : 0))), border: { display: false }, grid: { color: line },
      title: { display: true, text: unit, color: soft }, ticks: { color: soft, callback: short, maxTicksLimit: form === 'steps' ? 4 : 8 },
    }
    // counts of weights span decades: a few outliers set the scale of their layer
    if (form === 'steps') Object.assign(value, { type: 'logarithmic', beginAtZero: false, min: 0.8 }, { ticks: { color: soft, callback: (count) => /^1/.test(String(count)) ? short(count) : '' } })
    const category = { stacked, grid: { display: false }, border: { color: line }, ticks: { color: soft } }
    if (form === 'bars') Object.assign(category.ticks, { autoSkip: false, callback: (i) => clip(labels[i], narrow ? 18 : 44) })
    if (form === 'line') Object.assign(category, { title: { display: true, text: 'layer', color: soft } }, { ticks: { color: soft, autoSkip: true, maxTicksLimit: narrow ? 6 : 16, maxRotation: 0, callback: (i) => i + 1 } })
    if (form === 'steps') Object.assign(category, { title: { display: true, text: labelUnit, color: soft }, ticks: { color: soft, autoSkip: true, maxTicksLimit: 5, maxRotation: 0, callback: (i) => short(labels[i]) } })
    return {
      type: form === 'bars' ? 'bar' : 'line',
      data: { labels, datasets: series.map(dataset(spec)) },
      options: {
        indexAxis: form === 'bars' ? 'y' : 'x', responsive: true, maintainAspectRatio: false, animation: false,
        interaction: { mode: 'index', axis: form === 'bars' ? 'y' : 'x', intersect: false },
        scales: form === 'bars' ? { x: value, y: category } : { x: category, y: value },
        plugins: {
          legend: { display: series.length > 1 && form !== 'steps', position: 'top', align: 'start', labels: { color: css('--ink'), boxWidth: form === 'line' ? 28 : 12, boxHeight: 12, usePointStyle: form === 'line', pointStyle: 'line', useBorderRadius: true, borderRadius: 3 } },
          tooltip: { callbacks: { label: ({ dataset: set, raw }) => set.label + ': ' + (raw === null ? '–' : (+raw).toLocaleString('en', { maximumFractionDigits: 3 })) + ' ' + unit } },
        },
      },
      plugins: form === 'bars' ? [whiskers] : [],
    }
  }

  const charts = []
  const draw = () => {
    for (const chart of charts.splice(0)) chart.destroy()
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily
    for (const spec of specs) charts.push(new Chart(document.getElementById(spec.id), configuration(spec)))
    window.reportCharts = charts
  }
  draw()
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
})()
`
