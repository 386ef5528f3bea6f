// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import type { Node, ValueInfo } from '../../src/ir/graph.ts'
import { resolveAttributes } from '../../src/ir/attributes.ts'
import { ops } from '../../src/ops/recurrent.ts'
import { lowerNode } from '../../src/runtime/lowering.ts'

test('states that are left out are made when a model runs, not when it loads: files declare batches of any size', () => {
  const [time, batch, width, hidden] = [4, 2 ** 24, 3, 2]
  const dims = [
    [time, batch, width],
    [1, 4 * hidden, width],
    [1, 4 * hidden, hidden],
  ]
  const infos = new Map<string, ValueInfo>(dims.map((of, i) => [`in${i}`, { dtype: 'float32', dims: of }]))
  const node: Node = {
    name: 'it',
    op: 'LSTM',
    inputs: [...infos.keys()],
    outputs: ['y'],
    attributes: { hidden_size: hidden },
  }
  const context = { node, opset: 21, attributes: resolveAttributes(node, ops.LSTM) }
  infos.set('y', ops.LSTM.infer([...infos.values()], context)[0]!)
  const constants = new Map(['in1', 'in2'].map((name, i) => [name, { dtype: 'float32' as const, dims: dims[i + 1]! }]))
  const host = { int8: 'pairs', threads: 1 } as const
  const lowered = lowerNode(ops.LSTM, context, 0, {
    host,
    constants,
    info: (name) => infos.get(name),
    intern: () => 't',
  })
  expect(lowered!.steps.some(({ kernel }) => kernel === 'fill_4')).toBe(true)
  expect([...lowered!.tables.values()].map(({ length }) => length)).toEqual([])
})
