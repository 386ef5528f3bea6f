// SPDX-License-Identifier: Apache-2.0
/** Where: elements of X where the condition holds, of Y elsewhere; all three broadcast. */
import * as dim from '../ir/dim.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { contentOfEach } from './arithmetic.ts'
import { mapBroadcast } from './broadcast.ts'
import { type Reference, type Samples, defineOps } from './define.ts'
import { broadcastOf, commonDtype, complaint, needed, valueOf } from './infer.ts'
import { emitSelect } from './lower-compare.ts'
import { type Cells, cellsOf } from './elements.ts'
import { newCells, numbersOf, tensorOfCells } from './numeric.ts'
import { bools, floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  Where: {
    inputs: [3, 3],
    infer([condition, x, y], context) {
      const inputs = [needed(context, condition, 'condition'), needed(context, x, 'X'), needed(context, y, 'Y')]
      if (inputs[0].dtype !== 'bool') throw complaint(context, 'a condition of type bool', inputs[0].dtype)
      const dtype = commonDtype(context, inputs.slice(1))
      const dims = broadcastOf(context, inputs)
      const choose = (c: dim.Dim, a: dim.Dim, b: dim.Dim): dim.Dim | null =>
        dim.isKnown(c) ? (c ? a : b) : dim.equal(a, b) ? a : null
      return [valueOf(dtype, dims, contentOfEach(inputs, dims, choose))]
    },
    lower: (lowering) => {
      const [condition, x, y] = [0, 1, 2].map((i) => lowering.input(i)!)
      return emitSelect(lowering, condition, [x, y], lowering.output(0))
    },
  },
})

export const references = {
  Where: ([condition, x, y]) => {
    const operands = [
      { values: numbersOf(condition!), dims: condition!.dims },
      { values: cellsOf(x!) as ArrayLike<number>, dims: x!.dims },
      { values: cellsOf(y!) as ArrayLike<number>, dims: y!.dims },
    ]
    const { values, dims } = mapBroadcast<number, number>(operands, (c, a, b) => (c !== 0 ? a : b))
    const cells = newCells(x!.type, sizeOf(dims)) as Cells & number[]
    values.forEach((value, i) => (cells[i] = value))
    return [tensorOfCells(x!.type, cells, dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  Where: (random) => [
    { inputs: [new Tensor('bool', [1, 0, 1], [3, 1]), floats(random, [4]), floats(random, [3, 4])] },
    { inputs: [new Tensor('bool', [1, 0]), new Tensor('int64', [2n ** 60n, 1n]), new Tensor('int64', [7n], [])] },
    {
      inputs: [bools(random, [2, 1, 5]), integers(random, [4, 1], 0, 9, 'uint8'), integers(random, [], 0, 9, 'uint8')],
    },
    { inputs: [bools(random, [9]), floats(random, [9]), new Tensor('float32', [-Infinity], [])] },
    { inputs: [bools(random, [5000]), floats(random, []), floats(random, [5000])] },
    { inputs: [new Tensor('bool', [], [0]), floats(random, [0]), floats(random, [1])] },
  ],
} satisfies Record<string, Samples>
