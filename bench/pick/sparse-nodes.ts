// SPDX-License-Identifier: Apache-2.0
/** Products with weights of which most are zero, as `compress` makes them, of normal numbers. */
import { randomNormal, seededRandom } from '../../src/base/rng.ts'
import { pruneBlocks, pruneWeights } from '../../src/compress/prune-weights.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import type { NodeSpec } from './stage.ts'

/** How weights are stored. */
export type SparseKind = 'float32 rows' | 'int8 rows' | 'int8 blocks'

/** Kind of weights and share that is zero, as the presets have them. */
export const sparsenesses = {
  'sparse 90': { kind: 'float32 rows', share: 0.9 },
  'sparse int8 90': { kind: 'int8 rows', share: 0.9 },
  'sparse blocks 75': { kind: 'int8 blocks', share: 0.75 },
} as const satisfies Readonly<Record<string, { kind: SparseKind; share: number }>>
export type Sparseness = keyof typeof sparsenesses

/** x [m, k] times weights [n, k], of which a share is zero, with a bias. */
export function sparseNode(
  { m, k, n }: { readonly m: number; readonly k: number; readonly n: number },
  { kind, share }: { readonly kind: SparseKind; readonly share: number },
): NodeSpec {
  const random = seededRandom(n + k)
  const weights = Float32Array.from({ length: n * k }, () => randomNormal(random))
  const constant = ({ type, dims, ...tensor }: Tensor) => ({
    dtype: type,
    dims,
    constant: true,
    tensor: new Tensor(type, tensor.data, dims),
  })
  const places = ({ depths, starts }: { readonly depths: Int32Array; readonly starts: Int32Array }) => [
    constant(new Tensor('int32', depths)),
    constant(new Tensor('int32', starts)),
  ]
  const x = { dtype: 'float32' as const, dims: [m, k], constant: false }
  const perOutput = { dtype: 'float32' as const, dims: [n], constant: true }
  // as narrow as compress makes them: no two add up to more than twice as much
  const codes = (values: ArrayLike<number>, most: number) =>
    Int8Array.from(values, (one) => Math.round((Math.max(-4, Math.min(4, one)) * most) / 4))
  if (kind === 'int8 blocks') {
    const blocks = pruneBlocks(weights, n, share)
    const values = new Tensor('int8', codes(blocks.values, 32), [blocks.depths.length, 8, 8])
    const inputs = [x, constant(values), ...places(blocks), perOutput, perOutput]
    return { op: 'whittle.BlockSparseGemm', attributes: { narrow: 2 }, inputs }
  }
  const rows = pruneWeights(weights, n, share)
  if (kind === 'int8 rows') {
    const inputs = [x, constant(new Tensor('int8', codes(rows.values, 64))), ...places(rows), perOutput, perOutput]
    return { op: 'whittle.DynamicQuantizeSparseGemm', attributes: { narrow: 1 }, inputs }
  }
  const values = new Tensor('float32', rows.values)
  return { op: 'whittle.SparseGemm', attributes: {}, inputs: [x, constant(values), ...places(rows), perOutput] }
}
