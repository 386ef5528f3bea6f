// SPDX-License-Identifier: Apache-2.0
/**
 * Products with sparse weights as steps, in two forms: multiplying by the weights that are there, or by all of them after
 * spreading them into dense panels once (kernels/sparse.ts). Both are written down here for each family of weights, over
 * places that are given, so that a lowering and a trial of it (sparse-choice.ts) do the same.
 */
import { panelColumns, roundUp } from '../kernels/blocks.ts'
import type { EpilogueArgs } from './epilogue.ts'
import { flatGrid } from './grid.ts'
import { shifted } from './lower-elementwise.ts'
import { type ByteRecipe, byteRecipes, emitByteGemm, emitGemm, packS8, quantizeRows, recipeFor } from './lower-gemm.ts'
import type { HostTraits, Lowering, Ref, StepSpec, WeightLayout } from './lower.ts'

/** Outputs and k of a block. */
export const side = 8
/** Rows of x that the kernels of rows take at a time (kernels/sparse.ts). */
export const vectorRows = 32
/** Rows of a unit of spmm_s8_*, of several threads and of one, in whole tiles, and the tile behind its sums in bytes. */
const [blockRows, manyBlockRows, tileRows, tileScratch] = [48, 96, 12, 192]
/** Columns of a unit of several threads; of one, whose epilogue costs more the oftener it begins, at least; multiples of these. */
const [rowColumns, leastRowColumns, lineColumns] = [64, 128, 16]
/** Bytes of the rows of x and of the tile of such a unit: a first-level cache. */
const unitBytes = 32 * 1024
/** Stored blocks of a unit, in bytes: half of that cache. */
const blockBytes = 16 * 1024

/** x [m, k] times weights [n, k], of which `count` values or blocks are there. */
export interface SparseShape {
  readonly m: number
  readonly n: number
  readonly k: number
  readonly count: number
  /** The attribute: 1 where weights are narrow (kernels/gemm.ts), 2 where those of blocks are twice as narrow (kernels/sparse.ts). */
  readonly narrow: number
}

/** What steps are emitted into. */
export type Emitter = Pick<Lowering, 'host' | 'scratch' | 'threadScratch' | 'step'>

export interface SparseOperands {
  readonly x: Ref
  readonly y: Ref
  /** One scale per output where weights are bytes. */
  readonly wScale: Ref | null
  readonly epilogue: EpilogueArgs
}

/** Weights as the sparse kernels follow them. */
export interface SparseWeights {
  /** In the layout of `values`. */
  readonly values: Ref
  /** Clipped, in steps. */
  readonly depths: Ref
  readonly starts: Ref
}

/** Where column sums lie behind packed weights. */
interface SummedLayout {
  readonly layout: WeightLayout
  /** Bytes from the beginning to the column sums; 0 where there are none. */
  readonly sums: number
}

/** A family of weights: how they are stored, and its two forms. */
export interface SparseFamily {
  /** Weights that a value stands for. */
  readonly size: number
  /** Layout of the values; undefined: as they are. */
  values(shape: SparseShape, host: HostTraits): SummedLayout | undefined
  /** Largest of the depths. */
  mostDepth(shape: SparseShape): number
  /** What the sparse kernels count a depth as: bytes of a block of rows, or of a row up to the next one. */
  depthStep(shape: SparseShape, host: HostTraits): number
  sparse(emit: Emitter, shape: SparseShape, operands: SparseOperands, weights: SparseWeights): void
  /** Dense panels; the layout's sources are values, depths and starts as they are. */
  spread(shape: SparseShape, host: HostTraits): SummedLayout
  dense(emit: Emitter, shape: SparseShape, operands: SparseOperands, weights: Ref): void
}

/** Indices with nothing above `most` or below 0 among them, where a damaged file may not lead kernels to, in steps of `times`. */
export function clippedLayout(size: number, most: number, times: number): WeightLayout {
  const { block, units } = flatGrid(size)
  return {
    key: ['clip', size, most, times].join(':'),
    bytes: size * 4,
    parts: { count: units, shares: [{ lines: 1, bytes: block * 4 }] },
    steps(src, target, _, from = 0, to = units) {
      const [first, end] = [from * block, Math.min(size, to * block)]
      const args = { src, dst: shifted(target, first * 4), size: end - first, block, most, times }
      return [{ kernel: 'clip_u32', units: to - from, args }]
    },
  }
}

/** Emits a product of rows; elements of `a` have `width` bytes. */
function emitRows(
  emit: Emitter,
  kernel: 'spmm_f32' | 'spmm_rows_s8_dot' | 'spmm_rows_s8_pairs',
  a: Ref,
  width: 1 | 2 | 4,
  { m, n, k }: SparseShape,
  { y, epilogue }: SparseOperands,
  weights: SparseWeights,
  scales: { readonly aParams: Ref; readonly wScale: Ref } | null,
): void {
  const { threads } = emit.host
  const fitting = Math.max(leastRowColumns, (unitBytes / vectorRows - k * width) / 4)
  const parts = Math.ceil(n / (threads > 1 ? rowColumns : fitting))
  const nb = roundUp(n / parts, lineColumns)
  const [across, down] = [Math.ceil(n / nb), Math.ceil(m / vectorRows)]
  const scratchBytes = roundUp(vectorRows * (k + 1) * width + 2048 + 132 * nb, 64)
  // each grain transposes the rows it multiplies
  const grain = Math.min(across, Math.ceil((across * down) / (2 * threads)))
  const scratch = emit.threadScratch(scratchBytes)
  const args = { a, ...weights, c: y, ldc: n, m, n, k, nb, scratch, scratchBytes, ...scales, ...epilogue }
  emit.step({ kernel, units: across * down, grain, args } as StepSpec)
}

/** How all weights are multiplied; those of compressed rows are not narrow to each other. */
export function recipeOf({ narrow, k }: SparseShape, host: HostTraits): ByteRecipe {
  return recipeFor(host, { narrow }, k)
}

/** How blocks are multiplied: by the kernel of narrow ones where they are twice as narrow as all weights have to be for it, else by the dot. */
function blockRecipe(shape: SparseShape, host: HostTraits): ByteRecipe {
  const recipe = recipeOf(shape, host)
  return shape.narrow === 1 && recipe.gemm === 'gemm_s8_narrow' ? byteRecipes.u8 : recipe
}

function denseBytes(emit: Emitter, shape: SparseShape, operands: SparseOperands, b: Ref, sums: number) {
  const { m, n, k } = shape
  const recipe = recipeOf(shape, emit.host)
  const ldq = roundUp(k, recipe.group)
  const { q, params: aParams } = quantizeRows(emit, recipe, { x: operands.x, m, k, ldq })
  const call = { a: q, lda: ldq, b, c: operands.y, ldc: n, m, n, k, epilogue: operands.epilogue }
  const parts = { aParams, aParamsStride: 1, batchParams: 0, wScale: operands.wScale!, wSum: shifted(b, sums) }
  emitByteGemm(emit, call, parts, recipe)
}

/** Panels with column sums from values, depths and starts. */
function spreadBytes(
  kernel: 'spread_rows_s8' | 'spread_blocks_s8',
  shape: SparseShape,
  host: HostTraits,
): SummedLayout {
  const { n, k, count } = shape
  const { group } = recipeOf(shape, host)
  const columns = roundUp(n, panelColumns)
  const sums = roundUp(columns * roundUp(k, group), 16)
  const steps = (values: Ref, dst: Ref, [depths, starts]: readonly Ref[] = []): StepSpec[] => [
    {
      kernel,
      units: columns / panelColumns,
      args: { values, depths, starts, dst, n, k, count, group, sums: shifted(dst, sums) },
    },
  ]
  return { sums, layout: { key: [kernel, group, n, k, count].join(':'), bytes: sums + columns * 4, steps } }
}

const rows: SparseFamily = {
  size: 1,
  values: () => undefined,
  mostDepth: ({ k }) => k - 1,
  depthStep: () => vectorRows * 4,
  sparse(emit, shape, operands, weights) {
    emitRows(emit, 'spmm_f32', operands.x, 4, shape, operands, weights, null)
  },
  spread({ n, k, count }) {
    const columns = roundUp(n, panelColumns)
    const units = columns / panelColumns
    const steps = (values: Ref, dst: Ref, [depths, starts]: readonly Ref[] = []): StepSpec[] => [
      { kernel: 'spread_rows_f32', units, args: { values, depths, starts, dst, n, k, count } },
    ]
    return { sums: 0, layout: { key: ['spread', n, k, count].join(':'), bytes: columns * k * 4, steps } }
  },
  dense(emit, { m, n, k }, { x, y, epilogue }, b) {
    emitGemm(emit, { a: x, lda: k, b, c: y, ldc: n, m, n, k, epilogue })
  },
}

const byteRows: SparseFamily = {
  size: 1,
  values({ count }, host) {
    if (host.int8 !== 'pairs') return undefined
    const { block, units } = flatGrid(count)
    const args = { size: count, block }
    const steps = (src: Ref, dst: Ref): StepSpec[] => [{ kernel: 'widen_s8', units, args: { src, dst, ...args } }]
    return { sums: 0, layout: { key: `wide:${count}`, bytes: 2 * count, steps } }
  },
  mostDepth: ({ k }) => k - 1,
  depthStep: (_, host) => vectorRows * byteRecipes[host.int8].bytes,
  sparse(emit, shape, operands, weights) {
    const recipe = byteRecipes[emit.host.int8]
    const { bytes } = recipe
    const { m, k } = shape
    const { q, params: aParams } = quantizeRows(emit, recipe, { x: operands.x, m, k, ldq: k })
    const kernel = bytes === 1 ? 'spmm_rows_s8_dot' : 'spmm_rows_s8_pairs'
    emitRows(emit, kernel, q, bytes, shape, operands, weights, { aParams, wScale: operands.wScale! })
  },
  spread: (shape, host) => spreadBytes('spread_rows_s8', shape, host),
  dense(emit, shape, operands, b) {
    denseBytes(emit, shape, operands, b, byteRows.spread(shape, emit.host).sums)
  },
}

/** By the kernel of a dense product. */
const blockKernels = {
  gemm_s8_dot: 'spmm_s8_dot',
  gemm_s8_narrow: 'spmm_s8_narrow',
  gemm_s8_pairs: 'spmm_s8_pairs',
} as const

const byteBlocks: SparseFamily = {
  size: side * side,
  values(shape, host) {
    // blocks one behind the other are columns of `side` k
    const all = { n: side * shape.count, k: side, colStride: side, depthStride: 1 }
    return packS8(all, blockRecipe(shape, host))
  },
  mostDepth: ({ k }) => Math.ceil(k / side) - 1,
  depthStep: (shape, host) => side * blockRecipe(shape, host).bytes,
  /** k is a multiple of 8 here. */
  sparse(emit, shape, operands, { values, depths, starts }) {
    const { m, n, k, count } = shape
    const recipe = blockRecipe(shape, emit.host)
    const { q, params: aParams } = quantizeRows(emit, recipe, { x: operands.x, m, k, ldq: k })
    const perColumn = Math.max(1, (count * side * side) / n)
    const fitting = Math.floor(blockBytes / perColumn / panelColumns) * panelColumns
    // blocks that are used once gain nothing by staying
    const alone = emit.host.threads === 1
    const most = alone && m < 4 ? n : Math.max(32, Math.min(256, fitting))
    const nb = Math.min(roundUp(n, panelColumns), roundUp(most, panelColumns))
    const parts = Math.max(1, Math.round(m / manyBlockRows))
    const mb = alone ? roundUp(m / parts, tileRows) : blockRows
    const scratchBytes = 4 * nb + tileScratch
    const sums = shifted(values, byteBlocks.values(shape, emit.host)!.sums)
    const args = {
      a: q,
      lda: k,
      b: values,
      depths,
      starts,
      sums,
      c: operands.y,
      ldc: n,
      m,
      n,
      mb,
      nb,
      aParams,
      wScale: operands.wScale!,
      scratch: emit.threadScratch(scratchBytes),
      scratchBytes,
      ...operands.epilogue,
    }
    emit.step({ kernel: blockKernels[recipe.gemm], units: Math.ceil(m / mb) * Math.ceil(n / nb), args })
  },
  spread: (shape, host) => spreadBytes('spread_blocks_s8', shape, host),
  dense(emit, shape, operands, b) {
    denseBytes(emit, shape, operands, b, byteBlocks.spread(shape, emit.host).sums)
  },
}

/** By name. */
export const families = { rows, byteRows, byteBlocks } as const
export type FamilyName = keyof typeof families
