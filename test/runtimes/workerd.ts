// SPDX-License-Identifier: Apache-2.0
/**
 * The errand as a program for workerd: a worker whose modules are the built package, its Wasm files (which workerd
 * compiles before the program starts) and the errand's files. It has no files, no threads and no address to fetch from.
 */
import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'

/** Builds that a host without threads has use for. */
const builds = ['simd', 'relaxed']

const program = `
import * as whittle from './dist/index.js'
import { runErrand } from './errand.mjs'
import simd from './dist/wasm/simd.wasm'
import relaxed from './dist/wasm/relaxed.wasm'
import { files } from './files.js'

const wasm = { simd, relaxed }
const compiled = {
  ...whittle,
  load: (source, options) => whittle.load(source, { ...options, wasm }),
  probe: () => whittle.probe({ wasm }),
}

export default {
  async test() {
    const read = async (name) => new Uint8Array(files[name])
    console.log(JSON.stringify(await runErrand(compiled, read, (name) => new Uint8Array(files[name]))))
  },
}
`

/** Scripts that `entry` can reach by static and dynamic imports, relative to `dist`. */
async function reachable(dist: string, entry: string): Promise<string[]> {
  const found = new Set([entry])
  for (const name of found) {
    const text = await readFile(join(dist, name), 'utf8')
    for (const [, target] of text.matchAll(/(?:from|import\(?)\s*["'`](\.[^"'`]+\.js)["'`]/g))
      found.add(posix.join(posix.dirname(name), target))
  }
  return [...found]
}

/**
 * Writes the program's parts into `folder`, which holds the errand's files.
 * @returns path of the configuration for `workerd test`
 */
export async function writeWorkerdProgram(folder: string, dist: string, errand: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => /\.(whittle|json|f32)$/.test(name))
  const shipped = [...(await reachable(dist, 'index.js')), ...builds.map((name) => `wasm/${name}.wasm`)]
  for (const name of shipped) {
    await mkdir(dirname(join(folder, 'dist', name)), { recursive: true })
    await copyFile(join(dist, name), join(folder, 'dist', name))
  }
  await copyFile(errand, join(folder, 'errand.mjs'))
  const imports = names.map((name, i) => `import file${i} from './${name}'`)
  const table = names.map((name, i) => `${JSON.stringify(name)}: file${i}`)
  await writeFile(join(folder, 'program.js'), program)
  await writeFile(join(folder, 'files.js'), `${imports.join('\n')}\nexport const files = { ${table.join(', ')} }\n`)
  const modules = [
    ...['program.js', 'files.js', 'errand.mjs'].map((name) => [name, 'esModule']),
    ...shipped.map((name) => [`dist/${name}`, name.endsWith('.wasm') ? 'wasm' : 'esModule']),
    ...names.map((name) => [name, 'data']),
  ].map(([name, kind]) => `    (name = "${name}", ${kind} = embed "${name}"),`)
  const configuration = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "errand", worker = .errand)]);
const errand :Workerd.Worker = (
  modules = [
${modules.join('\n')}
  ],
  compatibilityDate = "2025-01-01",
);
`
  const path = join(folder, 'workerd.capnp')
  await writeFile(path, configuration)
  return path
}
