// SPDX-License-Identifier: Apache-2.0
/**
 * Holds the code against ARCHITECTURE.md and CONTRIBUTING.md: floors and rooms, cycles, sizes, tables against files, and
 * the Wasm builds against the kernel table. Sources are parsed, never run; the Wasm is what the last build left.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { kernelNames } from '../src/kernels/table.ts'
import { findCycle, parseSource, type SourceFile, sourcesIn } from './support/sources.ts'
import { summarizeWasm } from './support/wasm-sections.ts'

const root = path.resolve(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const files = (...folders: string[]): string[] => folders.flatMap((folder) => sourcesIn(root, folder))

/** Rooms by floor. A room is a folder or a file of `src/`. */
const floors: Readonly<Record<number, readonly string[]>> = {
  9: ['cli'],
  8: ['index.ts', 'compress.ts'],
  7: ['compress', 'inspect', 'measure'],
  6: ['runtime'],
  5: ['model', 'passes'],
  4: ['ops'],
  3: ['ir'],
  2: ['format', 'kernels'],
  1: ['tensor', 'platform', 'report'],
  0: ['base'],
}
const floorOf = new Map(Object.entries(floors).flatMap(([floor, rooms]) => rooms.map((room) => [room, Number(floor)])))
const roomOf = (file: string): string => file.split('/')[1] ?? ''

const architecture = read('ARCHITECTURE.md')
const source: readonly SourceFile[] = files('src').map((file) => parseSource(file, read(file)))
const assembly: readonly SourceFile[] = files('assembly').map((file) => parseSource(file, read(file)))
const sourceNames = new Set(source.map((file) => file.name))

describe('floors', () => {
  test('are those of the table in ARCHITECTURE.md', () => {
    const rows = [...architecture.matchAll(/^\| (\d) \| ([^|]+) \|/gm)]
    const written = rows.map(([, floor, rooms]) => [
      Number(floor),
      [...(rooms ?? '').matchAll(/`([^`]+?)\/?`/g)].map(([, room]) => room),
    ])
    expect(Object.fromEntries(written)).toEqual(floors)
  })

  test('every source lies in a room', () => {
    expect(source.map((file) => file.name).filter((name) => !floorOf.has(roomOf(name)))).toEqual([])
  })

  test('imports go down only, and never to another room of the same floor', () => {
    const wrong = source.flatMap((file) =>
      file.imports
        .filter(({ target }) => target.startsWith('src/') && roomOf(target) !== roomOf(file.name))
        .filter(({ target }) => (floorOf.get(roomOf(target)) ?? Infinity) >= (floorOf.get(roomOf(file.name)) ?? -1))
        .map(({ target }) => `${file.name} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('sources import nothing of the repository but sources', () => {
    const wrong = source.flatMap((file) =>
      file.imports
        .filter(({ target }) => target.includes('/') && !target.startsWith('node:') && !isPackage(target))
        .filter(({ target }) => !sourceNames.has(target))
        .map(({ target }) => `${file.name} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('no sources import each other in a circle', () => {
    const graph = new Map(
      source.map((file) => [file.name, file.imports.filter((i) => !i.typeOnly).map((i) => i.target)]),
    )
    expect(findCycle(graph)).toEqual([])
  })
})

function isPackage(target: string): boolean {
  return (
    !target.startsWith('src/') &&
    !target.startsWith('.') &&
    !path.isAbsolute(target) &&
    !existsSync(path.join(root, target))
  )
}

describe('packages', () => {
  const manifest = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }

  test('those needed at run time are named, with a reason, in ARCHITECTURE.md', () => {
    const section = architecture.slice(architecture.indexOf('## Runtime dependencies'))
    const rows = [...section.matchAll(/^\| (`[^|]+) \| (.+) \|$/gm)]
    const named = rows.flatMap(([, names]) => [...(names ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name))
    expect(named.sort()).toEqual(Object.keys(manifest.dependencies).sort())
  })

  test('sources import no others', () => {
    const nameOf = (target: string): string => target.split('/', target.startsWith('@') ? 2 : 1).join('/')
    const used = source.flatMap((file) => file.imports.map((i) => i.target)).filter(isPackage)
    const foreign = used.filter((target) => !target.startsWith('node:') && !(nameOf(target) in manifest.dependencies))
    expect([...new Set(foreign)]).toEqual([])
  })
})

describe('files', () => {
  test('hold at most 500 lines', () => {
    expect([...source, ...assembly].filter((file) => file.lines > 500).map((f) => `${f.name}: ${f.lines}`)).toEqual([])
  })

  test('hold no switch of more than 12 cases', () => {
    const long = [...source, ...assembly].filter((file) => file.longestSwitch > 12)
    expect(long.map((file) => `${file.name}: ${file.longestSwitch}`)).toEqual([])
  })

  test('are named by what they hold', () => {
    const vague = /(^|\/)(utils?|helpers?|misc|common)(\/|\.|$)/
    const all = files('src', 'assembly', 'test', 'scripts', 'bench', 'demo')
    expect(all.filter((file) => vague.test(file))).toEqual([])
    expect(all.filter((file) => path.basename(file) !== path.basename(file).toLowerCase())).toEqual([])
  })

  test('begin with their licence', () => {
    const all = files('src', 'assembly', 'test', 'scripts', 'bench', 'demo', '.')
    const head = (file: string): string => read(file).replace(/^#!.*\n/, '')
    expect(all.filter((file) => !head(file).startsWith('// SPDX-License-Identifier: Apache-2.0\n'))).toEqual([])
  })

  test('keep no mutable state at module level', () => {
    expect(
      source.filter((file) => file.moduleState.length > 0).map((f) => `${f.name}: ${f.moduleState.join()}`),
    ).toEqual([])
  })

  test('re-export values of other files only where the public API is written down', () => {
    const barrels = source
      .filter((file) => file.imports.some((i) => i.reExport && !i.typeOnly))
      .map((file) => file.name)
    expect(barrels.filter((name) => name !== 'src/index.ts' && name !== 'src/compress.ts')).toEqual([])
  })
})

describe('tables', () => {
  test('op files are imported by src/ops/table.ts alone', () => {
    const table = source.find((file) => file.name === 'src/ops/table.ts')
    const ops = new Set(table?.imports.filter((i) => i.dynamic).map((i) => i.target))
    const others = source.filter((file) => file !== table && file.imports.some((i) => ops.has(i.target)))
    expect(others.map((file) => file.name)).toEqual([])
    expect([...ops].filter((op) => !sourceNames.has(op))).toEqual([])
  })

  test('every file that exports ops is in src/ops/table.ts', () => {
    const table = source.find((file) => file.name === 'src/ops/table.ts')
    const ops = new Set(table?.imports.map((i) => i.target))
    const strays = source.filter((file) => file.name.startsWith('src/ops/') && file.exports.includes('ops'))
    expect(strays.map((file) => file.name).filter((name) => !ops.has(name))).toEqual([])
  })

  test('every file of src/passes is used by the pipeline', () => {
    const imports = new Map(source.map((file) => [file.name, file.imports.map((i) => i.target)]))
    const reached = new Set<string>(['src/passes/pipeline.ts'])
    for (const name of reached) for (const target of imports.get(name) ?? []) reached.add(target)
    const passes = source.map((file) => file.name).filter((name) => name.startsWith('src/passes/'))
    expect(passes.filter((name) => !reached.has(name))).toEqual([])
  })
})

/** Exports of a build that are no kernels: the walker of steps, known answers, loops that measure peaks. */
const isRunner = (name: string): boolean => /^(resume|run|serve|stop|(probe|peak)_\w+)$/.test(name)

describe('Wasm builds', () => {
  const { targets } = JSON.parse(read('asconfig.json')) as { targets: Record<string, { outFile: string }> }
  const bytesOf = (outFile: string): Uint8Array<ArrayBuffer> => {
    const file = path.join(root, outFile)
    if (!existsSync(file))
      throw new Error(`${outFile}: expected the last build's output, got nothing; npm run build:wasm`)
    return new Uint8Array(readFileSync(file))
  }

  describe.each(Object.entries(targets))('%s', (_, { outFile }) => {
    test('exports the kernels of the table and nothing unknown', () => {
      const functions = summarizeWasm(bytesOf(outFile)).exports.filter((one) => one.kind === 'function')
      const exported = functions.map((one) => one.name)
      expect(exported.filter((name) => !isRunner(name)).sort()).toEqual([...kernelNames].sort())
      expect(exported).toEqual(expect.arrayContaining(['run', 'serve']))
    })

    test('takes its memory from outside, and nothing else', () => {
      const { importCount, firstImport } = summarizeWasm(bytesOf(outFile))
      expect(importCount).toBe(1)
      expect(firstImport).toEqual({ module: 'env', name: 'memory', kind: 'memory' })
    })

    test('writes nothing into memory by being instantiated', () => {
      const { sections } = summarizeWasm(bytesOf(outFile))
      const [start, data, dataCount] = [8, 11, 12].map((id) => sections.get(id))
      expect(start).toBeUndefined()
      expect(data ?? 0).toBeLessThanOrEqual(1)
      expect(dataCount ?? 0).toBeLessThanOrEqual(1)
    })

    test('is at most 150 KB', () => {
      expect(bytesOf(outFile).length).toBeLessThanOrEqual(150_000)
    })
  })
})
