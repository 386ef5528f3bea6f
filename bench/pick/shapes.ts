// SPDX-License-Identifier: Apache-2.0
/** The product shapes of real models: `bench/shapes/*.txt`, a line per shape, words `name=value`; # begins a comment. */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

/** batch products of m x k and k x n. */
export interface GemmShape {
  readonly kind: 'gemm'
  readonly batch: number
  readonly m: number
  readonly k: number
  readonly n: number
}

/** Channels last; `group` as in ONNX. */
export interface ConvShape {
  readonly kind: 'conv'
  readonly images: number
  readonly input: readonly [h: number, w: number, channels: number]
  readonly output: readonly [h: number, w: number, channels: number]
  readonly group: number
  readonly kernel: readonly [number, number]
  readonly stride: readonly [number, number]
  /** Top and left. */
  readonly pad: readonly [number, number]
  readonly dilation: readonly [number, number]
}

export type Shape = GemmShape | ConvShape

export interface NamedShape {
  /** The line without its count. */
  readonly name: string
  /** Models that have it. */
  readonly models: readonly string[]
  readonly shape: Shape
}

/** All shapes below `folder`, each once. */
export function readShapes(folder: string): NamedShape[] {
  const found = new Map<string, NamedShape>()
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort()) {
    const model = path.basename(file, '.txt')
    for (const line of readFileSync(path.join(folder, file), 'utf8').split('\n')) {
      if (line === '' || line.startsWith('#')) continue
      const name = line.replace(/ count=\d+$/, '')
      const models = [...(found.get(name)?.models ?? []), model]
      found.set(name, { name, models, shape: shapeOf(name) })
    }
  }
  return [...found.values()]
}

function shapeOf(line: string): Shape {
  const [kind, ...words] = line.split(' ')
  const values = new Map(words.map((word) => word.split('=') as [string, string]))
  const list = (name: string): number[] => (values.get(name) ?? '').split('x').map(Number)
  const one = (name: string): number => list(name)[0]
  if (kind === 'gemm') return { kind, batch: one('batch'), m: one('m'), k: one('k'), n: one('n') }
  if (kind !== 'conv') throw new Error(`shapes: expected gemm or conv, got ${line}`)
  const pair = (name: string) => list(name) as [number, number]
  const triple = (name: string) => list(name) as [number, number, number]
  return {
    kind,
    images: one('images'),
    input: triple('in'),
    output: triple('out'),
    group: one('group'),
    kernel: pair('kernel'),
    stride: pair('stride'),
    pad: pair('pad'),
    dilation: pair('dilation'),
  }
}
