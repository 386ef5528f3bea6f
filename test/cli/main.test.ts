// SPDX-License-Identifier: Apache-2.0
/**
 * The built command as a user meets it: what goes to which stream, exit codes, files that are written whole or not at
 * all. Runs `dist/cli.js` in processes of their own, in a folder with small models.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readNpy, writeNpy } from '../../src/format/npy.ts'
import { writeNpz } from '../../src/format/npz.ts'
import type { OnnxTensor } from '../../src/format/onnx-records.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const command = path.resolve(import.meta.dirname, '../../dist/cli.js')

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

let folder = ''

function whittle(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { cwd: folder }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
  })
}

/** y = x k, x of [n, 8]. */
function productModel(more: Parameters<typeof model>[0] = {}): Uint8Array {
  const weights = Array.from({ length: 8 * 16 }, (_, i) => Math.sin(i))
  return writeOnnx(
    model({
      inputs: [valueInfo('x', 'float32', ['n', 8])],
      outputs: [valueInfo('y', 'float32', ['n', 16])],
      initializers: [tensorRecord('k', 'float32', weights, [8, 16])],
      nodes: [node('MatMul', ['x', 'k'], ['y'])],
      ...more,
    }),
  )
}

const ones = (dims: readonly number[], type: 'float32' | 'float64' = 'float32'): Tensor =>
  new Tensor(type, new Array<number>(dims.reduce((a, b) => a * b, 1)).fill(1), dims)

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'whittle-cli-'))
  const good = productModel()
  const k: OnnxTensor = {
    name: 'k',
    dtype: 'float32',
    dims: [8, 16],
    data: new Uint8Array(512),
    external: { location: 'weights.bin', offset: 0, length: 512 },
  }
  const files: Record<string, Uint8Array> = {
    'model.onnx': good,
    'cut.onnx': good.slice(0, good.length - 40),
    'other.txt': new TextEncoder().encode('neither of them'),
    'unknown.onnx': productModel({ nodes: [node('MatMull', ['x', 'k'], ['y'], {}, { name: 'here' })] }),
    'external.onnx': productModel({ initializers: [k] }),
    'x.npy': writeNpy(ones([2, 8])),
    'doubles.npy': writeNpy(ones([2, 8], 'float64')),
    'narrow.npy': writeNpy(ones([2, 7])),
    'all.npz': writeNpz({ x: ones([2, 8]) }),
    'deep.json': new TextEncoder().encode('{ "weights": "int8", "keepShallow": false }'),
  }
  for (const [name, bytes] of Object.entries(files)) await writeFile(path.join(folder, name), bytes)
})
afterAll(() => rm(folder, { recursive: true }))

describe('the command', () => {
  test('helps: all commands, and each with an example', async () => {
    const { code, out, err } = await whittle('--help')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    for (const name of ['inspect', 'compress', 'compare', 'run', 'probe'])
      expect(out).toMatch(new RegExp(`^  ${name}`, 'm'))
    expect((await whittle('run', '--help')).out).toMatch(/Examples:\n {2}\$ whittle run/)
  })

  test('tells its version', async () => {
    const { version } = JSON.parse(await readFile(path.resolve(command, '../../package.json'), 'utf8')) as {
      version: string
    }
    expect(await whittle('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })

  test('inspects', async () => {
    const { code, out } = await whittle('inspect', 'model.onnx', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ format: 'onnx', operators: [{ op: 'MatMul', support: 'kernel' }] })
    expect((await whittle('inspect', 'model.onnx')).out).toMatch(/│ x +│ float32 │ n x 8 /)
  })

  test('compresses, compares and runs what it wrote', async () => {
    const compressed = await whittle('compress', 'model.onnx', '-o', 'small.whittle', '--json')
    expect(compressed).toMatchObject({ code: 0, err: '' })
    expect(JSON.parse(compressed.out)).toMatchObject({ output: 'small.whittle', recipe: { name: 'int8' } })
    const compared = await whittle('compare', 'model.onnx', 'small.whittle', '--inputs', 'all.npz', '--json')
    const { outputs } = JSON.parse(compared.out) as { outputs: { name: string; cosine: number }[] }
    expect(outputs).toMatchObject([{ name: 'y' }])
    expect(outputs[0].cosine).toBeGreaterThan(0.99)
    const run = await whittle('run', '--input', 'x=x.npy', 'small.whittle', '--output-dir', '.')
    expect(run).toMatchObject({ code: 0, err: '' })
    expect(readNpy(await readFile(path.join(folder, 'y.npy'))).dims).toEqual([2, 16])
  })

  test('rounds by calibration inputs, and says by which it did', async () => {
    const sets = ['--calibration', 'all.npz', '--calibration', 'all.npz']
    const { code, out, err } = await whittle(
      'compress',
      'model.onnx',
      '-r',
      'deep.json',
      '-o',
      'given.whittle',
      ...sets,
    )
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('rounded by the inputs given')
    const args = ['compress', 'model.onnx', '-o', 'plain.whittle', '-r', 'float32']
    expect((await whittle(...args)).out).not.toContain('rounded')
    expect((await whittle(...args, '--verbose')).out).toContain('rounded to the nearest: no layer is rounded')
    expect(JSON.parse((await whittle(...args, '--json')).out)).toMatchObject({ roundedBy: { inputs: 'none' } })
  })

  test('keeps what it measured of the host where it is told to', async () => {
    const weights = Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i * i))
    const wide = productModel({
      inputs: [valueInfo('x', 'float32', [32, 64])],
      outputs: [valueInfo('y', 'float32', [32, 64])],
      initializers: [tensorRecord('k', 'float32', weights, [64, 64])],
    })
    await writeFile(path.join(folder, 'wide.onnx'), wide)
    await whittle('compress', 'wide.onnx', '-r', 'sparse-90', '-o', 'sparse.whittle')
    const run = ['run', 'sparse.whittle', '--random', '-t', '1']
    for (const options of [[], ['--no-measurements']])
      expect(await whittle(...run, ...options)).toMatchObject({ code: 0, err: '' })
    expect(await readdir(folder)).not.toContain('kept.json')
    expect(await whittle(...run, '--measurements', 'kept.json')).toMatchObject({ code: 0, err: '' })
    const kept = await readFile(path.join(folder, 'kept.json'), 'utf8')
    const [{ figures }] = Object.values(JSON.parse(kept) as Record<string, { readonly figures: object }>)
    expect(Object.keys(figures)).toEqual(['sparse', 'dense'])
    for (const models of [
      ['bench', 'sparse.whittle'],
      ['compare', 'wide.onnx', 'sparse.whittle'],
    ]) {
      const said = [...models, '--random', '--rounds', '1', '--measurements', 'kept.json']
      expect(await whittle(...said)).toMatchObject({ code: 0, err: '' })
    }
    expect(await readFile(path.join(folder, 'kept.json'), 'utf8')).toBe(kept)
  })

  test('draws nothing of a progress bar in a pipe', async () => {
    const { out, err } = await whittle('compress', 'model.onnx', '-r', 'float32', '-o', 'plain.whittle')
    expect(err).toBe('')
    expect(out).toMatch(/^plain\.whittle: \d.* recipe float32\n$/)
    // oxlint-disable-next-line no-control-regex
    expect(out).not.toMatch(/[\r\x1b]/)
  })
})

describe('the command says in one line what is wrong, with exit code', () => {
  const inputs = (name: string): string[] => ['run', 'model.onnx', '-i', name]
  test.each<[string, number, RegExp, string[]]>([
    [
      'a missing file',
      1,
      /^SourceError: none\.onnx: expected to read it, got no such file; /,
      ['inspect', 'none.onnx'],
    ],
    ['a truncated file', 1, /^FormatError: cut\.onnx.*truncated/, ['inspect', 'cut.onnx']],
    ['a file of another kind', 1, /^FormatError: other\.txt: expected a .whittle or ONNX model/, ['run', 'other.txt']],
    ['an unknown operator', 1, /^UnsupportedError: .*here.*MatMul/, ['compress', 'unknown.onnx']],
    ['missing external data', 1, /^SourceError: .*weights\.bin.*no such file/, ['compress', 'external.onnx']],
    ['an input that is not given', 1, /^InputError: input x: .* got none; give --input x=file/, ['run', 'model.onnx']],
    [
      'a name the model does not have',
      1,
      /^InputError: .*expected one of 'x'/,
      [...inputs('x=x.npy'), '-i', 'z=x.npy'],
    ],
    ['a wrong type', 1, /^InputError: .*'x'.*float32.*got a float64/, inputs('x=doubles.npy')],
    ['a wrong shape', 1, /^InputError: .*'x' axis 1: expected 8, got 7/, inputs('x=narrow.npy')],
    ['an input that is no array', 1, /^FormatError: other\.txt: expected a \.npy file/, inputs('x=other.txt')],
    [
      'a size of no dimension',
      1,
      /^InputError: --dim: expected one of n, got m/,
      ['run', 'model.onnx', '--dim', 'm=3'],
    ],
    ['an output that cannot be written', 1, /^SourceError: .*no such folder/, ['compress', 'model.onnx', '-o', 'no/x']],
    ['an unknown recipe', 1, /^InputError: recipe: .*int8/, ['compress', 'model.onnx', '-r', 'int9']],
    [
      'calibration inputs that are none',
      1,
      /^FormatError: x\.npy/,
      ['compress', 'model.onnx', '-r', 'deep.json', '--calibration', 'x.npy'],
    ],
    ['a number that is none', 2, /--threads.*whole number/, ['run', 'model.onnx', '--threads', 'two']],
    ['a missing argument', 2, /missing required argument/, ['compress']],
    ['an unknown command', 2, /unknown command/, ['frobnicate']],
  ])('%s: %i', async (_, code, message, args) => {
    const before = await readdir(folder)
    const outcome = await whittle(...args)
    expect(outcome.err).toMatch(message)
    expect(outcome).toMatchObject({ code, out: '' })
    if (code === 1) expect(outcome.err.trimEnd().split('\n')).toHaveLength(1)
    expect(await readdir(folder)).toEqual(before)
  })
})
