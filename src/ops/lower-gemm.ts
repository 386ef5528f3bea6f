// SPDX-License-Identifier: Apache-2.0
/**
 * Matrix products as steps: the packed layouts of weights (kernels/pack.ts) and the GEMM steps that read them.
 *
 * A weight that is constant is packed once, through `lowering.weight`; one that is computed is packed at run time into
 * scratch by the same steps. Quantised packs keep the column sums behind the panels, 16-byte aligned.
 */
import { type BlockTraits, blocksOf, panelColumns, roundUp } from '../kernels/blocks.ts'
import type { AttributeSpec, Attributes } from './define.ts'
import type { EpilogueArgs } from './epilogue.ts'
import { grainOf } from './grid.ts'
import { shifted } from './lower-elementwise.ts'
import type { HostTraits, Lowering, Ref, StepSpec, WeightLayout } from './lower.ts'

/** A matrix of n columns of depth k as it lies in memory, strides in elements; `batch` of them `batchSrc` apart. */
export interface SourceMatrix {
  readonly n: number
  readonly k: number
  readonly colStride: number
  readonly depthStride: number
  readonly batch?: number
  readonly batchSrc?: number
  /** Bytes: what they are xored with; 128 for uint8 taken as value - 128. */
  readonly flip?: 0 | 128
}

/** A packed layout and where its parts are. */
export interface Packing {
  readonly layout: WeightLayout
  /** Bytes between two batches of panels. */
  readonly batchBytes: number
  /** Byte offset of the int32 column sums; each batch has n rounded up to whole panels of them. */
  readonly sums: number
}

/** Panels, each a part where there is one matrix whose columns lie one behind the other or side by side. */
function packing(
  name: string,
  matrix: SourceMatrix,
  elementBytes: number,
  depth: number,
  sumBytes: number,
  step: (source: Ref, target: Ref, sums: Ref, part: Required<SourceMatrix>, units: number) => StepSpec,
): Packing {
  const { n, k, colStride, depthStride, batch = 1, batchSrc = 0, flip = 0 } = matrix
  const count = Math.ceil(n / panelColumns)
  const panelBytes = panelColumns * depth * elementBytes
  const batchBytes = count * panelBytes
  const sums = roundUp(batch * batchBytes, 16)
  const sideBySide = colStride === 1 && depthStride === n
  const [lines, line] = sideBySide ? [k, 1] : [1, k]
  const parts = { count, shares: [{ lines, bytes: panelColumns * line * elementBytes }] }
  const isOne = batch === 1 && (sideBySide || (colStride === k && depthStride === 1))
  return {
    batchBytes,
    sums,
    layout: {
      key: [name, n, k, colStride, depthStride, batch, batchSrc, flip].join(':'),
      bytes: sums + batch * sumBytes,
      ...(isOne ? { parts } : {}),
      steps(source, target, _, from = 0, to = count) {
        const first = from * panelColumns
        const columns = Math.min(n, to * panelColumns) - first
        const part = { ...matrix, n: columns, depthStride: sideBySide ? columns : depthStride, batch, batchSrc, flip }
        const places = [source, shifted(target, from * panelBytes), shifted(target, sums + first * 4)] as const
        return [step(...places, part, batch * (to - from))]
      },
    },
  }
}

/** float32 panels for gemm_f32 and conv_f32. */
export function packF32(matrix: SourceMatrix): Packing {
  return packing(
    'f32x8',
    matrix,
    4,
    matrix.k,
    0,
    (src, dst, _, { n, k, colStride, depthStride, batch, batchSrc }, units) => ({
      kernel: 'pack_f32_x8',
      units,
      args: {
        src,
        dst,
        n,
        k,
        colStride,
        depthStride,
        batch,
        batchSrc,
        batchDstBytes: roundUp(n, panelColumns) * k * 4,
      },
    }),
  )
}

/** Depth up to which the byte kernels' int32 sums hold any product (kernels/gemm.ts). */
export const mostByteDepth = 65000

/** How a host multiplies bytes: kernels, element size and bias of quantised rows, and the packing they need. */
export interface ByteRecipe {
  readonly gemm: 'gemm_s8_dot' | 'gemm_s8_narrow' | 'gemm_s8_pairs'
  readonly conv: 'conv_s8_dot' | 'conv_s8_narrow' | 'conv_s8_pairs'
  readonly rows: 'quantize_rows_u8' | 'quantize_rows_i16'
  readonly image: 'quantize_image_u8' | 'quantize_image_i16'
  readonly pack: 'pack_s8_x8c4' | 'pack_s8_x8c2'
  /** Depth elements of a packed group; quantised rows are as long as a multiple of it. */
  readonly group: 4 | 2
  /** Bytes of a quantised activation. */
  readonly bytes: 1 | 2
  /** Subtracted from the 0..255 of an activation. */
  readonly bias: 0 | 128
}

const dot = {
  gemm: 'gemm_s8_dot',
  conv: 'conv_s8_dot',
  rows: 'quantize_rows_u8',
  image: 'quantize_image_u8',
  pack: 'pack_s8_x8c4',
  group: 4,
  bytes: 1,
} as const

/** By HostTraits.int8. */
export const byteRecipes: Readonly<Record<HostTraits['int8'], ByteRecipe>> = {
  u8: { ...dot, bias: 0 },
  s8: { ...dot, bias: 128 },
  pairs: {
    gemm: 'gemm_s8_pairs',
    conv: 'conv_s8_pairs',
    rows: 'quantize_rows_i16',
    image: 'quantize_image_i16',
    pack: 'pack_s8_x8c2',
    group: 2,
    bytes: 2,
    bias: 0,
  },
}

/** Depth from which on narrow weights pay: few bytes a row are quantised as slowly as many, 12 took up to 1.7 times as long as pairs. */
const leastNarrowDepth = 16

/**
 * The recipe for constant weights of a node.
 * @param narrow its attribute: they are (kernels/gemm.ts)
 * @param k depth of the product; the recipes give the same integers
 */
export function recipeFor(host: HostTraits, { narrow }: Attributes, k: number): ByteRecipe {
  if (!narrow || !host.narrow || k < leastNarrowDepth) return byteRecipes[host.int8]
  return { ...byteRecipes.u8, gemm: 'gemm_s8_narrow', conv: 'conv_s8_narrow' }
}

/** Attribute of nodes with int8 weights. */
export const narrowAttribute = { narrow: { kind: 'int', default: 0 } } as const satisfies Record<string, AttributeSpec>

/**
 * Rows of x [m, k] quantised, each by itself, to rows of `ldq`, with their params: in places of their own, since whatever is
 * quantised once may serve others (runtime/share-steps.ts).
 */
export function quantizeRows(
  lowering: Pick<Lowering, 'scratch' | 'step'>,
  recipe: Pick<ByteRecipe, 'rows' | 'bytes' | 'bias'>,
  { x, m, k, ldq }: { readonly x: Ref; readonly m: number; readonly k: number; readonly ldq: number },
): { q: Ref; params: Ref } {
  const [q, params] = [lowering.scratch(m * ldq * recipe.bytes), lowering.scratch(m * 8)]
  const args = { x, ldx: k, q, ldq, params, m, k, bias: recipe.bias }
  lowering.step({ kernel: recipe.rows, units: m, grain: grainOf(k), args })
  return { q, params }
}

/** int8 panels with column sums for the byte kernels of `recipe`. */
export function packS8(matrix: SourceMatrix, recipe: Pick<ByteRecipe, 'pack' | 'group'>): Packing {
  const depth = roundUp(matrix.k, recipe.group)
  const sumBytes = roundUp(matrix.n, panelColumns) * 4
  return packing(recipe.pack, matrix, 1, depth, sumBytes, (src, dst, sums, part, units) => ({
    kernel: recipe.pack,
    units,
    args: { src, dst, ...part, batchDstBytes: roundUp(part.n, panelColumns) * depth, sums },
  }))
}

/** Input `index` packed: once when it is constant, else by steps of this run from `source` (its own place where left out). */
export function packedWeight(lowering: Lowering, index: number, { layout }: Packing, source?: Ref): Ref {
  const operand = lowering.input(index)!
  if (operand.constant && source === undefined) return lowering.weight(index, layout)
  const target = lowering.scratch(layout.bytes)
  for (const step of layout.steps(source ?? operand.ref, target)) lowering.step(step)
  return target
}

/** A product of row-major A and packed B, strides in elements. */
export interface GemmCall {
  readonly a: Ref
  readonly lda: number
  readonly batchA?: number
  readonly b: Ref
  /** Bytes between the packed B of two batches; 0: shared. */
  readonly batchBBytes?: number
  readonly c: Ref
  readonly ldc: number
  readonly batchC?: number
  readonly batch?: number
  readonly m: number
  readonly n: number
  readonly k: number
  readonly epilogue: EpilogueArgs
}

/** Emits gemm_f32. With k = 0 the sum is empty and only the epilogue is left. */
export function emitGemm(lowering: Pick<Lowering, 'step' | 'host'>, call: GemmCall): void {
  const { units, args } = gemmWords(lowering, call, { weightBytes: 4 })
  if (units > 0) lowering.step({ kernel: 'gemm_f32', units, args })
}

/** Where the scales and zero points of a quantised product are. */
export interface QuantizedParts {
  /** {f32 scale, i32 zero} records. */
  readonly aParams: Ref
  /** Records between two rows; 0: one for all rows of a batch. */
  readonly aParamsStride: number
  /** Records between two batches. */
  readonly batchParams: number
  /** Null: int32 sums. */
  readonly wScale: Ref | null
  readonly wSum: Ref
}

/** Emits a byte product by the kernel of a recipe. `a` holds rows that were quantised by it, b the panels that it packs. */
export function emitByteGemm(
  lowering: Pick<Lowering, 'step' | 'host'>,
  call: GemmCall,
  parts: QuantizedParts,
  { gemm: kernel }: Pick<ByteRecipe, 'gemm'>,
): void {
  const { units, args } = gemmWords(lowering, call, { weightBytes: 1 })
  if (units > 0) lowering.step({ kernel, units, args: { ...args, ...parts } })
}

/** Units and shared words of a product; `traits` of its kernel and packed weights. */
export function gemmWords(lowering: Pick<Lowering, 'host'>, call: GemmCall, traits: Omit<BlockTraits, 'threads'>) {
  const { m, n, k, batch = 1, epilogue } = call
  const grid = blocksOf({ m, n, k, batch }, { ...traits, threads: lowering.host.threads })
  return {
    units: m === 0 || n === 0 ? 0 : batch * grid.units,
    args: {
      a: call.a,
      lda: call.lda,
      batchA: call.batchA ?? 0,
      b: call.b,
      batchBBytes: call.batchBBytes ?? 0,
      c: call.c,
      ldc: call.ldc,
      batchC: call.batchC ?? 0,
      batch,
      m,
      n,
      k,
      mb: grid.mb,
      nb: grid.nb,
      ...epilogue,
    },
  }
}
