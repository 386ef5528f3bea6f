// SPDX-License-Identifier: Apache-2.0
/**
 * com.microsoft.MatMulNBits with constant weights becomes whittle.DynamicQuantizeGemm at accuracy level 4, else
 * whittle.WeightOnlyGemm, which have kernels for int8 and 4-bit weights in blocks and take epilogues. 4 bits mostly stay the
 * bytes they are; 8 bits become int8, 2 bits int4, less their zero points. Zero points that no kernel takes (floats, and
 * 8 bits whose differences do not fit int8) are taken off by a small product: sums of x over blocks, made by a matrix of
 * ones, times scale * zero, are the residual. Columns that g_idx gives to groups of one block each are put in order of groups.
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { blockSizes } from '../ops/lower-blocks.ts'
import { mostByteDepth } from '../ops/lower-gemm.ts'
import { Tensor } from '../tensor/tensor.ts'
import { sharedConstant } from './operands.ts'
import { rulesPass } from './pass.ts'

/** accuracy_level that lets x be quantised. */
const integerLevel = 4
/** Bytes that a matrix of ones may have although the weights have fewer. */
const smallOnes = 2 ** 24

interface Weights {
  readonly n: number
  readonly k: number
  readonly bits: number
  readonly block: number
  readonly blocks: number
  readonly bytes: Uint8Array
  /** Column of the file for each column of the product; null: the same. */
  readonly places: Int32Array | null
}

/** Weights as kernels take them. */
interface Stored {
  readonly type: 'int8' | 'int4' | 'uint4'
  readonly codes: Int8Array | Uint8Array
  /** Of uint4, packed likewise. */
  readonly zeros?: Uint8Array
  /** What is to be taken off the codes besides, for each output and block. */
  readonly offsets?: Float32Array
}

const product: Rule = {
  name: 'matmul-nbits',
  ops: ['com.microsoft.MatMulNBits'],
  match(node, view) {
    const [x, w, scale, zeroName = '', order = '', bias = ''] = node.inputs
    const { N: n, K: k, bits, block_size: block, accuracy_level } = view.attributes(node) as Record<string, number>
    const [weight, scales] = [view.tensor(w), view.tensor(scale)]
    const zero = zeroName === '' ? null : view.tensor(zeroName)
    const floats = [x, ...(bias === '' ? [] : [bias])].every((value) => view.dtype(value) === 'float32')
    if (!floats || weight === undefined || scales?.type !== 'float32' || zero === undefined || n * k === 0)
      return undefined
    if (zero !== null && zero.type !== 'uint8' && zero.type !== 'float32') return undefined
    const blocks = Math.ceil(k / block)
    const places = order === '' ? null : placesOf(view.tensor(order), k, block)
    if (places === undefined) return undefined
    const of = { n, k, bits, block, blocks, bytes: weight.data as Uint8Array, places }
    const stored = store(of, zero)
    const isInteger = accuracy_level === integerLevel && blockSizes.includes(block)
    const integer = isInteger && order === '' && zero?.type !== 'float32'
    if (stored.offsets && (k > mostByteDepth || blocks * k > Math.max(smallOnes, n * k))) return undefined
    return replaced(node, view, of, stored, integer ? 'whittle.DynamicQuantizeGemm' : 'whittle.WeightOnlyGemm')
  },
}

/** The nodes in place of one, and their constants. */
function replaced(node: Node, view: View, of: Weights, stored: Stored, op: string): Patch {
  const { n, k, block, blocks, places } = of
  const [input, w, scale, zero = '', order = '', bias = ''] = node.inputs
  const constants: Record<string, Tensor> = {}
  const nodes: Node[] = []
  const constant = (key: string, tensor: Tensor): string => {
    const [name, added] = sharedConstant(view, key, tensor)
    Object.assign(constants, added)
    return name
  }
  const made = (name: string, op: string, inputs: readonly string[], attributes = {}): string => {
    const output = view.fresh(`${node.name}/${name}`)
    nodes.push({ name: output, op, inputs, outputs: [output], attributes })
    return output
  }
  const x = places
    ? made('ordered', 'Gather', [input, constant(`${order}/places`, new Tensor('int32', places, [k]))], { axis: -1 })
    : input
  const scales = view.tensor(scale)!.data as Float32Array
  const inputs = [
    x,
    constant(`${w}/${stored.type}`, new Tensor(stored.type, stored.codes, [n, k])),
    constant(`${scale}/blocks`, new Tensor('float32', scales, [n, blocks])),
    bias,
    '',
    stored.zeros ? constant(`${zero}/uint4`, new Tensor('uint4', stored.zeros, [n, blocks])) : '',
  ]
  if (stored.offsets) {
    const ones = constant(`ones/${k}/${block}`, new Tensor('int8', onesOf(of), [blocks, k]))
    const same = constant(`ones/${blocks}`, new Tensor('float32', new Float32Array(blocks).fill(1), [blocks]))
    const off = new Tensor(
      'float32',
      stored.offsets.map((offset, i) => -offset * scales[i]),
      [n, blocks],
    )
    inputs[4] = made('zeros', 'whittle.Gemm', [made('sums', op, [x, ones, same]), constant(`${zero}/scaled`, off)])
  }
  while (inputs[inputs.length - 1] === '') inputs.pop()
  return { constants, nodes: [...nodes, { ...node, op, inputs, attributes: { block } }] }
}

/** Columns in order of their groups; null where they are, undefined where groups are not as large as blocks. */
function placesOf(order: Tensor | undefined, k: number, block: number): Int32Array | null | undefined {
  if (order === undefined) return undefined
  const groups = Array.from((order.data as Int32Array).subarray(0, k), Number)
  const places = Int32Array.from(groups.keys()).sort((a, b) => groups[a] - groups[b] || a - b)
  if (!places.every((place, i) => groups[place] === Math.floor(i / block))) return undefined
  return places.every((place, i) => place === i) ? null : places
}

/** The weights in a form of kernels, and what of their zero points that does not hold. */
function store(of: Weights, zero: Tensor | null): Stored {
  const { k, bits, block, blocks, bytes, places } = of
  const middle = 2 ** (bits - 1)
  const given = zero?.type === 'uint8' ? zerosOf(of, zero.data as Uint8Array) : undefined
  const zeros = given?.every((value) => value === middle) ? undefined : given
  const less = zero?.type === 'float32' ? (zero.data as Float32Array).map((value) => value - middle) : undefined
  const rest = less?.some((value) => value !== 0) ? { offsets: less } : {}
  if (bits === 4) {
    const isWhole = k === blocks * block && places === null
    const codes = isWhole ? bytes : halves(centred(of, undefined, 0)!)
    return { type: 'uint4', codes, ...rest, ...(zeros ? { zeros: halves(zeros) } : {}) }
  }
  const fitting = zeros && centred(of, zeros, 0)
  const codes = fitting ?? (bits === 8 && !places ? flipped(of) : centred(of, undefined, middle)!)
  if (bits === 2) return { type: 'int4', codes: halves(codes), ...rest }
  const offsets = zeros && !fitting && Float32Array.from(zeros, (value) => value - middle)
  return { type: 'int8', codes, ...rest, ...(offsets ? { offsets } : {}) }
}

/** Bytes [n, k] less 128, four at a time. */
function flipped({ n, k, block, blocks, bytes }: Weights): Int8Array {
  const words = new Uint32Array(Math.ceil((n * k) / 4))
  const codes = new Uint8Array(words.buffer)
  const rowBytes = blocks * block
  if (k === rowBytes) codes.set(bytes)
  else for (let j = 0; j < n; j++) codes.set(bytes.subarray(j * rowBytes, j * rowBytes + k), j * k)
  for (let i = 0; i < words.length; i++) words[i] ^= 0x80808080
  return new Int8Array(words.buffer, 0, n * k)
}

/** Weights [n, k] less their zero points, or else less `middle`; undefined where one does not fit int8. */
function centred(of: Weights, zeros: Uint8Array | undefined, middle: number): Int8Array | undefined {
  const { n, k, bits, block, blocks, bytes, places } = of
  const codes = new Int8Array(n * k)
  const row = new Uint8Array(blocks * block)
  const rowBytes = (row.length * bits) / 8
  for (let j = 0; j < n; j++) {
    readRow(bytes, j * rowBytes, bits, row)
    if (places) row.set(places.map((place) => row[place]))
    let seen = 0
    for (let at = 0; at < blocks; at++) {
      const zero = zeros ? zeros[j * blocks + at] : middle
      const end = Math.min(k, (at + 1) * block)
      for (let i = at * block; i < end; i++) {
        const code = row[i] - zero
        codes[j * k + i] = code
        seen |= code + 128
      }
    }
    if (seen >>> 8 !== 0) return undefined
  }
  return codes
}

/** Fields of `bits` bits from the lowest on, as many as `row` has. */
function readRow(bytes: Uint8Array, from: number, bits: number, row: Uint8Array): void {
  if (bits === 8) {
    row.set(bytes.subarray(from, from + row.length))
    return
  }
  const mask = (1 << bits) - 1
  for (let i = 0; i < row.length; from++) {
    for (let at = 0; at < 8; at += bits) row[i++] = (bytes[from] >> at) & mask
  }
}

/** Zero points [n, blocks], whose rows are whole bytes in the file. */
function zerosOf({ n, bits, blocks }: Weights, bytes: Uint8Array): Uint8Array {
  const zeros = new Uint8Array(n * blocks)
  const rowBytes = Math.ceil((blocks * bits) / 8)
  for (let j = 0; j < n; j++) readRow(bytes, j * rowBytes, bits, zeros.subarray(j * blocks, (j + 1) * blocks))
  return zeros
}

/** Two in a byte, the first one low. */
function halves(values: Int8Array | Uint8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(values.length / 2))
  for (let i = 0; i < packed.length; i++) packed[i] = (values[2 * i] & 15) | ((values[2 * i + 1] & 15) << 4)
  return packed
}

/** [blocks, k]: for each block ones where its columns are. */
function onesOf({ k, block, blocks }: Weights): Int8Array {
  const ones = new Int8Array(blocks * k)
  for (let at = 0; at < blocks; at++) ones.fill(1, at * k + at * block, at * k + Math.min(k, (at + 1) * block))
  return ones
}

/** See the head of this file. */
export const lowerMatmulNBits = rulesPass('lower-matmul-nbits', [product], {
  writes: ['whittle.DynamicQuantizeGemm', 'whittle.WeightOnlyGemm', 'whittle.Gemm', 'Gather'],
})
