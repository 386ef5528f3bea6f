// SPDX-License-Identifier: Apache-2.0
/**
 * Products with quantised rows and weights that have a scale per block of K, as steps: int8 or 4-bit weights, with or
 * without zero points. Rows are quantised on the fly as for one scale per output. Weights, their scales and their zero points are
 * packed together, since what the zeros of rows take off is made of all three (kernels/gemm.ts).
 */
import { panelColumns, roundUp } from '../kernels/blocks.ts'
import type { EpilogueArgs } from './epilogue.ts'
import { grainOf } from './grid.ts'
import { shifted } from './lower-elementwise.ts'
import {
  type ByteRecipe,
  type Packing,
  byteRecipes,
  gemmWords,
  packF32,
  packS8,
  packedWeight,
  quantizeRows,
} from './lower-gemm.ts'
import type { Lowering, Ref, StepSpec, WeightLayout } from './lower.ts'

/** Sizes of a block of K that may have a scale of its own: sums over one fit int16 (kernels/gemm.ts). */
export const blockSizes: readonly number[] = [32, 64, 128]

/** What products of quantised rows and weights in blocks promise of some hundred k: hosts with int16 pairs round weights (kernels/gemm.ts). */
export const blockNumerics = { relative: 1e-5, absolute: 1e-5, ofLargest: 2e-4 } as const

/** Rows from which on those hosts fold the scales of blocks into the weights (assembly/gemm/folded.ts). */
const foldedRows = 16
/** Bytes of a thread's scratch for a tile of 6 x 8 float32, which begins with 32, or of 4 x 8 and as many int32. */
const shareTileBytes = 256
/** The same for 2 x 16 float32 and 16 more, before two panels of int16 (assembly/gemm/folded.ts). */
const foldedTileBytes = 128 + 64
/** Widened panels of gemm_s4_scaled_short. */
const shortPanelBytes = 16384

const dot = { s8: 'gemm_s8_scaled_dot', s4: 'gemm_s4_scaled_dot', pack: 'pack_s4_x8c4', sums: 'row_sums_u8' } as const
/** By HostTraits.int8, and for HostTraits.int4. */
const kernels = {
  dot,
  pairs: { s8: 'gemm_s8_scaled_pairs', s4: 'gemm_s4_scaled_pairs', pack: 'pack_s4_x8c2', sums: 'row_sums_i16' },
  short: { ...dot, s4: 'gemm_s4_scaled_short' },
} as const

/** Where the weights of a product in blocks are, and how they lie there. */
export interface BlockWeights {
  /** Inputs of the node: w, its scales [n, ceil(k / block)] float32, its zero points or null. */
  readonly inputs: readonly [w: number, scale: number, zero: number | null]
  readonly bits: 4 | 8
  readonly block: number
  /** 8 bits: what they are multiplied with. */
  readonly recipe?: ByteRecipe
  /** 4 bits: elements between two rows of w, and of the zero points. */
  readonly rowStride?: number
  readonly zeroStride?: number
  /** 4 bits: stored in two's complement, without zero points; else 0..15 with a zero point, 8 where there are none. */
  readonly signed?: boolean
}

interface Shape {
  readonly m: number
  readonly n: number
  readonly k: number
}

/** Emits y = x * w, x float32 rows at input 0, y the output 0. m, n and k are not 0. */
export function emitBlockGemm(
  lowering: Lowering,
  { m, n, k }: Shape,
  weights: BlockWeights,
  epilogue: EpilogueArgs,
): void {
  const { inputs, bits, block } = weights
  const isShort = bits === 4 && lowering.host.int4 === 'short'
  const recipe = isShort ? byteRecipes.u8 : (weights.recipe ?? byteRecipes[lowering.host.int8])
  const isPairs = recipe.group === 2
  const isNarrow = bits === 8 && recipe.gemm === 'gemm_s8_narrow'
  const names = isShort ? kernels.short : kernels[isPairs ? 'pairs' : 'dot']
  const panels =
    bits === 8
      ? packS8({ n, k, colStride: k, depthStride: 1 }, recipe)
      : packHalves(n, k, weights, names.pack, recipe.group)
  const ldq = roundUp(k, bits === 8 ? recipe.group : 2 * recipe.group)
  const { q, params } = quantizeRows(lowering, recipe, { x: lowering.input(0)!.ref, m, k, ldq })
  const folds = isPairs && m >= foldedRows
  const rowSums =
    bits === 8 || folds || (isShort && inputs[2] === null)
      ? null
      : sumRows(lowering, names.sums, { m, k }, block, { q, ldq, bias: recipe.bias })
  const panel = panelColumns * ldq
  const scratchBytes = isPairs
    ? foldedTileBytes + 2 * panelColumns * roundUp(k, 2) * 2
    : isShort
      ? roundUp(shareTileBytes + panel * Math.max(1, Math.floor(shortPanelBytes / panel)) + k / 4 + 8, 16)
      : shareTileBytes + (bits === 4 ? panel : 0)
  const scratch = lowering.threadScratch(scratchBytes)
  const { b, ...packed } = packedBlocks(lowering, n, k, weights, panels, isShort || isNarrow)
  const call = { a: q, lda: ldq, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue }
  const { units, args } = gemmWords(lowering, call, {
    weightBytes: bits / 8,
    widens: bits === 4 || folds ? recipe.bytes : 0,
  })
  const parts = { aParams: params, rowSums, ...packed, block, scratch, scratchBytes }
  const kernel = bits === 4 ? names.s4 : isNarrow ? 'gemm_s8_scaled_narrow' : names.s8
  lowering.step({ kernel, units, args: { ...args, ...parts } })
}

/** The sums over blocks of quantised rows. */
function sumRows(
  lowering: Lowering,
  kernel: 'row_sums_u8' | 'row_sums_i16',
  { m, k }: Pick<Shape, 'm' | 'k'>,
  block: number,
  rows: { readonly q: Ref; readonly ldq: number; readonly bias: number },
): Ref {
  const sums = lowering.scratch(m * Math.ceil(k / block) * 4)
  lowering.step({ kernel, units: m, grain: grainOf(k), args: { ...rows, sums, k, block } })
  return sums
}

/**
 * The same with x as it is: only weights are quantised. int8 weights may have one scale per output: block 0, scales [n].
 */
export function emitWeightOnlyGemm(
  lowering: Lowering,
  { m, n, k }: Shape,
  weights: BlockWeights,
  epilogue: EpilogueArgs,
): void {
  const { inputs, bits } = weights
  // The panels are those of the dot on every host.
  const { group } = byteRecipes.u8
  const block = weights.block || roundUp(k, group)
  const blocks = Math.ceil(k / block)
  const packing =
    bits === 8
      ? packS8({ n, k, colStride: k, depthStride: 1 }, byteRecipes.u8)
      : packHalves(n, k, weights, kernels.dot.pack, group)
  const b = packedWeight(lowering, inputs[0], packing)
  const wScale = packedWeight(lowering, inputs[1], packF32({ n, k: blocks, colStride: blocks, depthStride: 1 }))
  const wZeros = inputs[2] === null ? null : packedWeight(lowering, inputs[2], packZeros(n, blocks, weights))
  const scratchBytes = 64 + 2 * panelColumns * roundUp(k, 2 * group) * 4
  const scratch = lowering.threadScratch(scratchBytes)
  const call = { a: lowering.input(0)!.ref, lda: k, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue }
  const { units, args } = gemmWords(lowering, call, { weightBytes: 4, widens: 4 })
  const parts = { aParams: null, rowSums: null, wScale, wSum: null, wZeros, block, scratch, scratchBytes }
  const kernel = bits === 8 ? 'gemm_s8_scaled_f32' : 'gemm_s4_scaled_f32'
  lowering.step({ kernel, units, args: { ...args, ...parts } })
}

/** The weights with all that belongs to them, each in its argument: panels, sums of columns, scales or shares, zero points. */
function packedBlocks(
  lowering: Lowering,
  n: number,
  k: number,
  weights: BlockWeights,
  panels: Packing,
  shares: boolean,
): { b: Ref; wSum: Ref } & Record<'wScale' | 'wZeros' | 'wShares' | 'wUnits', Ref | null> {
  const { inputs, bits, block, rowStride = k, zeroStride = Math.ceil(k / block), signed = false } = weights
  const blocks = Math.ceil(k / block)
  const count = Math.ceil(n / panelColumns)
  const scales = packF32({ n, k: blocks, colStride: blocks, depthStride: 1 }).layout
  const zeros = inputs[2] === null ? null : packZeros(n, blocks, weights).layout
  // places one after the other, and bytes of a panel in each
  let bytes = panels.sums
  const place = (panelBytes: number) => {
    const at = bytes
    bytes = roundUp(at + count * panelBytes, 16)
    return (target: Ref, from = 0): Ref => shifted(target, at + from * panelBytes)
  }
  const line = panelColumns * 4
  const half = shares ? 2 : 1
  const wSum = place(line)
  const wScale = shares && bits === 4 ? null : place(blocks * line)
  const wZeros = zeros && place((blocks * line) / half)
  const wShares = shares ? place((blocks * line) / 2) : null
  const wUnits = shares ? place(line) : null
  const layout: WeightLayout = {
    key: [panels.layout.key, block, scales.key, zeros?.key, shares].join('|'),
    bytes,
    parts: { count, shares: [panels.layout, scales, zeros].flatMap((one) => one?.parts?.shares ?? []) },
    steps(src, target, [scaleSrc, zeroSrc = null] = [], from = 0, to = count) {
      const part = [[], from, to] as const
      const partOf = (place: typeof wScale) => place && place(target, from)
      const args = {
        src,
        scales: scaleSrc,
        sums: wSum(target, from),
        dst: partOf(wScale),
        shares: partOf(wShares),
        units: partOf(wUnits),
        n: Math.min(n, to * panelColumns) - from * panelColumns,
        k,
        block,
        colStride: rowStride,
      }
      const halves = { flip: flipOf(signed), zeros: zeroSrc, zeroStride, words: partOf(wZeros) }
      return [
        ...panels.layout.steps(src, target, ...part),
        bits === 8
          ? { kernel: 'block_sums_s8', units: to - from, args }
          : { kernel: 'block_sums_s4', units: to - from, args: { ...args, ...halves } },
        ...(zeros && !shares ? zeros.steps(zeroSrc!, wZeros!(target), ...part) : []),
      ]
    },
  }
  const b = packedTogether(
    lowering,
    inputs.filter((input) => input !== null),
    layout,
  )
  const of = (place: typeof wScale) => place && place(b)
  return { b, wSum: wSum(b), wScale: of(wScale), wZeros: of(wZeros), wShares: of(wShares), wUnits: of(wUnits) }
}

/** Inputs packed as one weight: once where all are constant. */
function packedTogether(lowering: Lowering, [first, ...beside]: readonly number[], layout: WeightLayout): Ref {
  const operands = [first, ...beside].map((input) => lowering.input(input)!)
  if (operands.every(({ constant }) => constant)) return lowering.weight(first, layout, beside)
  const target = lowering.scratch(layout.bytes)
  const [source, ...others] = operands.map(({ ref }) => ref)
  for (const step of layout.steps(source, target, others)) lowering.step(step)
  return target
}

/** What stored halves are xored with. */
function flipOf(signed: boolean): number {
  return signed ? 8 : 0
}

/** Panels of 4-bit weights; `group` is that of the int8 layout. Column sums may lie behind them. */
function packHalves(
  n: number,
  k: number,
  { rowStride = k, signed = false }: BlockWeights,
  kernel: 'pack_s4_x8c4' | 'pack_s4_x8c2',
  group: number,
): Packing {
  const panelBytes = (panelColumns * roundUp(k, 2 * group)) / 2
  const sums = roundUp(Math.ceil(n / panelColumns) * panelBytes, 16)
  const flip = flipOf(signed)
  const key = [kernel, n, k, rowStride, flip].join(':')
  return halfPanels(key, n, rowStride, panelBytes, sums, (src, dst, columns, units) => {
    return { kernel, units, args: { src, dst, n: columns, k, colStride: rowStride, flip } }
  })
}

/** Zero points of 4-bit weights. */
function packZeros(n: number, blocks: number, { zeroStride = blocks }: BlockWeights): Packing {
  const panelBytes = blocks * panelColumns * 4
  const key = ['zeros4', n, blocks, zeroStride].join(':')
  return halfPanels(key, n, zeroStride, panelBytes, 0, (src, dst, columns, units) => {
    return { kernel: 'pack_zeros_s4', units, args: { src, dst, n: columns, blocks, colStride: zeroStride } }
  })
}

/** Panels of rows of halves of bytes, which are `rowStride` halves apart; no bytes: as many as the panels have. */
function halfPanels(
  key: string,
  n: number,
  rowStride: number,
  panelBytes: number,
  bytes: number,
  step: (src: Ref, dst: Ref, columns: number, units: number) => StepSpec,
): Packing {
  const count = Math.ceil(n / panelColumns)
  const layout: WeightLayout = {
    key,
    bytes: bytes || count * panelBytes,
    parts: { count, shares: [{ lines: 1, bytes: (panelColumns / 2) * rowStride }] },
    steps(src, dst, _, from = 0, to = count) {
      const columns = Math.min(n, to * panelColumns) - from * panelColumns
      return [step(src, shifted(dst, from * panelBytes), columns, to - from)]
    },
  }
  return { batchBytes: 0, sums: bytes, layout }
}
