// SPDX-License-Identifier: Apache-2.0
/**
 * DeformConv: convolution over two axes whose taps are moved by offsets, read bilinearly, and weighed by a mask.
 * https://onnx.ai/onnx/operators/onnx__DeformConv.html
 */
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { checkVector, convAttributes, inferConv, mayEqual } from './conv-types.ts'
import { complaint, needed, printDims } from './infer.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'
import { knownWindow } from './window.ts'

export const ops = defineOps({
  DeformConv: {
    inputs: [3, 5],
    attributes: { ...convAttributes, offset_group: { kind: 'int', default: 1 } },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([xInfo, wInfo, offset, bias, mask], context) {
      const [x, w] = [needed(context, xInfo, 'X'), needed(context, wInfo, 'W')]
      needed(context, offset, 'offset')
      if (x.dims === null || w.dims === null) return [{ dtype: x.dtype, dims: null }]
      if (x.dims.length !== 4) throw complaint(context, 'X of dims [N, C, H, W]', printDims(x.dims))
      const { outC, out } = inferConv(context, x.dims, w.dims)
      checkVector(context, 'B', bias, outC)
      const groups = context.attributes.offset_group as number
      const [kh, kw] = w.dims.slice(2)
      const wanted = typeof kh === 'number' && typeof kw === 'number' ? 2 * groups * kh * kw : undefined
      const given = offset!.dims?.[1]
      if (groups < 1 || (typeof x.dims[1] === 'number' && x.dims[1] % groups !== 0)) {
        throw complaint(context, 'an offset_group that divides the channels', String(groups))
      }
      if (wanted !== undefined && typeof given === 'number' && given !== wanted) {
        throw complaint(context, `offsets with ${wanted} channels`, String(given))
      }
      for (const [name, info, channels] of [
        ['offset', offset, wanted],
        ['mask', mask, wanted && wanted / 2],
      ] as const) {
        const dims = [x.dims[0], channels ?? info?.dims?.[1] ?? 0, ...out]
        const fits = info?.dims?.length === 4 && info.dims.every((d, i) => mayEqual(d, dims[i]))
        if (info?.dims && !fits) throw complaint(context, `${name} of dims ${printDims(dims)}`, printDims(info.dims))
      }
      return [{ dtype: x.dtype, dims: [x.dims[0], outC, ...out] }]
    },
  },
})

/** Bilinear value at (y, x) of a plane; outside are zeros. */
function valueAt(plane: (y: number, x: number) => number, y: number, x: number): number {
  const [top, left] = [Math.floor(y), Math.floor(x)]
  const [v, u] = [y - top, x - left]
  return (
    plane(top, left) * (1 - v) * (1 - u) +
    plane(top, left + 1) * (1 - v) * u +
    plane(top + 1, left) * v * (1 - u) +
    plane(top + 1, left + 1) * v * u
  )
}

export const references = {
  DeformConv: ([x, w, offset, bias, mask], attributes) => {
    const [batch, channels, height, width] = x!.dims
    const [outC, depth, kh, kw] = w!.dims
    const { out, strides, dilations, begin } = knownWindow([height, width], [kh, kw], attributes)
    const [outH, outW] = out
    const { group, offset_group: offsetGroups } = attributes as Record<string, number>
    const [values, weights, moves] = [numbersOf(x!), numbersOf(w!), numbersOf(offset!)]
    const [shifts, shares] = [bias ? numbersOf(bias) : null, mask ? numbersOf(mask) : null]
    const [pixels, taps] = [outH * outW, kh * kw]
    const result: number[] = []
    for (let n = 0; n < batch; n++) {
      for (let m = 0; m < outC; m++) {
        const first = Math.floor(m / (outC / group)) * depth
        for (let p = 0; p < pixels; p++) {
          const [row, column] = [Math.floor(p / outW), p % outW]
          let sum = shifts?.[m] ?? 0
          for (let c = 0; c < depth; c++) {
            const channel = first + c
            const plane = (y: number, x: number): number =>
              y < 0 || y >= height || x < 0 || x >= width
                ? 0
                : values[((n * channels + channel) * height + y) * width + x]
            const owner = n * offsetGroups + Math.floor(channel / (channels / offsetGroups))
            for (let tap = 0; tap < taps; tap++) {
              const at = (owner * taps + tap) * 2 * pixels + p
              const y = row * strides[0] - begin[0] + Math.floor(tap / kw) * dilations[0] + moves[at]
              const x = column * strides[1] - begin[1] + (tap % kw) * dilations[1] + moves[at + pixels]
              const share = shares ? shares[(owner * taps + tap) * pixels + p] : 1
              sum += weights[(m * depth + c) * taps + tap] * share * valueAt(plane, y, x)
            }
          }
          result.push(sum)
        }
      }
    }
    return [tensorOf(x!.type, result, [batch, outC, outH, outW])]
  },
} satisfies Record<string, Reference>

export const samples = {
  DeformConv: (random): Sample[] => [
    {
      inputs: [
        floats(random, [2, 4, 5, 6]),
        floats(random, [2, 2, 2, 3]),
        floats(random, [2, 24, 6, 5], -1, 1),
        floats(random, [2]),
        floats(random, [2, 12, 6, 5], 0, 1),
      ],
      attributes: { group: 2, offset_group: 2, pads: [1, 0, 1, 1] },
    },
    { inputs: [floats(random, [1, 1, 3, 3]), floats(random, [1, 1, 2, 2]), floats(random, [1, 8, 2, 2])] },
  ],
} satisfies Record<string, Samples>
