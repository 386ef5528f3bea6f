// SPDX-License-Identifier: Apache-2.0
/**
 * Bundles `src/` into the JavaScript of `dist/`, in one run of rolldown, so that a page and its workers share files.
 *
 * Dependencies of the engine are inlined: a worker in a page resolves no bare names, and so the page itself needs none.
 * Those of the command stay imports. Every `import()` is a chunk, op files ship by facet, all is minified. Chunks lie in
 * folders by what they hold: `ops/`, `references/`, `chunks/`.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { facets } from './facets-plugin.mjs'
import { root } from './load-source.mjs'

/** Sources that hold addresses, and their shipped forms. */
const shippedAssets = new Map(
  Object.entries({
    'src/runtime/assets.ts': 'scripts/assets-dist.ts',
    'src/measure/assets.ts': 'scripts/measure-assets-dist.ts',
  }).map((pair) => pair.map((file) => path.join(root, file))),
)

/** Entries by the name of their file in `dist/`. */
const library = { index: 'src/index.ts', compress: 'src/compress.ts', cli: 'src/cli/main.ts' }
const workers = {
  'engine-worker': 'src/runtime/engine-worker.ts',
  'helper-worker': 'src/runtime/helper-worker.ts',
}

/** Packages that the engine and compression stand on, and what those need, inlined; of each what is used. */
const inlined = [
  'comlink',
  'is-any-array',
  'ml-array-max',
  'ml-array-min',
  'ml-array-rescale',
  'ml-matrix',
  'pbf',
  'valibot',
]

const isExternal = (id) => !id.startsWith('.') && !path.isAbsolute(id) && !inlined.includes(id)

/**
 * What several chunks share goes into few files, since many small ones compress badly: what each thread starts with, what
 * page and engine both hold and the page its end of it, the engine, what lowerings of quantised and boolean tensors share, what those of attention operators share, what others share, what
 * references share.
 */
const groups = [
  {
    name: 'thread',
    test: /src\/(platform\/workers|runtime\/(instance|plain-errors))\.ts$|\/comlink\/|\/assets-dist\.ts$/,
    priority: 5,
  },
  {
    name: 'base',
    test: /src\/(base\/(?!half|narrow-float|rng)|tensor\/(dtype|shape|tensor)\.ts|platform\/clock|runtime\/(options|remote|session)\.ts|index\.ts)/,
    priority: 4,
  },
  { name: 'engine', test: /src\/runtime\/engine\.ts$/, priority: 3 },
  {
    name: 'lowering',
    test: /src\/ops\/(?!table|references|channels-first|evaluate|convolve|numeric|combine|viewed|quantize\.ts|rotation|contrib-attention|lower-(affine|byte|qlinear|cast|compare|pick|heads)|qlinear-values|matmul-types)[^?]+$/,
    minShareCount: 2,
    priority: 2,
  },
  {
    name: 'bytes',
    test: /src\/ops\/(lower-(byte|qlinear|cast|compare)|qlinear-values)[^?]*$/,
    minShareCount: 2,
    priority: 1,
  },
  { name: 'heads', test: /src\/ops\/(lower-heads|rotation|contrib-attention)[^?]*$/, minShareCount: 2, priority: 1 },
  { name: 'reference', test: /src\/ops\/.+\?facet=references$/, minShareCount: 2, priority: 1 },
]

/** Puts the shipped forms of asset files in place, their addresses relative to the chunk they end up in. */
const assets = {
  name: 'assets',
  resolveId(source, importer) {
    if (!importer || !source.endsWith('/assets.ts')) return undefined
    return shippedAssets.get(path.resolve(path.dirname(importer), source))
  },
  renderChunk(code, chunk) {
    if (!code.includes('DIST_ROOT')) return undefined
    const up = '../'.repeat(chunk.fileName.split('/').length - 1)
    return code.replaceAll('DIST_ROOT/', up || './')
  },
}

/** A package of its own for recipes: a page does not need what checks them and nothing else. */
const recipesOwn = {
  name: 'recipes-own',
  async resolveId(source, importer) {
    if (source !== 'valibot' || !importer?.endsWith('/compress/recipe.ts')) return undefined
    const { id } = await this.resolve(source, importer, { skipSelf: true })
    return `${id}?recipes`
  },
  load: (id) => (id.endsWith('?recipes') ? readFile(id.slice(0, -'?recipes'.length), 'utf8') : undefined),
}

/** Notes of what may be dropped if unused: nothing unused is left. Others (`@vite-ignore`) stay. A space, only between words. */
const shakingNotes = /([\w$]?)\s*\/\* @__(?:PURE|NO_SIDE_EFFECTS)__ \*\/\s*/g

function chunkFile(chunk) {
  const facet = /\?facet=(\w+)$/.exec(chunk.facadeModuleId ?? '')?.[1]
  return `${facet ?? 'chunks'}/[name].js`
}

/** Keeps who loads whom, for `scripts/size.mjs`. */
async function writeManifest(output) {
  const file = path.join(root, 'build/bundle.json')
  const chunks = output.map(({ fileName, facadeModuleId, moduleIds, imports, dynamicImports }) => ({
    fileName,
    source: facadeModuleId ? path.relative(root, facadeModuleId) : null,
    modules: moduleIds.map((id) => path.relative(root, id)),
    imports,
    dynamicImports,
  }))
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(chunks, null, 1)}\n`)
}

/**
 * Bundles and writes what changed.
 * @returns {Promise<string[]>} paths written, relative to `dist`
 */
export async function bundle() {
  const entries = Object.entries({ ...library, ...workers }).map(([name, source]) => [name, path.join(root, source)])
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries(entries),
    external: isExternal,
    platform: 'browser',
    treeshake: {
      moduleSideEffects: (id, external) => (external || id.startsWith(path.join(root, 'src')) ? false : undefined),
    },
    plugins: [facets(path.join(root, 'src/ops')), assets, recipesOwn],
    onLog: (level, log) => {
      if (level === 'warn') console.warn(`rolldown: ${log.message}`)
    },
  })
  const { output } = await build.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: chunkFile,
    minify: true,
    codeSplitting: { groups },
  })
  await build.close()
  for (const { fileName, code: minified } of output) {
    const code = minified.replace(shakingNotes, (_, word) => word && `${word} `)
    const file = path.join(root, 'dist', fileName)
    await mkdir(path.dirname(file), { recursive: true })
    if ((await readFile(file, 'utf8').catch(() => undefined)) !== code) await writeFile(file, code)
  }
  await writeManifest(output)
  return output.map(({ fileName }) => fileName)
}
