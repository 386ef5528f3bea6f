// SPDX-License-Identifier: Apache-2.0
/**
 * The epilogue that whittle.Conv, whittle.Gemm and their quantised forms share (ARCHITECTURE.md, "Inside"):
 *
 *     y = act(x + bias + residual; p0, p1) * post_scale + post_shift
 *
 * bias has one number per output channel, residual has the dims of y. Here are its attributes, what they mean to the
 * kernels, and the words of a step.
 */
import { GraphError } from '../base/errors.ts'
import { activations } from '../kernels/gemm.ts'
import type { AttributeSpec, Attributes } from './define.ts'
import type { Operand, Ref } from './lower.ts'

/** Attributes of every operator with an epilogue. `alpha` and `beta` default to what ONNX's operator of that name has. */
export const epilogueAttributes = {
  activation: { kind: 'string', default: 'None' },
  alpha: { kind: 'float' },
  beta: { kind: 'float' },
  post_scale: { kind: 'float', default: 1 },
  post_shift: { kind: 'float', default: 0 },
} as const satisfies Record<string, AttributeSpec>

/** Largest finite float32. */
const largest = 3.4028234663852886e38

/** p0 and p1 where the attributes are left out (ONNX's defaults of the operator). */
const parameterDefaults: Readonly<Record<string, readonly [number, number]>> = {
  Clip: [-largest, largest],
  LeakyRelu: [0.01, 0],
  HardSigmoid: [0.2, 0.5],
}

/** What the attributes say, with defaults filled in. */
export interface Epilogue {
  /** Position in `activations`. */
  readonly activation: number
  readonly p0: number
  readonly p1: number
  readonly postScale: number
  readonly postShift: number
}

/** @throws GraphError when `activation` is not one of kernels/gemm.ts */
export function epilogueOf(attributes: Attributes): Epilogue {
  const name = (attributes.activation ?? 'None') as string
  const activation = (activations as readonly string[]).indexOf(name)
  if (activation < 0) {
    throw new GraphError({ where: 'activation', expected: `one of ${activations.join(' ')}`, got: name })
  }
  const [p0, p1] = parameterDefaults[name] ?? [0, 0]
  return {
    activation,
    p0: (attributes.alpha as number | undefined) ?? p0,
    p1: (attributes.beta as number | undefined) ?? p1,
    postScale: (attributes.post_scale as number | undefined) ?? 1,
    postShift: (attributes.post_shift as number | undefined) ?? 0,
  }
}

/** The epilogue's words in a step. Row and batch strides in elements. */
export interface EpilogueArgs extends Epilogue {
  readonly bias: Ref | null
  readonly residual: Ref | null
  readonly ldr: number
  readonly batchR: number
}

/** The epilogue that changes nothing. */
export const noEpilogue: EpilogueArgs = {
  bias: null,
  residual: null,
  ldr: 0,
  batchR: 0,
  activation: 0,
  p0: 0,
  p1: 0,
  postScale: 1,
  postShift: 0,
}

/** Words for these attributes and operands; the residual is dense with rows of `ldr` elements. */
export function epilogueArgs(
  attributes: Attributes,
  bias: Operand | null,
  residual: Operand | null,
  ldr: number,
  batchR: number,
): EpilogueArgs {
  return {
    ...epilogueOf(attributes),
    bias: bias?.ref ?? null,
    residual: residual?.ref ?? null,
    ldr: residual === null ? 0 : ldr,
    batchR: residual === null ? 0 : batchR,
  }
}
