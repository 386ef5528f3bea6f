// SPDX-License-Identifier: Apache-2.0
/**
 * What fuzzing starts from: good files, as bytes and as the records they are made of. Every operator of the table is
 * there by its samples, as a model of one node in both formats; beside them stands a small network with the operators
 * that passes rewrite, as ONNX and compressed to int8, and the real models at hand that load in milliseconds.
 */
import { existsSync, readFileSync } from 'node:fs'
import { compress } from '../../src/compress/compress.ts'
import { type ContainerFile, readContainer, writeContainer } from '../../src/format/container.ts'
import type { OnnxModel } from '../../src/format/onnx-records.ts'
import { parseOnnx } from '../../src/format/onnx.ts'
import { writeOnnx } from '../../src/format/onnx-write.ts'
import { subgraphsOf } from '../../src/ir/graph.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { casesOf, operators, wholeTable } from '../contract/op.ts'
import { compressed } from '../models/compressed.ts'
import { dataPath, ocrModel } from '../models/data.ts'
import { model, node, tensorRecord, valueInfo } from '../support/onnx.ts'
import { damageBytes, damageTree } from './mutate.ts'
import { onnxOfGraph } from './onnx-of-graph.ts'

/** A good file. */
export interface Subject {
  readonly name: string
  readonly bytes: Uint8Array
  /** The file made of damaged records, checksums and lengths right again. */
  damaged(random: () => number): Uint8Array
}

function onnxSubject(name: string, records: OnnxModel, bytes = writeOnnx(records)): Subject {
  return { name, bytes, damaged: (random) => writeOnnx(damageTree(records, random)) }
}

function containerSubject(name: string, records: ContainerFile, bytes = writeContainer(records)): Subject {
  return { name, bytes, damaged: (random) => writeContainer(damageTree(records, random)) }
}

/** One model for each sample of each operator, in both formats. */
export async function operatorSubjects(names: readonly string[] = operators): Promise<Subject[]> {
  const table = await wholeTable()
  const subjects: Subject[] = []
  for (const op of names) {
    for (const constants of ['rest', 'none'] as const) {
      for (const { title, graph } of await casesOf(table, op, constants)) {
        const name = `${title} (${constants === 'rest' ? 'constants' : 'inputs'})`
        subjects.push(containerSubject(`${name}.whittle`, toContainer(graph)))
        if (graph.nodes.some((one) => subgraphsOf(one).length > 0)) continue
        subjects.push(onnxSubject(`${name}.onnx`, onnxOfGraph(graph, table.ops)))
      }
    }
  }
  return subjects
}

/** The small network and the real models: as ONNX, compressed to float32 and to int8. */
export async function modelSubjects(): Promise<Subject[]> {
  const files: [string, Uint8Array][] = [['network', writeOnnx(network())]]
  const mnist = dataPath('models/mnist/opt-mnist.onnx')
  if (existsSync(mnist)) files.push(['mnist', new Uint8Array(readFileSync(mnist))])
  else console.warn(`left out: ${mnist} is not there (set WHITTLE_DATA to the folder with the models)`)
  const subjects: Subject[] = []
  for (const [name, bytes] of files) {
    subjects.push(onnxSubject(`${name}.onnx`, parseOnnx(bytes), bytes))
    for (const recipe of ['float32', 'int8'] as const) {
      const { model: packed } = await compress(bytes, recipe)
      subjects.push(containerSubject(`${name} ${recipe}.whittle`, readContainer(packed), packed))
    }
  }
  return subjects
}

/**
 * Real models: the text recogniser and the voice detector, as they are and compressed to int8. Each is read when it is
 * first asked for; `instead` stands for those that are not there, so that numbers of cases keep their meaning.
 */
export function largeSubjects(instead: Subject): (() => Promise<Subject>)[] {
  const files = {
    recogniser: ocrModel('ch_PP-OCRv4_rec_infer.onnx'),
    vad: dataPath('models/vad/silero_vad_op18_ifless.onnx'),
  }
  return Object.entries(files).flatMap(([name, path]) => {
    const read = (): Uint8Array => new Uint8Array(readFileSync(path))
    const whole = (): Subject => {
      const bytes = read()
      return onnxSubject(`${name}.onnx`, parseOnnx(bytes), bytes)
    }
    const packed = async (): Promise<Subject> => {
      const bytes = await compressed(path, 'int8')
      return containerSubject(`${name} int8.whittle`, readContainer(bytes), bytes)
    }
    return [whole, packed].map((make) => {
      let made: Promise<Subject> | undefined
      return () => (made ??= existsSync(path) ? Promise.resolve(make()) : Promise.resolve(instead))
    })
  })
}

/** The file damaged as the random numbers say: half of the time as bytes, half as records. */
export function damage(subject: Subject, random: () => number): Uint8Array {
  if (random() < 0.3) return damageBytes(subject.bytes, random)
  try {
    return subject.damaged(random)
  } catch {
    // records that no writer can write
    return damageBytes(subject.bytes, random)
  }
}

/** A network of convolutions, a normalised and gated middle, shape arithmetic and a classifier; all weights are small. */
function network(): OnnxModel {
  const weights = (name: string, dims: readonly number[], scale = 0.1) => {
    const size = dims.reduce((product, dim) => product * dim, 1)
    return tensorRecord(
      name,
      'float32',
      Array.from({ length: size }, (_, i) => Math.sin(i * 0.7 + dims.length) * scale),
      dims,
    )
  }
  const longs = (name: string, ...values: number[]) => tensorRecord(name, 'int64', values)
  const ones = (name: string, size: number) => tensorRecord(name, 'float32', new Array<number>(size).fill(1))
  return model(
    {
      inputs: [valueInfo('image', 'float32', ['batch', 3, 12, 'width'])],
      outputs: [valueInfo('scores', 'float32', null), valueInfo('pooled', 'float32', null)],
      initializers: [
        ...[
          weights('w1', [8, 3, 3, 3]),
          weights('b1', [8]),
          ones('scale', 8),
          weights('shift', [8]),
          weights('mean', [8]),
        ],
        ...[
          ones('variance', 8),
          weights('w2', [8, 1, 3, 3]),
          weights('w3', [16, 8, 1, 1]),
          weights('w4', [16, 4, 3, 3]),
        ],
        ...[longs('zero', 0), longs('one', 1), longs('rest', -1), longs('axes', 2, 3), longs('repeats', 1, 1, 2, 1)],
        ...[weights('gamma', [16]), weights('beta', [16]), weights('w5', [16, 20]), weights('b5', [20])],
        ...[weights('w6', [20, 16]), longs('pads', 0, 0, 1, 1, 0, 0, 1, 1)],
      ],
      nodes: [
        node('Conv', ['image', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1], strides: [2, 2] }),
        node('BatchNormalization', ['c1', 'scale', 'shift', 'mean', 'variance'], ['n1']),
        node('HardSwish', ['n1'], ['a1']),
        node('Conv', ['a1', 'w2'], ['c2'], { group: 8, pads: [1, 1, 1, 1] }),
        node('Relu', ['c2'], ['a2']),
        node('Add', ['a1', 'a2'], ['s2']),
        node('Conv', ['s2', 'w3'], ['c3']),
        node('Sigmoid', ['c3'], ['g3']),
        node('Mul', ['c3', 'g3'], ['a3']),
        node('Pad', ['a3', 'pads'], ['p3']),
        node('Conv', ['p3', 'w4'], ['c4'], { group: 4 as number }),
        node('MaxPool', ['c4'], ['m4'], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
        node('Tile', ['m4', 'repeats'], ['t4']),
        node('ReduceMean', ['t4', 'axes'], ['pooled'], { keepdims: 1 }),
        node('Shape', ['t4'], ['shape']),
        node('Slice', ['shape', 'zero', 'one'], ['count']),
        node('Concat', ['count', 'rest', 'sixteen'], ['target'], { axis: 0 }),
        node('Constant', [], ['sixteen'], { value: tensorRecord('', 'int64', [16]) }),
        node('Transpose', ['t4'], ['last'], { perm: [0, 2, 3, 1] }),
        node('Reshape', ['last', 'target'], ['rows']),
        node('LayerNormalization', ['rows', 'gamma', 'beta'], ['normal'], { axis: -1 }),
        node('MatMul', ['normal', 'w5'], ['wide']),
        node('Add', ['wide', 'b5'], ['biased']),
        node('Gelu', ['biased'], ['active']),
        node('MatMul', ['active', 'w6'], ['narrow']),
        node('Softmax', ['narrow'], ['scores'], { axis: -1 }),
      ],
    },
    20,
  )
}
