// SPDX-License-Identifier: Apache-2.0
/**
 * Bundles `src/` into the JavaScript of `dist/`, in two runs of rolldown.
 *
 * The library run keeps the runtime dependencies as imports: whoever installs the package has them. The workers run
 * inlines everything, since a worker in a page resolves no bare names. Both keep every `import()` as a chunk, minify, and
 * ship op files by facet. Chunks lie in folders by what they hold: `ops/`, `references/`, `chunks/`.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { facets } from './facets-plugin.mjs'
import { root } from './load-source.mjs'

const sourceAssets = path.join(root, 'src/runtime/assets.ts')
const distAssets = path.join(root, 'scripts/assets-dist.ts')

/** What op files share goes into one chunk per facet, since many small files compress badly. */
const opGroups = [
  { name: 'lowering', test: /src\/ops\/(?!table|references|evaluate)[^?]+$/, minShareCount: 2, priority: 2 },
  { name: 'reference', test: /src\/ops\/.+\?facet=references$/, minShareCount: 2, priority: 1 },
]

/** The library's ground, which the page's side of the engine stands on too. */
const libraryGroups = [
  { name: 'base', test: /src\/(base|tensor)\//, minShareCount: 2, priority: 4 },
  { name: 'graph', test: /src\/ir\//, minShareCount: 2, priority: 3 },
]

/** The same of the workers: what both start with, and what the engine holds anyhow and operators use too. */
const workerGroups = [
  { name: 'thread', test: /src\/(platform\/workers|runtime\/instance)\.ts$/, priority: 4 },
  {
    name: 'core',
    test: /src\/(base|tensor|ir|kernels|platform|runtime)\//,
    tags: ['$initial'],
    minShareCount: 2,
    priority: 3,
  },
]

/** The two runs: entries by the name of their file in `dist/`. */
export const bundles = {
  library: {
    entries: { index: 'src/index.ts', compress: 'src/compress.ts', cli: 'src/cli/main.ts' },
    folder: '',
    groups: [...libraryGroups, ...opGroups],
    external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
  },
  workers: {
    entries: { 'engine-worker': 'src/runtime/engine-worker.ts', 'helper-worker': 'src/runtime/helper-worker.ts' },
    folder: 'worker/',
    groups: [...workerGroups, ...opGroups],
    external: (id) => id.startsWith('node:'),
  },
}

/** Puts the shipped form of `src/runtime/assets.ts` in place, its addresses relative to the chunk it ends up in. */
const assets = {
  name: 'assets',
  resolveId(source, importer) {
    if (!importer || !source.endsWith('/assets.ts')) return undefined
    return path.resolve(path.dirname(importer), source) === sourceAssets ? distAssets : undefined
  },
  renderChunk(code, chunk) {
    if (!code.includes('DIST_ROOT')) return undefined
    const up = '../'.repeat(chunk.fileName.split('/').length - 1)
    return code.replaceAll('DIST_ROOT/', up || './')
  },
}

function chunkFile(prefix) {
  return (chunk) => {
    const facet = /\?facet=(\w+)$/.exec(chunk.facadeModuleId ?? '')?.[1]
    return `${prefix}${facet ?? 'chunks'}/[name]-[hash].js`
  }
}

/** Keeps who loads whom, for `scripts/size.mjs`, as `build/bundles/<name>.json`. */
async function writeManifest(name, output) {
  const file = path.join(root, 'build/bundles', `${name}.json`)
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
 * Runs one of `bundles` and writes what changed.
 * @param {keyof typeof bundles} name
 * @param {{ partial?: boolean }} [options] partial: entries whose sources are not there are left out
 * @returns {Promise<string[]>} paths written, relative to `dist`
 */
export async function bundle(name, { partial = false } = {}) {
  const { folder, external, groups } = bundles[name]
  const present = ([, source]) => !partial || existsSync(path.join(root, source))
  const entries = Object.fromEntries(Object.entries(bundles[name].entries).filter(present))
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries(Object.entries(entries).map(([file, source]) => [file, path.join(root, source)])),
    external,
    platform: name === 'workers' ? 'browser' : 'neutral',
    treeshake: {
      moduleSideEffects: (id, isExternal) => (isExternal || id.startsWith(path.join(root, 'src')) ? false : undefined),
    },
    plugins: [facets(path.join(root, 'src/ops')), assets],
    onLog: (level, log) => {
      if (level === 'warn') console.warn(`rolldown: ${log.message}`)
    },
  })
  const { output } = await build.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: chunkFile(folder),
    minify: true,
    codeSplitting: { groups },
  })
  await build.close()
  for (const { fileName, code } of output) {
    const file = path.join(root, 'dist', fileName)
    await mkdir(path.dirname(file), { recursive: true })
    if ((await readFile(file, 'utf8').catch(() => undefined)) !== code) await writeFile(file, code)
  }
  await writeManifest(name, output)
  return output.map(({ fileName }) => fileName)
}
