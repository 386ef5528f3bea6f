// SPDX-License-Identifier: Apache-2.0
/** What chance gives: its mean and spread, the same for the same seed, other numbers where none is given. */
import { describe, expect, it } from 'vitest'
import { Tensor, load } from '../../src/index.ts'
import { Exporter } from '../models/export.ts'

type Attributes = Parameters<Exporter['op']>[2]

/** Outputs of two runs of the operator. */
async function twice(op: string, inputs: readonly Tensor[], attributes: Attributes): Promise<ArrayLike<number>[]> {
  const e = new Exporter()
  const names = inputs.map(({ type, dims }, i) => e.input(`x${i}`, type, dims))
  e.output(e.op('Cast', [e.op(op, names, attributes)], { to: 1 }), 'y', [null as never])
  await using session = await load(e.bytes(22), { threads: 1 })
  const feeds = Object.fromEntries(inputs.map((tensor, i) => [`x${i}`, tensor]))
  const runs = [await session.run(feeds), await session.run(feeds)]
  return runs.map(({ y }) => Float32Array.from(y.data as Float32Array))
}

function moments(values: ArrayLike<number>): { mean: number; deviation: number } {
  const all = Array.from(values)
  const mean = all.reduce((a, b) => a + b, 0) / all.length
  return { mean, deviation: Math.sqrt(all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length) }
}

const many = 20000
const zeros = new Tensor('float32', new Float32Array(many), [many])
const quarters = new Tensor('float32', new Float32Array(many).fill(0.25), [many])
const logs = new Tensor('float32', [Math.log(0.2), Math.log(0.5), Math.log(0.3)], [1, 3])
const seed = 7.5

describe('operators of chance', () => {
  it.each([
    ['RandomNormal', [], { shape: [many], mean: 1.5, scale: 2.5 }, 1.5, 2.5],
    ['RandomNormalLike', [zeros], {}, 0, 1],
    ['RandomUniform', [], { shape: [many], low: -1.5, high: 4.5 }, 1.5, 6 / Math.sqrt(12)],
    ['RandomUniformLike', [zeros], {}, 0.5, 1 / Math.sqrt(12)],
    ['Bernoulli', [quarters], {}, 0.25, Math.sqrt(0.25 * 0.75)],
    ['Multinomial', [logs], { sample_size: many }, 1.1, Math.sqrt(0.5 + 4 * 0.3 - 1.21)],
  ] as const)('%s has its mean and deviation, to 5 %%', async (op, inputs, attributes, mean, deviation) => {
    const [one, other] = await twice(op, inputs, { ...attributes, seed } as Attributes)
    expect(one.length).toBe(many)
    expect(Array.from(one)).toEqual(Array.from(other))
    const got = moments(one)
    expect(Math.abs(got.mean - mean)).toBeLessThan(0.05 * deviation)
    expect(Math.abs(got.deviation / deviation - 1)).toBeLessThan(0.05)
    const [first, second] = await twice(op, inputs, attributes as never)
    expect(Array.from(first)).not.toEqual(Array.from(second))
  })
})
