// SPDX-License-Identifier: Apache-2.0
/**
 * Products with quantised rows and weights that have a scale per block of K, as steps: int8 or 4-bit weights, with or
 * without zero points. Rows are quantised on the fly as for one scale per output; what zero points of either side add
 * to a block's integers is a word per row and a word per column (kernels/gemm.ts).
 */
import { panelColumns, roundUp } from '../kernels/blocks.ts'
import type { EpilogueArgs } from './epilogue.ts'
import { grainOf } from './grid.ts'
import { shifted } from './lower-elementwise.ts'
import {
  type Packing,
  type SourceMatrix,
  byteRecipes,
  gemmWords,
  packF32,
  packS8,
  packedWeight,
  quantizeRows,
  type ByteRecipe,
} from './lower-gemm.ts'
import type { HostTraits, Lowering, Ref, StepSpec, WeightLayout } from './lower.ts'

/** Sizes of a block of K that may have a scale of its own: sums over one fit int16 (kernels/gemm.ts). */
export const blockSizes: readonly number[] = [32, 64, 128]

/** Bytes of a thread's scratch for a tile of 6 x 8 float32. */
const tileBytes = 6 * panelColumns * 4
/** The same for 4 x 8 float32 and as many int32, and k whose sum fits int16, of gemm_s4_scaled_short. */
const shortTileBytes = 2 * 4 * panelColumns * 4
const shortRun = 32
/** What is taken off 4-bit weights that have no zero points. */
const middle = 8

/** By HostTraits.int8. */
const kernels = {
  dot: { s8: 'gemm_s8_scaled_dot', s4: 'gemm_s4_scaled_dot', pack: 'pack_s4_x8c4', terms: 'row_terms_u8' },
  pairs: { s8: 'gemm_s8_scaled_pairs', s4: 'gemm_s4_scaled_pairs', pack: 'pack_s4_x8c2', terms: 'row_terms_i16' },
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
  const { inputs, bits, block } = weights
  if (bits === 4 && lowering.host.int4 === 'short') {
    emitShortGemm(lowering, shape, weights, epilogue)
    return
  }
  const recipe = byteRecipes[lowering.host.int8]
  const names = kernelsOf(lowering.host)
  const blocks = Math.ceil(k / block)
  const packing = bits === 8 ? packS8Blocks(n, k, block, recipe) : packHalves(n, k, weights, names.pack, recipe.group)
  const b = packedWeight(lowering, inputs[0], packing)
  const wScale = packedWeight(lowering, inputs[1], packF32({ n, k: blocks, colStride: blocks, depthStride: 1 }))
  const wTerms = shifted(b, packing.sums)
  const wZeros = inputs[2] === null ? wTerms : packedWeight(lowering, inputs[2], packZeros(n, blocks, weights))
  const ldq = roundUp(k, bits === 8 ? recipe.group : 2 * recipe.group)
  const { q, params } = quantizeRows(lowering, recipe, { x: lowering.input(0)!.ref, m, k, ldq })
  // Without zero points of weights the row's word is the zero beside its scale.
  let rows = { rowTerms: shifted(params, 4), rowTermsRow: 2, rowTermsBlock: 0 }
  if (bits === 4) {
    const terms = lowering.scratch(m * blocks * 4)
    const args = { q, ldq, params, terms, k, block, bias: recipe.bias }
    lowering.step({ kernel: names.terms, units: m, grain: grainOf(k), args })
    rows = { rowTerms: terms, rowTermsRow: blocks, rowTermsBlock: 1 }
  }
  const scratchBytes = tileBytes + (bits === 4 ? panelColumns * ldq : 0)
  const scratch = lowering.threadScratch(scratchBytes)
  const call = { a: q, lda: ldq, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue }
  const { units, args } = gemmWords(lowering, call, { weightBytes: bits / 8, widens: bits === 4 ? recipe.bytes : 0 })
  const parts = { aParams: params, ...rows, wScale, wTerms, wZeros, block, scratch, scratchBytes }
  lowering.step({ kernel: bits === 8 ? names.s8 : names.s4, units, args: { ...args, ...parts } })
}

/** The same with 4-bit weights whose sums stay in int16: rows are bytes, and only zero points of weights need row terms. */
function emitShortGemm(lowering: Lowering, { m, n, k }: Shape, weights: BlockWeights, epilogue: EpilogueArgs): void {
  const { inputs, block } = weights
  const blocks = Math.ceil(k / block)
  const packing = packShort(n, k, weights)
  const b = packedWeight(lowering, inputs[0], packing)
  const wScale = packedWeight(lowering, inputs[1], packF32({ n, k: blocks, colStride: blocks, depthStride: 1 }))
  const ldq = roundUp(k, 2 * byteRecipes.u8.group)
  const { q, params } = quantizeRows(lowering, byteRecipes.u8, { x: lowering.input(0)!.ref, m, k, ldq })
  let zeros: { rowTerms: Ref | null; wZeros: Ref | null } = { rowTerms: null, wZeros: null }
  if (inputs[2] !== null) {
    zeros = {
      rowTerms: lowering.scratch(m * blocks * 4),
      wZeros: packedWeight(lowering, inputs[2], packZeros(n, blocks, weights, middle)),
    }
    const args = { q, ldq, params, terms: zeros.rowTerms, k, block, bias: 0 }
    lowering.step({ kernel: 'row_terms_u8', units: m, grain: grainOf(k), args })
  }
  const scratchBytes = roundUp(shortTileBytes + panelColumns * ldq + 8 * Math.ceil(k / shortRun), 16)
  const scratch = lowering.threadScratch(scratchBytes)
  const call = { a: q, lda: ldq, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue }
  const { units, args } = gemmWords(lowering, call, { weightBytes: 1 / 2, widens: 1 })
  const rows = { aParams: params, rowTermsRow: blocks, rowTermsBlock: 1 }
  const parts = { ...rows, ...zeros, wScale, wTerms: shifted(b, packing.sums), block, scratch, scratchBytes }
  lowering.step({ kernel: 'gemm_s4_scaled_short', units, args: { ...args, ...parts } })
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
  const wTerms = bits === 8 ? null : shifted(b, packing.sums)
  const wZeros = inputs[2] === null ? wTerms : packedWeight(lowering, inputs[2], packZeros(n, blocks, weights))
  const scratchBytes = 4 * panelColumns * roundUp(k, 2 * group) * 4
  const scratch = lowering.threadScratch(scratchBytes)
  const call = { a: lowering.input(0)!.ref, lda: k, b, c: lowering.output(0).ref, ldc: n, m, n, k, epilogue }
  const { units, args } = gemmWords(lowering, call, { weightBytes: 4, widens: 4 })
  const rows = { aParams: null, rowTerms: null, rowTermsRow: 0, rowTermsBlock: 0 }
  const kernel = bits === 8 ? 'gemm_s8_scaled_f32' : 'gemm_s4_scaled_f32'
  lowering.step({ kernel, units, args: { ...args, ...rows, wScale, wTerms, wZeros, block, scratch, scratchBytes } })
}

/** int8 panels, and a term per block and column in place of the column sums. */
function packS8Blocks(n: number, k: number, block: number, recipe: ByteRecipe): Packing {
  const matrix: SourceMatrix = { n, k, colStride: k, depthStride: 1 }
  const panels = packS8(matrix, recipe)
  const sums = panels.layout.bytes
  const terms = (src: Ref, target: Ref): StepSpec => ({
    kernel: 'block_terms_s8',
    units: Math.ceil(n / panelColumns),
    args: { src, dst: shifted(target, sums), n, k, block, colStride: k, depthStride: 1 },
  })
  return {
    batchBytes: 0,
    sums,
    layout: {
      key: `${panels.layout.key}:${block}`,
      bytes: sums + wordBytes(n, k, block),
      steps: (source, target) => [...panels.layout.steps(source, target), terms(source, target)],
    },
  }
}

/** Panels of 4-bit weights and their terms; `group` is that of the int8 layout. */
function packHalves(
  n: number,
  k: number,
  { block, inputs, rowStride = k, signed = false }: BlockWeights,
  kernel: 'pack_s4_x8c4' | 'pack_s4_x8c2',
  group: number,
): Packing {
  const sums = roundUp((roundUp(n, panelColumns) * roundUp(k, 2 * group)) / 2, 16)
  const flip = signed ? 8 : 0
  const zero = inputs[2] === null ? middle : 0
  const layout: WeightLayout = {
    key: [kernel, n, k, block, rowStride, flip, zero].join(':'),
    bytes: sums + wordBytes(n, k, block),
    steps: (src, dst) => [
      {
        kernel,
        units: Math.ceil(n / panelColumns),
        args: { src, dst, terms: shifted(dst, sums), n, k, block, colStride: rowStride, flip, zero },
      },
    ],
  }
  return { batchBytes: 0, sums, layout }
}

/** The panels of packHalves for the dot, and the terms of sums in int16 in place of its own. */
function packShort(n: number, k: number, weights: BlockWeights): Packing {
  const halves = packHalves(n, k, weights, kernels.dot.pack, byteRecipes.u8.group)
  const terms = (target: Ref): StepSpec => ({
    kernel: 'short_terms_s4',
    units: Math.ceil(n / panelColumns),
    args: { src: target, dst: shifted(target, halves.sums), k },
  })
  return {
    ...halves,
    layout: {
      key: `${halves.layout.key}:short`,
      bytes: halves.sums + wordBytes(n, k, shortRun),
      steps: (source, target) => [...halves.layout.steps(source, target), terms(target)],
    },
  }
}

/** Zero points of 4-bit weights, less `from`, as the other half of their terms. */
function packZeros(n: number, blocks: number, { zeroStride = blocks }: BlockWeights, from = 0): Packing {
  const units = Math.ceil(n / panelColumns)
  const layout: WeightLayout = {
    key: ['zeros4', n, blocks, zeroStride, from].join(':'),
    bytes: units * blocks * panelColumns * 4,
    steps: (src, dst) => [
      { kernel: 'pack_zeros_s4', units, args: { src, dst, n, blocks, colStride: zeroStride, from } },
    ],
  }
  return { batchBytes: 0, sums: 0, layout }
}

function wordBytes(n: number, k: number, block: number): number {
  return roundUp(n, panelColumns) * Math.ceil(k / block) * 4
}
