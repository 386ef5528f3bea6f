// SPDX-License-Identifier: Apache-2.0
/**
 * Models in the operators of ONNX Runtime's own domain, small and with seeded weights, as its tools write them: each runs
 * wholly in Wasm, and gives what ONNX Runtime gives, in float32 and int8.
 */
import * as ort from 'onnxruntime-web'
import { beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { compress } from '../../src/compress.ts'
import { Tensor, load } from '../../src/index.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { Exporter } from './export.ts'
import { worst } from './statistics.ts'

const random = seededRandom(11)
const floats = (...dims: number[]): Tensor =>
  new Tensor(
    'float32',
    Float32Array.from({ length: sizeOf(dims) }, () => random() - 0.5),
    dims,
  )
const longs = (values: readonly number[], ...dims: number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), dims)

const [hidden, vocabulary, heads, groups, layers] = [64, 50, 4, 2, 2]
const size = hidden / heads

type Product = (e: Exporter, x: string, from: number, to: number) => string

const plain: Product = (e, x, from, to) => e.op('MatMul', [x, e.weight([from, to])])

/** Weights of 4 bits in blocks of 32. */
const fourBits: Product = (e, x, from, to) => {
  const blocks = from / 32
  const bytes = Uint8Array.from({ length: to * blocks * 16 }, () => Math.floor(random() * 256))
  const scales = Float32Array.from({ length: to * blocks }, () => (0.15 + 0.1 * random()) / Math.sqrt(from))
  const weights = e.constant('uint8', bytes, [to, blocks, 16])
  const attributes = { K: from, N: to, bits: 4, block_size: 32 }
  return e.op('com.microsoft.MatMulNBits', [x, weights, e.constant('float32', scales, [to * blocks])], attributes)
}

/**
 * A decoder as onnxruntime-genai writes it: counts of places from the mask, the rest in a node each.
 * @param packed one product for queries, keys and values
 */
function decoder(product: Product, packed: boolean): Uint8Array {
  const e = new Exporter()
  const ids = e.input('input_ids', 'int64', ['batch', 'sequence'])
  const mask = e.input('attention_mask', 'int64', ['batch', 'total'])
  const cache = (layer: number, kind: string): string =>
    e.input(`past.${layer}.${kind}`, 'float32', ['batch', groups, 'past', size])
  const caches = Array.from({ length: layers }, (_, layer) => ['key', 'value'].map((kind) => cache(layer, kind)))
  const sum = e.op('ReduceSum', [mask, e.integers([1])], { keepdims: 0 })
  const lengths = e.op('Cast', [e.op('Sub', [sum, e.integers([1])])], { to: 6 })
  const total = e.op('Cast', [e.op('Gather', [e.op('Shape', [mask]), e.integers([1], [])], { axis: 0 })], { to: 6 })
  const angles = (f: (x: number) => number): string => {
    const values = Float32Array.from({ length: 32 * 8 }, (_, i) => f((i >> 3) / 100 ** ((i % 8) / 8)))
    return e.constant('float32', values, [32, 8])
  }
  const tables = [angles(Math.cos), angles(Math.sin)]
  const skip = (x: string, y: string): string[] =>
    e.ops('com.microsoft.SkipSimplifiedLayerNormalization', [x, y, e.weight([hidden], 1)], [true, false, false, true], {
      epsilon: 1e-6 + 1e-9,
    })
  let x = e.op('Gather', [e.weight([vocabulary, hidden], 1), ids])
  const epsilon = 1e-6 + 1e-9
  let normed = e.op('SimplifiedLayerNormalization', [x, e.weight([hidden], 1)], { axis: -1, epsilon, stash_type: 1 })
  for (const [layer, past] of caches.entries()) {
    const of = (to: number): string => product(e, normed, hidden, to)
    const now = packed ? [of(hidden + 2 * groups * size), '', ''] : [of(hidden), of(groups * size), of(groups * size)]
    const attributes = { num_heads: heads, kv_num_heads: groups, do_rotary: 1, rotary_interleaved: 0 }
    const inputs = [...now, ...past, lengths, total, ...tables]
    const [seen, ...present] = e.ops('com.microsoft.GroupQueryAttention', inputs, 3, attributes)
    for (const [i, kind] of ['key', 'value'].entries())
      e.output(present[i], `present.${layer}.${kind}`, ['batch', groups, 'after', size])
    const [inner, , , sum] = skip(x, product(e, seen, hidden, hidden))
    const gate = product(e, inner, hidden, 2 * hidden)
    const silu = e.op('Mul', [gate, e.op('Sigmoid', [gate])])
    const wide = e.op('Mul', [silu, product(e, inner, hidden, 2 * hidden)])
    ;[normed, , , x] = skip(sum, product(e, wide, 2 * hidden, hidden))
  }
  e.output(product(e, normed, hidden, vocabulary), 'logits', ['batch', 'sequence', vocabulary])
  return e.bytes(21)
}

/** What a decoder is fed. @param lengths places of each sequence; behind them its cache has zeros */
function decoding(batch: number, sequence: number, past: number, total: number, lengths: readonly number[]) {
  const cache = (): Tensor => {
    const { data, dims } = floats(batch, groups, past, size)
    const isKept = (i: number): boolean =>
      Math.floor(i / size) % past < lengths[Math.floor(i / (groups * past * size))] - sequence
    return new Tensor(
      'float32',
      (data as Float32Array).map((value, i) => (isKept(i) ? value : 0)),
      dims,
    )
  }
  const ids = Array.from({ length: batch * sequence }, () => Math.floor(random() * vocabulary))
  const mask = Array.from({ length: batch * total }, (_, i) => Number(i % total < lengths[Math.floor(i / total)]))
  const caches = Array.from({ length: layers }, (_, layer) =>
    ['key', 'value'].map((kind) => [`past.${layer}.${kind}`, cache()] as const),
  )
  return {
    input_ids: longs(ids, batch, sequence),
    attention_mask: longs(mask, batch, total),
    ...Object.fromEntries(caches.flat()),
  }
}

/** A BERT as onnxruntime.transformers writes it. @param masked by what: counts of places, or ones and zeros for them */
function bert(masked: 'counts' | 'places'): Uint8Array {
  const e = new Exporter()
  const ids = e.input('input_ids', 'int64', ['batch', 'sequence'])
  const kinds = e.input('token_type_ids', 'int64', ['batch', 'sequence'])
  const open = e.input('attention_mask', 'int64', ['batch', 'sequence'])
  const [words, segments, mask] = [ids, kinds, open].map((x) => e.op('Cast', [x], { to: 6 }))
  const affine = (): string[] => [e.weight([hidden], 1), e.weight([hidden], 0.1)]
  const tables = [vocabulary, 32, 2].map((rows) => e.weight([rows, hidden], 1))
  const epsilon = 1e-12
  const embedded = e.ops(
    'com.microsoft.EmbedLayerNormalization',
    [words, segments, ...tables, ...affine(), ...(masked === 'counts' ? [mask] : [])],
    2,
    { epsilon },
  )
  const [, counts] = embedded
  let [x] = embedded
  for (let layer = 0; layer < layers; layer++) {
    const weights = [e.weight([hidden, 3 * hidden]), e.weight([3 * hidden], 0.1)]
    const inputs = [x, ...weights, masked === 'counts' ? counts : mask]
    const seen = e.op('com.microsoft.Attention', inputs, { num_heads: heads })
    const joined = (y: string): string =>
      e.op('com.microsoft.SkipLayerNormalization', [y, x, ...affine(), e.weight([hidden], 0.1)], { epsilon })
    x = joined(plain(e, seen, hidden, hidden))
    const inner = e.op('com.microsoft.BiasGelu', [plain(e, x, hidden, 4 * hidden), e.weight([4 * hidden], 0.1)])
    x = joined(plain(e, inner, 4 * hidden, hidden))
  }
  e.output(x, 'last_hidden_state', ['batch', 'sequence', hidden])
  return e.bytes()
}

/** What an encoder is fed. @param lengths places of each sequence that are no padding */
function encoding(sequence: number, lengths: readonly number[]) {
  const batch = lengths.length
  const upTo = (most: number): number[] =>
    Array.from({ length: batch * sequence }, () => Math.floor(random() * (most + 1)))
  const mask = Array.from({ length: batch * sequence }, (_, i) =>
    Number(i % sequence < lengths[Math.floor(i / sequence)]),
  )
  return {
    input_ids: longs(upTo(vocabulary - 1), batch, sequence),
    token_type_ids: longs(upTo(1), batch, sequence),
    attention_mask: longs(mask, batch, sequence),
  }
}

const encodings = {
  'a sequence': () => encoding(7, [7]),
  'two sequences, one of them padded': () => encoding(6, [6, 4]),
}

/**
 * The decoder of a model like Whisper or BART: attention to a cache and itself, and to what an encoder's keys and values
 * are, the biases of projections inside the node.
 */
function crossing(): Uint8Array {
  const e = new Exporter()
  const given = e.input('x', 'float32', ['batch', 'sequence', hidden])
  const input = (name: string, places: string): string => e.input(name, 'float32', ['batch', heads, places, size])
  const past = ['past.key', 'past.value'].map((name) => input(name, 'past'))
  const far = ['encoder.key', 'encoder.value'].map((name) => input(name, 'places'))
  const attend = (inputs: readonly string[], outputs: number, unidirectional = 0): string[] =>
    e.ops('com.microsoft.MultiHeadAttention', inputs, outputs, { num_heads: heads, unidirectional })
  const affine = (): string[] => [e.weight([hidden], 1), e.weight([hidden], 0.1)]
  const joined = (x: string, y: string): string =>
    e.op('com.microsoft.SkipLayerNormalization', [x, y, ...affine()], { epsilon: 1e-6 + 1e-9 })
  const now = [0, 1, 2].map(() => plain(e, given, hidden, hidden))
  const [seen, ...present] = attend([...now, e.weight([3 * hidden], 0.1), '', '', ...past], 3, 1)
  let x = joined(given, plain(e, seen, hidden, hidden))
  x = joined(x, plain(e, attend([e.linear(x, hidden, hidden), ...far], 1)[0], hidden, hidden))
  e.output(x, 'y', ['batch', 'sequence', hidden])
  for (const [i, kind] of ['key', 'value'].entries())
    e.output(present[i], `present.${kind}`, ['batch', heads, 'total', size])
  return e.bytes()
}

function crossings(batch: number, sequence: number, past: number) {
  const caches = Object.fromEntries(
    [['past', past] as const, ['encoder', 9] as const].flatMap(([name, places]) =>
      ['key', 'value'].map((kind) => [`${name}.${kind}`, floats(batch, heads, places, size)] as const),
    ),
  )
  return { x: floats(batch, sequence, hidden), ...caches }
}

const decodings = {
  'a prompt': () => decoding(1, 7, 0, 7, [7]),
  'prompts of two sequences': () => decoding(2, 5, 0, 5, [5, 5]),
  'a place behind a cache': () => decoding(1, 1, 6, 7, [7]),
  'a place of two sequences of unlike lengths': () => decoding(2, 1, 6, 7, [7, 4]),
  'a place where the cache has room': () => decoding(1, 1, 16, 9, [9]),
  'a few places behind a cache': () => decoding(1, 3, 4, 7, [7]),
}

interface Subject {
  readonly name: string
  build(): Uint8Array
  readonly feeds: Readonly<Record<string, () => Record<string, Tensor>>>
  /** Operators that must be there when the passes are done, and those that must not. */
  readonly made: readonly string[]
  readonly gone: readonly string[]
}

const subjects: readonly Subject[] = [
  {
    name: 'decoder of onnxruntime-genai',
    build: () => decoder(plain, false),
    feeds: decodings,
    made: ['com.microsoft.GroupQueryAttention', 'whittle.Gemm'],
    gone: ['MatMul', 'Sigmoid'],
  },
  {
    name: 'decoder of onnxruntime-genai, one product for queries, keys and values, of 4 bits',
    build: () => decoder(fourBits, true),
    feeds: decodings,
    made: ['com.microsoft.GroupQueryAttention', 'whittle.WeightOnlyGemm'],
    gone: ['Sigmoid'],
  },
  {
    name: 'BERT of onnxruntime.transformers, padding by counts',
    build: () => bert('counts'),
    feeds: encodings,
    made: ['com.microsoft.MultiHeadAttention', 'LayerNormalization', 'whittle.Gemm'],
    gone: ['com.microsoft.Attention', 'com.microsoft.EmbedLayerNormalization', 'MatMul', 'Split'],
  },
  {
    name: 'BERT of onnxruntime.transformers, padding by places',
    build: () => bert('places'),
    feeds: encodings,
    made: ['com.microsoft.MultiHeadAttention', 'LayerNormalization', 'whittle.Gemm'],
    gone: ['com.microsoft.Attention', 'com.microsoft.EmbedLayerNormalization', 'MatMul', 'Split'],
  },
  {
    name: 'decoder with cross attention in MultiHeadAttention',
    build: crossing,
    feeds: {
      'a few places behind a cache': () => crossings(2, 3, 4),
      'a place behind a cache': () => crossings(1, 1, 6),
    },
    made: ['com.microsoft.MultiHeadAttention', 'whittle.Gemm'],
    gone: ['MatMul', 'Transpose'],
  },
]

/** Largest error, of the largest value, that int8 may bring to models of random weights. */
const coarse = 0.15

async function byRuntime(file: Uint8Array, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await ort.InferenceSession.create(file)
  try {
    const given = Object.entries(feeds).map(([name, { type, data, dims }]) => [
      name,
      new ort.Tensor(type as 'float32', data as never, dims),
    ])
    const outputs = await session.run(Object.fromEntries(given) as Record<string, ort.Tensor>)
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data, dims }]) => [
        name,
        new Tensor('float32', data as Float32Array, dims),
      ]),
    )
  } finally {
    await session.release()
  }
}

describe.each(subjects)('$name', ({ build, feeds: forms, made, gone }) => {
  beforeAll(() => {
    ort.env.wasm.numThreads = 1
    ort.env.logLevel = 'error'
  })

  it.each(Object.keys(forms))('gives for %s what ONNX Runtime gives, without a step in JavaScript', async (form) => {
    const file = build()
    const feeds = forms[form]()
    const expected = await byRuntime(file, feeds)
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
        expect(worst(outputs[name].data as Float32Array, data as Float32Array), `${recipe} ${name}`).toBeLessThan(limit)
      }
      if (recipe !== 'float32') continue
      const ops = new Set(steps.map(({ op }) => op))
      expect(made.filter((op) => !ops.has(op))).toEqual([])
      expect(gone.filter((op) => ops.has(op))).toEqual([])
    }
  })
})
