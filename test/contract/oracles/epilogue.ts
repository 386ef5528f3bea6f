// SPDX-License-Identifier: Apache-2.0
/**
 * What the oracles of products and convolutions share: C and the arguments of the epilogue, and the scales, zero points
 * and column sums of quantised operands. Bounds come from the number of roundings, and are zero where scales are 1 and
 * the integers stay below 2^24.
 */
import { type Activation, activations } from '../../../src/kernels/gemm.ts'
import { activationFunctions } from '../../../src/ops/activation-reference.ts'
import { type Arg, exact, input, output } from '../kernel.ts'
import { randomFloats } from '../values.ts'
import { roundUp } from './panels.ts'

type Random = () => number

export interface EpilogueOptions {
  readonly activation?: Activation
  readonly bias?: boolean
  readonly residual?: boolean
  /** A scale and a shift behind no activation; behind others they are always there. */
  readonly post?: boolean
  /** Elements past the columns of a row of C and of the residual. */
  readonly gap?: number
  /** Bytes that operands are away from 64-byte alignment. */
  readonly offset?: number
  /** Operands at the ends of their range (extremes.ts). */
  readonly extreme?: boolean
  /** Bytes of A up to 255, which not every host's dot takes (kernel.ts `bytes`). */
  readonly wide?: boolean
}

export interface Sum {
  readonly value: number
  /** Largest error that float32 arithmetic may have made; 0: the value is an exact integer. */
  readonly error: number
}

const parameters: Partial<Record<Activation, readonly [number, number]>> = {
  Clip: [-0.5, 1.25],
  LeakyRelu: [0.125, 0],
  HardSigmoid: [0.2, 0.5],
}

/** C and the epilogue's arguments for images of `rows` x `columns`, whose sums `sumAt` gives. */
export function finished(
  random: Random,
  images: number,
  rows: number,
  columns: number,
  options: EpilogueOptions,
  sumAt: (image: number, row: number, column: number) => Sum,
) {
  const { activation = 'None', bias = true, residual = false, post = false, gap = 0, offset = 0 } = options
  const [p0, p1] = parameters[activation] ?? [0, 0]
  const plain = activation === 'None' && !post
  const postScale = plain ? 1 : 1.5
  const postShift = plain ? 0 : -0.25
  const ldc = columns + gap
  const ldr = columns + 2 * gap
  const batchC = rows * ldc + gap
  const batchR = rows * ldr
  const biases = randomFloats(random, columns)
  const residuals = randomFloats(random, images * batchR)
  const want = new Array<number | undefined>(images * batchC).fill(undefined)
  const bounds = new Float64Array(want.length)
  for (let image = 0; image < images; image++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = image * batchC + row * ldc + column
        const sum = sumAt(image, row, column)
        const parts = [
          sum.value,
          bias ? biases[column]! : 0,
          residual ? residuals[image * batchR + row * ldr + column]! : 0,
        ]
        const x = parts[0]! + parts[1]! + parts[2]!
        const y = activationFunctions[activation](x, p0, p1)
        want[at] = y * postScale + postShift
        if (sum.error === 0 && plain && !bias && !residual) continue
        const size = parts.reduce((total, part) => total + Math.abs(part), 0)
        bounds[at] = 1.3 * postScale * (sum.error + 1e-6 * (size + Math.abs(y))) + 2e-7 * Math.abs(want[at]!)
      }
    }
  }
  const args: Record<string, Arg> = {
    c: output(Float32Array, want, (i) => (bounds[i] === 0 ? exact : { abs: bounds[i]!, rel: 0 }), offset),
    ldc,
    batchC,
    bias: bias ? input(biases, offset) : null,
    residual: residual ? input(residuals, offset) : null,
    ldr,
    batchR,
    activation: activations.indexOf(activation),
    p0,
    p1,
    postScale,
    postShift,
  }
  return args
}

/** A float32 sum of `terms` products whose sizes add up to `size`. */
export const floatSum = (value: number, size: number, terms: number): Sum => ({
  value,
  error: (terms + 2) * 6e-8 * size + 1e-30,
})

/** Scales, zero points and column sums, and what they make of an integer sum. */
export function quantised(
  random: Random,
  records: number,
  weights: ArrayLike<number>,
  shape: { groups: number; n: number; k: number },
  unit: boolean,
) {
  const { groups, n, k } = shape
  const params = new Float32Array(2 * records)
  const zeros = new Int32Array(params.buffer)
  for (let i = 0; i < records; i++) {
    params[2 * i] = unit ? 1 : 0.004 + 0.01 * random()
    zeros[2 * i + 1] = Math.floor(random() * 256) - (i % 2) * 128
  }
  const wScale = unit ? new Float32Array(groups * n).fill(1) : randomFloats(random, groups * n, 0.01)
  const sums = new Int32Array(groups * roundUp(n, 8))
  for (let group = 0; group < groups; group++) {
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < k; i++) sums[group * roundUp(n, 8) + j]! += weights[(group * n + j) * k + i]!
    }
  }
  const sumOf = (acc: number, record: number, group: number, j: number): Sum => {
    const zero = zeros[2 * record + 1]!
    const value = params[2 * record]! * wScale[group * n + j]! * (acc - zero * sums[group * roundUp(n, 8) + j]!)
    return { value, error: unit ? 0 : Math.abs(value) * 3e-7 + 1e-30 }
  }
  return { args: { aParams: input(params), wScale: input(wScale), wSum: input(sums) }, zeros, sumOf }
}
