// SPDX-License-Identifier: Apache-2.0
/**
 * Float32 convolutions by another way than the library's own (ops/lower-conv.ts): what it does otherwise is gathered, and of
 * what it gathers, groups are summed by channel.
 */
import type { OpSet } from '../../src/ir/op-set.ts'
import { channelsLastShape } from '../../src/ops/conv-types.ts'
import { epilogueArgs } from '../../src/ops/epilogue.ts'
import { convMatrix, convWay, depthwiseLayout, emitDepthwise, gatherWords } from '../../src/ops/lower-conv.ts'
import { packF32, packedWeight } from '../../src/ops/lower-gemm.ts'
import type { Lowering } from '../../src/ops/lower.ts'

/** The set with a whittle.Conv that goes the other way; `differs` says whether there is one. */
export function otherWayOps(ops: OpSet): { readonly ops: OpSet; differs: boolean } {
  const own = ops.get('whittle.Conv')!
  const result = {
    differs: false,
    ops: {
      ...ops,
      get: (op: string) => (op === 'whittle.Conv' ? { ...own, lower } : ops.get(op)),
    },
  }
  function lower(lowering: Lowering, { attributes }: Parameters<NonNullable<typeof own.lower>>[1]): boolean {
    const [x, w, bias] = [0, 1, 2].map((i) => lowering.input(i))
    const y = lowering.output(0).ref
    const shape = channelsLastShape(x!, w!, attributes)
    const epilogue = epilogueArgs(attributes, bias, null, shape.outC, 0)
    const gathers = convWay(shape) === 'gather'
    if (gathers && shape.group > 1 && shape.window.dilations[1] === 1) {
      const weights = packedWeight(lowering, 1, { layout: depthwiseLayout(shape), batchBytes: 0, sums: 0 })
      emitDepthwise(lowering, { shape, x: x!.ref, w: weights, y, epilogue })
      result.differs = true
      return true
    }
    const packing = packF32(convMatrix(shape))
    const operands = { a: x!.ref, b: packedWeight(lowering, 1, packing), c: y }
    const { units, args } = gatherWords(lowering, { shape, packing }, shape.inC, 4, packing.batchBytes)
    lowering.step({ kernel: 'conv_f32', units, args: { ...args, ...operands, ...epilogue } })
    result.differs = !gathers
    return true
  }
  return result
}
