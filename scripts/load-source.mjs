// SPDX-License-Identifier: Apache-2.0
/**
 * Loads TypeScript sources of this repository into a plain script.
 *
 * Node 20 does not strip types, so the modules are bundled by rolldown into one file under `build/load/` and imported
 * from there. The file is named by its content: an import never meets a stale module.
 */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/**
 * Imports the named sources as one bundle.
 * @param {Record<string, string>} files paths relative to the repository, by the name each is wanted under
 * @returns {Promise<Record<string, Record<string, unknown>>>} each file's exports, under its name
 */
export async function loadSources(files) {
  const entry = 'virtual:entry'
  const lines = Object.entries(files).map(
    ([name, file]) => `export * as ${name} from ${JSON.stringify(path.join(root, file))}`,
  )
  const bundle = await rolldown({
    input: entry,
    platform: 'node',
    external: [/^node:/],
    logLevel: 'silent',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? lines.join('\n') : undefined),
      },
    ],
  })
  const { output } = await bundle.generate({ format: 'esm', codeSplitting: false })
  await bundle.close()
  const code = output[0].code
  const folder = path.join(root, 'build', 'load')
  const file = path.join(folder, `${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`)
  await mkdir(folder, { recursive: true })
  await writeFile(file, code)
  return await import(pathToFileURL(file).href)
}
