// SPDX-License-Identifier: Apache-2.0
/**
 * com.microsoft.MatMulNBits: A [..., K] times weights of 2, 4 or 8 bits with a scale and a zero point per output and
 * block of K. B is uint8 [N, blocks, block_size * bits / 8], low bits first, its rows filled up to whole blocks; scales
 * [N, blocks] in any shape; zero points packed like B, each row up to a whole byte, or floats [N, blocks]; the middle of
 * the range where left out. accuracy_level 4 asks for integers: A is then quantised by rows as whittle.DynamicQuantizeGemm
 * does it. Constant weights become those of that operator, or of whittle.WeightOnlyGemm (passes/lower-matmul-nbits.ts): the
 * kernels here are for 4 bits that are computed. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
 */
import { isKnown } from '../ir/dim.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type OpContext,
  type Random,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { checkVector, mayEqual } from './conv-types.ts'
import { epilogueArgs } from './epilogue.ts'
import { complaint, knownSize, needed, printDims } from './infer.ts'
import { blockNumerics, blockSizes, emitBlockGemm, emitWeightOnlyGemm } from './lower-blocks.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { isFloat } from './elements.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { blockProducts } from './product.ts'
import { quantizeRuns } from './quantize.ts'
import { floats, integers } from './sample-tensors.ts'

/** accuracy_level that lets A be quantised to 8 bits. */
const integerLevel = 4

interface Numbers {
  readonly n: number
  readonly k: number
  readonly bits: number
  readonly block: number
  readonly blocks: number
}

function numbersIn(attributes: Attributes): Numbers {
  const [n, k, bits, block] = ['N', 'K', 'bits', 'block_size'].map((name) => attributes[name] as number)
  return { n, k, bits, block, blocks: Math.ceil(k / block) }
}

/** @throws GraphError naming the node when the input is there and has not one of these sizes, in whatever shape */
function checkSize(context: OpContext, name: string, info: ValueInfo | null | undefined, ...sizes: number[]): void {
  const known = info ? knownSize(info.dims) : null
  if (known !== null && !sizes.includes(known))
    throw complaint(context, `${name} of ${sizes.join(' or ')} elements`, printDims(info!.dims))
}

export const ops = defineOps({
  'com.microsoft.MatMulNBits': {
    inputs: [3, 6],
    attributes: {
      K: { kind: 'int', required: true },
      N: { kind: 'int', required: true },
      bits: { kind: 'int', default: 4 },
      block_size: { kind: 'int', required: true },
      accuracy_level: { kind: 'int', default: 0 },
    },
    numerics: blockNumerics,
    infer([aInfo, bInfo, scales, zero, order, bias], context) {
      const a = needed(context, aInfo, 'A')
      const b = needed(context, bInfo, 'B')
      needed(context, scales, 'scales')
      const { n, k, bits, block, blocks } = numbersIn(context.attributes)
      if (![2, 4, 8].includes(bits)) throw complaint(context, 'bits of 2, 4 or 8', String(bits))
      if (block < 16 || (block & (block - 1)) !== 0) {
        throw complaint(context, 'block_size a power of 2 from 16 on', String(block))
      }
      if (b.dtype !== 'uint8') throw complaint(context, 'B of uint8', b.dtype)
      const size = b.dims?.every(isKnown) ? sizeOf(b.dims) : null
      if (size !== null && size !== (n * blocks * block * bits) / 8) {
        throw complaint(context, `B of dims [${n}, ${blocks}, ${(block * bits) / 8}]`, printDims(b.dims))
      }
      checkSize(context, 'scales', scales, n * blocks)
      checkSize(
        context,
        'zero_points',
        zero,
        zero && isFloat(zero.dtype) ? n * blocks : n * Math.ceil((blocks * bits) / 8),
      )
      checkSize(context, 'g_idx', order, k, blocks * block)
      checkVector(context, 'bias', bias, n)
      if (a.dims === null) return [{ dtype: a.dtype, dims: null }]
      if (a.dims.length === 0 || !mayEqual(a.dims[a.dims.length - 1], k)) {
        throw complaint(context, `A whose last dim is ${k}`, printDims(a.dims))
      }
      return [{ dtype: a.dtype, dims: [...a.dims.slice(0, -1), n] }]
    },
    lower(lowering, { attributes }) {
      const [a, , scales, zero, order, bias] = [0, 1, 2, 3, 4, 5].map((i) => lowering.input(i))
      const { n, k, bits, block, blocks } = numbersIn(attributes)
      if (!isFloat32(a, scales, bias) || bits !== 4 || order !== null || n * k === 0) return false
      if (zero !== null && zero.dtype !== 'uint8') return false
      const m = sizeOf(a!.dims.slice(0, -1))
      if (m === 0) return true
      const integer = attributes.accuracy_level === integerLevel && blockSizes.includes(block)
      const weights = {
        inputs: [1, 2, zero && 3],
        bits,
        block,
        rowStride: blocks * block,
        zeroStride: 2 * Math.ceil(blocks / 2),
      } as const
      const emit = integer ? emitBlockGemm : emitWeightOnlyGemm
      emit(lowering, { m, n, k }, weights, epilogueArgs({}, bias, null, n, 0))
      return true
    },
  },
})

/** Fields of `bits` bits from the lowest on, `perRow` of them in each of `rows` runs of whole bytes. */
function fields(bytes: ArrayLike<number>, bits: number, rows: number, perRow: number): Float64Array {
  const rowBytes = Math.ceil((perRow * bits) / 8)
  const values = new Float64Array(rows * perRow)
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < perRow; i++) {
      const byte = bytes[row * rowBytes + Math.floor((i * bits) / 8)]
      values[row * perRow + i] = (byte >> ((i * bits) % 8)) & ((1 << bits) - 1)
    }
  }
  return values
}

/** Stored weights less their zero points, [N, K]. */
function weightsOf(b: Tensor, zero: Tensor | null | undefined, order: ArrayLike<number> | null, of: Numbers) {
  const { n, k, bits, block, blocks } = of
  const stored = fields(numbersOf(b), bits, n, blocks * block)
  const zeros = !zero ? null : isFloat(zero.type) ? numbersOf(zero) : fields(numbersOf(zero), bits, n, blocks)
  const w = new Float64Array(n * k)
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < k; i++) {
      const at = order ? order[i] : Math.floor(i / block)
      w[j * k + i] = stored[j * blocks * block + i] - (zeros ? zeros[j * blocks + at] : 2 ** (bits - 1))
    }
  }
  return w
}

export const references = {
  'com.microsoft.MatMulNBits'([a, b, scales, zero, order, bias], attributes) {
    const of = numbersIn(attributes)
    const { n, k, block, blocks } = of
    const m = sizeOf(a!.dims.slice(0, -1))
    const index = order ? numbersOf(order) : null
    let w: ArrayLike<number> = weightsOf(b!, zero, index, of)
    let shape = { m, n, k, block }
    let scale: ArrayLike<number> = numbersOf(scales!)
    if (index) {
      const grouped = scale
      const values = w
      w = Float64Array.from({ length: n * k }, (_, i) => values[i] * grouped[Math.floor(i / k) * blocks + index[i % k]])
      scale = new Float64Array(n).fill(1)
      shape = { m, n, k, block: Math.max(1, k) }
    }
    const integer =
      attributes.accuracy_level === integerLevel && blockSizes.includes(block) && !index && !floatZero(zero)
    const { centred, scales: rows } = integer
      ? quantizeRuns(numbersOf(a!), k, m)
      : { centred: numbersOf(a!), scales: null }
    const data = blockProducts(centred, w, scale, shape)
    const biases = bias ? numbersOf(bias) : null
    for (let i = 0; i < data.length; i++) data[i] = data[i] * (rows?.[Math.floor(i / n)] ?? 1) + (biases?.[i % n] ?? 0)
    return [tensorOf(a!.type, data, [...a!.dims.slice(0, -1), n])]
  },
} satisfies Record<string, Reference>

function floatZero(zero: Tensor | null | undefined): boolean {
  return !!zero && isFloat(zero.type)
}

interface Options {
  readonly bits?: number
  readonly level?: number
  readonly zero?: boolean
  readonly bias?: boolean
  readonly order?: boolean
}

function sample(random: Random, x: number[], n: number, block: number, options: Options = {}): Sample {
  const { bits = 4, level = 0, zero = false, bias = false, order = false } = options
  const k = x[x.length - 1]
  const blocks = Math.ceil(k / block)
  const bytes = (dims: number[]) => integers(random, dims, 0, 255, 'uint8')
  const inputs = [
    floats(random, x),
    bytes([n, blocks, (block * bits) / 8]),
    floats(random, [n * blocks], 0.001, 0.02),
    zero ? bytes([n * Math.ceil((blocks * bits) / 8)]) : null,
    order
      ? new Tensor(
          'int32',
          Array.from({ length: k }, (_, i) => (i * 7) % blocks),
          [k],
        )
      : null,
    bias ? floats(random, [n]) : null,
  ]
  return { inputs, attributes: { K: k, N: n, bits, block_size: block, accuracy_level: level } }
}

export const samples = {
  'com.microsoft.MatMulNBits': (random) => [
    sample(random, [1, 64], 40, 32),
    sample(random, [2, 3, 80], 9, 32, { zero: true, bias: true }),
    sample(random, [7, 48], 16, 16, { zero: true }),
    sample(random, [1, 64], 40, 32, { level: 4 }),
    sample(random, [9, 100], 17, 32, { level: 4, zero: true, bias: true }),
    sample(random, [3, 200], 8, 128, { level: 4 }),
    sample(random, [2, 40], 5, 16, { bits: 8, zero: true }),
    sample(random, [2, 40], 5, 32, { bits: 2, zero: true }),
    sample(random, [3, 80], 5, 32, { bits: 8, level: 4 }),
    sample(random, [3, 80], 5, 64, { bits: 2, level: 4, zero: true, bias: true }),
    sample(random, [2, 64], 5, 32, { order: true }),
  ],
} satisfies Record<string, Samples>
