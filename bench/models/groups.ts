// SPDX-License-Identifier: Apache-2.0
/**
 * What is measured: groups of cases, each with its contenders. A group runs in a process of its own, since threads of a
 * peer are set per process. A case makes its models when its turn comes.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Recipe, compress } from '../../src/compress.ts'
import type { Tensor } from '../../src/index.ts'
import { ocrModel } from '../../test/models/data.ts'
import { angleInput, angles, readLines } from '../../test/models/lines.ts'
import { sentenceFeeds, sentencePairs, sentences } from '../../test/models/sentences.ts'
import { speech, speechClip, speechFeeds } from '../../test/models/speech.ts'
import type { Task } from '../../test/models/task.ts'
import { missing } from '../../test/models/tasks.ts'
import type { Crossover } from '../harness/results.ts'
import { crossovers } from './crossovers.ts'
import type { EngineName } from './engines.ts'
import type { Input, NamedInput } from './open.ts'
import {
  type ProductForm,
  type ProductShape,
  type TransposedShape,
  productInput,
  productModel,
  transposedModel,
} from './operators.ts'

export interface Entrant {
  readonly name: string
  readonly engine: EngineName
  model(): Promise<Uint8Array> | Uint8Array
}

export interface Case {
  readonly name: string
  readonly macs: number | null
  readonly entrants: readonly Entrant[]
  input(): Promise<Input> | Input
}

export interface Group {
  readonly name: string
  readonly title: string
  readonly threads: number
  cases(root: string): Promise<readonly Case[]>
  /** Measured in this process, never in a page. */
  crossovers?(root: string, effort: string): Promise<readonly Crossover[]>
}

/** [m, k, n] as the figures of the project name them: m x k x n. */
const gemmShapes = [
  [128, 384, 1536],
  [128, 1536, 384],
  [256, 512, 512],
  [1024, 1024, 1024],
] as const
const gemvShapes = [
  [1, 2048, 2048],
  [1, 576, 1536],
] as const

/** Operators of the peers, and the recipe that brings a float32 product to the same weights here. */
const products: readonly { readonly precision: string; readonly form: ProductForm; readonly recipe: string }[] = [
  { precision: 'float32', form: 'MatMul', recipe: 'float32' },
  { precision: 'int8', form: 'DynamicQuantizeMatMul', recipe: 'int8' },
  { precision: 'int4', form: 'MatMulNBits', recipe: 'int4' },
]

/** @param alone whether whittle is there on one thread, too, beside more */
function productCases(shapes: readonly (readonly [number, number, number])[], alone = false): Case[] {
  return shapes.flatMap(([m, k, n]) => {
    const shape: ProductShape = { m, k, n }
    return products.map(({ precision, form, recipe }): Case => {
      const peer = (): Uint8Array => productModel(form, shape)
      const own = async (): Promise<Uint8Array> => (await compress(productModel('MatMul', shape), recipe)).model
      return {
        name: `${precision} ${m}x${k}x${n}`,
        macs: m * k * n,
        entrants: [
          { name: 'onnxruntime-web', engine: 'onnxruntime-web', model: peer },
          { name: 'onnxruntime-node', engine: 'onnxruntime-node', model: peer },
          { name: 'whittle', engine: 'whittle', model: own },
          ...(alone ? [{ name: 'whittle alone', engine: 'whittle on one thread', model: own } as const] : []),
        ],
        input: () => ({ data: productInput(shape), dims: [m, k] }),
      }
    })
  })
}

const sparseShape: ProductShape = { m: 128, k: 1024, n: 1024 }

/** Sparse weights by how they are stored, with the shares of zeros at which they are measured. */
const sparseKinds = [
  { name: 'float32 rows', weights: 'float32', kind: 'unstructured', zeros: [50, 70, 90] },
  { name: 'int8 rows', weights: 'int8', kind: 'unstructured', zeros: [50, 70, 90] },
  { name: 'int8 blocks', weights: 'int8', kind: 'block', zeros: [30, 50, 75] },
] as const

/** Beside the dense product with weights of the same type. */
function sparseCases({ m, k, n }: ProductShape): Case[] {
  const shape = { m, k, n }
  const whittle = (recipe: string | Recipe) => async (): Promise<Uint8Array> =>
    (await compress(productModel('MatMul', shape), recipe)).model
  return sparseKinds.flatMap(({ name, weights, kind, zeros }) =>
    zeros.map((share): Case => ({
      name: `${name}, ${share} % zeros, ${m}x${k}x${n}`,
      macs: null,
      entrants: [
        { name: 'onnxruntime-web', engine: 'onnxruntime-web', model: () => productModel('MatMul', shape) },
        { name: 'whittle dense', engine: 'whittle', model: whittle({ weights, block: 'channel' }) },
        {
          name: 'whittle',
          engine: 'whittle',
          model: whittle({ weights, sparse: { kind, sparsity: share / 100 } }),
        },
      ],
      input: () => ({ data: productInput(shape), dims: [m, k] }),
    })),
  )
}

/** As U-Nets, generators and Keras's decoders have them. */
const transposedShapes: readonly TransposedShape[] = [
  { inputs: 128, size: 64, outputs: 64, kernel: 2, stride: 2 },
  { inputs: 256, size: 32, outputs: 128, kernel: 4, stride: 2 },
  { inputs: 64, size: 64, outputs: 32, kernel: 3, stride: 2 },
]

const transposedCases: readonly Case[] = transposedShapes.map((shape) => {
  const { inputs, size, outputs, kernel, stride } = shape
  return {
    name: `${inputs}x${size}x${size} to ${outputs}, ${kernel}x${kernel}, stride ${stride}`,
    macs: size * size * inputs * outputs * kernel * kernel,
    entrants: modelEntrants(() => transposedModel(shape)),
    input: () => ({
      data: productInput({ m: size * size, k: inputs, n: outputs }),
      dims: [1, inputs, size, size],
    }),
  }
})

/** The peers on the float32 model, and whittle on what it makes of it. */
function modelEntrants(source: string | (() => Uint8Array)): Entrant[] {
  const bytes = typeof source === 'string' ? () => readFile(source) : source
  const own = (recipe: string): Entrant => ({
    name: `whittle ${recipe}`,
    engine: 'whittle',
    model: async () => (await compress(await bytes(), recipe)).model,
  })
  return [
    { name: 'onnxruntime-web', engine: 'onnxruntime-web', model: bytes },
    { name: 'onnxruntime-node', engine: 'onnxruntime-node', model: bytes },
    own('float32'),
    own('int8'),
  ]
}

/** What demo/ocr.mjs gives. */
interface Recogniser {
  readonly recogniserPath: string
  readLines(): Promise<{ readonly name: string; readonly data: Float32Array; readonly dims: readonly number[] }[]>
}

async function recogniserCases(root: string): Promise<Case[]> {
  const demo = (await import(pathToFileURL(path.join(root, 'demo/ocr.mjs')).href)) as Recogniser
  const lines = await demo.readLines()
  const chosen = [lines.find(({ dims }) => dims[3] === 320)!, lines[lines.length - 1]]
  return chosen.map((line) => ({
    name: `48x${line.dims[3]}`,
    macs: null,
    entrants: modelEntrants(demo.recogniserPath),
    input: () => line,
  }))
}

/** Real models of the shared data, each on an input of its task. */
function realCases(
  name: string,
  task: Task,
  inputs: () => readonly (readonly [string, Record<string, Tensor>])[],
  back: Readonly<Record<string, string>> = {},
) {
  return (): Promise<Case[]> => {
    const skip = missing(task)
    if (skip !== undefined) {
      console.error(`${name}: skipped, ${skip} is not there`)
      return Promise.resolve([])
    }
    const cases = inputs().map(([title, feeds]): Case => ({
      name: title,
      macs: null,
      entrants: modelEntrants(task.model()),
      input: () => ({ feeds: feeds as Record<string, NamedInput>, back }),
    }))
    return Promise.resolve(cases)
  }
}

/** The shortest, a common and the longest sentence. */
function sentenceInputs() {
  const lengths = sentencePairs().map(({ a }) => a)
  const sorted = [...lengths].sort((p, q) => p.length - q.length)
  return [sorted[0], sorted[sorted.length >> 1], sorted[sorted.length - 1]].map(
    (ids) => [`${ids.length} tokens`, sentenceFeeds(ids)] as const,
  )
}

function angleInputs() {
  const { items, rgb } = readLines()
  return [['48x192', { x: angleInput(rgb, items[0], false) }] as const]
}

/** The detector on a page of lines, one below the other. */
function detectorCases(): Promise<Case[]> {
  const dims = [1, 3, 320, 320]
  const data = Float32Array.from({ length: 3 * 320 * 320 }, (_, i) => {
    const [y, x] = [Math.floor(i / 320) % 320, i % 320]
    return y % 40 > 10 && y % 40 < 28 && (x * 7 + y * 3) % 23 < 7 ? -1.5 : 1.8
  })
  const file = ocrModel('ch_PP-OCRv4_det_infer.onnx')
  return Promise.resolve([
    { name: '320x320', macs: null, entrants: modelEntrants(file), input: () => ({ data, dims }) },
  ])
}

function mnistCases(root: string): Promise<Case[]> {
  const file = path.join(process.env.WHITTLE_DATA ?? path.join(root, '../shared'), 'models/mnist/opt-mnist.onnx')
  if (!existsSync(file)) {
    console.error(`mnist: skipped, ${file} is not there`)
    return Promise.resolve([])
  }
  const input = (): Input => ({
    data: new Float32Array(784).map((_, i) => ((i * 37) % 256) / 255),
    dims: [1, 1, 28, 28],
  })
  return Promise.resolve([{ name: '28x28', macs: null, entrants: modelEntrants(file), input }])
}

/** All groups, in the order of the report. */
export const groups: readonly Group[] = [
  { name: 'gemm', title: 'Matrix products', threads: 1, cases: () => Promise.resolve(productCases(gemmShapes)) },
  { name: 'gemv', title: 'Matrix times vector', threads: 1, cases: () => Promise.resolve(productCases(gemvShapes)) },
  {
    name: 'gemm-2-threads',
    title: 'Matrix products, two threads',
    threads: 2,
    cases: () => Promise.resolve(productCases(gemmShapes.slice(-1), true)),
  },
  { name: 'recogniser', title: 'PP-OCRv4 recogniser', threads: 1, cases: recogniserCases },
  { name: 'recogniser-2-threads', title: 'PP-OCRv4 recogniser, two threads', threads: 2, cases: recogniserCases },
  {
    name: 'sparse',
    title: 'Sparse matrix products',
    threads: 1,
    cases: () => Promise.resolve(sparseCases(sparseShape)),
    crossovers: (root, effort) => crossovers(root, sparseShape, effort),
  },
  {
    name: 'transposed',
    title: 'Transposed convolutions',
    threads: 1,
    cases: () => Promise.resolve(transposedCases),
  },
  { name: 'mnist', title: 'MNIST', threads: 1, cases: mnistCases },
  {
    name: 'use-lite',
    title: 'Universal Sentence Encoder Lite',
    threads: 1,
    cases: realCases('use-lite', sentences, sentenceInputs),
  },
  {
    name: 'vad',
    title: 'Silero voice activity',
    threads: 1,
    cases: realCases('vad', speech, () => [['a frame', speechFeeds(speechClip('01'), 16384)]], { stateN: 'state' }),
  },
  { name: 'angle', title: 'PP-OCR angle classifier', threads: 1, cases: realCases('angle', angles, angleInputs) },
  { name: 'detector', title: 'PP-OCRv4 detector', threads: 1, cases: detectorCases },
]
