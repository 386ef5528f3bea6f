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
import type { HostTraits, Lowering, Ref, StepSpec, WeightLayout } from './lower.ts'

/** Sizes of a block of K that may have a scale of its own: sums over one fit int16 (kernels/gemm.ts). */
export const blockSizes: readonly number[] = [32, 64, 128]

/** What products of quantised rows and weights in blocks promise: hosts with int16 pairs round weights to 16 bits (kernels/gemm.ts). */
export const blockNumerics = { relative: 1e-5, absolute: 1e-5, ofLargest: 2e-4 } as const

/** Rows from which on those hosts fold the scales of blocks into the weights (assembly/gemm/folded.ts). */
const foldedRows = 16
/** Bytes of a thread's scratch for a tile of 6 x 8 float32, which begins with 32. */
const tileBytes = 32 + 6 * panelColumns * 4
/** The same for 2 x 16 float32 and 16 more, before two panels of int16 (assembly/gemm/folded.ts). */
const foldedTileBytes = 128 + 64
/** The same for 4 x 8 float32 and as many int32, widened panels, and k whose sum fits int16, of gemm_s4_scaled_short. */
const shortTileBytes = 2 * 4 * panelColumns * 4
const shortPanelBytes = 16384
const shortRun = 32

/** By HostTraits.int8. */
const kernels = {
  dot: { s8: 'gemm_s8_scaled_dot', s4: 'gemm_s4_scaled_dot', pack: 'pack_s4_x8c4', sums: 'row_sums_u8' },
  pairs: { s8: 'gemm_s8_scaled_pairs', s4: 'gemm_s4_scaled_pairs', pack: 'pack_s4_x8c2', sums: 'row_sums_i16' },
} as const

function kernelsOf({ int8 }: HostTraits) {
  return kernels[int8 === 'pairs' ? 'pairs' : 'dot']
}

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
export function emitBlockGemm(lowering: Lowering, shape: Shape, weights: BlockWeights, epilogue: EpilogueArgs): void {
  const { m, n, k } = shape
  const { bits, block } = weights
  if (bits === 4 && lowering.host.int4 === 'short') {
    emitShortGemm(lowering, shape, weights, epilogue)
    return
  }
  const { recipe = byteRecipes[lowering.host.int8] } = weights
  const names = kernelsOf(lowering.host)
  const s8 = recipe.gemm === 'gemm_s8_narrow' ? 'gemm_s8_scaled_narrow' : names.s8
  const panels =
    bits === 8
      ? packS8({ n, k, colStride: k, depthStride: 1 }, recipe)
      : packHalves(n, k, weights, names.pack, recipe.group)
  const ldq = roundUp(k, bits === 8 ? recipe.group : 2 * recipe.group)
  const { q, params } = quantizeRows(lowering, recipe, { x: lowering.input(0)!.ref, m, k, ldq })
  const isPairs = recipe.pack === 'pack_s8_x8c2'
  const folds = isPairs && m >= foldedRows
  const rowSums =
    bits === 8 || folds ? null : sumRows(lowering, names.sums, { m, k }, block, { q, ldq, bias: recipe.bias })
  const widened = bits === 4 ? panelColumns * ldq : 0
  const scratchBytes = isPairs ? foldedTileBytes + 2 * panelColumns * roundUp(k, 2) * 2 : tileBytes + widened
  const scratch = lowering.threadScratch(scratchBytes)
  const { b, wUnits: _, ...packed } = packedBlocks(lowering, n, k, weights, panels)
  const call = { a: q, lda: ldq, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue }
  const { units, args } = gemmWords(lowering, call, {
    weightBytes: bits / 8,
    widens: bits === 4 || folds ? recipe.bytes : 0,
  })
  const parts = { aParams: params, rowSums, ...packed, block, scratch, scratchBytes }
  lowering.step({ kernel: bits === 8 ? s8 : names.s4, units, args: { ...args, ...parts } })
}

/** The same with 4-bit weights whose sums stay in int16: rows are bytes, and only zero points of weights need their sums. */
function emitShortGemm(lowering: Lowering, { m, n, k }: Shape, weights: BlockWeights, epilogue: EpilogueArgs): void {
  const { inputs, block } = weights
  const recipe = byteRecipes.u8
  const ldq = roundUp(k, 2 * recipe.group)
  const { q, params } = quantizeRows(lowering, recipe, { x: lowering.input(0)!.ref, m, k, ldq })
  const rowSums = inputs[2] === null ? null : sumRows(lowering, 'row_sums_u8', { m, k }, block, { q, ldq, bias: 0 })
  const panel = panelColumns * ldq
  const panelBytes = panel * Math.max(1, Math.floor(shortPanelBytes / panel))
  const scratchBytes = roundUp(shortTileBytes + panelBytes + 8 * Math.ceil(k / shortRun), 16)
  const scratch = lowering.threadScratch(scratchBytes)
  const panels = packHalves(n, k, weights, kernels.dot.pack, recipe.group)
  const { b, ...packed } = packedBlocks(lowering, n, k, weights, panels, true)
  const call = { a: q, lda: ldq, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue }
  const { units, args } = gemmWords(lowering, call, { weightBytes: 1 / 2, widens: 1 })
  const parts = { aParams: params, rowSums, ...packed, block, scratch, scratchBytes }
  lowering.step({ kernel: 'gemm_s4_scaled_short', units, args: { ...args, ...parts } })
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

/** Places of weights in blocks. */
interface PackedBlocks {
  readonly b: Ref
  readonly wScale: Ref
  readonly wSum: Ref
  readonly wZeros: Ref | null
  /** Of shares. */
  readonly wUnits: Ref
}

/** The weights with all that belongs to them: panels, sums of columns, scales or shares, zero points, units of shares. */
function packedBlocks(
  lowering: Lowering,
  n: number,
  k: number,
  weights: BlockWeights,
  panels: Packing,
  shares = false,
): PackedBlocks {
  const { inputs, bits, block, rowStride = k, zeroStride = Math.ceil(k / block), signed = false } = weights
  const blocks = Math.ceil(k / block)
  const scales = packF32({ n, k: blocks, colStride: blocks, depthStride: 1 }).layout
  const zeros = inputs[2] === null ? null : packZeros(n, blocks, weights).layout
  const columnBytes = roundUp(n, panelColumns) * 4
  const wSum = panels.sums
  const wScale = roundUp(wSum + columnBytes, 16)
  const wZeros = wScale + scales.bytes
  const wUnits = wZeros + (zeros?.bytes ?? 0)
  const layout: WeightLayout = {
    key: [panels.layout.key, block, scales.key, zeros?.key, shares].join('|'),
    bytes: wUnits + (shares ? columnBytes : 0),
    parts: {
      count: Math.ceil(n / panelColumns),
      shares: [panels.layout, scales, zeros].flatMap((one) => one?.parts?.shares ?? []),
    },
    steps(src, target, [scaleSrc, zeroSrc] = [], from = 0, to = Math.ceil(n / panelColumns)) {
      const column = from * panelColumns
      const place = (first: number, stride = 1): Ref => shifted(target, first + column * stride * 4)
      const columns = Math.min(n, to * panelColumns) - column
      const [sums, dst] = [place(wSum), place(wScale, blocks)]
      const args = { src, scales: scaleSrc, sums, dst, n: columns, k, block, colStride: rowStride }
      const halves = {
        flip: flipOf(signed),
        zeros: zeroSrc ?? null,
        zeroStride,
        units: shares ? place(wUnits) : null,
        words: place(wZeros, blocks),
      }
      const part = [[], from, to] as const
      return [
        ...panels.layout.steps(src, target, ...part),
        bits === 8
          ? { kernel: 'block_sums_s8', units: to - from, args }
          : { kernel: 'block_sums_s4', units: to - from, args: { ...args, ...halves } },
        ...(zeros && !shares ? zeros.steps(zeroSrc, shifted(target, wZeros), ...part) : []),
      ]
    },
  }
  const b = packedTogether(
    lowering,
    inputs.filter((input) => input !== null),
    layout,
  )
  return {
    b,
    wScale: shifted(b, wScale),
    wSum: shifted(b, wSum),
    wZeros: zeros && shifted(b, wZeros),
    wUnits: shifted(b, wUnits),
  }
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
