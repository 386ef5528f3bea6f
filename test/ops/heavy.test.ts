// SPDX-License-Identifier: Apache-2.0
/** The heavy operators: what they lower to gives what their references say, with weights packed ahead and packed in the run. */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import type { OpDef, Reference, Sample } from '../../src/ops/define.ts'
import { opTable } from '../../src/ops/table.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { loadBuild } from '../contract/kernel.ts'
import { tensorFaults } from '../contract/op.ts'
import { exactWays, nodeOf, runLowered } from './lowered.ts'

const names = [
  'AveragePool',
  'BatchNormalization',
  'Conv',
  'ConvTranspose',
  'Gemm',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'GroupNormalization',
  'InstanceNormalization',
  'LayerNormalization',
  'LogSoftmax',
  'MatMul',
  'MaxPool',
  'RMSNormalization',
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceMax',
  'ReduceMean',
  'ReduceMin',
  'ReduceProd',
  'ReduceSum',
  'ReduceSumSquare',
  'Softmax',
  'whittle.AveragePool',
  'whittle.Conv',
  'whittle.DynamicQuantizeConv',
  'whittle.DynamicQuantizeGemm',
  'whittle.Gemm',
  'whittle.MaxPool',
  'whittle.Silu',
] as const

/** Samples that no kernel takes: they run by reference. */
const byReference: Readonly<Record<string, (sample: Sample) => boolean>> = {
  AveragePool: ({ inputs }) => inputs[0]!.dims.length === 5,
  BatchNormalization: ({ attributes }) => attributes?.training_mode === 1,
  Conv: ({ inputs }) => inputs[0]!.dims.length === 5,
  Gemm: ({ inputs }) => inputs[0]!.type === 'int32',
  GroupNormalization: ({ inputs }) => inputs[1]!.dims[0] === 3,
  LayerNormalization: ({ inputs, outputs }) => outputs === 3 || inputs[2]?.dims[0] === 1,
  MatMul: ({ inputs }) => inputs[0]!.type === 'int32',
  MaxPool: ({ inputs, outputs }) => outputs === 2 || inputs[0]!.type === 'uint8' || inputs[0]!.dims.length === 5,
  RMSNormalization: ({ inputs }) => inputs[1]!.size === 1,
}

const builds = (['simd', 'relaxed'] as const).flatMap((name) => loadBuild(name) ?? [])

function agree(def: OpDef, got: Tensor, want: Tensor, what: string): void {
  const faults = tensorFaults(got, want, def.numerics ?? 'exact')
  expect(faults, what).toEqual([])
}

for (const name of names) {
  describe(name, async () => {
    const { ops, references, samples } = await opTable[name]()
    const def: OpDef = (ops as Record<string, OpDef>)[name]
    const reference: Reference = (references as Record<string, Reference>)[name]
    const cases = (samples as Record<string, (random: () => number) => Sample[]>)[name](seededRandom(7))

    test('inference says what the reference gives', () => {
      cases.forEach((sample, i) => {
        const { context, types } = nodeOf(name, def, sample)
        const outputs = sample.outputs ?? 1
        const want = reference(sample.inputs, context.attributes, { opset: 21, outputs, evaluate: () => [] })
        const got = types.slice(0, outputs).map(({ dtype, dims }) => [dtype, ...(dims as number[])])
        expect(got, `sample ${i}`).toEqual(want.slice(0, outputs).map(({ type, dims }) => [type, ...dims]))
      })
    })

    for (const build of builds) {
      const ways = name.includes('Quantize') ? exactWays(build) : (['pairs'] as const)
      for (const int8 of ways) {
        for (const constant of [true, false]) {
          test(`steps agree with the reference: ${build.name}, ${int8}, ${constant ? 'constant weights' : 'computed weights'}`, () => {
            cases.forEach((sample, i) => {
              const { context, types } = nodeOf(name, def, sample)
              const outputs = sample.outputs ?? 1
              const [want] = reference(sample.inputs, context.attributes, { opset: 21, outputs, evaluate: () => [] })
              const host = { int8, threads: 2 }
              const got = runLowered(build, name, def, sample, { host, constants: (input) => constant && input > 0 })
              const integers = sample.inputs[0]!.type.startsWith('int')
              if (byReference[name]?.(sample)) expect(got, `sample ${i}`).toBeNull()
              // not every fold of integers has a kernel, and what inference knows is not computed
              else if (!integers || (got !== null && !types[0].content)) agree(def, got![0], want, `sample ${i}`)
            })
          })
        }
      }
    }
  })
}
