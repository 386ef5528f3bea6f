// SPDX-License-Identifier: Apache-2.0
/**
 * Old forms of operators under attributes that make no sense: negative, huge, missing, of another kind; and with inputs too
 * few and too many. Whatever a row of `upgrades` meets ends in outputs or a named error.
 */
import { expect, test } from 'vitest'
import { WhittleError } from '../../src/base/errors.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { Tensor, load } from '../../src/index.ts'
import { upgrades } from '../../src/model/upgrade.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

type Value = NonNullable<Parameters<typeof node>[3]>[string]

const hostile: readonly (Value | null)[] = [
  null,
  -1,
  0,
  99,
  -7,
  2 ** 31,
  2n ** 63n - 1n,
  0.5,
  'text',
  '',
  [],
  [1],
  [-1, -1],
  [2n ** 40n],
  [-(2n ** 63n)],
  [0.5],
  [0.5, 1e38],
  ['a'],
  tensorRecord('t', 'float32', [1, 2]),
]

const values = Array.from({ length: 6 }, (_, i) => `x${i}`)
const x = new Tensor(
  'float32',
  Float32Array.from({ length: 24 }, (_, i) => i),
  [2, 3, 4],
)

/** Loads and runs a node of this opset; the error where it is none of whittle's. */
async function mishap(op: string, opset: number, inputs: number, attributes: Record<string, Value>, ranked: boolean) {
  const names = values.slice(0, inputs)
  const graph = {
    nodes: [node(op, names, ['y'], attributes)],
    inputs: names.map((name) => valueInfo(name, 'float32', ranked ? ['a', 'b', 'c'] : null)),
    outputs: [valueInfo('y', 'float32', null)],
  }
  const file = writeOnnx(model(graph, opset))
  try {
    const session = await load(file, { threads: 1 })
    try {
      await session.run(Object.fromEntries(names.map((name) => [name, x])))
    } finally {
      await session.dispose()
    }
  } catch (error) {
    return error instanceof WhittleError ? undefined : error
  }
  return undefined
}

/** One of the operators that share their rows. */
const each = [...new Map(Object.entries(upgrades).map(([op, rows]) => [rows, op])).values()]

test.each(each)('%s, in forms of older opsets, gives outputs or a named error', async (op) => {
  const faults: string[] = []
  const names = new Set(upgrades[op].flatMap((row) => Object.keys(row.attributes)))
  const opsets = upgrades[op].map(({ below }) => Math.min(below - 1, 9))
  for (const opset of new Set(opsets)) {
    const attempt = async (attributes: Record<string, Value>, inputs: number, ranked: boolean): Promise<void> => {
      const error = await mishap(op, opset, inputs, attributes, ranked)
      if (error)
        faults.push(`opset ${opset}, ${inputs} inputs, ${JSON.stringify(Object.keys(attributes))}: ${String(error)}`)
    }
    for (let inputs = 0; inputs <= values.length; inputs++) await attempt({}, inputs, true)
    for (const name of names) {
      for (const value of hostile) {
        const attributes: Record<string, Value> = value === null ? {} : { [name]: value }
        // an attribute that another one makes matter, and lists as long as each other
        if (name === 'axis') attributes.broadcast = 1
        if (upgrades[op].some((row) => 'starts' in row.attributes)) {
          for (const other of ['starts', 'ends']) if (other !== name) attributes[other] = [0]
        }
        for (const inputs of [1, 2, 5]) await attempt(attributes, inputs, inputs !== 1)
      }
    }
  }
  expect(faults.slice(0, 20).join('\n')).toBe('')
})
