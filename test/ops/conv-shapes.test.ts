// SPDX-License-Identifier: Apache-2.0
/** Convolutions of random shapes: steps agree with the reference, for every way a shape can go. */
import { expect, test } from 'vitest'
import { randomInteger, seededRandom } from '../../src/base/rng.ts'
import type { Attributes, OpDef, Reference, Sample } from '../../src/ops/define.ts'
import { numbersOf } from '../../src/ops/numeric.ts'
import { floats, integers } from '../../src/ops/sample-tensors.ts'
import { opTable } from '../../src/ops/table.ts'
import { loadBuild } from '../contract/kernel.ts'
import { exactWays, nodeOf, runLowered } from './lowered.ts'

const build = loadBuild('relaxed') ?? loadBuild('simd')!
const ways = exactWays(build)
const random = seededRandom(11)
const pick = (low: number, high: number): number => randomInteger(random, low, high)

interface Shape {
  readonly x: readonly number[]
  readonly w: readonly number[]
  readonly attributes: Attributes
}

/** NHWC shapes that every kernel size, stride, dilation, padding and group of small numbers may come in. */
function randomShape(): Shape {
  const group = [1, 1, 1, 2, 3, 4][pick(0, 5)]
  const deep = random() < 0.3 ? 1 : pick(1, 9)
  const [kh, kw] = random() < 0.3 ? [1, 1] : [pick(1, 4), pick(1, 5)]
  const strides = [pick(1, 2), pick(1, 3)]
  const dilations = [pick(1, 2), pick(1, 2)]
  const pads = [pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)]
  const height = (kh - 1) * dilations[0] + pick(1, 7)
  const width = (kw - 1) * dilations[1] + pick(1, 19)
  const out = group * (deep === 1 && random() < 0.7 ? 1 : pick(1, 11))
  const attributes = { group, strides, dilations, pads: random() < 0.4 ? [0, 0, 0, 0] : pads }
  return { x: [pick(1, 2), height, width, group * deep], w: [out, kh, kw, deep], attributes }
}

async function load(
  name: 'whittle.Conv' | 'whittle.DynamicQuantizeConv',
): Promise<{ def: OpDef; reference: Reference }> {
  const { ops, references } = await opTable[name]()
  return { def: (ops as Record<string, OpDef>)[name], reference: (references as Record<string, Reference>)[name] }
}

for (const name of ['whittle.Conv', 'whittle.DynamicQuantizeConv'] as const) {
  test(`${name} of 80 random shapes agrees with its reference`, async () => {
    const { def, reference } = await load(name)
    for (let i = 0; i < 80; i++) {
      const { x, w, attributes } = randomShape()
      const scale = floats(random, [w[0]], 0.001, 0.01)
      const weights = name === 'whittle.Conv' ? [floats(random, w)] : [integers(random, w, -127, 127, 'int8'), scale]
      const sample: Sample = { inputs: [floats(random, x, -1, 2), ...weights, floats(random, [w[0]])], attributes }
      const { context } = nodeOf(name, def, sample)
      const [want] = reference(sample.inputs, context.attributes, { opset: 21, outputs: 1, evaluate: () => [] })
      const int8 = ways[i % ways.length]
      const [got] = runLowered(build, name, def, sample, {
        host: { int8, threads: 1 },
        constants: (input) => input > 0,
      })!
      const [a, b] = [numbersOf(got), numbersOf(want)]
      expect(got.dims).toEqual(want.dims)
      const far = Array.from(b).findIndex((v, at) => !(Math.abs(a[at] - v) <= 2e-5 + 1e-5 * Math.abs(v)))
      expect(far, JSON.stringify({ x, w, attributes })).toBe(-1)
    }
  })
}

/** Larger than what is copied at a time. */
const banded: readonly Shape[] = [
  { x: [2, 20, 60, 128], w: [128, 3, 3, 2], attributes: { group: 64, pads: [1, 1, 1, 1], activation: 'Relu' } },
  { x: [1, 31, 40, 96], w: [128, 3, 5, 3], attributes: { group: 32, pads: [2, 0, 1, 3], strides: [2, 1] } },
  { x: [1, 45, 64, 48], w: [96, 3, 3, 1], attributes: { group: 48, pads: [9, 2, 8, 2], dilations: [3, 2] } },
]

test.each(banded)(
  '$x by $w in bands agrees with the reference, on one thread and on more',
  async ({ x, w, attributes }) => {
    const { def, reference } = await load('whittle.Conv')
    const inputs = [floats(random, x), floats(random, w), floats(random, [w[0]])]
    const { context, types } = nodeOf('whittle.Conv', def, { inputs, attributes })
    const sample: Sample = { inputs: [...inputs, floats(random, types[0].dims as number[])], attributes }
    const [want] = reference(sample.inputs, context.attributes, { opset: 21, outputs: 1, evaluate: () => [] })
    const runs = [1, 3].map((threads) => {
      const host = { int8: 'pairs', threads } as const
      return runLowered(build, 'whittle.Conv', def, sample, { host, constants: (input) => input > 0 && input < 3 })![0]
    })
    const [a, b] = [numbersOf(runs[0]), numbersOf(want)]
    expect(Array.from(b).findIndex((v, at) => !(Math.abs(a[at] - v) <= 2e-5 + 1e-5 * Math.abs(v)))).toBe(-1)
    expect(runs[1].data).toEqual(runs[0].data)
  },
)

test('ConvTranspose of 60 random shapes has steps, which agree with its reference', async () => {
  const { ops, references } = await opTable.ConvTranspose()
  const def = (ops as Record<string, OpDef>).ConvTranspose
  const reference = (references as Record<string, Reference>).ConvTranspose
  for (let i = 0; i < 60; i++) {
    const group = [1, 1, 2, 3][pick(0, 3)]
    const [images, deep, wide] = [pick(1, 2), pick(1, 4), pick(1, 4)]
    const rank = pick(1, 2)
    const axes = (low: number, high: number): number[] => Array.from({ length: rank }, () => pick(low, high))
    const [kernel, strides, dilations] = [axes(1, 5), axes(1, 3), axes(1, 2)]
    const pads = [...axes(0, 1), ...axes(0, 1)].map((pad, at) => Math.min(pad, kernel[at % rank] - 1))
    const attributes = { group, strides, dilations, pads, output_padding: strides.map((s) => pick(0, s - 1)) }
    const x = [images, group * deep, ...axes(2, 6)]
    const inputs = [floats(random, x), floats(random, [x[1], wide, ...kernel]), floats(random, [group * wide])]
    const sample: Sample = { inputs, attributes }
    const { context } = nodeOf('ConvTranspose', def, sample)
    const [want] = reference(inputs, context.attributes, { opset: 21, outputs: 1, evaluate: () => [] })
    const [got] = runLowered(build, 'ConvTranspose', def, sample, {
      host: { int8: 'pairs', threads: 1 },
      constants: (input) => input > 0,
    })!
    const [a, b] = [numbersOf(got), numbersOf(want)]
    expect(got.dims).toEqual(want.dims)
    const far = Array.from(b).findIndex((v, at) => !(Math.abs(a[at] - v) <= 2e-5 + 1e-5 * Math.abs(v)))
    expect(far, JSON.stringify({ x, wide, kernel, attributes })).toBe(-1)
  }
})
