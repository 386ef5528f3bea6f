// SPDX-License-Identifier: Apache-2.0
/** Float32 convolutions by the way that does them all, gathering (ops/lower-conv.ts), to be held against those of fewer. */
import type { OpSet } from '../../src/ir/op-set.ts'
import { channelsLastShape } from '../../src/ops/conv-types.ts'
import { epilogueArgs } from '../../src/ops/epilogue.ts'
import { convMatrix, convWay, gatherWords } from '../../src/ops/lower-conv.ts'
import { packF32, packedWeight } from '../../src/ops/lower-gemm.ts'
import type { Lowering } from '../../src/ops/lower.ts'

/** The set with a whittle.Conv that gathers; it says so by `gathered` where the library's own does not. */
export function gatheringOps(ops: OpSet): { readonly ops: OpSet; gathered: boolean } {
  const own = ops.get('whittle.Conv')!
  const result = {
    gathered: false,
    ops: {
      ...ops,
      get: (op: string) => (op === 'whittle.Conv' ? { ...own, lower } : ops.get(op)),
    },
  }
  function lower(lowering: Lowering, { attributes }: Parameters<NonNullable<typeof own.lower>>[1]): boolean {
    const [x, w, bias] = [0, 1, 2].map((i) => lowering.input(i))
    const shape = channelsLastShape(x!, w!, attributes)
    const packing = packF32(convMatrix(shape))
    const operands = { a: x!.ref, b: packedWeight(lowering, 1, packing), c: lowering.output(0).ref }
    const { units, args } = gatherWords(lowering, { shape, packing }, shape.inC, 4, packing.batchBytes)
    const epilogue = epilogueArgs(attributes, bias, null, shape.outC, 0)
    lowering.step({ kernel: 'conv_f32', units, args: { ...args, ...operands, ...epilogue } })
    result.gathered = convWay(shape) !== 'gather'
    return true
  }
  return result
}
