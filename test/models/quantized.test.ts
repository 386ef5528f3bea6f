// SPDX-License-Identifier: Apache-2.0
/**
 * Graphs as onnxruntime.quantization writes them - QDQ, QOperator, dynamic - held against ONNX Runtime, which rounds a
 * few sums otherwise: results are at most one step of their scale apart. Nothing of them is left to JavaScript.
 */
import * as ort from 'onnxruntime-web'
import { beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/base/rng.ts'
import type { OnnxNode, OnnxTensor } from '../../src/format/onnx-records.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { Tensor, load } from '../../src/index.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

type Byte = 'int8' | 'uint8'
type Plain = Parameters<typeof node>[3]

/** A model being written: constants and nodes, names counted up. */
class Writer {
  readonly nodes: OnnxNode[] = []
  readonly constants: OnnxTensor[] = []
  readonly random = seededRandom(5)

  add(op: string, inputs: readonly string[], attributes: Plain = {}, outputs = 1): string {
    const names = Array.from({ length: outputs }, (_, i) => `v${this.nodes.length}${i === 0 ? '' : `.${i}`}`)
    const dot = op.lastIndexOf('.')
    this.nodes.push(node(op.slice(dot + 1), inputs, names, attributes, { domain: op.slice(0, Math.max(0, dot)) }))
    return names[0]
  }

  constant(dtype: Byte | 'int32' | 'int64' | 'float32', data: readonly number[], dims: readonly number[] = []): string {
    const name = `c${this.constants.length}`
    this.constants.push(tensorRecord(name, dtype, data, dims))
    return name
  }

  drawn(dtype: Byte | 'int32' | 'float32', dims: readonly number[], low: number, high: number): string {
    const size = dims.reduce((a, b) => a * b, 1)
    const draw = (): number => low + this.random() * (high - low)
    const data = Array.from({ length: size }, () => (dtype === 'float32' ? draw() : Math.round(draw())))
    return this.constant(dtype, data, dims)
  }

  bytes(input: readonly number[], output: string): Uint8Array {
    const last = { ...this.nodes[this.nodes.length - 1], outputs: [output] }
    return writeOnnx(
      model(
        {
          nodes: [...this.nodes.slice(0, -1), last],
          inputs: [valueInfo('x', 'float32', input)],
          outputs: [valueInfo(output, 'float32', null)],
          initializers: this.constants,
        },
        17,
        {
          opsets: [
            { domain: '', version: 17 },
            { domain: 'com.microsoft', version: 1 },
          ],
        },
      ),
    )
  }
}

/** A scale and a zero point. */
interface Step {
  readonly scale: string
  readonly zero: string
}

/** A network with a stem, a depthwise and a pointwise convolution, a shortcut, pools and a classifier, in both formats. */
class Network {
  readonly w = new Writer()
  readonly qdq: boolean
  readonly type: Byte

  constructor(qdq: boolean, type: Byte) {
    this.qdq = qdq
    this.type = type
  }

  step(scale: number, zero: number): Step {
    const shift = this.type === 'int8' ? -128 : 0
    return { scale: this.w.constant('float32', [scale]), zero: this.w.constant(this.type, [zero + shift]) }
  }

  quantize(x: string, to: Step): string {
    return this.w.add('QuantizeLinear', [x, to.scale, to.zero])
  }

  real(q: string, { scale, zero }: Step, axis?: number): string {
    return this.w.add('DequantizeLinear', [q, scale, zero], axis === undefined ? {} : { axis })
  }

  /** A convolution with weights [outputs, depth, size, size] of one scale per output. */
  conv(q: string, from: Step, to: Step, [outputs, depth, size]: readonly number[], attributes: Plain = {}): string {
    const weight = this.w.drawn('int8', [outputs, depth, size, size], -60, 60)
    const scales = Array.from({ length: outputs }, (_, i) => Math.fround(0.004 + 0.0005 * (i % 5)))
    const wStep = {
      scale: this.w.constant('float32', scales, [outputs]),
      zero: this.w.constant('int8', new Array<number>(outputs).fill(0), [outputs]),
    }
    const bias = this.w.drawn('int32', [outputs], -3000, 3000)
    if (!this.qdq) {
      const inputs = [q, from.scale, from.zero, weight, wStep.scale, wStep.zero, to.scale, to.zero, bias]
      return this.w.add('QLinearConv', inputs, attributes)
    }
    const own = this.w.constants.find(({ name }) => name === from.scale)!
    const [x] = new Float32Array((own.data as Uint8Array<ArrayBuffer>).slice().buffer)
    const products = scales.map((scale) => Math.fround(x * scale))
    const bStep = {
      scale: this.w.constant('float32', products, [outputs]),
      zero: this.w.constant('int32', new Array<number>(outputs).fill(0), [outputs]),
    }
    const inputs = [this.real(q, from), this.real(weight, wStep, 0), this.real(bias, bStep, 0)]
    return this.quantize(this.w.add('Relu', [this.w.add('Conv', inputs, attributes)]), to)
  }

  shortcut(a: string, aStep: Step, b: string, bStep: Step, to: Step): string {
    if (this.qdq) return this.quantize(this.w.add('Add', [this.real(a, aStep), this.real(b, bStep)]), to)
    const inputs = [a, aStep.scale, aStep.zero, b, bStep.scale, bStep.zero, to.scale, to.zero]
    return this.w.add('com.microsoft.QLinearAdd', inputs)
  }

  maxPool(q: string, step: Step): string {
    const attributes = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }
    if (!this.qdq) return this.w.add('MaxPool', [q], attributes)
    return this.quantize(this.w.add('MaxPool', [this.real(q, step)], attributes), step)
  }

  average(q: string, from: Step, to: Step): string {
    if (this.qdq) return this.quantize(this.w.add('GlobalAveragePool', [this.real(q, from)]), to)
    const inputs = [q, from.scale, from.zero, to.scale, to.zero]
    return this.w.add('com.microsoft.QLinearGlobalAveragePool', inputs, { channels_last: 0 })
  }

  flatten(q: string, step: Step): string {
    return this.qdq ? this.quantize(this.w.add('Flatten', [this.real(q, step)]), step) : this.w.add('Flatten', [q])
  }

  classify(q: string, from: Step, to: Step, [outputs, depth]: readonly number[]): string {
    const weight = this.w.drawn('int8', [depth, outputs], -60, 60)
    const wStep = { scale: this.w.constant('float32', [0.006]), zero: this.w.constant('int8', [0]) }
    if (this.qdq) {
      return this.quantize(this.w.add('MatMul', [this.real(q, from), this.real(weight, wStep)]), to)
    }
    const inputs = [q, from.scale, from.zero, weight, wStep.scale, wStep.zero, to.scale, to.zero]
    return this.w.add('QLinearMatMul', inputs)
  }

  bytes(): Uint8Array {
    const [input, stem, depth, point] = [
      this.step(0.0157, 128),
      this.step(0.03, 0),
      this.step(0.03, 0),
      this.step(0.02, 0),
    ]
    const [sum, pooled, scores] = [this.step(0.04, 0), this.step(0.03, 0), this.step(0.05, 120)]
    let q = this.quantize('x', input)
    q = this.conv(q, input, stem, [16, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] })
    const before = q
    q = this.conv(q, stem, depth, [16, 1, 3], { pads: [1, 1, 1, 1], group: 16 })
    q = this.conv(q, depth, point, [16, 16, 1])
    q = this.shortcut(q, point, before, stem, sum)
    q = this.maxPool(q, sum)
    q = this.conv(q, sum, stem, [24, 8, 3], { group: 2 })
    q = this.flatten(this.average(q, stem, pooled), pooled)
    q = this.classify(q, pooled, scores, [10, 24])
    this.real(q, scores)
    return this.w.bytes([1, 3, 32, 32], 'y')
  }
}

/** A block of a transformer with dynamically quantised products; `b` has the type of the weights. */
function transformer(b: Byte): Uint8Array {
  const w = new Writer()
  const [length, width, heads] = [20, 64, 4]
  const product = (x: string, depth: number, outputs: number): string => {
    const quantized = w.add('DynamicQuantizeLinear', [x], {}, 3)
    const [low, high] = b === 'int8' ? [-127, 127] : [0, 255]
    const weight = w.drawn(b, [depth, outputs], low, high)
    const zero = w.constant(b, [b === 'int8' ? 0 : 119])
    const sums = w.add('MatMulInteger', [quantized, weight, `${quantized}.2`, zero])
    const scales = w.add('Mul', [`${quantized}.1`, w.constant('float32', [0.002])])
    const numbers = w.add('Mul', [w.add('Cast', [sums], { to: 1 }), scales])
    return w.add('Add', [w.drawn('float32', [outputs], -0.1, 0.1), numbers])
  }
  const split = (x: string, perm: readonly number[]): string => {
    const shape = w.constant('int64', [1, length, heads, width / heads], [4])
    return w.add('Transpose', [w.add('Reshape', [x, shape])], { perm })
  }
  const norm = (x: string): string => {
    const parts = [w.drawn('float32', [width], 0.5, 1.5), w.drawn('float32', [width], -0.1, 0.1)]
    return w.add('LayerNormalization', [x, ...parts], { axis: -1, epsilon: 1e-5 })
  }
  const [query, value] = [0, 1].map(() => split(product('x', width, width), [0, 2, 1, 3]))
  const key = split(product('x', width, width), [0, 2, 3, 1])
  const scores = w.add('Mul', [w.add('MatMul', [query, key]), w.constant('float32', [0.25])])
  const mixed = w.add('MatMul', [w.add('Softmax', [scores], { axis: -1 }), value])
  const rows = w.add('Reshape', [
    w.add('Transpose', [mixed], { perm: [0, 2, 1, 3] }),
    w.constant('int64', [1, length, width], [3]),
  ])
  const first = norm(w.add('Add', ['x', product(rows, width, width)]))
  const inner = product(first, width, 4 * width)
  const gelu = w.add('Mul', [
    inner,
    w.add('Add', [
      w.add('Erf', [w.add('Mul', [inner, w.constant('float32', [Math.SQRT1_2])])]),
      w.constant('float32', [1]),
    ]),
  ])
  norm(w.add('Add', [first, product(gelu, 4 * width, width)]))
  return w.bytes([1, length, width], 'y')
}

async function both(bytes: Uint8Array, dims: readonly number[]) {
  const random = seededRandom(9)
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 4 * random() - 2)
  const theirs = await ort.InferenceSession.create(bytes)
  const expected = (await theirs.run({ x: new ort.Tensor('float32', data, dims) })).y.data as Float32Array
  await theirs.release()
  await using session = await load(bytes, { threads: 1 })
  const { y } = await session.run({ x: new Tensor('float32', data, dims) })
  const { hostSteps } = await session.profile()
  return { actual: y.data as Float32Array, expected, hostSteps: hostSteps.map(({ node, op }) => `${op} ${node}`) }
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(b).reduce((most, value, i) => Math.max(most, Math.abs(value - a[i])), 0)
}

describe('graphs quantised by ONNX Runtime', () => {
  beforeAll(() => {
    ort.env.wasm.numThreads = 1
    ort.env.logLevel = 'error'
  })

  it.each([
    ['QDQ', 'uint8', true],
    ['QDQ', 'int8', true],
    ['QOperator', 'uint8', false],
    ['QOperator', 'int8', false],
  ] as const)('a convolutional network, %s with %s, within a step and all in Wasm', async (_, type, qdq) => {
    const { actual, expected, hostSteps } = await both(new Network(qdq, type).bytes(), [1, 3, 32, 32])
    expect(new Set(expected).size).toBeGreaterThan(3)
    expect(worst(actual, expected)).toBeLessThanOrEqual(0.05 * 1.001)
    expect(hostSteps).toEqual([])
  })

  it.each(['int8', 'uint8'] as const)(
    'a transformer block, dynamic with %s weights, as near as the rounding allows and all in Wasm',
    async (type) => {
      const { actual, expected, hostSteps } = await both(transformer(type), [1, 20, 64])
      expect(worst(actual, expected)).toBeLessThan(0.02)
      expect(hostSteps).toEqual([])
    },
  )
})
