// SPDX-License-Identifier: Apache-2.0
/** MatMulNBits with constant weights becomes a product that has kernels, whatever its bits and zero points are. */
import { describe, expect, it } from 'vitest'
import { fuseEpilogue } from '../../src/passes/fuse-epilogue.ts'
import { lowerMatmulNBits } from '../../src/passes/lower-matmul-nbits.ts'
import { through } from './through.ts'

type Zeros = 'none' | 'middle' | 'near' | 'far' | 'floats'

interface Options {
  readonly bits?: number
  readonly block?: number
  readonly level?: number
  readonly zeros?: Zeros
  readonly order?: readonly number[]
  readonly bias?: boolean
  readonly k?: number
  readonly tail?: string
}

const n = 5

/** Numbers from `least` on, `most` at the largest, in no order. */
function spread(count: number, least: number, most: number): number[] {
  return Array.from({ length: count }, (_, i) => least + ((i * 97 + 13 * (i >> 3)) % (most - least + 1)))
}

/** Zero points of one bit width packed in bytes, rows on their own. */
function zeroBytes(bits: number, blocks: number, zeros: Zeros): number[] {
  const middle = 2 ** (bits - 1)
  const rowBytes = Math.ceil((blocks * bits) / 8)
  const bytes = new Array<number>(n * rowBytes).fill(0)
  for (let i = 0; i < n * blocks; i++) {
    const at = (i % blocks) * bits
    const zero = zeros === 'middle' ? middle : zeros === 'near' ? middle - (i % 2) : (i * 3) % 2 ** bits
    bytes[Math.floor(i / blocks) * rowBytes + (at >> 3)] |= zero << (at & 7)
  }
  return bytes
}

/** x of three rows times weights; `tail` reads p. */
function text(options: Options): string {
  const { bits = 4, block = 32, level = 0, zeros = 'none', order, bias = false, k = 64 } = options
  const blocks = Math.ceil(k / block)
  const rowBytes = (block * bits) / 8
  // near zero points leave differences of int8 where weights are not at the ends
  const weights =
    zeros === 'near' && bits === 8 ? spread(n * blocks * rowBytes, 1, 254) : spread(n * blocks * rowBytes, 0, 255)
  const packed = zeroBytes(bits, blocks, zeros)
  const floats = spread(n * blocks, 0, 10).map((value) => value / 4)
  const lines = [
    `input x: float32[n, 3, ${k}] const w: uint8[${n}, ${blocks}, ${rowBytes}] = ${weights.join(' ')}`,
    `const s: float32[${n * blocks}] = ... const b: float32[${n}] = ...`,
    zeros === 'none'
      ? ''
      : zeros === 'floats'
        ? `const z: float32[${n}, ${blocks}] = ${floats.join(' ')}`
        : `const z: uint8[${packed.length}] = ${packed.join(' ')}`,
    order === undefined ? '' : `const g: int32[${k}] = ${order.join(' ')}`,
    `p = com.microsoft.MatMulNBits(x, w, s, ${zeros === 'none' ? '_' : 'z'}, ${order === undefined ? '_' : 'g'}, ${bias ? 'b' : '_'})`,
    `{K: ${k}, N: ${n}, bits: ${bits}, block_size: ${block}, accuracy_level: ${level}}`,
    options.tail ?? `output p: float32[n, 3, ${n}]`,
  ]
  return lines.join('\n')
}

const [quantized, exact] = ['whittle.DynamicQuantizeGemm', 'whittle.WeightOnlyGemm']

describe('lower-matmul-nbits', () => {
  it.each<[string, Options, string]>([
    ['4 bits', {}, 'uint4'],
    ['4 bits, zero points of 8', { zeros: 'middle' }, 'uint4'],
    ['4 bits, rows that do not fill their blocks', { k: 50 }, 'uint4'],
    ['4 bits, an odd number of columns', { k: 77 }, 'uint4'],
    ['8 bits', { bits: 8 }, 'int8'],
    ['8 bits, rows that do not fill their blocks', { bits: 8, k: 77, bias: true }, 'int8'],
    ['8 bits, zero points near the middle', { bits: 8, zeros: 'near' }, 'int8'],
    ['2 bits', { bits: 2 }, 'int4'],
    ['2 bits, zero points', { bits: 2, zeros: 'far', k: 100 }, 'int4'],
  ])('takes %s without zero points', async (_, options, type) => {
    for (const [level, op] of [
      [0, exact],
      [4, quantized],
    ] as const) {
      const { ops, node, graph } = await through(lowerMatmulNBits, text({ ...options, level }))
      expect(ops).toEqual([op])
      expect(graph.constants.get(node(op).inputs[1])!.dtype).toBe(type)
      expect(node(op).inputs).toHaveLength(options.bias === true ? 4 : 3)
      expect(node(op).attributes).toEqual({ block: 32 })
    }
  })

  it('keeps the bytes of 4 bits where rows fill their blocks', async () => {
    const { graph, node } = await through(lowerMatmulNBits, text({ k: 128, block: 64 }))
    const weight = graph.constants.get(node(exact).inputs[1])!
    expect([weight.dims, weight.tensor!.data.length]).toEqual([[n, 128], (n * 128) / 2])
  })

  it.each([64, 100, 130])('leaves zero points of 4 bits to the kernels, %i columns', async (k) => {
    for (const level of [0, 4]) {
      const { ops, graph } = await through(lowerMatmulNBits, text({ zeros: 'far', bias: true, k, level }))
      expect(ops).toHaveLength(1)
      expect(graph.constants.get(graph.nodes[0].inputs[5])).toMatchObject({
        dtype: 'uint4',
        dims: [n, Math.ceil(k / 32)],
      })
    }
  })

  it.each<[string, Options]>([
    ['of 8 bits', { bits: 8, zeros: 'far' }],
    ['of 8 bits, rows that do not fill their blocks', { bits: 8, zeros: 'far', k: 77 }],
  ])('takes zero points %s off by sums of x', async (_, options) => {
    for (const [level, op] of [
      [0, exact],
      [4, quantized],
    ] as const) {
      const { ops, graph } = await through(lowerMatmulNBits, text({ ...options, level, bias: true }))
      expect(ops).toEqual([op, 'whittle.Gemm', op])
      expect(graph.nodes[2].inputs.slice(3)).toEqual(['b', graph.nodes[1].outputs[0]])
    }
  })

  it.each([2, 4, 8])('takes floats as zero points of %i bits off likewise, and does not quantise x', async (bits) => {
    for (const level of [0, 4]) {
      const { ops } = await through(lowerMatmulNBits, text({ bits, zeros: 'floats', level, k: 77 }))
      expect(ops).toEqual([exact, 'whittle.Gemm', exact])
    }
  })

  it.each([2, 4, 8])('puts columns of %i bits in order of their groups', async (bits) => {
    const order = Array.from({ length: 70 }, (_, i) => (i % 3 === 2 ? (i < 18 ? 2 : i % 2) : i % 3))
    const sizes = [0, 1, 2].map((group) => order.filter((one) => one === group).length)
    // 32, 32 and 6 of them
    expect(sizes[2]).toBe(6)
    while (order.filter((one) => one === 0).length > 32) order[order.lastIndexOf(0)] = 1
    while (order.filter((one) => one === 1).length > 32) order[order.lastIndexOf(1)] = 0
    const zeros = bits === 4 ? 'far' : 'near'
    const { ops } = await through(lowerMatmulNBits, text({ bits, zeros, order, k: 70, level: 4 }))
    expect(ops).toEqual(['Gather', exact])
    const same = Array.from({ length: 70 }, (_, i) => Math.floor(i / 32))
    expect((await through(lowerMatmulNBits, text({ bits, order: same, k: 70 }))).ops).toEqual([exact])
  })

  it('takes blocks of any size, and quantises x where those have kernels', async () => {
    for (const [block, op] of [
      [16, exact],
      [64, quantized],
      [128, quantized],
      [256, exact],
    ] as const) {
      for (const bits of [4, 8]) {
        const { ops } = await through(lowerMatmulNBits, text({ bits, block, k: 300, level: 4 }))
        expect(ops).toEqual([op])
      }
    }
  })

  it('holds a weight that two products read once', async () => {
    const again = (bits: number): string =>
      `q = com.microsoft.MatMulNBits(x, w, s) {K: 64, N: ${n}, bits: ${bits}, block_size: 32}`
    for (const bits of [4, 8]) {
      const { graph } = await through(
        lowerMatmulNBits,
        text({ bits, tail: `${again(bits)} y = Sub(p, q) output y: float32[n, 3, ${n}]` }),
      )
      expect(graph.constants.size).toBe(2)
    }
  })

  it('makes what epilogues are drawn into', async () => {
    const tail = `const v: float32[${n}] = ... input r: float32[n, 3, ${n}] a = Add(p, v) t = Add(r, a) y = Gelu(t) output y: float32[n, 3, ${n}]`
    for (const bits of [2, 4, 8]) {
      for (const level of [0, 4]) {
        const { graph } = await through([lowerMatmulNBits, fuseEpilogue], text({ bits, level, tail }))
        expect(graph.nodes).toHaveLength(1)
        expect(graph.nodes[0]).toMatchObject({ attributes: { block: 32, activation: 'Gelu' } })
        expect(graph.nodes[0].inputs[4]).toBe('r')
      }
    }
  })

  it.each([
    [
      'weights that are computed',
      text({}).replace('const w: uint8[5, 2, 16] = ' + spread(160, 0, 255).join(' '), 'input w: uint8[5, 2, 16]'),
    ],
    ['scales that are computed', text({}).replace('const s: float32[10] = ...', 'input s: float32[10]')],
    ['groups that are not as large as blocks', text({ order: Array.from({ length: 64 }, (_, i) => Number(i < 10)) })],
  ])('leaves %s', async (_, body) => {
    const { fired } = await through(lowerMatmulNBits, body)
    expect(fired).toBe(0)
  })
})
