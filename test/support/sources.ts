// SPDX-License-Identifier: Apache-2.0
/**
 * What the architecture test asks of a source file: whom it imports and how, how long it is, what it keeps at module
 * level. Parsed with TypeScript's own parser, without types; AssemblyScript's syntax is a subset of what it reads.
 */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

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

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const named = clause.namedBindings
  return !clause.name && !!named && ts.isNamedImports(named) && named.elements.every((one) => one.isTypeOnly)
}

/** @param name path relative to the repository, with slashes */
export function parseSource(name: string, text: string): SourceFile {
  const tree = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, false)
  const imports: Import[] = []
  const exports: string[] = []
  const moduleState: string[] = []
  const switches: number[] = [0]

  const add = (specifier: ts.Node | undefined, how: Partial<Import>): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return
    const { text: to } = specifier
    const target = to.startsWith('.') ? path.posix.join(path.posix.dirname(name), to) : to
    imports.push({ target, typeOnly: false, dynamic: false, reExport: false, ...how })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, { typeOnly: isTypeOnly(node.importClause) })
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, { typeOnly: node.isTypeOnly, reExport: true })
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], { dynamic: true })
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, { typeOnly: true })
    } else if (ts.isSwitchStatement(node)) switches.push(node.caseBlock.clauses.length)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  for (const statement of tree.statements) {
    const exported =
      ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword)
    if (ts.isFunctionDeclaration(statement) && exported && statement.name) exports.push(statement.name.text)
    if (!ts.isVariableStatement(statement)) continue
    const names = statement.declarationList.declarations.flatMap((one) =>
      ts.isIdentifier(one.name) ? [one.name.text] : [],
    )
    if (exported) exports.push(...names)
    if ((statement.declarationList.flags & ts.NodeFlags.Const) === 0) moduleState.push(...names)
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
