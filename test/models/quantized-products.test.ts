// SPDX-License-Identifier: Apache-2.0
/**
 * Layers of ONNX Runtime's quantised products with bias, residual and Gelu: one product each, no step in JavaScript, and what
 * the references give for the graph as it is in the file. MatMulNBits in all bits, zero points and levels; bytes quantised on the
 * fly by DynamicQuantizeMatMul, and as onnxruntime.quantization writes it.
 */
import * as ort from 'onnxruntime-web'
import { beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import { parseOnnx } from '../../src/format/onnx.ts'
import { load, Tensor } from '../../src/index.ts'
import { fromOnnx } from '../../src/model/from-onnx.ts'
import { evaluateGraph, operatorsOf } from '../../src/ops/evaluate.ts'
import { loadReferences } from '../../src/ops/references.ts'
import { loadOps } from '../../src/ops/table.ts'
import { Exporter } from './export.ts'
import { worst } from './statistics.ts'

type Zeros = 'none' | 'bytes' | 'floats'

interface Layer {
  readonly bits: number
  readonly block: number
  readonly level: number
  readonly zeros: Zeros
  /** Columns in groups that are no blocks of them. */
  readonly grouped?: boolean
}

const [n, k] = [72, 300]

function build({ bits, block, level, zeros, grouped = false }: Layer): Uint8Array {
  const e = new Exporter()
  const random = seededRandom(5)
  const blocks = Math.ceil(k / block)
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => Math.floor(random() * 256))
  const floats = (count: number, most: number): Float32Array =>
    Float32Array.from({ length: count }, () => most * random())
  const inputs = [
    e.input('x', 'float32', ['rows', k]),
    e.constant('uint8', bytes((n * blocks * block * bits) / 8), [n, blocks, (block * bits) / 8]),
    e.constant('float32', floats(n * blocks, 0.4 / 2 ** bits), [n * blocks]),
    zeros === 'none'
      ? ''
      : zeros === 'bytes'
        ? e.constant('uint8', bytes(n * Math.ceil((blocks * bits) / 8)), [n * Math.ceil((blocks * bits) / 8)])
        : e.constant('float32', floats(n * blocks, 2 ** bits), [n * blocks]),
    grouped
      ? e.constant(
          'int32',
          Array.from({ length: k }, (_, i) => Math.floor(((i * 7) % k) / block)),
          [k],
        )
      : '',
  ]
  while (inputs.at(-1) === '') inputs.pop()
  const attributes = { K: k, N: n, bits, block_size: block, accuracy_level: level }
  const product = e.op('com.microsoft.MatMulNBits', inputs, attributes)
  return finished(e, product)
}

/** Bias, residual and Gelu. */
function finished(e: Exporter, product: string): Uint8Array {
  const sum = e.op('Add', [e.op('Add', [product, e.weight([n], 0.5)]), e.input('r', 'float32', ['rows', n])])
  e.output(e.gelu(sum), 'y', ['rows', n])
  return e.bytes(17)
}

function buildBytes(form: 'one node' | 'a chain'): Uint8Array {
  const e = new Exporter()
  const random = seededRandom(5)
  const x = e.input('x', 'float32', ['rows', k])
  const bytes = Int8Array.from({ length: k * n }, () => Math.floor(255 * random()) - 127)
  const w = e.constant('int8', bytes, [k, n])
  const scales = e.constant(
    'float32',
    Float32Array.from({ length: n }, () => 0.002 * (1 + random())),
    [n],
  )
  if (form === 'one node') return finished(e, e.op('com.microsoft.DynamicQuantizeMatMul', [x, w, scales]))
  const [q, scale, zero] = e.ops('DynamicQuantizeLinear', [x], 3)
  const sums = e.op('Cast', [e.op('MatMulInteger', [q, w, zero])], { to: 1 })
  return finished(e, e.op('Mul', [sums, e.op('Mul', [scale, scales])]))
}

function feedsOf(rows: number): Record<string, Tensor> {
  const random = seededRandom(rows)
  const floats = (...dims: number[]): Tensor =>
    new Tensor(
      'float32',
      Float32Array.from({ length: dims[0] * dims[1] }, () => 2 * random() - 0.8),
      dims,
    )
  return { x: floats(rows, k), r: floats(rows, n) }
}

/** What the references give for the graph as it is in the file. */
async function byReferences(file: Uint8Array, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const graph = fromOnnx(parseOnnx(file))
  const names = operatorsOf(graph)
  const evaluator = { ops: await loadOps(names), references: await loadReferences(names) }
  return evaluateGraph(evaluator, graph, new Map(Object.entries(feeds)))[0].data as Float32Array
}

async function byRuntime(file: Uint8Array, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(file)
  try {
    const given = Object.entries(feeds).map(([name, { data, dims }]) => [
      name,
      new ort.Tensor('float32', data as Float32Array, dims),
    ])
    const { y } = await session.run(Object.fromEntries(given) as Record<string, ort.Tensor>)
    return (y.data as Float32Array).slice()
  } finally {
    await session.release()
  }
}

const layers = [2, 4, 8].flatMap((bits) =>
  (['none', 'bytes', 'floats'] as const).flatMap((zeros) =>
    [0, 4].map((level): Layer => ({ bits, block: bits === 8 ? 64 : 32, level, zeros })),
  ),
)
const more: readonly Layer[] = [
  { bits: 8, block: 16, level: 4, zeros: 'bytes' },
  { bits: 4, block: 256, level: 4, zeros: 'bytes' },
  { bits: 4, block: 32, level: 4, zeros: 'bytes', grouped: true },
  { bits: 8, block: 32, level: 0, zeros: 'bytes', grouped: true },
]

beforeAll(() => {
  ort.env.wasm.numThreads = 1
  ort.env.logLevel = 'error'
})

describe('bytes quantised on the fly, with bias, residual and Gelu', () => {
  it.each(['one node', 'a chain'] as const)('%s', async (form) => {
    const file = buildBytes(form)
    await using session = await load(file, { threads: 1 })
    for (const rows of [1, 5, 40]) {
      const feeds = feedsOf(rows)
      const { y } = await session.run(feeds)
      expect(worst(y.data as Float32Array, await byReferences(file, feeds)), `${rows} rows`).toBeLessThan(1e-4)
      expect(worst(y.data as Float32Array, await byRuntime(file, feeds)), `${rows} rows`).toBeLessThan(1e-3)
    }
    const { steps, hostSteps } = await session.profile()
    expect(hostSteps).toEqual([])
    const kernels = steps.map(({ kernel }) => kernel!)
    expect(kernels.filter((kernel) => /^(gemm|binary|unary|cast)/.test(kernel))).toHaveLength(1)
  })
})

describe('MatMulNBits with bias, residual and Gelu', () => {
  it.each([...layers, ...more])('$bits bits, blocks of $block, level $level, zero points: $zeros', async (layer) => {
    const file = build(layer)
    await using session = await load(file, { threads: 1 })
    for (const rows of [1, 5, 40]) {
      const feeds = feedsOf(rows)
      const { y } = await session.run(feeds)
      expect(worst(y.data as Float32Array, await byReferences(file, feeds)), `${rows} rows`).toBeLessThan(4e-4)
      // at level 4 the other side rounds x by blocks; columns in groups of 2 bits and floats it has on GPUs alone
      if (layer.level === 4 || layer.bits === 2 || layer.grouped === true) continue
      if (layer.zeros === 'floats') continue
      expect(worst(y.data as Float32Array, await byRuntime(file, feeds)), `${rows} rows`).toBeLessThan(1e-3)
    }
    const { steps, hostSteps } = await session.profile()
    expect(hostSteps).toEqual([])
    const kernels = steps.map(({ kernel }) => kernel!)
    // zero points that the kernels do not know take two products more
    const isTaken = layer.zeros === 'none' || (layer.zeros === 'bytes' && layer.bits < 8)
    expect(kernels.filter((kernel) => /^gemm/.test(kernel))).toHaveLength(isTaken ? 1 : 3)
    expect(kernels.filter((kernel) => !/^(gemm|quantize|row_sums|gather)/.test(kernel))).toEqual([])
  })
})
