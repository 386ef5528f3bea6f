// SPDX-License-Identifier: Apache-2.0
/**
 * Common architectures, small and with seeded weights, in the form PyTorch exports them: each runs wholly in Wasm in
 * float32 and int8, and with the passes gives what it gives without.
 */
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { compress } from '../../src/compress.ts'
import { Tensor, load } from '../../src/index.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { Exporter } from './export.ts'
import { worst } from './statistics.ts'

interface Architecture {
  readonly name: string
  build(): Uint8Array
  feeds(): Record<string, Tensor>
  /** Operators the passes must have made, and those they must have done away with. */
  readonly made: readonly string[]
  readonly gone: readonly string[]
}

const random = seededRandom(5)
const floats = (...dims: number[]): Tensor =>
  new Tensor(
    'float32',
    Float32Array.from({ length: sizeOf(dims) }, () => random() - 0.5),
    dims,
  )
const longs = (values: readonly number[], ...dims: number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), dims)

const [hidden, heads, vocabulary] = [48, 4, 50]
const size = hidden / heads

/** A MiniLM-like encoder of two layers, with a padding mask and mean pooling. */
function encoder(): Uint8Array {
  const e = new Exporter()
  const ids = e.input('input_ids', 'int64', ['batch', 'sequence'])
  const mask = e.input('attention_mask', 'int64', ['batch', 'sequence'])
  const wide = e.op('Unsqueeze', [e.op('Unsqueeze', [mask, e.integers([1])]), e.integers([2])])
  const open = e.op('Sub', [e.number(1), e.op('Cast', [wide], { to: 1 })])
  const masked = e.op('Mul', [open, e.number(-3.4028234663852886e38)])
  const places = e.op('Slice', [
    e.integers(
      Array.from({ length: 32 }, (_, i) => i),
      [1, 32],
    ),
    e.integers([0]),
    e.sizeAt(ids, 1),
    e.integers([1]),
  ])
  const words = e.op('Gather', [e.weight([vocabulary, hidden], 1), ids])
  let x = e.norm(e.op('Add', [words, e.op('Gather', [e.weight([32, hidden], 1), places])]), hidden)
  for (let layer = 0; layer < 2; layer++) {
    const [q, k, v] = ['q', 'k', 'v'].map(() => e.heads(e.linear(x, hidden, hidden), heads, size))
    const turned = e.op('Transpose', [k], { perm: [0, 1, 3, 2] })
    const scores = e.op('Div', [e.op('MatMul', [q, turned]), e.number(Math.sqrt(size))])
    const weights = e.op('Softmax', [e.op('Add', [scores, masked])], { axis: -1 })
    const seen = e.linear(e.merged(e.op('MatMul', [weights, v]), hidden), hidden, hidden)
    x = e.norm(e.op('Add', [seen, x]), hidden)
    const inner = e.linear(e.gelu(e.linear(x, hidden, 4 * hidden)), 4 * hidden, hidden)
    x = e.norm(e.op('Add', [inner, x]), hidden)
  }
  const share = e.op('Cast', [e.op('Unsqueeze', [mask, e.integers([-1])])], { to: 1 })
  const sum = e.op('ReduceSum', [e.op('Mul', [x, share]), e.integers([1])], { keepdims: 0 })
  const count = e.op('ReduceSum', [share, e.integers([1])], { keepdims: 0 })
  e.output(e.op('Div', [sum, count]), 'embedding', ['batch', hidden])
  return e.bytes()
}

/** One step of a decoder with a cache of keys and values, pre-normed, its weights tied to no embedding. */
function decoderStep(): Uint8Array {
  const e = new Exporter()
  const ids = e.input('input_ids', 'int64', ['batch', 1])
  const bias = e.input('bias', 'float32', ['batch', 1, 1, 'total'])
  const caches = ['key', 'value'].map((name) => e.input(`past.${name}`, 'float32', ['batch', heads, 'past', size]))
  let x = e.op('Gather', [e.weight([vocabulary, hidden], 1), ids])
  const joined = e.linear(e.norm(x, hidden), hidden, 3 * hidden)
  const parts = e.ops('Split', [joined, e.integers([hidden, hidden, hidden])], 3, { axis: 2 })
  const [q, ...now] = parts.map((part) => e.heads(part, heads, size))
  const [k, v] = now.map((part, i) => e.op('Concat', [caches[i], part], { axis: 2 }))
  const root = e.number(size ** -0.25)
  const turned = e.op('Mul', [e.op('Transpose', [k], { perm: [0, 1, 3, 2] }), root])
  const scores = e.op('Add', [e.op('MatMul', [e.op('Mul', [q, root]), turned]), bias])
  const seen = e.op('MatMul', [e.op('Softmax', [scores], { axis: -1 }), v])
  x = e.op('Add', [x, e.linear(e.merged(seen, hidden), hidden, hidden)])
  const inner = e.linear(e.gelu(e.linear(e.norm(x, hidden), hidden, 4 * hidden)), 4 * hidden, hidden)
  x = e.norm(e.op('Add', [x, inner]), hidden)
  e.output(e.op('MatMul', [x, e.weight([hidden, vocabulary])]), 'logits', ['batch', 1, vocabulary])
  for (const [i, value] of [k, v].entries())
    e.output(value, `present.${i === 0 ? 'key' : 'value'}`, ['batch', heads, 'total', size])
  return e.bytes()
}

/**
 * A Llama-like decoder of two layers with grouped heads and rotated places, as optimum exports it: a causal mask out of
 * ranges and the padding mask, RMS normalisation, rotation and repeated heads spelled out.
 */
function llama(): Uint8Array {
  const e = new Exporter()
  const groups = 2
  const ids = e.input('input_ids', 'int64', ['batch', 'sequence'])
  const padding = e.input('attention_mask', 'int64', ['batch', 'total'])
  const places = e.input('position_ids', 'int64', ['batch', 'sequence'])
  const caches = ['key', 'value'].map((name) => e.input(`past.${name}`, 'float32', ['batch', groups, 'past', size]))
  const least = -3.4028234663852886e38
  const [length, past] = [e.sizeAt(ids, 1), e.sizeAt(caches[0], 2)]
  const total = e.op('Add', [length, past])
  const scalar = (x: string): string => e.op('Squeeze', [x, e.integers([0])])
  const range = (from: string, to: string): string => e.op('Range', [from, to, e.integers([1], [])])
  const rows = e.op('Reshape', [range(scalar(past), scalar(total)), e.integers([-1, 1])])
  const columns = range(e.integers([0], []), scalar(total))
  const square = e.op('Concat', [length, total], { axis: 0 })
  const full = e.op('Expand', [e.number(least), square])
  const upper = e.op('Trilu', [full, e.op('Add', [scalar(past), e.integers([1], [])])], { upper: 1 })
  const causal = e.op('Mul', [upper, e.op('Cast', [e.op('Greater', [columns, rows])], { to: 1 })])
  const four = e.op('Unsqueeze', [causal, e.integers([0, 1])])
  const shape = e.op('Concat', [e.sizeAt(ids, 0), e.integers([1]), length, total], { axis: 0 })
  const spread = e.op('Expand', [four, shape])
  const open = e.op('Unsqueeze', [padding, e.integers([1, 2])])
  const closed = e.op('Equal', [e.op('Add', [spread, e.op('Cast', [open], { to: 1 })]), e.number(0)])
  const mask = e.op('Where', [closed, e.number(least), spread])
  const turns = e.op('Unsqueeze', [e.op('Cast', [places], { to: 1 }), e.integers([1])])
  const angles = e.op('Transpose', [e.op('MatMul', [e.weight([1, size / 2, 1], 1), turns])], { perm: [0, 2, 1] })
  const twice = e.op('Concat', [angles, angles], { axis: -1 })
  const [cos, sin] = ['Cos', 'Sin'].map((op) => e.op('Unsqueeze', [e.op(op, [twice]), e.integers([1])]))
  const part = (x: string, from: number, to: number): string =>
    e.op('Slice', [x, e.integers([from]), e.integers([to]), e.integers([3]), e.integers([1])])
  const rotated = (x: string): string => {
    const halves = [e.op('Neg', [part(x, size / 2, 2 ** 40)]), part(x, 0, size / 2)]
    return e.op('Add', [e.op('Mul', [x, cos]), e.op('Mul', [e.op('Concat', halves, { axis: -1 }), sin])])
  }
  const repeated = (x: string): string => {
    const apart = e.op('Unsqueeze', [x, e.integers([2])])
    const by = [e.sizeAt(x, 0), e.integers([groups, heads / groups]), e.sizeAt(x, 2), e.integers([size])]
    const wide = e.op('Expand', [apart, e.op('Concat', by, { axis: 0 })])
    const flat = [e.sizeAt(x, 0), e.integers([heads]), e.sizeAt(x, 2), e.integers([size])]
    return e.op('Reshape', [wide, e.op('Concat', flat, { axis: 0 })])
  }
  const rms = (x: string): string => {
    const mean = e.op('ReduceMean', [e.op('Pow', [x, e.number(2)])], { axes: [-1] })
    const root = e.op('Sqrt', [e.op('Add', [mean, e.number(1e-6)])])
    return e.op('Mul', [e.weight([hidden], 1), e.op('Mul', [x, e.op('Div', [e.number(1), root])])])
  }
  const product = (x: string, from: number, to: number): string => e.op('MatMul', [x, e.weight([from, to])])
  let x = e.op('Gather', [e.weight([vocabulary, hidden], 1), ids])
  const normed = rms(x)
  const q = rotated(e.heads(product(normed, hidden, hidden), heads, size))
  const now = [
    rotated(e.heads(product(normed, hidden, groups * size), groups, size)),
    e.heads(product(normed, hidden, groups * size), groups, size),
  ]
  const [k, v] = now.map((value, i) => e.op('Concat', [caches[i], value], { axis: -2 }))
  const scores = e.op('MatMul', [q, e.op('Transpose', [repeated(k)], { perm: [0, 1, 3, 2] })])
  const scaled = e.op('Add', [e.op('Mul', [scores, e.number(size ** -0.5)]), mask])
  const seen = e.op('MatMul', [e.op('Softmax', [scaled], { axis: -1 }), repeated(v)])
  x = e.op('Add', [x, product(e.merged(seen, hidden), hidden, hidden)])
  const inner = rms(x)
  const gate = product(inner, hidden, 2 * hidden)
  const swish = e.op('Mul', [gate, e.op('Sigmoid', [gate])])
  x = e.op('Add', [x, product(e.op('Mul', [swish, product(inner, hidden, 2 * hidden)]), 2 * hidden, hidden)])
  e.output(product(rms(x), hidden, vocabulary), 'logits', ['batch', 'sequence', vocabulary])
  for (const [i, value] of [k, v].entries())
    e.output(value, `present.${i === 0 ? 'key' : 'value'}`, ['batch', groups, 'total', size])
  return e.bytes()
}

/** The same in the operators that newer exporters write: normalisation, rotation and attention in a node each. */
function modernDecoder(): Uint8Array {
  const e = new Exporter()
  const groups = 2
  const ids = e.input('input_ids', 'int64', ['batch', 'sequence'])
  const places = e.input('position_ids', 'int64', ['batch', 'sequence'])
  const caches = ['key', 'value'].map((name) => e.input(`past.${name}`, 'float32', ['batch', groups, 'past', size]))
  const product = (x: string, from: number, to: number): string => e.op('MatMul', [x, e.weight([from, to])])
  const rms = (x: string): string => e.op('RMSNormalization', [x, e.weight([hidden], 1)], { epsilon: 1e-6 })
  const [cos, sin] = ['cos', 'sin'].map(() => e.weight([32, size / 2], 1))
  const rotated = (x: string, count: number): string =>
    e.op('RotaryEmbedding', [x, cos, sin, places], { num_heads: count })
  let x = e.op('Gather', [e.weight([vocabulary, hidden], 1), ids])
  const normed = rms(x)
  const q = rotated(product(normed, hidden, hidden), heads)
  const k = rotated(product(normed, hidden, groups * size), groups)
  const v = product(normed, hidden, groups * size)
  const [seen, ...present] = e.ops('Attention', [q, k, v, '', ...caches], 3, {
    q_num_heads: heads,
    kv_num_heads: groups,
    is_causal: 1,
  })
  x = e.op('Add', [x, product(seen, hidden, hidden)])
  const inner = rms(x)
  const gate = e.op('Swish', [product(inner, hidden, 2 * hidden)])
  x = e.op('Add', [x, product(e.op('Mul', [gate, product(inner, hidden, 2 * hidden)]), 2 * hidden, hidden)])
  e.output(product(rms(x), hidden, vocabulary), 'logits', ['batch', 'sequence', vocabulary])
  for (const [i, value] of present.entries())
    e.output(value, `present.${i === 0 ? 'key' : 'value'}`, ['batch', groups, 'total', size])
  return e.bytes(24)
}

/** Blocks of attention whose masks are spelled as exporters spell them, one behind the other. */
function maskedBlocks(): Uint8Array {
  const e = new Exporter()
  const given = e.input('x', 'float32', ['batch', 'sequence', hidden])
  const open = e.input('open', 'bool', ['batch', 1, 'sequence', 'sequence'])
  const padding = e.input('padding', 'float32', ['batch', 1, 1, 'sequence'])
  const least = e.number(-3.4028234663852886e38)
  const length = e.sizeAt(given, 1)
  const [from, axes] = [e.integers([0, 0]), e.integers([2, 3])]
  const corner = (x: string): string => e.op('Slice', [x, from, e.op('Concat', [length, length], { axis: 0 }), axes])
  const triangle = Array.from({ length: 64 }, (_, i) => Number(i % 8 <= i >> 3))
  const block = (x: string, weigh: (q: string, k: string) => string): string => {
    const [q, k, v] = ['q', 'k', 'v'].map(() => e.heads(e.linear(x, hidden, hidden), heads, size))
    const weights = weigh(q, e.op('Transpose', [k], { perm: [0, 1, 3, 2] }))
    const seen = e.linear(e.merged(e.op('MatMul', [weights, v]), hidden), hidden, hidden)
    return e.norm(e.op('Add', [x, seen]), hidden)
  }
  const softmax = (scores: string): string => e.op('Softmax', [scores], { axis: -1 })
  const scores = (q: string, k: string): string => e.op('Div', [e.op('MatMul', [q, k]), e.number(Math.sqrt(size))])
  // GPT-2: causality filled in, padding added; and as it was: the scores times a triangle less 1e4 elsewhere
  const causal = corner(e.op('Cast', [e.integers(triangle, [1, 1, 8, 8])], { to: 9 }))
  let x = block(given, (q, k) => softmax(e.op('Add', [e.op('Where', [causal, scores(q, k), least]), padding])))
  const lower = corner(e.op('Cast', [e.integers(triangle, [1, 1, 8, 8])], { to: 1 }))
  const upper = e.op('Mul', [e.op('Sub', [e.number(1), lower]), e.number(1e4)])
  x = block(x, (q, k) => softmax(e.op('Sub', [e.op('Mul', [scores(q, k), lower]), upper])))
  // PyTorch: masked_fill; scaled_dot_product_attention with a mask of bools; biases of places, and padding
  x = block(x, (q, k) => softmax(e.op('Where', [e.op('Not', [open]), e.number(-1e9), scores(q, k)])))
  x = block(x, (q, k) => {
    const root = e.number(size ** -0.25)
    const product = e.op('MatMul', [e.op('Mul', [q, root]), e.op('Mul', [k, root])])
    const added = e.op('Where', [open, e.number(0), e.number(-Infinity)])
    const weights = softmax(e.op('Add', [product, added]))
    return e.op('Where', [e.op('IsNaN', [weights]), e.number(0), weights])
  })
  const places = corner(e.weight([1, heads, 8, 8], 1))
  x = block(x, (q, k) => softmax(e.op('Add', [e.op('Add', [e.op('MatMul', [q, k]), places]), padding])))
  e.output(einsumAttention(e, x, padding), 'y', ['batch', 'sequence', hidden])
  return e.bytes()
}

/** Attention of Keras: products by Einsum, keys first. */
function einsumAttention(e: Exporter, x: string, mask: string, width = hidden): string {
  const head = width / heads
  const [q, k, v] = ['q', 'k', 'v'].map(() =>
    e.op('Add', [
      e.op('Einsum', [x, e.weight([width, heads, head], 0.15)], { equation: 'abc,cde->abde' }),
      e.weight([heads, head], 0.1),
    ]),
  )
  const few = e.op('Mul', [q, e.number(head ** -0.5)])
  const scores = e.op('Einsum', [k, few], { equation: 'aecd,abcd->acbe' })
  const weights = e.op('Softmax', [e.op('Add', [scores, mask])], { axis: -1 })
  const seen = e.op('Einsum', [weights, v], { equation: 'acbe,aecd->abcd' })
  return e.op('Einsum', [seen, e.weight([heads, head, width], 0.15)], { equation: 'abcd,cde->abe' })
}

/** Convolutions over time, a bidirectional LSTM, a GRU, and a probability per frame. */
function audio(): Uint8Array {
  const e = new Exporter()
  const wave = e.input('x', 'float32', [1, 20, 'frames'])
  const conv = e.op('Conv', [wave, e.weight([32, 20, 3], 0.1), e.weight([32], 0.1)], { pads: [1, 1] })
  const steps = e.op('Transpose', [e.op('Relu', [conv])], { perm: [2, 0, 1] })
  const both = e.ops('LSTM', [steps, e.weight([2, 64, 32]), e.weight([2, 64, 16]), e.weight([2, 128], 0.1)], 3, {
    hidden_size: 16,
    direction: 'bidirectional',
  })[0]
  const side = e.op('Transpose', [both], { perm: [0, 2, 1, 3] })
  const flat = e.op('Reshape', [side, e.integers([0, 0, 32])])
  const gru = e.ops('GRU', [flat, e.weight([1, 24, 32]), e.weight([1, 24, 8]), e.weight([1, 48], 0.1)], 2, {
    hidden_size: 8,
    linear_before_reset: 1,
  })[0]
  const one = e.op('Squeeze', [gru, e.integers([1])])
  e.output(e.op('Sigmoid', [e.linear(one, 8, 1)]), 'p', ['frames', 1, 1])
  return e.bytes()
}

/** An image classifier: plain, depthwise and pointwise convolutions with their norms, a residual, and a head. */
function cnn(): Uint8Array {
  const e = new Exporter()
  const norm = (x: string, channels: number): string =>
    e.op('BatchNormalization', [
      x,
      e.weight([channels], 0.5),
      e.weight([channels], 0.1),
      e.weight([channels], 0.1),
      e.op('Abs', [e.weight([channels], 1)]),
    ])
  const clip = (x: string): string => e.op('Clip', [x, e.number(0), e.number(6)])
  let x = e.input('x', 'float32', ['n', 3, 32, 32])
  x = clip(norm(e.op('Conv', [x, e.weight([16, 3, 3, 3], 0.2)], { pads: [1, 1, 1, 1], strides: [2, 2] }), 16))
  const wide = clip(norm(e.op('Conv', [x, e.weight([96, 16, 1, 1], 0.2)]), 96))
  const deep = clip(norm(e.op('Conv', [wide, e.weight([96, 1, 3, 3], 0.3)], { pads: [1, 1, 1, 1], group: 96 }), 96))
  x = e.op('Add', [x, norm(e.op('Conv', [deep, e.weight([16, 96, 1, 1], 0.1)]), 16)])
  x = e.op('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] })
  const flat = e.op('Flatten', [e.op('GlobalAveragePool', [x])])
  e.output(e.op('Softmax', [e.op('Gemm', [flat, e.weight([10, 16], 0.3), e.weight([10], 0.1)], { transB: 1 })]), 'y', [
    'n',
    10,
  ])
  return e.bytes()
}

const architectures: readonly Architecture[] = [
  {
    name: 'transformer encoder with a padding mask',
    build: encoder,
    feeds: () => ({
      input_ids: longs([3, 9, 27, 31, 5, 8, 2, 4, 6, 1, 0, 0], 2, 6),
      attention_mask: longs([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], 2, 6),
    }),
    made: ['whittle.Attention', 'LayerNormalization', 'whittle.Gemm'],
    gone: ['Transpose', 'Softmax', 'Erf', 'MatMul', 'Shape', 'Sqrt'],
  },
  {
    name: 'decoder step with a cache',
    build: decoderStep,
    feeds: () => ({
      input_ids: longs([7], 1, 1),
      bias: new Tensor('float32', [-1e9, 0, 0, 0, 0], [1, 1, 1, 5]),
      'past.key': floats(1, heads, 4, size),
      'past.value': floats(1, heads, 4, size),
    }),
    made: ['whittle.Attention', 'LayerNormalization', 'whittle.Gemm'],
    gone: ['Softmax', 'Erf', 'MatMul', 'Mul', 'Sqrt'],
  },
  {
    name: 'Llama-like decoder as optimum exports it',
    build: llama,
    feeds: () => ({
      input_ids: longs([7, 3, 9, 1, 0, 4], 2, 3),
      attention_mask: longs([1, 1, 1, 1, 1, 0, 0, 1, 1, 1], 2, 5),
      position_ids: longs([2, 3, 4, 0, 1, 2], 2, 3),
      'past.key': floats(2, 2, 2, size),
      'past.value': floats(2, 2, 2, size),
    }),
    made: ['whittle.Attention', 'whittle.Gemm', 'RMSNormalization'],
    gone: ['Softmax', 'Pow', 'ReduceMean', 'Sqrt'],
  },
  {
    name: 'decoder in operators of opset 24',
    build: modernDecoder,
    feeds: () => ({
      input_ids: longs([7, 3, 9, 1, 0, 4], 2, 3),
      position_ids: longs([2, 3, 4, 0, 1, 2], 2, 3),
      'past.key': floats(2, 2, 2, size),
      'past.value': floats(2, 2, 2, size),
    }),
    made: ['Attention', 'RotaryEmbedding', 'RMSNormalization', 'whittle.Gemm'],
    gone: ['Swish', 'MatMul'],
  },
  {
    name: 'attention masked in the ways of several exporters',
    build: maskedBlocks,
    feeds: () => ({
      x: floats(2, 5, hidden),
      // the second query of the first sequence sees no key
      open: new Tensor(
        'bool',
        Array.from({ length: 50 }, (_, i) => ((i >= 5 && i < 10) || i % 7 === 3 ? 0 : 1)),
        [2, 1, 5, 5],
      ),
      padding: new Tensor('float32', [0, 0, 0, 0, 0, 0, 0, 0, 0, -3.4028234663852886e38], [2, 1, 1, 5]),
    }),
    made: ['whittle.Attention', 'whittle.Gemm'],
    gone: ['Softmax', 'MatMul', 'Einsum', 'IsNaN', 'Transpose'],
  },
  {
    name: 'audio model of convolutions, LSTM and GRU',
    build: audio,
    feeds: () => ({ x: floats(1, 20, 11) }),
    made: ['whittle.Conv', 'whittle.Gemm'],
    gone: ['Conv', 'Relu', 'Sigmoid', 'MatMul'],
  },
  {
    name: 'convolutional classifier',
    build: cnn,
    feeds: () => ({ x: floats(2, 3, 32, 32) }),
    made: ['whittle.Conv', 'whittle.Gemm', 'whittle.MaxPool'],
    gone: ['Conv', 'BatchNormalization', 'Clip', 'Add', 'Gemm'],
  },
]

/** Largest error, of the largest value, that int8 may bring to models of random weights. */
const coarse = 0.15

describe.each(architectures)('$name', ({ build, feeds: makeFeeds, made, gone }) => {
  it('runs wholly in Wasm and gives with the passes what it gives without', async () => {
    const file = build()
    const feeds = makeFeeds()
    await using plain = await load(file, { threads: 1, passes: false })
    const expected = await plain.run(feeds)
    for (const [recipe, limit] of [
      ['float32', 1e-4],
      ['int8', coarse],
    ] as const) {
      const { model } = await compress(file, recipe)
      await using session = await load(model, { threads: 1 })
      const outputs = await session.run(feeds)
      const { steps, hostSteps } = await session.profile()
      expect(hostSteps, recipe).toEqual([])
      for (const [name, { data, dims }] of Object.entries(expected)) {
        expect(outputs[name].dims).toEqual(dims)
        expect(worst(outputs[name].data as Float32Array, data as Float32Array), name).toBeLessThan(limit)
      }
      if (recipe !== 'float32') continue
      const ops = new Set(steps.map(({ op }) => op))
      expect(made.filter((op) => !ops.has(op))).toEqual([])
      expect(gone.filter((op) => ops.has(op))).toEqual([])
    }
  })

  it('is the same whichever pass is left out', async () => {
    const file = build()
    const feeds = makeFeeds()
    await using whole = await load(file, { threads: 1 })
    const expected = await whole.run(feeds)
    for (const name of ['recognise-attention', 'recognise-layer-norm', 'sink-transposes', 'fuse-epilogue']) {
      await using session = await load(file, { threads: 1, passes: { off: [name] } })
      const outputs = await session.run(feeds)
      for (const [output, { data }] of Object.entries(expected))
        expect(worst(outputs[output].data as Float32Array, data as Float32Array), name).toBeLessThan(1e-4)
    }
  })
})

describe('attention by Einsum', () => {
  it('is products with weights, all of them quantised, and nothing else', async () => {
    const e = new Exporter()
    const x = e.input('x', 'float32', ['batch', 'sequence', 96])
    const mask = e.input('mask', 'float32', ['batch', 1, 1, 'sequence'])
    e.output(einsumAttention(e, x, mask, 96), 'y', ['batch', 'sequence', 96])
    const { model, report } = await compress(e.bytes(), 'int8')
    expect(report.layers.map(({ to }) => to)).toEqual(['int8', 'int8', 'int8', 'int8'])
    await using session = await load(model, { threads: 1 })
    await session.run({ x: floats(2, 5, 96), mask: floats(2, 1, 1, 5) })
    const { steps } = await session.profile()
    expect(new Set(steps.map(({ op }) => op))).toEqual(new Set(['whittle.DynamicQuantizeGemm', 'whittle.Attention']))
  })
})
