// SPDX-License-Identifier: Apache-2.0
/**
 * Writes `assembly/generated/` from the kernel table: a class of arguments per row, and the dispatch switch.
 *
 * The table (`src/kernels/table.ts`) is the one place that names kernels and their arguments; a row of
 * `src/kernels/<family>.ts` is a function of the same name in `assembly/<family>.ts`. The case numbers are positions in
 * the table. Files are rewritten only when their text changes.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadSources, root } from './load-source.mjs'

const header = `// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-assembly.mjs from src/kernels/. Do not edit.
`
const types = { ptr: 'usize', u32: 'u32', i32: 'i32', f32: 'f32' }

/** @param {string} kernel a row's name, e.g. gemm_f32 → GemmF32Args */
export function argsClass(kernel) {
  return kernel.replace(/(?:^|_)([a-z0-9])/g, (_, letter) => letter.toUpperCase()) + 'Args'
}

/** @param {Record<string, Record<string, string>>} rows kinds of the arguments by name, by kernel */
export function argsSource(rows) {
  const classes = Object.entries(rows).map(([kernel, args]) => {
    const fields = Object.entries(args).map(([name, kind]) => {
      if (!(kind in types)) throw new Error(`kernel ${kernel}: argument ${name} is of the unknown kind ${kind}`)
      return `  ${name}: ${types[kind]}\n`
    })
    return `\n@unmanaged export class ${argsClass(kernel)} {\n${fields.join('')}}\n`
  })
  return header + classes.join('')
}

/**
 * @param {readonly string[]} names kernels in the order of their numbers
 * @param {Record<string, readonly string[]>} families kernels by the file they live in
 */
export function dispatchSource(names, families) {
  const known = new Set(Object.values(families).flat())
  const homeless = names.filter((name) => !known.has(name))
  if (homeless.length > 0) throw new Error(`kernel table: rows in no family file: ${homeless.join(', ')}`)
  const imports = Object.entries(families).map(
    ([family, kernels]) => `import {\n${kernels.map((name) => `  ${name},\n`).join('')}} from '../${family}'\n`,
  )
  const cases = names.map((name, number) => `    case ${number}: ${name}(args, from, to, thread); return\n`)
  return `${header}${imports.join('')}
export function dispatch(kernel: u32, args: usize, from: u32, to: u32, thread: u32): void {
  switch (kernel) {
${cases.join('')}    default: unreachable()
  }
}
`
}

async function writeWhenChanged(file, text) {
  const before = await readFile(file, 'utf8').catch(() => undefined)
  if (before !== text) await writeFile(file, text)
}

/** Writes both files; returns the number of kernels. */
export async function generateAssembly() {
  const files = (await readdir(path.join(root, 'src/kernels'))).filter((name) => name.endsWith('.ts')).sort()
  const families = files.map((name) => name.slice(0, -3)).filter((name) => name !== 'row' && name !== 'table')
  const camel = (name) => name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase())
  const sources = Object.fromEntries([...families, 'table'].map((name) => [camel(name), `src/kernels/${name}.ts`]))
  const modules = await loadSources(sources)
  const { kernelTable, kernelNames } = modules.table
  const rows = Object.fromEntries(kernelNames.map((name) => [name, kernelTable[name].args]))
  const homes = Object.fromEntries(
    families
      .map((family) => [family, Object.keys(modules[camel(family)][camel(family)] ?? {})])
      .filter(([, kernels]) => kernels.length > 0),
  )
  const folder = path.join(root, 'assembly/generated')
  await mkdir(folder, { recursive: true })
  await writeWhenChanged(path.join(folder, 'args.ts'), argsSource(rows))
  await writeWhenChanged(path.join(folder, 'dispatch.ts'), dispatchSource(kernelNames, homes))
  return kernelNames.length
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(`assembly/generated: ${await generateAssembly()} kernels`)
}
