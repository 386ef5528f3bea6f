// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import type { Constant } from '../../src/ir/graph.ts'
import type { ByteDot } from '../../src/kernels/row.ts'
import { candidates } from '../../src/kernels/select.ts'
import { Modules } from '../../src/runtime/module.ts'
import { hostTraits, openForms } from '../../src/runtime/traits.ts'
import type { Dtype } from '../../src/tensor/dtype.ts'

const graphOf = (...types: Dtype[]) => ({
  constants: new Map(types.map((dtype, i): [string, Constant] => [`w${i}`, { dtype, dims: [8, 8] }])),
})
const forms = (dot: ByteDot, ...types: Dtype[]) => openForms(graphOf(...types), { relaxed: dot }).sort()

test('there is a choice for int8 weights where the dot is exact, and nowhere for float32', () => {
  expect(forms('vnni', 'int8', 'float32')).toEqual(['dot', 'pairs'])
  expect(forms('sdot', 'int8')).toEqual(['dot', 'pairs'])
  expect(forms('vnni', 'float32', 'int64')).toEqual([])
  for (const dot of ['none', 'pmaddubsw', 'broken'] as const) expect(forms(dot, 'int8')).toEqual([])
})

test('4-bit weights have one way on each host', () => {
  for (const type of ['int4', 'uint4', 'uint8'] as const)
    for (const dot of ['none', 'vnni', 'sdot', 'pmaddubsw', 'broken'] as const) expect(forms(dot, type)).toEqual([])
})

test('what is measured is a form that is exact on this host, and without such weights the usual one', async () => {
  for (const choice of ['simd', 'auto'] as const) {
    const kernels = await new Modules().choose(choice, false)
    const exact = candidates({ family: 'gemm', weights: 's8' }, kernels.relaxed).map(({ form }) => form)
    const measured = hostTraits(kernels, graphOf('int8', 'int4'), { int8: kernels.int8, threads: 2 })
    expect(exact).toContain(measured.int8 === 'pairs' ? 'pairs' : 'dot')
    expect(measured.threads).toBe(2)
    const usual = { int8: kernels.int8, threads: 1 }
    expect(hostTraits(kernels, graphOf('float32'), usual)).toBe(usual)
  }
})
