// SPDX-License-Identifier: Apache-2.0
/**
 * Splits op files into facets while bundling (ARCHITECTURE.md, "Facets").
 *
 * An op file exports `ops`, `references` and `samples`; only `src/ops/table.ts` imports it, by `import()`. A bundle sees
 * the room `src/ops` twice: as it is, where each op file has nothing but `ops`; and from `src/ops/references.ts` on, where
 * every file is a module of its own and op files have nothing but `references`. `samples` is in neither. What only a
 * dropped export used is dropped with it, also in the files that op files share.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseSync } from 'rolldown/utils'

const kept = { ops: 'ops', references: 'references' }
const exportNames = ['ops', 'references', 'samples']

const pathOf = (id) => id.split('?', 1)[0]
const facetOf = (id) => /\?facet=(\w+)$/.exec(id)?.[1]

/** Names a top-level statement declares; undefined where it is no plain declaration. */
function declaredNames(statement) {
  const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
  if (declaration?.type === 'VariableDeclaration') {
    const ids = declaration.declarations.map((one) => one.id)
    return ids.every((id) => id.type === 'Identifier') ? ids.map((id) => id.name) : undefined
  }
  if (declaration?.type === 'FunctionDeclaration' || declaration?.type === 'ClassDeclaration')
    return [declaration.id.name]
  return undefined
}

/** Every identifier spelled in a subtree; names of properties count too, which only ever keeps too much. */
function namesIn(node, into = new Set()) {
  if (Array.isArray(node)) for (const child of node) namesIn(child, into)
  else if (node && typeof node === 'object') {
    if (node.type === 'Identifier') into.add(node.name)
    for (const [key, child] of Object.entries(node))
      if (key !== 'id' || node.type !== 'VariableDeclarator') namesIn(child, into)
  }
  return into
}

/**
 * Removes from an op file's source every facet but one, and the top-level declarations that nothing left needs.
 * @param {string} code TypeScript
 * @param {'ops' | 'references'} facet the export that stays
 * @param {string} file for messages
 */
export function keepFacet(code, facet, file) {
  const { program, errors } = parseSync(file, code, { lang: 'ts', sourceType: 'module' })
  if (errors.length > 0) throw new Error(`${file}: expected TypeScript, got ${errors[0].message}`)
  const dropped = new Set(exportNames.filter((name) => name !== kept[facet]))
  let statements = program.body.filter((statement) => {
    if (statement.type !== 'ExportNamedDeclaration' || statement.source) return true
    if (!statement.declaration) {
      if (statement.specifiers.some((one) => exportNames.includes(one.exported.name))) {
        throw new Error(`${file}: expected \`export const ${exportNames.join(' | ')} = …\`, got an export list`)
      }
      return true
    }
    const names = declaredNames(statement)
    if (!names?.some((name) => dropped.has(name))) return true
    if (names.length > 1) throw new Error(`${file}: expected one name in \`export const ${names.join(', ')}\``)
    return false
  })
  const uses = statements.map((statement) => namesIn(statement))
  const declares = statements.map((statement) =>
    statement.type.startsWith('Export') ? undefined : declaredNames(statement),
  )
  const needed = new Set()
  const need = (i) => {
    if (needed.has(i)) return
    needed.add(i)
    declares.forEach((names, j) => names?.some((name) => uses[i].has(name)) && need(j))
  }
  declares.forEach((names, i) => names || need(i))
  statements = statements.filter((_, i) => needed.has(i))
  return statements.map((statement) => code.slice(statement.start, statement.end)).join('\n')
}

const tableStart = 'export const opTable = {\n'
const tableEnd = '\n} satisfies '
const tableLine = /^ {2}(?:'([^']+)'|(\w+)): \(\) => import\('(\.\/[\w-]+\.ts)'\),$/

/**
 * Operators that compressed models usually consist of: the published table holds these. All others are a chunk that is
 * fetched for a model that has one of them, so that no page pays for operators it does not use.
 */
export const usualOps = new Set(
  (
    'Add Cast Concat Div Equal Expand Gather GlobalAveragePool LayerNormalization MatMul Max Min Mul Pad Pow ReduceMean ' +
    'ReduceSum Relu Reshape Resize Shape Sigmoid Slice Softmax Split Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where ' +
    'whittle.Attention whittle.AveragePool whittle.Conv whittle.DynamicQuantizeConv whittle.DynamicQuantizeGemm ' +
    'whittle.Gemm whittle.MaxPool whittle.Select whittle.Silu whittle.WeightOnlyGemm'
  ).split(' '),
)

const otherLines = /^const otherLines = .*$/m

/**
 * The table of operators as it ships: a file is named once, followed by the operators in it, so that a line costs a few
 * bytes.
 * @param {string} code source of `src/ops/table.ts`
 * @param {'all' | 'usual' | 'others'} part the lines that stay; those of `usual` import the others where they are needed
 */
export function compactTable(code, part = 'all') {
  const start = code.indexOf(tableStart)
  const end = code.indexOf(tableEnd, start)
  if (start < 0 || end < 0) throw new Error('src/ops/table.ts: expected `export const opTable = { … } satisfies …`')
  if (!otherLines.test(code)) throw new Error('src/ops/table.ts: expected `const otherLines = …` in one line')
  const files = new Map()
  for (const line of code.slice(start + tableStart.length, end).split('\n')) {
    const match = tableLine.exec(line)
    if (!match) throw new Error(`src/ops/table.ts: expected a line Name: () => import('./file.ts'), got ${line}`)
    const [, quoted, plain, file] = match
    const name = quoted ?? plain
    if (part === 'all' || usualOps.has(name) === (part === 'usual')) files.set(file, [...(files.get(file) ?? []), name])
  }
  const rows = [...files].map(([file, names]) => `['${names.join(' ')}', () => import('${file}')]`)
  const table = `export const opTable: any = Object.fromEntries([${rows.join(', ')}].flatMap(([names, load]: any) =>
  names.split(' ').map((name: string) => [name, load])))\n//`
  const whole = code.slice(0, start) + table + code.slice(end + 2)
  return part === 'usual' ? whole.replace(otherLines, `const otherLines = (): any => import('${restOfTable}')`) : whole
}

/** The other lines of the table, as a module. */
const restOfTable = './table.ts?others'

/** @param {string} opsFolder absolute path of `src/ops` */
export function facets(opsFolder) {
  const table = path.join(opsFolder, 'table.ts')
  const references = path.join(opsFolder, 'references.ts')
  return {
    name: 'facets',
    resolveId(source, importer, { kind }) {
      if (!importer || !source.startsWith('.')) return undefined
      const from = pathOf(importer)
      const target = path.resolve(path.dirname(from), source)
      if (source === restOfTable) return { id: target, moduleSideEffects: false }
      const facet = from === references ? 'references' : facetOf(importer)
      if (from === table && kind === 'dynamic-import') {
        return { id: `${target}?facet=${facet ?? 'ops'}`, moduleSideEffects: false }
      }
      if (facet === 'references' && path.dirname(target) === opsFolder) {
        return { id: `${target}?facet=references`, moduleSideEffects: false }
      }
      return facet ? target : undefined
    },
    async load(id) {
      const facet = facetOf(id)
      const file = pathOf(id)
      if (!facet && file !== table) return undefined
      const code = await readFile(file, 'utf8')
      const part = facet ? 'all' : id === table ? 'usual' : 'others'
      return {
        code: file === table ? compactTable(code, part) : keepFacet(code, facet, path.relative(process.cwd(), file)),
        moduleType: 'ts',
      }
    },
  }
}
