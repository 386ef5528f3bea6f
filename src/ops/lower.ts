// SPDX-License-Identifier: Apache-2.0
/**
 * What an op's `lower` speaks to, for op files: the types live in `ir/lowering.ts`, one floor down, because the
 * definition of an operator (`ir/op-set.ts`) names them.
 */
export type { HostTraits, Lowering, Operand, Ref, StepSpec, WeightLayout } from '../ir/lowering.ts'
