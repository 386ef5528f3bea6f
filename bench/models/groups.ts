// SPDX-License-Identifier: Apache-2.0
/**
 * What is measured: groups of cases, each with its contenders. A group runs in a process of its own, since threads of a
 * peer are set per process. A case makes its models when its turn comes.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { compress } from '../../src/compress.ts'
import type { EngineName, Input } from './engines.ts'
import { type ProductForm, type ProductShape, productInput, productModel } from './operators.ts'

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

function productCases(shapes: readonly (readonly [number, number, number])[]): Case[] {
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
        ],
        input: () => ({ data: productInput(shape), dims: [m, k] }),
      }
    })
  })
}

/** The peers on the float32 file, and whittle on what it makes of it. */
function modelEntrants(file: string): Entrant[] {
  const own = (recipe: string): Entrant => ({
    name: `whittle ${recipe}`,
    engine: 'whittle',
    model: async () => (await compress(file, recipe)).model,
  })
  return [
    { name: 'onnxruntime-web', engine: 'onnxruntime-web', model: () => readFile(file) },
    { name: 'onnxruntime-node', engine: 'onnxruntime-node', model: () => readFile(file) },
    own('float32'),
    own('int8'),
  ]
}

/** What demo/ocr.mjs gives. */
interface Recogniser {
  readonly recogniserPath: string
  readLines(): Promise<(Input & { readonly name: string })[]>
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
    cases: () => Promise.resolve(productCases(gemmShapes.slice(-1))),
  },
  { name: 'recogniser', title: 'PP-OCRv4 recogniser', threads: 1, cases: recogniserCases },
  { name: 'recogniser-2-threads', title: 'PP-OCRv4 recogniser, two threads', threads: 2, cases: recogniserCases },
  { name: 'mnist', title: 'MNIST', threads: 1, cases: mnistCases },
]
