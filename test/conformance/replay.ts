// SPDX-License-Identifier: Apache-2.0
/**
 * Replays the ONNX project's own operator tests (the data's README describes them): small models with inputs and
 * expected outputs. A case goes through the reader, the importer and whatever runs graphs; its outputs must have the
 * expected types and shapes, and every element |a - b| <= atol + rtol * |b|.
 */
import { readFileSync } from 'node:fs'
import { UnsupportedError } from '../../src/base/errors.ts'
import { Wire } from '../../src/format/onnx-wire.ts'
import { readTensor } from '../../src/format/onnx-tensor.ts'
import type { OnnxTensor } from '../../src/format/onnx-records.ts'
import { parseOnnx } from '../../src/format/onnx.ts'
import type { Graph } from '../../src/ir/graph.ts'
import { fromOnnx } from '../../src/model/from-onnx.ts'
import { toTensor } from '../../src/model/onnx-tensors.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { opTable } from '../../src/ops/table.ts'
import type { Dtype } from '../../src/tensor/dtype.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { type Implementation, tensorFaults } from '../contract/op.ts'
import { dataPath } from '../models/data.ts'

/** A value of a case: a file, or the numbers i / n of a shape. */
export interface CaseValue {
  readonly name: string
  readonly type: string
  readonly file?: string
  readonly gen?: string
  readonly shape?: readonly number[]
}

/** A row of manifest.json's list. */
export interface ConformanceCase {
  readonly case: string
  readonly folder: string
  readonly ops: readonly string[]
  readonly primary?: string
  readonly opTier: number
  readonly typeTier: number
  readonly expanded?: boolean
  readonly types: readonly string[]
  readonly size: number
  readonly rtol: number
  readonly atol: number
  readonly model: string
  readonly inputs: readonly CaseValue[]
  readonly outputs: readonly CaseValue[]
}

/** The cases of a half of the data. */
export type Half = 'current' | 'legacy'

/** The list of one half. */
export function conformanceCases(half: Half, folder = dataPath('conformance')): ConformanceCase[] {
  const text = readFileSync(`${folder}/${half}/manifest.json`, 'utf8')
  return (JSON.parse(text) as { list: ConformanceCase[] }).list
}

/** What a case became: passed, failed with the fault, or left out with the reason. */
export interface Outcome {
  readonly result: 'passed' | 'failed' | 'skipped'
  readonly reason?: string
}

/** Replays one case. Skipped: operators the table does not have, sequences and optionals. */
export async function replay(half: Half, test: ConformanceCase, run: Implementation): Promise<Outcome> {
  if ([...test.inputs, ...test.outputs].some(({ type }) => type === 'sequence' || type === 'optional')) {
    return { result: 'skipped', reason: 'sequences and optionals are not tensors' }
  }
  try {
    const graph = readModel(half, test)
    const missing = [...operatorsOf(graph)].filter((op) => !Object.hasOwn(opTable, op))
    if (missing.length > 0) return { result: 'skipped', reason: `no operator ${missing.join(', ')}` }
    const fault = await faultOf(half, test, graph, run)
    return fault === undefined ? { result: 'passed' } : { result: 'failed', reason: fault }
  } catch (error) {
    if (error instanceof UnsupportedError) return { result: 'skipped', reason: error.message }
    return { result: 'failed', reason: String(error) }
  }
}

async function faultOf(
  half: Half,
  test: ConformanceCase,
  graph: Graph,
  run: Implementation,
): Promise<string | undefined> {
  const types = new Map([...graph.inputs, ...graph.outputs].map(({ name, dtype }) => [name, dtype]))
  const read = (value: CaseValue): Tensor => relabelled(readValue(half, value), types.get(value.name))
  const feeds = new Map(test.inputs.map((value) => [value.name, read(value)]))
  const outputs = await run(graph, feeds)
  const byName = new Map(graph.outputs.map(({ name }, i) => [name, outputs[i]]))
  for (const value of test.outputs) {
    const numerics = { relative: test.rtol, absolute: test.atol }
    const [fault] = tensorFaults(byName.get(value.name), read(value), numerics)
    if (fault !== undefined) return `output ${value.name}: ${fault}`
  }
  return undefined
}

/** Older data has bfloat16 patterns under the type uint16. */
function relabelled(tensor: Tensor, declared: Dtype | undefined): Tensor {
  const isPattern = tensor.type === 'uint16' && declared === 'bfloat16'
  return isPattern ? new Tensor('bfloat16', tensor.data, tensor.dims) : tensor
}

/** The graph of a case's model. */
export function readModel(half: Half, test: ConformanceCase): Graph {
  return fromOnnx(parseOnnx(readFileSync(dataPath(`conformance/${half}/${test.model}`))))
}

function readValue(half: Half, value: CaseValue): Tensor {
  if (value.file === undefined) {
    const size = value.shape!.reduce((a, b) => a * b, 1)
    return new Tensor(
      'float32',
      Float32Array.from({ length: size }, (_, i) => i / size),
      value.shape,
    )
  }
  const bytes = readFileSync(dataPath(`conformance/${half}/${value.file}`))
  const holder: { tensor?: OnnxTensor } = {}
  new Wire(asField(bytes), value.file).fields({ 1: (wire, record) => (record.tensor = readTensor(wire, [])) }, holder)
  return toTensor(holder.tensor!)
}

/** A message as field 1 of another: tag, length in base 128, bytes. */
function asField(bytes: Uint8Array): Uint8Array {
  const prefix = [(1 << 3) | 2]
  for (let rest = bytes.length; ; rest >>>= 7) {
    prefix.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Uint8Array.from([...prefix, ...bytes])
}
