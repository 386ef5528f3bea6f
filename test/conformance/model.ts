// SPDX-License-Identifier: Apache-2.0
/**
 * A case of the ONNX project's tests as a user meets it: a model file and feeds. A case comes in two variants: as
 * written, and with every input but the first turned into a constant, so that folding and packing are exercised.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UnsupportedError } from '../../src/base/errors.ts'
import { parseOnnxTensor } from '../../src/format/onnx-tensor.ts'
import type { OnnxTensor } from '../../src/format/onnx-records.ts'
import { parseOnnx } from '../../src/format/onnx.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { toTensor } from '../../src/model/onnx-tensors.ts'
import type { Dtype } from '../../src/tensor/dtype.ts'
import { Tensor, bytesOf } from '../../src/tensor/tensor.ts'
import { tensorFaults } from '../contract/op.ts'
import type { CaseValue, ConformanceCase, Outcome } from './replay.ts'

export const variants = ['written', 'constants'] as const
export type Variant = (typeof variants)[number]

/** Loads a model file and runs it. */
export type RunModel = (
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
) => Promise<Readonly<Record<string, Tensor>>>

/** The name of a case's variant in the lists of those that pass. */
export function lineOf(test: ConformanceCase, variant: Variant): string {
  return `${test.model.replace(/^models\//, '').replace(/\.onnx$/, '')} ${variant}`
}

/** Replays one case through `run`. `folder` is the half of the data. Skipped: sequences and optionals. */
export async function replayModel(
  folder: string,
  test: ConformanceCase,
  variant: Variant,
  run: RunModel,
): Promise<Outcome> {
  if ([...test.inputs, ...test.outputs].some(({ type }) => type === 'sequence' || type === 'optional')) {
    return { result: 'skipped', reason: 'sequences and optionals are not tensors' }
  }
  try {
    const { model, feeds, types } = prepared(folder, test, variant)
    const outputs = await run(model, feeds)
    for (const value of test.outputs) {
      const given = outputs[value.name] as Tensor | undefined
      // of another build of the library, and so of another class
      const actual = given && new Tensor(given.type, given.data, given.dims)
      const expected = toTensor(relabelled(readRecord(folder, value), types.get(value.name)))
      const [fault] = tensorFaults(actual, expected, { relative: test.rtol, absolute: test.atol })
      if (fault !== undefined) return { result: 'failed', reason: `output ${value.name}: ${fault}` }
    }
    return { result: 'passed' }
  } catch (error) {
    const isUnsupported = error instanceof UnsupportedError || (error as Error).name === 'UnsupportedError'
    return { result: isUnsupported ? 'skipped' : 'failed', reason: (error as Error).message }
  }
}

function prepared(folder: string, test: ConformanceCase, variant: Variant) {
  const bytes = new Uint8Array(readFileSync(join(folder, test.model)))
  const model = parseOnnx(bytes)
  const { graph } = model
  const types = new Map(
    [...graph.inputs, ...graph.outputs].flatMap(({ name, type }) =>
      type?.kind === 'tensor' && type.dtype ? [[name, type.dtype] as const] : [],
    ),
  )
  const records = test.inputs.map((value) => relabelled(readRecord(folder, value), types.get(value.name)))
  const kept = variant === 'written' ? records.length : 1
  const feeds = Object.fromEntries(records.slice(0, kept).map((record) => [record.name, toTensor(record)]))
  const constants = records.slice(kept)
  if (constants.length === 0) return { model: bytes, feeds, types }
  const names = new Set(constants.map(({ name }) => name))
  const inputs = graph.inputs.filter(({ name }) => !names.has(name))
  const initializers = [...graph.initializers.filter(({ name }) => !names.has(name)), ...constants]
  return { model: writeOnnx({ ...model, graph: { ...graph, inputs, initializers } }), feeds, types }
}

/** Older data has bfloat16 patterns under the type uint16. */
function relabelled(record: OnnxTensor, declared: Dtype | undefined): OnnxTensor {
  return record.dtype === 'uint16' && declared === 'bfloat16' ? { ...record, dtype: 'bfloat16' } : record
}

function readRecord(folder: string, { name, file, shape }: CaseValue): OnnxTensor {
  if (file !== undefined) return { ...parseOnnxTensor(new Uint8Array(readFileSync(join(folder, file)))), name }
  const dims = shape!
  const size = dims.reduce((a, b) => a * b, 1)
  const tensor = new Tensor(
    'float32',
    Float32Array.from({ length: size }, (_, i) => i / size),
    dims,
  )
  return { name, dtype: 'float32', dims, data: bytesOf(tensor) }
}
