// SPDX-License-Identifier: Apache-2.0
/** Recurrent layers from end to end: W and R become int8 with a scale for each row, X and h are quantised as they come. */
import { describe, expect, test } from 'vitest'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { compress } from '../../src/compress/compress.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { load } from '../../src/index.ts'
import { fromContainer } from '../../src/model/from-container.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

const gatesOf = { LSTM: 4, GRU: 3, RNN: 1 } as const
type Name = keyof typeof gatesOf

const [time, batch, hidden] = [9, 2, 64]

function modelOf(op: Name, directions: 1 | 2, width: number): Uint8Array {
  const random = seededRandom(5)
  const normal = (length: number, scale: number): number[] => Array.from({ length }, () => scale * randomNormal(random))
  const rows = gatesOf[op] * hidden
  return writeOnnx(
    model({
      inputs: [valueInfo('x', 'float32', ['t', 'n', width])],
      outputs: [valueInfo('y', 'float32', null)],
      initializers: [
        tensorRecord('w', 'float32', normal(directions * rows * width, 1 / Math.sqrt(width)), [
          directions,
          rows,
          width,
        ]),
        tensorRecord('r', 'float32', normal(directions * rows * hidden, 0.08), [directions, rows, hidden]),
        tensorRecord('b', 'float32', normal(directions * 2 * rows, 0.1), [directions, 2 * rows]),
      ],
      nodes: [
        node(
          op,
          ['x', 'w', 'r', 'b'],
          ['y'],
          { hidden_size: hidden, direction: directions === 2 ? 'bidirectional' : 'forward' },
          { name: 'layer' },
        ),
      ],
    }),
  )
}

async function run(bytes: Uint8Array, width: number): Promise<{ y: Float32Array; host: number; ops: string[] }> {
  const random = seededRandom(6)
  const x = new Tensor(
    'float32',
    Float32Array.from({ length: time * batch * width }, () => randomNormal(random)),
    [time, batch, width],
  )
  await using session = await load(bytes, { threads: 1 })
  const { y } = await session.run({ x })
  const { hostSteps, steps } = await session.profile()
  return { y: y.data as Float32Array, host: hostSteps.length, ops: steps.map(({ op }) => op) }
}

describe('recurrent layers in int8', () => {
  test.each([
    ['LSTM', 1],
    ['LSTM', 2],
    ['GRU', 1],
    ['RNN', 2],
  ] as const)(
    '%s of %i directions stays within 4 %% of the largest output, on kernels alone',
    async (op, directions) => {
      const file = modelOf(op, directions, 40)
      const { model: small, report } = await compress(file, 'int8')
      const rows = gatesOf[op] * hidden
      expect(report.layers).toMatchObject([
        { node: 'layer', op, weight: 'w', dims: [directions, rows, 40], from: 'float32', to: 'int8' },
        { node: 'layer', op, weight: 'r', dims: [directions, rows, hidden], from: 'float32', to: 'int8' },
      ])
      expect(report.weightsAfter.int8).toBe(directions * rows * (40 + hidden))
      const [got, wanted] = [await run(small, 40), await run(file, 40)]
      expect(got.host).toBe(0)
      expect(got.ops).toContain(`whittle.DynamicQuantize${op}`)
      const largest = wanted.y.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      const worst = got.y.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted.y[i])), 0)
      expect(worst).toBeLessThan(0.04 * largest)
    },
  )

  test('are one layer: W of one input goes with R, and a layer left alone is so whole', async () => {
    const { report } = await compress(modelOf('GRU', 1, 1), 'int8')
    expect(report.layers.map(({ to }) => to)).toEqual(['int8', 'int8'])
    const { report: kept } = await compress(modelOf('GRU', 1, 1), { weights: 'int8', exclude: ['r'] })
    expect(kept.layers.map((layer) => layer.kept)).toEqual(['excluded by the recipe', 'excluded by the recipe'])
  })

  test('are int8 under int4 too, in the container as in the graph', async () => {
    const { model: small } = await compress(modelOf('LSTM', 1, 40), 'int4')
    const { graph } = fromContainer(small, 'model')
    const [{ op, inputs }] = graph.nodes
    expect(op).toBe('whittle.DynamicQuantizeLSTM')
    expect(inputs.slice(0, 6).map((name) => graph.constants.get(name)?.dtype)).toEqual([
      undefined,
      'int8',
      'float32',
      'int8',
      'float32',
      'float32',
    ])
  })
})
