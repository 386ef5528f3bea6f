// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run size`: what a page fetches to load and run a `.whittle` model, in gzipped bytes of JavaScript.
 *
 * Reads the manifest of the last build: from `index.js` and the two worker scripts on, every chunk counts that is
 * imported, also by `import()`, but for the ways below, which lead elsewhere. Of the operators those of the text
 * recogniser count.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { usualOps } from './facets-plugin.mjs'
import { root } from './load-source.mjs'

/** Sources behind an `import()` that a page with a `.whittle` model does not take: the engine outside of a worker, measuring the host, comparison, ONNX, references, kernels and weights that few models have, files, profiles, conditions, and options that it does not use. */
const elsewhere =
  /^src\/(compress|cli|passes|kernels\/others|ops\/references|format\/onnx|model\/.*onnx|platform\/file-source|format\/detect\.ts|runtime\/(branches|compare|engine|fetches|handed-source|host-calls|instances|joint-packing|measured-host|near|onnx-load|onnx-source|probe|profile|rare-options|refetch)\.ts)/

/** Operators of the recogniser as the int8 recipe leaves it. */
const operators = [
  'Concat',
  'LayerNormalization',
  'Mul',
  'ReduceMean',
  'Reshape',
  'Slice',
  'Softmax',
  'Squeeze',
  'Transpose',
  'whittle.Attention',
  'whittle.AveragePool',
  'whittle.Conv',
  'whittle.DynamicQuantizeConv',
  'whittle.DynamicQuantizeGemm',
  'whittle.Gemm',
]

const gzipped = (code) => gzipSync(code, { level: 9 }).length

/** Op files of `operators`, read off the lines of the table. */
async function operatorFiles() {
  const table = await readFile(path.join(root, 'src/ops/table.ts'), 'utf8')
  const lines = [...table.matchAll(/^\s*'?([\w.]+)'?: \(\) => import\('\.\/([^']+)'\)/gm)]
  const wanted = new Set(operators)
  return new Set(lines.filter(([, name]) => wanted.has(name)).map(([, , file]) => `src/ops/${file}`))
}

/** Chunks reached from `entries`. */
function reach(manifest, entries, operatorSources) {
  const chunks = new Map(manifest.map((chunk) => [chunk.fileName, chunk]))
  const onTheWay = (file) => {
    const source = chunks.get(file)?.source
    if (!source) return chunks.has(file)
    const [name, query] = source.split('?')
    if (query === 'others') return operators.some((op) => !usualOps.has(op))
    if (query) return query === 'facet=ops' && operatorSources.has(name)
    return !elsewhere.test(name)
  }
  const reached = new Set(entries)
  for (const file of reached) {
    const chunk = chunks.get(file)
    if (!chunk) throw new Error(`dist/${file}: expected a file of the build, got an import that a page cannot resolve`)
    for (const next of chunk.imports) reached.add(next)
    for (const next of chunk.dynamicImports) if (onTheWay(next)) reached.add(next)
  }
  return [...reached]
}

/** @returns {Promise<{ total: number, rows: { name: string, bytes: number }[] }>} bytes after gzip */
export async function pageSize() {
  const manifest = JSON.parse(await readFile(path.join(root, 'build/bundle.json'), 'utf8'))
  const files = reach(manifest, ['index.js', 'engine-worker.js', 'helper-worker.js'], await operatorFiles())
  const rows = await Promise.all(
    files.map(async (name) => ({ name, bytes: gzipped(await readFile(path.join(root, 'dist', name))) })),
  )
  return { total: rows.reduce((sum, row) => sum + row.bytes, 0), rows }
}

if (process.argv[1] && fileURLToPath(import.meta.url) === fileURLToPath(pathToFileURL(process.argv[1]))) {
  const { total, rows } = await pageSize()
  for (const { name, bytes } of rows.sort((a, b) => b.bytes - a.bytes))
    console.log(`${String(bytes).padStart(7)}  ${name}`)
  console.log(`${String(total).padStart(7)}  gzipped bytes of JavaScript for a page with a .whittle model`)
}
