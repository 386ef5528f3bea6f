// SPDX-License-Identifier: Apache-2.0
/** The crossovers of all kinds of sparse weights, with the Wasm builds that this host accepts. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { loadOps } from '../../src/ops/table.ts'
import type { Crossover } from '../harness/results.ts'
import { crossoverOf } from '../pick/crossover.ts'
import { kernelsOf } from '../pick/hosts.ts'
import type { ProductShape } from './operators.ts'

const operators = {
  'float32 rows': 'whittle.SparseGemm',
  'int8 rows': 'whittle.DynamicQuantizeSparseGemm',
  'int8 blocks': 'whittle.BlockSparseGemm',
} as const

/** In this process; takes some seconds a kind. */
export async function crossovers(root: string, { m, k, n }: ProductShape, effort: string): Promise<Crossover[]> {
  const bytesOf = async (build: string) => new Uint8Array(await readFile(path.join(root, `build/wasm/${build}.wasm`)))
  const kernels = await kernelsOf({ relaxed: await bytesOf('relaxed'), simd: await bytesOf('simd') })
  const ops = await loadOps(Object.values(operators))
  const kinds = Object.keys(operators) as (keyof typeof operators)[]
  return kinds.map((kind) => crossoverOf(kind, { m, k, n }, effort, kernels, ops))
}
