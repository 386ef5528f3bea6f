// SPDX-License-Identifier: Apache-2.0
/** Writes small models in the forms that PyTorch exports, node by node, with seeded weights. */
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import type { OnnxNode, OnnxTensor, OnnxValueInfo } from '../../src/format/onnx-records.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import type { Dtype } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import type { TensorSource } from '../../src/tensor/tensor.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'

type Attributes = Parameters<typeof node>[3]

/** A model under construction. Values are names. */
export class Exporter {
  readonly #random = seededRandom(23)
  readonly #nodes: OnnxNode[] = []
  readonly #inputs: OnnxValueInfo[] = []
  readonly #outputs: OnnxValueInfo[] = []
  readonly #initializers: OnnxTensor[] = []

  input(name: string, dtype: Dtype, dims: readonly (number | string)[]): string {
    this.#inputs.push(valueInfo(name, dtype, dims))
    return name
  }

  output(value: string, name: string, dims: readonly (number | string)[]): void {
    this.#nodes.push(node('Identity', [value], [name]))
    this.#outputs.push(valueInfo(name, 'float32', dims))
  }

  /** A node of one output. @param type with its domain in front, where that is not ONNX's own */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.ops(type, inputs, 1, attributes)[0]
  }

  /** A node of several. @param outputs how many, or for each whether it is asked for */
  ops(
    type: string,
    inputs: readonly string[],
    outputs: number | readonly boolean[],
    attributes: Attributes = {},
  ): string[] {
    const asked = typeof outputs === 'number' ? new Array<boolean>(outputs).fill(true) : outputs
    const names = asked.map((isAsked, i) => (isAsked ? `${type}_${this.#nodes.length}_${i}` : ''))
    const dot = type.lastIndexOf('.')
    const more = { name: names[0], domain: type.slice(0, Math.max(dot, 0)) }
    this.#nodes.push(node(type.slice(dot + 1), inputs, names, attributes, more))
    return names
  }

  /** Normal weights, small enough for deep sums. */
  weight(dims: readonly number[], scale = 1 / Math.sqrt(dims.at(-2) ?? 1)): string {
    const data = Float32Array.from({ length: sizeOf(dims) }, () => scale * randomNormal(this.#random))
    return this.#constant(tensorRecord(this.#name(), 'float32', data, dims))
  }

  number(value: number): string {
    return this.#constant(tensorRecord(this.#name(), 'float32', [value], []))
  }

  integers(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.#constant(tensorRecord(this.#name(), 'int64', values.map(BigInt), dims))
  }

  /** Any tensor. */
  constant(dtype: Dtype, values: TensorSource, dims: readonly number[]): string {
    return this.#constant(tensorRecord(this.#name(), dtype, values, dims))
  }

  /** x W + b. */
  linear(x: string, from: number, to: number): string {
    return this.op('Add', [this.weight([to], 0.1), this.op('MatMul', [x, this.weight([from, to])])])
  }

  /** Element `axis` of the shape of x, as [1]: how PyTorch computes shapes. */
  sizeAt(x: string, axis: number): string {
    const size = this.op('Gather', [this.op('Shape', [x]), this.integers([axis], [])], { axis: 0 })
    return this.op('Unsqueeze', [size, this.integers([0])])
  }

  /** Layer normalisation, spelled out. */
  norm(x: string, size: number): string {
    const mean = this.op('ReduceMean', [x], { axes: [-1] })
    const centred = this.op('Sub', [x, mean])
    const variance = this.op('ReduceMean', [this.op('Pow', [centred, this.number(2)])], { axes: [-1] })
    const deviation = this.op('Sqrt', [this.op('Add', [variance, this.number(1e-12)])])
    const scaled = this.op('Mul', [this.op('Div', [centred, deviation]), this.weight([size], 1)])
    return this.op('Add', [scaled, this.weight([size], 0.1)])
  }

  /** 0.5 x (1 + erf(x / sqrt 2)). */
  gelu(x: string): string {
    const erf = this.op('Erf', [this.op('Div', [x, this.number(Math.SQRT2)])])
    const gate = this.op('Mul', [x, this.op('Add', [erf, this.number(1)])])
    return this.op('Mul', [gate, this.number(0.5)])
  }

  /** [batch, sequence, heads * size] as [batch, heads, sequence, size], shapes computed. */
  heads(x: string, heads: number, size: number): string {
    const shape = this.op('Concat', [this.sizeAt(x, 0), this.sizeAt(x, 1), this.integers([heads, size])], { axis: 0 })
    return this.op('Transpose', [this.op('Reshape', [x, shape])], { perm: [0, 2, 1, 3] })
  }

  /** Back from heads. */
  merged(x: string, hidden: number): string {
    const back = this.op('Transpose', [x], { perm: [0, 2, 1, 3] })
    const shape = this.op('Concat', [this.sizeAt(back, 0), this.sizeAt(back, 1), this.integers([hidden])], { axis: 0 })
    return this.op('Reshape', [back, shape])
  }

  bytes(opset = 17): Uint8Array {
    const [nodes, inputs, outputs, initializers] = [this.#nodes, this.#inputs, this.#outputs, this.#initializers]
    const domains = [...new Set(nodes.map(({ domain }) => domain).filter((domain) => domain !== ''))]
    const opsets = [{ domain: '', version: opset }, ...domains.map((domain) => ({ domain, version: 1 }))]
    return writeOnnx(model({ nodes, inputs, outputs, initializers }, opset, { opsets }))
  }

  #name(): string {
    return `w${this.#initializers.length}`
  }

  #constant(tensor: OnnxTensor): string {
    this.#initializers.push(tensor)
    return tensor.name
  }
}
