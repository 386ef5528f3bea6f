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
