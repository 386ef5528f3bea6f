// SPDX-License-Identifier: Apache-2.0
/**
 * The passes in their order, and the runner. Spelled-out operators are found before anything they consist of is folded
 * away; affine maps are folded while convolutions are still ONNX's; layout changes before epilogues, because a Transpose
 * in between hides what follows; tidying first and last.
 */
import { InputError, withContext } from '../base/errors.ts'
import type { Graph } from '../ir/graph.ts'
import { nearestName } from '../ir/nearest.ts'
import { verifyOperators } from '../ir/verify-operators.ts'
import { channelsLast } from './channels-last.ts'
import { commonSubexpressions } from './common-subexpressions.ts'
import { deadCode } from './dead-code.ts'
import { foldAffineIntoNext } from './fold-affine-into-next.ts'
import { foldBatchNorm } from './fold-batch-norm.ts'
import { foldConstants } from './fold-constants.ts'
import { fuseEpilogue } from './fuse-epilogue.ts'
import { fuseQdq } from './fuse-qdq.ts'
import { inlineConstantIf } from './inline-constant-if.ts'
import { inlineIf } from './inline-if.ts'
import { lowerConvTranspose } from './lower-conv-transpose.ts'
import { lowerEinsum } from './lower-einsum.ts'
import { lowerIntegerProduct } from './lower-integer-product.ts'
import { lowerMatmul } from './lower-matmul.ts'
import { lowerMatmulNBits } from './lower-matmul-nbits.ts'
import { lowerPointwise } from './lower-pointwise.ts'
import type { Pass, PassContext } from './pass.ts'
import { quantizedChannelsLast } from './quantized-channels-last.ts'
import { recogniseAttention } from './recognise-attention.ts'
import { recogniseGelu } from './recognise-gelu.ts'
import { recogniseHardSwish } from './recognise-hard-swish.ts'
import { recogniseIntegerProduct } from './recognise-integer-product.ts'
import { recogniseLayerNorm } from './recognise-layer-norm.ts'
import { recogniseSilu } from './recognise-silu.ts'
import { removeNoOps } from './remove-no-ops.ts'
import { sinkTransposes } from './sink-transposes.ts'
import { spellOutFused } from './spell-out-fused.ts'
import { widenHalf } from './widen-half.ts'

/** What a model goes through on its way from ONNX to the runtime. A pass may stand here more than once. */
export const pipeline: readonly Pass[] = [
  widenHalf,
  spellOutFused,
  lowerEinsum,
  fuseQdq,
  foldConstants,
  inlineConstantIf,
  inlineIf,
  foldConstants,
  removeNoOps,
  commonSubexpressions,
  recogniseLayerNorm,
  recogniseGelu,
  recogniseHardSwish,
  recogniseSilu,
  recogniseAttention,
  recogniseIntegerProduct,
  foldBatchNorm,
  foldAffineIntoNext,
  lowerMatmul,
  lowerMatmulNBits,
  lowerIntegerProduct,
  quantizedChannelsLast,
  channelsLast,
  lowerConvTranspose,
  sinkTransposes,
  removeNoOps,
  fuseEpilogue,
  lowerPointwise,
  foldConstants,
  commonSubexpressions,
  deadCode,
]

/** Names of the passes, each once, in order of first appearance. */
export function passNames(passes: readonly Pass[] = pipeline): string[] {
  return [...new Set(passes.map((pass) => pass.name))]
}

/** Operators the passes may write: an OpSet for `runPasses` has these and the graph's. */
export function operatorsWritten(passes: readonly Pass[] = pipeline): string[] {
  return [...new Set(passes.flatMap((pass) => pass.writes))]
}

export interface PipelineOptions {
  /** Names of passes to leave out. */
  readonly off?: readonly string[]
  /** Other passes than `pipeline`. */
  readonly passes?: readonly Pass[]
  /** Verifies the graph before the first pass and after each. */
  readonly verify?: boolean
}

/** What one pass did. */
export interface PassReport {
  readonly pass: string
  readonly fired: number
  /** Nodes before and after. */
  readonly nodes: readonly [number, number]
}

/**
 * Runs the passes over the graph.
 * @throws InputError for a name in `off` that is no pass, and whatever a pass or the verifier throws, naming the pass
 */
export function runPasses(
  graph: Graph,
  context: PassContext,
  { off = [], passes = pipeline, verify = false }: PipelineOptions = {},
): { graph: Graph; report: PassReport[] } {
  const names = passNames(passes)
  for (const name of off) {
    if (names.includes(name)) continue
    const near = nearestName(name, names)
    throw new InputError({
      where: 'passes to leave out',
      expected: 'names of passes',
      got: `'${name}'`,
      todo: near && `the nearest is ${near}`,
    })
  }
  if (verify) verifyOperators(graph, context.opSet)
  const report: PassReport[] = []
  let current = graph
  for (const pass of passes) {
    if (off.includes(pass.name)) continue
    const result = withContext(`pass ${pass.name}`, () => {
      const { graph: next, fired } = pass.run(current, context)
      if (verify && fired > 0) verifyOperators(next, context.opSet)
      return { next, fired }
    })
    report.push({ pass: pass.name, fired: result.fired, nodes: [current.nodes.length, result.next.nodes.length] })
    current = result.next
  }
  return { graph: current, report }
}
