// SPDX-License-Identifier: Apache-2.0
/** Operands that several layers read are prepared once, and nothing else is left out. */
import { describe, expect, it } from 'vitest'
import type { ValueInfo } from '../../src/ir/graph.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { rootOf } from '../../src/runtime/arena.ts'
import { type Program, compile } from '../../src/runtime/compile.ts'

async function compiled(body: string, dims: readonly number[], int8: 'u8' | 'pairs' = 'u8'): Promise<Program> {
  const graph = parseGraph(`graph main opset 17 { ${body} }`)
  const ops = await loadOps(operatorsOf(graph))
  const inputs = new Map(graph.inputs.map(({ name, dtype }): [string, ValueInfo] => [name, { dtype, dims }]))
  const infos = inferGraph(graph, ops, { inputs })
  return compile({ graph, infos, ops, host: { int8, threads: 1 }, intern: (bytes) => `table ${bytes.join()}` })
}

const kernels = ({ steps }: Program): string[] => steps.map(({ kernel }) => kernel)
const place = ({ steps, aliases }: Program, i: number, name: string): unknown => {
  const args = steps[i].args as unknown as Readonly<Record<string, { id: string; offset: number }>>
  return rootOf(args[name], aliases)
}

const twelve = (value: number): string => new Array(12).fill(value).join(' ')
const weights = `const w: int8[3, 4] = ${twelve(1)} const v: int8[3, 4] = ${twelve(2)} const s: float32[3] = 1 1 1`

describe('shared steps', () => {
  it('quantise rows once for all layers that read them', async () => {
    for (const int8 of ['u8', 'pairs'] as const) {
      const program = await compiled(
        `input x: float32[2, 4] ${weights}
        a = whittle.DynamicQuantizeGemm(x, w, s)
        b = whittle.DynamicQuantizeGemm(x, v, s)
        y = Add(a, b)
        output y: float32[2, 3]`,
        [2, 4],
        int8,
      )
      expect(kernels(program).map((name) => name.replace(/_(u8|i16|s8_dot|s8_pairs|f32)$/, ''))).toEqual([
        'quantize_rows',
        'gemm',
        'gemm',
        'binary_add',
      ])
      expect(place(program, 2, 'a')).toEqual(place(program, 1, 'a'))
      expect(place(program, 2, 'aParams')).toEqual(place(program, 1, 'aParams'))
    }
  })

  it('see through views, and keep the buffer alive until its last reader', async () => {
    const program = await compiled(
      `input x: float32[2, 4] ${weights}
      const d: int64[3] = 1 2 4
      a = whittle.DynamicQuantizeGemm(x, w, s)
      c = Relu(a)
      r = Reshape(x, d)
      b = whittle.DynamicQuantizeGemm(r, v, s)
      output c: float32[2, 3]
      output b: float32[1, 2, 3]`,
      [2, 4],
    )
    expect(kernels(program)).toEqual(['quantize_rows_u8', 'gemm_s8_dot', 'unary_relu_f32', 'gemm_s8_dot'])
    const shared = (place(program, 3, 'a') as { id: string }).id
    const written = ['c', 'a'].flatMap((name) => program.arena.offsets.get(`value ${name}`) ?? [])
    expect(written).not.toContain(program.arena.offsets.get(shared))
  })

  it('are those of equal values alone', async () => {
    const program = await compiled(
      `input x: float32[2, 4] ${weights}
      z = Relu(x)
      a = whittle.DynamicQuantizeGemm(x, w, s)
      b = whittle.DynamicQuantizeGemm(z, v, s)
      y = Add(a, b)
      output y: float32[2, 3]`,
      [2, 4],
    )
    expect(kernels(program).filter((name) => name === 'quantize_rows_u8')).toHaveLength(2)
  })
})
