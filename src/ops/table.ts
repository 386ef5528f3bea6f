// SPDX-License-Identifier: Apache-2.0
/**
 * The table of operators: one line each, name (with its domain unless ONNX's own) to the file that defines it. Lines
 * are in alphabetical order. A file is imported only when a graph has one of its operators. In the published build
 * the facets of a file (`ops`, `references`) are chunks of their own: `loadOps` touches only `ops`, `references.ts`
 * only `references`, and only tests touch `samples`.
 */
import type { OpDef, OpSet, Reference, Samples } from './define.ts'

/** What an op file exports. */
export interface OpModule {
  readonly ops: Readonly<Record<string, OpDef>>
  readonly references: Readonly<Record<string, Reference>>
  readonly samples: Readonly<Record<string, Samples>>
}

export const opTable = {
  Abs: () => import('./unary.ts'),
  Acos: () => import('./unary.ts'),
  Acosh: () => import('./unary.ts'),
  Add: () => import('./binary.ts'),
  And: () => import('./compare.ts'),
  ArgMax: () => import('./arg-max.ts'),
  ArgMin: () => import('./arg-max.ts'),
  Asin: () => import('./unary.ts'),
  Asinh: () => import('./unary.ts'),
  Atan: () => import('./unary.ts'),
  Atanh: () => import('./unary.ts'),
  Attention: () => import('./attention.ts'),
  AveragePool: () => import('./pool.ts'),
  BatchNormalization: () => import('./batch-normalization.ts'),
  BitShift: () => import('./binary.ts'),
  BitwiseAnd: () => import('./binary.ts'),
  BitwiseNot: () => import('./compare.ts'),
  BitwiseOr: () => import('./binary.ts'),
  BitwiseXor: () => import('./binary.ts'),
  Cast: () => import('./cast.ts'),
  CastLike: () => import('./cast.ts'),
  Ceil: () => import('./unary.ts'),
  Celu: () => import('./activation.ts'),
  Clip: () => import('./clip.ts'),
  Concat: () => import('./concat.ts'),
  ConstantOfShape: () => import('./generate.ts'),
  Conv: () => import('./conv.ts'),
  ConvInteger: () => import('./conv-integer.ts'),
  ConvTranspose: () => import('./conv-transpose.ts'),
  Cos: () => import('./unary.ts'),
  Cosh: () => import('./unary.ts'),
  CumProd: () => import('./cumsum.ts'),
  CumSum: () => import('./cumsum.ts'),
  DepthToSpace: () => import('./depth-to-space.ts'),
  DequantizeLinear: () => import('./quantize-linear.ts'),
  Div: () => import('./binary.ts'),
  Dropout: () => import('./reshape.ts'),
  DynamicQuantizeLinear: () => import('./dynamic-quantize-linear.ts'),
  Einsum: () => import('./einsum.ts'),
  Elu: () => import('./activation.ts'),
  Equal: () => import('./compare.ts'),
  Erf: () => import('./unary.ts'),
  Exp: () => import('./unary.ts'),
  Expand: () => import('./expand.ts'),
  EyeLike: () => import('./generate.ts'),
  Flatten: () => import('./reshape.ts'),
  Floor: () => import('./unary.ts'),
  GRU: () => import('./recurrent.ts'),
  Gather: () => import('./gather.ts'),
  GatherElements: () => import('./gather.ts'),
  GatherND: () => import('./gather.ts'),
  Gelu: () => import('./activation.ts'),
  Gemm: () => import('./gemm.ts'),
  GlobalAveragePool: () => import('./global-pool.ts'),
  GlobalLpPool: () => import('./global-pool.ts'),
  GlobalMaxPool: () => import('./global-pool.ts'),
  Greater: () => import('./compare.ts'),
  GreaterOrEqual: () => import('./compare.ts'),
  GridSample: () => import('./grid-sample.ts'),
  GroupNormalization: () => import('./instance-normalization.ts'),
  HardSigmoid: () => import('./activation.ts'),
  HardSwish: () => import('./activation.ts'),
  Hardmax: () => import('./softmax.ts'),
  Identity: () => import('./identity.ts'),
  If: () => import('./if.ts'),
  InstanceNormalization: () => import('./instance-normalization.ts'),
  IsInf: () => import('./compare.ts'),
  IsNaN: () => import('./compare.ts'),
  LRN: () => import('./lrn.ts'),
  LSTM: () => import('./recurrent.ts'),
  LayerNormalization: () => import('./layer-normalization.ts'),
  LeakyRelu: () => import('./activation.ts'),
  Less: () => import('./compare.ts'),
  LessOrEqual: () => import('./compare.ts'),
  Log: () => import('./unary.ts'),
  LogSoftmax: () => import('./softmax.ts'),
  Loop: () => import('./loop.ts'),
  LpNormalization: () => import('./lp-normalization.ts'),
  LpPool: () => import('./pool.ts'),
  MatMul: () => import('./matmul.ts'),
  MatMulInteger: () => import('./matmul-integer.ts'),
  Max: () => import('./variadic.ts'),
  MaxPool: () => import('./pool.ts'),
  Mean: () => import('./variadic.ts'),
  MeanVarianceNormalization: () => import('./lp-normalization.ts'),
  Min: () => import('./variadic.ts'),
  Mish: () => import('./activation.ts'),
  Mod: () => import('./binary.ts'),
  Mul: () => import('./binary.ts'),
  Neg: () => import('./unary.ts'),
  Not: () => import('./compare.ts'),
  OneHot: () => import('./generate.ts'),
  Or: () => import('./compare.ts'),
  PRelu: () => import('./binary.ts'),
  Pad: () => import('./pad.ts'),
  Pow: () => import('./binary.ts'),
  QLinearConv: () => import('./conv-integer.ts'),
  QLinearMatMul: () => import('./matmul-integer.ts'),
  QuantizeLinear: () => import('./quantize-linear.ts'),
  RMSNormalization: () => import('./layer-normalization.ts'),
  RNN: () => import('./recurrent.ts'),
  Range: () => import('./generate.ts'),
  Reciprocal: () => import('./unary.ts'),
  ReduceL1: () => import('./reduce.ts'),
  ReduceL2: () => import('./reduce.ts'),
  ReduceLogSum: () => import('./reduce.ts'),
  ReduceLogSumExp: () => import('./reduce.ts'),
  ReduceMax: () => import('./reduce.ts'),
  ReduceMean: () => import('./reduce.ts'),
  ReduceMin: () => import('./reduce.ts'),
  ReduceProd: () => import('./reduce.ts'),
  ReduceSum: () => import('./reduce.ts'),
  ReduceSumSquare: () => import('./reduce.ts'),
  Relu: () => import('./activation.ts'),
  Reshape: () => import('./reshape.ts'),
  Resize: () => import('./resize.ts'),
  RotaryEmbedding: () => import('./rotary-embedding.ts'),
  Round: () => import('./unary.ts'),
  Scan: () => import('./loop.ts'),
  Scatter: () => import('./scatter.ts'),
  ScatterElements: () => import('./scatter.ts'),
  ScatterND: () => import('./scatter.ts'),
  Selu: () => import('./activation.ts'),
  Shape: () => import('./shape.ts'),
  Shrink: () => import('./activation.ts'),
  Sigmoid: () => import('./unary.ts'),
  Sign: () => import('./unary.ts'),
  Sin: () => import('./unary.ts'),
  Sinh: () => import('./unary.ts'),
  Size: () => import('./shape.ts'),
  Slice: () => import('./slice.ts'),
  Softmax: () => import('./softmax.ts'),
  Softplus: () => import('./activation.ts'),
  Softsign: () => import('./activation.ts'),
  SpaceToDepth: () => import('./depth-to-space.ts'),
  Split: () => import('./split.ts'),
  Sqrt: () => import('./unary.ts'),
  Squeeze: () => import('./reshape.ts'),
  Sub: () => import('./binary.ts'),
  Sum: () => import('./variadic.ts'),
  Swish: () => import('./activation.ts'),
  Tan: () => import('./unary.ts'),
  Tanh: () => import('./unary.ts'),
  ThresholdedRelu: () => import('./activation.ts'),
  Tile: () => import('./expand.ts'),
  TopK: () => import('./top-k.ts'),
  Transpose: () => import('./transpose.ts'),
  Trilu: () => import('./trilu.ts'),
  Unsqueeze: () => import('./reshape.ts'),
  Where: () => import('./where.ts'),
  Xor: () => import('./compare.ts'),
  'com.microsoft.MatMulNBits': () => import('./matmul-nbits.ts'),
  'whittle.AveragePool': () => import('./whittle-pool.ts'),
  'whittle.Conv': () => import('./whittle-conv.ts'),
  'whittle.DynamicQuantizeConv': () => import('./dynamic-quantize-conv.ts'),
  'whittle.DynamicQuantizeGemm': () => import('./dynamic-quantize-gemm.ts'),
  'whittle.Gemm': () => import('./whittle-gemm.ts'),
  'whittle.MaxPool': () => import('./whittle-pool.ts'),
  'whittle.Select': () => import('./if.ts'),
  'whittle.Silu': () => import('./whittle-activations.ts'),
  'whittle.WeightOnlyGemm': () => import('./dynamic-quantize-gemm.ts'),
} satisfies Record<string, () => Promise<OpModule>>

const loaders: Readonly<Record<string, () => Promise<OpModule>>> = opTable

/**
 * The file of one operator, or undefined when the table does not have it.
 * @param op name with its domain, as `Node.op`
 */
export function moduleOf(op: string): (() => Promise<OpModule>) | undefined {
  return Object.hasOwn(loaders, op) ? loaders[op] : undefined
}

/**
 * Definitions of these operators. Names the table does not have are left out: the graph check reports them, with the
 * nearest name of the whole table.
 */
export async function loadOps(names: Iterable<string>): Promise<OpSet> {
  const found = await Promise.all(
    [...new Set(names)].map(async (name) => [name, (await moduleOf(name)?.())?.ops[name]] as const),
  )
  const defs = new Map<string, OpDef>()
  for (const [name, def] of found) if (def !== undefined) defs.set(name, def)
  return { get: (op) => defs.get(op), keys: () => Object.keys(loaders) }
}
