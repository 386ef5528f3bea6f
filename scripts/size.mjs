// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run size`: what a page fetches to load and run a `.whittle` model, in gzipped bytes of JavaScript.
 *
 * Reads the manifests of the last build: from `index.js` and the two worker scripts on, every chunk counts that is
 * imported, also by `import()`, but for the ways below, which lead elsewhere. Of the operators those of the text
 * recogniser count. Packages that the library run leaves as imports count whole, minified.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { root } from './load-source.mjs'

/** Sources behind an `import()` that a page with a `.whittle` model does not take: the engine outside of a worker, ONNX, references. */
const elsewhere =
  /^src\/(compress|cli|passes|ops\/references|format\/onnx|model\/.*onnx|runtime\/(engine|probe|host-calls|onnx-source)\.ts)/

/** Operators of the recogniser after the passes, float32 and int8. */
const operators = [
  'Add',
  'Concat',
  'Div',
  'LayerNormalization',
  'MatMul',
  'Mul',
  'Pow',
  'ReduceMean',
  'Reshape',
  'Shape',
  'Sigmoid',
  'Slice',
  'Softmax',
  'Sqrt',
  'Squeeze',
  'Sub',
  'Transpose',
  'Unsqueeze',
  'whittle.AveragePool',
  'whittle.Conv',
  'whittle.DynamicQuantizeConv',
  'whittle.DynamicQuantizeGemm',
  'whittle.Gemm',
  'whittle.HardSwish',
  'whittle.MaxPool',
  'whittle.Silu',
]

const gzipped = (code) => gzipSync(code, { level: 9 }).length
const readManifest = async (name) =>
  JSON.parse(await readFile(path.join(root, 'build/bundles', `${name}.json`), 'utf8'))

/** Op files of `operators`, read off the lines of the table. */
async function operatorFiles() {
  const table = await readFile(path.join(root, 'src/ops/table.ts'), 'utf8')
  const lines = [...table.matchAll(/^\s*'?([\w.]+)'?: \(\) => import\('\.\/([^']+)'\)/gm)]
  const wanted = new Set(operators)
  return new Set(lines.filter(([, name]) => wanted.has(name)).map(([, , file]) => `src/ops/${file}`))
}

/** Chunks and packages reached from `entries`. */
function reach(manifest, entries, operatorSources) {
  const chunks = new Map(manifest.map((chunk) => [chunk.fileName, chunk]))
  const onTheWay = (file) => {
    const source = chunks.get(file)?.source
    if (!source) return !file.startsWith('node:')
    const [name, query] = source.split('?')
    if (query) return query === 'facet=ops' && operatorSources.has(name)
    return !elsewhere.test(name)
  }
  const reached = new Set(entries)
  for (const file of reached) {
    const chunk = chunks.get(file)
    for (const next of chunk?.imports ?? []) reached.add(next)
    for (const next of chunk?.dynamicImports ?? []) if (onTheWay(next)) reached.add(next)
  }
  const files = [...reached].filter((file) => chunks.has(file))
  const packages = [...reached].filter((file) => !chunks.has(file) && !file.startsWith('node:'))
  return { files, packages }
}

async function packageSize(name) {
  const require = createRequire(path.join(root, 'package.json'))
  const build = await rolldown({ input: require.resolve(name), platform: 'browser', logLevel: 'silent' })
  const { output } = await build.generate({ format: 'esm', minify: true })
  await build.close()
  return output.reduce((sum, { code }) => sum + gzipped(code), 0)
}

/** @returns {Promise<{ total: number, rows: { name: string, bytes: number }[] }>} bytes after gzip */
export async function pageSize() {
  const sources = await operatorFiles()
  const page = reach(await readManifest('library'), ['index.js'], sources)
  const workers = reach(await readManifest('workers'), ['engine-worker.js', 'helper-worker.js'], sources)
  const rows = []
  for (const file of [...page.files, ...workers.files]) {
    rows.push({ name: file, bytes: gzipped(await readFile(path.join(root, 'dist', file))) })
  }
  for (const name of page.packages) rows.push({ name: `package ${name}`, bytes: await packageSize(name) })
  return { total: rows.reduce((sum, row) => sum + row.bytes, 0), rows }
}

if (process.argv[1] && fileURLToPath(import.meta.url) === fileURLToPath(pathToFileURL(process.argv[1]))) {
  const { total, rows } = await pageSize()
  for (const { name, bytes } of rows.sort((a, b) => b.bytes - a.bytes))
    console.log(`${String(bytes).padStart(7)}  ${name}`)
  console.log(`${String(total).padStart(7)}  gzipped bytes of JavaScript for a page with a .whittle model`)
}
