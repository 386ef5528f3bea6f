// SPDX-License-Identifier: Apache-2.0
/**
 * What the architecture test asks of a source file: whom it imports and how, how long it is, what it keeps at module
 * level. Parsed by rolldown, without types; AssemblyScript's syntax is a subset of what it reads but for decorators.
 */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { type ESTree, Visitor, parseSync } from 'rolldown/utils'

export interface Import {
  /** Path relative to the repository, or the bare name of a package. */
  readonly target: string
  readonly typeOnly: boolean
  readonly dynamic: boolean
  readonly reExport: boolean
}

export interface SourceFile {
  /** Path relative to the repository, with slashes. */
  readonly name: string
  readonly lines: number
  readonly imports: readonly Import[]
  /** Names of exported constants and functions. */
  readonly exports: readonly string[]
  /** Names declared by `let` or `var` outside of any function. */
  readonly moduleState: readonly string[]
  /** Cases of the longest switch. */
  readonly longestSwitch: number
}

/** AssemblyScript has decorators where TypeScript has none: of functions and constants. */
const decorator = /^ *@\w+(\(.*?\))? */gm

type Declared = ESTree.Declaration | ESTree.Statement | null

function isTypeOnly({ importKind, specifiers }: ESTree.ImportDeclaration): boolean {
  if (importKind === 'type') return true
  return specifiers.length > 0 && specifiers.every((one) => one.type === 'ImportSpecifier' && one.importKind === 'type')
}

function declaredNames(declaration: Declared): string[] {
  if (declaration?.type === 'FunctionDeclaration') return declaration.id ? [declaration.id.name] : []
  if (declaration?.type !== 'VariableDeclaration') return []
  return declaration.declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [id.name] : []))
}

/**
 * @param name path relative to the repository, with slashes
 * @throws Error when the text is no TypeScript
 */
export function parseSource(name: string, text: string): SourceFile {
  const { program, errors } = parseSync(name, name.startsWith('assembly/') ? text.replaceAll(decorator, '') : text)
  if (errors.length > 0) throw new Error(`${name}: ${errors[0].message}`)
  const imports: Import[] = []
  const exports: string[] = []
  const moduleState: string[] = []
  const switches: number[] = [0]

  const add = (specifier: ESTree.Expression | null, how: Partial<Import>): void => {
    if (specifier?.type !== 'Literal' || typeof specifier.value !== 'string') return
    const to = specifier.value
    const target = to.startsWith('.') ? path.posix.join(path.posix.dirname(name), to) : to
    imports.push({ target, typeOnly: false, dynamic: false, reExport: false, ...how })
  }
  new Visitor({
    ImportDeclaration: (node) => add(node.source, { typeOnly: isTypeOnly(node) }),
    ExportAllDeclaration: (node) => add(node.source, { typeOnly: node.exportKind === 'type', reExport: true }),
    ExportNamedDeclaration: (node) => add(node.source, { typeOnly: node.exportKind === 'type', reExport: true }),
    ImportExpression: (node) => add(node.source, { dynamic: true }),
    TSImportType: (node) => add(node.source, { typeOnly: true }),
    SwitchStatement: (node) => void switches.push(node.cases.length),
  }).visit(program)
  for (const statement of program.body) {
    const exported = statement.type === 'ExportNamedDeclaration'
    const declaration = exported ? statement.declaration : statement
    const names = declaredNames(declaration)
    if (exported) exports.push(...names)
    if (declaration?.type === 'VariableDeclaration' && declaration.kind !== 'const') moduleState.push(...names)
  }
  return {
    name,
    lines: text.split('\n').length - 1,
    imports,
    exports,
    moduleState,
    longestSwitch: Math.max(...switches),
  }
}

/**
 * Scripts below a folder of the repository, sorted, as paths relative to `root` with slashes; of `.` only its own files.
 * A folder that is not there has none.
 */
export function sourcesIn(root: string, folder: string): string[] {
  if (!existsSync(path.join(root, folder))) return []
  return readdirSync(path.join(root, folder), { recursive: folder !== '.', encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs|js)$/.test(name))
    .map((name) => path.posix.join(folder, name.replaceAll(path.sep, '/')))
    .filter((name) => !name.startsWith('assembly/generated/'))
    .sort()
}

/** The first circle met in `graph` (file to files), its start repeated at the end; empty where there is none. */
export function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const walk = (name: string, trail: readonly string[]): string[] => {
    const seenAt = trail.indexOf(name)
    if (seenAt >= 0) return [...trail.slice(seenAt), name]
    if (done.has(name)) return []
    for (const next of graph.get(name) ?? []) {
      const cycle = walk(next, [...trail, name])
      if (cycle.length > 0) return cycle
    }
    done.add(name)
    return []
  }
  for (const name of graph.keys()) {
    const cycle = walk(name, [])
    if (cycle.length > 0) return cycle
  }
  return []
}
