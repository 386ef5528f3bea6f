// SPDX-License-Identifier: Apache-2.0
/** TensorScatter: new entries written into a cache along an axis, from an index per batch on, around its end if circular. https://onnx.ai/onnx/operators/onnx__TensorScatter.html */
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { GraphError } from '../base/errors.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { axisOf, commonDtype, complaint, needed, printDims } from './infer.ts'
import { type Cells, cellsOf, integersOf } from './elements.ts'
import { newCells, tensorOfCells } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

export const ops = defineOps({
  TensorScatter: {
    inputs: [2, 3],
    attributes: { axis: { kind: 'int', default: -2 }, mode: { kind: 'string', default: 'linear' } },
    infer([cacheInfo, updateInfo], context) {
      const [cache, update] = [needed(context, cacheInfo, 'past_cache'), needed(context, updateInfo, 'update')]
      const { axis, mode } = context.attributes
      if (mode !== 'linear' && mode !== 'circular') throw complaint(context, 'mode linear or circular', String(mode))
      const dtype = commonDtype(context, [cache, update])
      if (cache.dims !== null) {
        const along = axisOf(context, axis as number, cache.dims.length)
        if (along === 0) throw complaint(context, 'an axis behind the batch', String(axis))
        const fits = update.dims?.length === cache.dims.length
        if (update.dims !== null && !fits)
          throw complaint(context, `an update of rank ${cache.dims.length}`, printDims(update.dims))
        const differs = update.dims?.some((d, i) => {
          const own = cache.dims![i]
          return typeof d === 'number' && typeof own === 'number' && (i === along ? d > own : d !== own)
        })
        if (differs)
          throw complaint(context, `an update that fits into ${printDims(cache.dims)}`, printDims(update.dims))
      }
      return [{ dtype, dims: cache.dims }]
    },
  },
})

export const references = {
  TensorScatter: ([cache, update, indices], { axis: given, mode }) => {
    const { dims } = cache!
    const axis = normalizeAxis(given as number, dims.length)
    const [length, count] = [dims[axis], update!.dims[axis]]
    const inner = sizeOf(dims.slice(axis + 1))
    const outer = sizeOf(dims.slice(0, axis))
    const perBatch = outer / Math.max(1, dims[0])
    const starts = indices ? integersOf(indices) : new Array<number>(dims[0]).fill(0)
    const cells = Array.from(cellsOf(cache!) as ArrayLike<number>)
    const fresh = cellsOf(update!) as ArrayLike<number>
    for (let o = 0; o < outer; o++) {
      const start = starts[Math.floor(o / perBatch)]
      if (start < 0 || (mode === 'linear' && start + count > length)) {
        throw new GraphError({
          where: 'write_indices',
          expected: `integers in [0, ${length - count}]`,
          got: String(start),
        })
      }
      for (let j = 0; j < count; j++) {
        const to = (o * length + ((start + j) % length)) * inner
        for (let i = 0; i < inner; i++) cells[to + i] = fresh[(o * count + j) * inner + i]
      }
    }
    const result = newCells(cache!.type, cells.length) as Cells & number[]
    cells.forEach((cell, i) => (result[i] = cell))
    return [tensorOfCells(cache!.type, result, dims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  TensorScatter: (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 6, 4]), floats(random, [2, 3, 2, 4]), longs(1, 4)] },
    { inputs: [floats(random, [2, 6, 4]), floats(random, [2, 3, 4]), longs(5, 0)], attributes: { mode: 'circular' } },
    { inputs: [floats(random, [2, 6, 4]), floats(random, [2, 3, 4])] },
  ],
} satisfies Record<string, Samples>
