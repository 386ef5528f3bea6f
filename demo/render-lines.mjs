// SPDX-License-Identifier: Apache-2.0
/**
 * Renders the demo's text lines to demo/lines/*.png with headless Chromium: black on white, 48 pixels high, as wide as
 * the text. Needs Debian's chromium and the fonts named below (fonts-dejavu, fonts-liberation, fonts-noto-cjk).
 * The images are committed; this is how to make them again.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { chromium } from 'playwright-core'

/** Pixels; the recogniser's fixed input height. */
const HEIGHT = 48
/** Widths are rounded up to this, since the recogniser divides the width by 8. */
const STEP = 8

const lines = [
  { name: 'greeting', text: 'Hello, WebAssembly', font: 'DejaVu Sans', size: 26, width: 320 },
  { name: 'invoice', text: 'Invoice 2026-1187', font: 'Liberation Serif', size: 32 },
  { name: 'price', text: 'Total: $1,249.50', font: 'DejaVu Sans Mono', size: 26 },
  { name: 'address', text: '221B Baker Street, London', font: 'Liberation Sans', size: 28 },
  { name: 'code', text: 'ISBN 978-0-13-468599-1', font: 'Liberation Mono', size: 26 },
  { name: 'chinese', text: '神经网络压缩与加速', font: 'Noto Sans CJK SC', size: 30 },
  {
    name: 'sentence',
    text: 'The quick brown fox jumps over the lazy dog, twice a day',
    font: 'Liberation Sans',
    size: 28,
  },
]

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--font-render-hinting=none',
  ],
})
try {
  const folder = new URL('./lines/', import.meta.url)
  await mkdir(folder, { recursive: true })
  const page = await browser.newPage({ viewport: { width: 1600, height: HEIGHT } })
  for (const { name, text, font, size, width: wanted } of lines) {
    await page.setContent(
      `<body style="margin:0;background:#fff"><div id="line" style="display:inline-flex;height:${HEIGHT}px;align-items:center;` +
        `padding:0 8px;white-space:nowrap;color:#000;font:${size}px '${font}'">${text}</div></body>`,
    )
    const box = await page.locator('#line').boundingBox()
    const width = wanted ?? Math.ceil(box.width / STEP) * STEP
    const png = await page.screenshot({ clip: { x: 0, y: 0, width, height: HEIGHT } })
    await writeFile(new URL(`${name}.png`, folder), png)
    console.log(`${name}.png ${width}x${HEIGHT} ${png.length} bytes`)
  }
} finally {
  await browser.close()
}
