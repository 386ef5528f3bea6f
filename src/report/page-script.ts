// SPDX-License-Identifier: Apache-2.0
/** The script inside a report: hands the chart configurations to Chart.js, again when the colour scheme changes. */
export const pageScript = `
(() => {
  const specs = JSON.parse(document.getElementById('chart-data').textContent)
  const charts = []
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const draw = () => {
    for (const chart of charts.splice(0)) chart.destroy()
    const soft = color('--soft'), line = color('--line')
    for (const { id, type, axis, unit, stacked = false, labels, series } of specs) {
      const value = { title: { display: true, text: unit, color: soft }, ticks: { color: soft }, grid: { color: line }, beginAtZero: true, stacked }
      const category = { ticks: { color: soft, autoSkip: axis === 'x', maxRotation: 0 }, grid: { display: false }, stacked }
      charts.push(new Chart(document.getElementById(id), {
        type,
        data: { labels, datasets: series.map(({ label, data }, i) => ({ label, data, backgroundColor: color('--c' + (i % 6)), borderRadius: 2, categoryPercentage: 0.85, barPercentage: 0.95 })) },
        options: {
          indexAxis: axis, responsive: true, maintainAspectRatio: false, animation: false,
          plugins: { legend: { display: series.length > 1, labels: { color: soft, boxWidth: 12 } } },
          scales: axis === 'y' ? { x: value, y: category } : { x: category, y: value },
        },
      }))
    }
    window.reportCharts = charts
  }
  draw()
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
})()
`
