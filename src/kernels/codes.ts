// SPDX-License-Identifier: Apache-2.0
/** What the numbers of arguments of kernels/integer.ts mean: positions in these lists. Apart from the rows, which every page has. */

/** Numbers of `op` of binary_i32 and binary_i64. Mod has the divisor's sign, Rem the dividend's; by zero both give 0, as Div. */
export const integerOps = ['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Rem', 'Min', 'Max', 'And', 'Or', 'Xor'] as const
/** Numbers of `op` of compare_*; the last three are for bools. */
export const compareOps = ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'And', 'Or', 'Xor'] as const
/** Numbers of `op` of reduce_i32 and reduce_i64. */
export const reduceOps = ['Sum', 'Max', 'Min', 'Prod'] as const
/** Numbers of `from` and `to` of cast_any. */
export const castKinds = ['int8', 'uint8', 'int32', 'int64', 'float32', 'bool'] as const
/** `kind` of cast_to_f32 and cast_from_f32 where the other type is a 16-bit float. */
export const halfKinds: Readonly<Record<string, number>> = { float16: 4, bfloat16: 5 }
