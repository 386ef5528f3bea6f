// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.QuantizedGather: rows of a table of int8 [V, K] with one scale each, scale [V], by indices int32 or int64 of any
 * shape: y[…, k] = table[i, k] * scale[i], float32. Negative indices count from the end. It is Gather along axis 0 of an
 * embedding that a recipe quantised; only the rows asked for become float32.
 */
import { sizeOf } from '../tensor/shape.ts'
import { type Random, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { checkVector } from './conv-types.ts'
import { indexFromFront, integersOf } from './elements.ts'
import { complaint, needed, printDims } from './infer.ts'
import { grainOf } from './grid.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { emitRowGather } from './lower-move.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  'whittle.QuantizedGather': {
    inputs: [3, 3],
    numerics: { relative: 1e-6, absolute: 0 },
    infer([table, scale, indices], context) {
      const { dtype, dims } = needed(context, table, 'table')
      const scales = needed(context, scale, 'scale')
      const at = needed(context, indices, 'indices')
      if (dtype !== 'int8') throw complaint(context, 'an int8 table', dtype)
      if (at.dtype !== 'int32' && at.dtype !== 'int64') throw complaint(context, 'int32 or int64 indices', at.dtype)
      if (dims !== null && dims.length !== 2) throw complaint(context, 'a table of dims [V, K]', printDims(dims))
      if (dims !== null) checkVector(context, 'scale', scales, dims[0])
      return [{ dtype: scales.dtype, dims: dims === null || at.dims === null ? null : [...at.dims, dims[1]] }]
    },
    lower(lowering) {
      const [table, scale, indices, y] = [...[0, 1, 2].map((i) => lowering.input(i)!), lowering.output(0)]
      const [rows, k] = table.dims
      if (!isFloat32(scale)) return false
      if (y.size === 0) return true
      const count = indices.size
      const [codes, scales] = [lowering.scratch(count * k), lowering.scratch(count * 4)]
      const at = { index: indices.ref, count, indexBytes: indices.dtype === 'int32' ? 4 : 8, outer: 1, axis: rows }
      emitRowGather(lowering, { ...at, src: table.ref, dst: codes, rowBytes: k })
      emitRowGather(lowering, { ...at, src: scale.ref, dst: scales, rowBytes: 4 })
      const args = { src: codes, dst: y.ref, scale: scales, n: count, k, transposed: 0 }
      lowering.step({ kernel: 'dequantize_rows_s8', units: count, grain: grainOf(k), args })
      return true
    },
  },
})

export const references = {
  'whittle.QuantizedGather': ([table, scale, indices]) => {
    const [rows, k] = table!.dims
    const [codes, scales] = [numbersOf(table!), numbersOf(scale!)]
    const at = integersOf(indices!).map((index) => indexFromFront(index, rows))
    const y = Float64Array.from({ length: sizeOf(indices!.dims) * k }, (_, i) => {
      const row = at[Math.floor(i / k)]
      return codes[row * k + (i % k)] * scales[row]
    })
    return [tensorOf(scale!.type, y, [...indices!.dims, k])]
  },
} satisfies Record<string, Reference>

function sample(random: Random, [rows, k]: number[], indices: number[], type: 'int32' | 'int64'): Sample {
  const table = integers(random, [rows, k], -127, 127, 'int8')
  return { inputs: [table, floats(random, [rows], 0.001, 0.02), integers(random, indices, -rows, rows - 1, type)] }
}

export const samples = {
  'whittle.QuantizedGather': (random): Sample[] => [
    sample(random, [9, 16], [2, 5], 'int64'),
    sample(random, [7, 5], [4], 'int32'),
    sample(random, [3, 33], [], 'int64'),
    sample(random, [3, 4], [0, 2], 'int32'),
    sample(random, [300, 1], [1, 40, 3], 'int64'),
  ],
} satisfies Record<string, Samples>
