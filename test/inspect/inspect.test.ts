// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { AbortError, FormatError, SourceError } from '../../src/base/errors.ts'
import { compress } from '../../src/compress/compress.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { inspectModel } from '../../src/inspect/inspect.ts'
import { graph, model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const branch = (name: string) =>
  graph({
    name,
    outputs: [valueInfo(`${name}_out`, 'float32', [2, 4])],
    initializers: [tensorRecord(`${name}_k`, 'float32', new Array(8).fill(1), [2, 4])],
    nodes: [node('Neg', [`${name}_k`], [`${name}_out`])],
  })

const parts = {
  inputs: [valueInfo('x', 'float32', ['n', 2]), valueInfo('flag', 'bool', [])],
  outputs: [valueInfo('y', 'float32', ['n', 4])],
  initializers: [tensorRecord('k', 'float32', [1, 2, 3, 4, 5, 6, 7, 8], [2, 4])],
  nodes: [
    node('If', ['flag'], ['w'], { then_branch: branch('a'), else_branch: branch('b') }),
    node('MatMul', ['x', 'k'], ['p']),
    node('MatMul', ['x', 'w'], ['q']),
    node('Identity', ['q'], ['r']),
    node('Add', ['p', 'r'], ['y']),
  ],
}
const file = writeOnnx(model(parts))

describe('inspectModel', () => {
  test('tells what goes in and out, and counts constants and operators, those of branches included', async () => {
    const found = await inspectModel(file)
    expect(found).toMatchObject({
      format: 'onnx',
      bytes: file.byteLength,
      opset: 17,
      inputs: [
        { name: 'x', type: 'float32', dims: ['n', 2] },
        { name: 'flag', type: 'bool', dims: [] },
      ],
      outputs: [{ name: 'y', type: 'float32', dims: ['n', 4] }],
      parameters: 24,
      weights: { float32: { tensors: 3, bytes: 96 } },
      passes: null,
      metadata: null,
    })
    const counts = Object.fromEntries(found.operators.map(({ op, nodes }) => [op, nodes]))
    expect(counts).toEqual({ Add: 1, Identity: 1, If: 1, MatMul: 2, Neg: 2 })
    expect(found.operators.map(({ nodes }) => nodes)).toEqual([2, 2, 1, 1, 1])
  })

  test('tells which operators have kernels, run on the host, or are unknown', async () => {
    const nodes = [...parts.nodes.slice(0, 4), node('Addd', ['p', 'r'], ['y'])]
    const found = await inspectModel(writeOnnx(model({ ...parts, nodes })), { passes: true })
    const support = Object.fromEntries(found.operators.map(({ op, support: how }) => [op, how]))
    expect(support).toMatchObject({ MatMul: 'kernel', If: 'reference', Addd: 'none' })
    expect(found.operators.find(({ op }) => op === 'Addd')?.nearest).toBe('Add')
    expect(found.passes).toBeNull()
  })

  test('lists every unsupported operator, those of branches too, with the nearest supported one', async () => {
    const branches = ['a', 'b'].map((name) =>
      graph({
        name,
        outputs: [valueInfo(`${name}_out`, 'float32', [2, 4])],
        nodes: [node(name === 'a' ? 'Sigmoidd' : 'Tanhh', ['x'], [`${name}_out`])],
      }),
    )
    const nodes = [
      node('If', ['flag'], ['w'], { then_branch: branches[0], else_branch: branches[1] }),
      node('FastGelu', ['x'], ['p']),
      node('GridSample', ['x', 'w'], ['q'], {}, { domain: 'com.microsoft' }),
      node('Zzzzzzzz', ['p', 'q'], ['y'], {}, { domain: 'org.example' }),
    ]
    const { operators, problems } = await inspectModel(writeOnnx(model({ ...parts, nodes })))
    const missing = operators.filter(({ support }) => support === 'none')
    expect(Object.fromEntries(missing.map(({ op, nearest }) => [op, nearest]))).toEqual({
      FastGelu: 'com.microsoft.FastGelu',
      Sigmoidd: 'Sigmoid',
      Tanhh: 'Tanh',
      'com.microsoft.GridSample': 'GridSample',
      'org.example.Zzzzzzzz': undefined,
    })
    expect(problems).toEqual([])
  })

  test('lists them beside what the importer refuses, and tells all of that', async () => {
    const body = graph({
      name: 'body',
      inputs: [valueInfo('c', 'float32', [2]), valueInfo('e', 'float32', [2])],
      outputs: [valueInfo('c2', 'float32', [2]), valueInfo('e2', 'float32', [2])],
      nodes: [node('Inner', ['c'], ['c2']), node('Identity', ['e'], ['e2'])],
    })
    const sequence = (name: string) => ({ name, type: { kind: 'sequence' as const, element: null } })
    const old = model(
      {
        inputs: [valueInfo('x', 'float32', [1, 3, 2]), sequence('list')],
        outputs: [valueInfo('y', 'float32', null), sequence('rest')],
        nodes: [
          node('Scan', ['', 'x', 'x'], ['p', 'q'], { body, num_scan_inputs: 1 }),
          node('SequenceErase', ['list'], ['rest']),
          node('Outer', ['p'], ['y']),
        ],
      },
      8,
    )
    const found = await inspectModel(writeOnnx(old), { passes: true })
    const missing = found.operators.filter(({ support }) => support === 'none').map(({ op }) => op)
    expect(missing.sort()).toEqual(['Inner', 'Outer', 'Scan', 'SequenceErase'])
    expect(found.opset).toBe(8)
    expect(found.inputs.map(({ type }) => type)).toEqual(['float32', 'sequence'])
    expect(found.problems.join('\n')).toMatch(
      /value 'list': expected a tensor.*\nScan 'p' › opset: expected Scan of opset 9 or newer.*\nvalue 'rest'/,
    )
    expect(found.passes).toBeNull()
  })

  test('tells what the passes would do, where asked', async () => {
    const { passes } = await inspectModel(file, { passes: true })
    expect(passes?.find(({ pass }) => pass === 'remove-no-ops')?.fired).toBeGreaterThan(0)
  })

  test('tells who made a .whittle file, and by which recipe', async () => {
    const { model: small } = await compress(file, 'int8')
    const found = await inspectModel(small, { passes: true })
    expect(found).toMatchObject({ format: 'whittle', metadata: 'whittle, recipe int8', passes: null })
  })

  test('says what is wrong with a source', async () => {
    await expect(inspectModel('/no/such/model.onnx')).rejects.toThrow(SourceError)
    await expect(inspectModel(file.slice(0, -5))).rejects.toThrow(FormatError)
    await expect(inspectModel(file, { signal: AbortSignal.abort() })).rejects.toThrow(AbortError)
  })
})
