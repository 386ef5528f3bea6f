// SPDX-License-Identifier: Apache-2.0
/**
 * ConvTranspose becomes whittle.Conv, for each place of its stride one, and whittle.DepthToSpace behind, which puts their
 * results side by side. Along an axis of stride s, results o with the same p = (o + pad) mod s are sums over the taps
 * t = p + s j alone, of the pixels floor((o + pad) / s) - j: a convolution of stride 1 whose taps are these, turned round. So
 * nothing multiplies zeros between pixels, and what is done to convolutions (int8, epilogues) is done to these.
 *
 * Where all places have as many taps, one convolution with as many times the outputs does all. Of stride 1 the convolution
 * has the node's dilation. One or two spatial axes, float32, constant weights; without dilation along axes of another stride,
 * and no kernel smaller than its stride. Shi et al. 2016, arXiv:1609.07009.
 */
import { type Dim, add, isKnown, mul, sub } from '../ir/dim.ts'
import type { Node } from '../ir/graph.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { channelsLastForm, imageRank } from './channels-last.ts'
import { sharedConstant } from './operands.ts'
import { rulesPass } from './pass.ts'

/** Most convolutions that one becomes. */
const mostConvolutions = 16
/** Padding from which on a model is not one that people have. */
const mostPadding = 1024

/** One axis; see the head of this file. */
interface Axis {
  readonly kernel: number
  readonly stride: number
  /** 1 where the stride is not. */
  readonly dilation: number
  /** Pads in front of the convolution of place p: (taps(p) - 1) * dilation - first; behind: `behind`. */
  readonly first: number
  readonly behind: number
  /** Cut off in front and behind. */
  readonly crops: readonly [number, number]
}

type Kernel = Pick<Axis, 'kernel' | 'stride' | 'dilation'>

const extentOf = ({ kernel, dilation }: Pick<Axis, 'kernel' | 'dilation'>): number => (kernel - 1) * dilation + 1

const tapsOf = ({ kernel, stride }: Pick<Axis, 'kernel' | 'stride'>, place: number): number =>
  Math.ceil((kernel - place) / stride)

/** How much of the whole result an axis leaves out in front and behind, all told; the latter less output_padding. */
function axisOf({ kernel, stride, dilation }: Kernel, begin: number, end: number): Axis {
  const leastTaps = tapsOf({ kernel, stride }, stride - 1)
  const first = Math.min(Math.floor(begin / stride), (leastTaps - 1) * dilation)
  const surplus = extentOf({ kernel, dilation }) - stride - end
  const behind = Math.max(0, Math.ceil(surplus / stride))
  const before = begin - first * stride
  return {
    kernel,
    stride,
    dilation,
    first,
    behind,
    crops: [before, (behind - first) * stride - before - (surplus - begin)],
  }
}

/** The two axes of the node; undefined where they are not what this pass can do. */
function axesOf(view: View, node: Node, kernel: readonly number[]): readonly Axis[] | undefined {
  const rank = kernel.length
  const attributes = view.attributes(node)
  const list = (name: string, count: number, fallback: number): readonly number[] => {
    const values = (attributes[name] as readonly number[] | undefined) ?? []
    return values.length === 0 ? new Array<number>(count).fill(fallback) : values
  }
  const strides = list('strides', rank, 1)
  const padding = list('output_padding', rank, 0)
  const pads = list('pads', 2 * rank, 0)
  const dilations = list('dilations', rank, 1).map((dilation, i) => (kernel[i] > 1 ? dilation : 1))
  if (kernel.some((size, i) => size < strides[i] || (strides[i] > 1 && dilations[i] !== 1))) return undefined
  const auto = attributes.auto_pad ?? 'NOTSET'
  const explicit = auto === 'NOTSET' && list('output_shape', 0, 0).length === 0
  const [spatial, out] = [node.inputs[0], node.outputs[0]].map((value) => view.dims(value)?.slice(2))
  if (spatial?.length !== rank || out?.length !== rank) return undefined
  const axes = kernel.map((size, i): Axis | undefined => {
    const one = { kernel: size, stride: strides[i], dilation: dilations[i] }
    const whole = add(mul(sub(spatial[i] as Dim, 1), strides[i]), extentOf(one) + padding[i])
    const total = sub(whole, out[i] as Dim)
    if (!isKnown(total)) return undefined
    const half = Math.max(0, total) / 2
    const begin = explicit ? pads[i] : auto === 'SAME_UPPER' ? Math.floor(half) : Math.ceil(half)
    const end = total - begin - padding[i]
    return [begin, end].every((pad) => Math.abs(pad) <= mostPadding) ? axisOf(one, begin, end) : undefined
  })
  const known = axes.filter((axis) => axis !== undefined)
  if (known.length < rank) return undefined
  return rank === 2 ? known : [axisOf({ kernel: 1, stride: 1, dilation: 1 }, 0, 0), ...known]
}

/** A convolution: which places it does. */
type Places = readonly (readonly [down: number, right: number])[]

/** The convolutions of a node, in the order of their places. */
function convolutionsOf(axes: readonly Axis[], group: number): readonly Places[] {
  const [down, right] = axes.map(({ stride }) => Array.from({ length: stride }, (_, p) => p))
  const places = down.flatMap((p) => right.map((q) => [p, q] as const))
  const even = axes.every(({ kernel, stride }) => kernel % stride === 0)
  return even && group === 1 ? [places] : places.map((place) => [place])
}

/** Weights [C, M / group, kh, kw] as those of the convolution of these places: [places * M, taps, taps, C / group]. */
function weightOf(weight: Tensor, group: number, axes: readonly Axis[], places: Places): Tensor {
  const [inputs, perGroup] = weight.dims
  const depth = inputs / group
  const [{ kernel: kh, stride: down }, { kernel: kw, stride: right }] = axes
  const [rows, columns] = axes.map((axis, i) => tapsOf(axis, places[0][i]))
  const source = weight.data as Float32Array
  const target = new Float32Array(places.length * group * perGroup * rows * columns * depth)
  let at = 0
  for (const [p, q] of places) {
    for (let out = 0; out < group * perGroup; out++) {
      const first = Math.floor(out / perGroup) * depth
      for (let row = rows - 1; row >= 0; row--) {
        for (let column = columns - 1; column >= 0; column--) {
          const tap = (p + row * down) * kw + q + column * right
          for (let c = 0; c < depth; c++, at++)
            target[at] = source[((first + c) * perGroup + (out % perGroup)) * kh * kw + tap]
        }
      }
    }
  }
  return new Tensor('float32', target, [places.length * group * perGroup, rows, columns, depth])
}

const convTranspose: Rule = {
  name: 'conv-transpose',
  ops: ['ConvTranspose'],
  match(node, view) {
    const [x, w, bias = ''] = node.inputs
    const rank = imageRank(view, x)
    const weight = view.tensor(w)
    if (rank === undefined || weight?.type !== 'float32' || weight.dims.length !== rank || weight.size === 0)
      return undefined
    const group = view.attributes(node).group as number
    const axes = axesOf(view, node, weight.dims.slice(2))
    const values = bias === '' ? undefined : view.tensor(bias)
    if (axes === undefined) return undefined
    const convolutions = convolutionsOf(axes, group)
    // a bias is repeated for the places of one convolution, so its values have to be known
    const repeats = convolutions[0].length
    if (convolutions.length > mostConvolutions || (repeats > 1 && bias !== '' && values === undefined)) return undefined
    const constants: Record<string, Tensor> = {}
    const shared = (key: string, tensor: Tensor): string => {
      const [name, added] = sharedConstant(view, key, tensor)
      Object.assign(constants, added)
      return name
    }
    const biases = repeats > 1 && values !== undefined ? [shared(`${bias}/places`, repeated(values, repeats))] : [bias]
    const plane = new Tensor('float32', weight.data, [...weight.dims.slice(0, 2), ...axes.map(({ kernel }) => kernel)])
    const only = convolutions.length === 1
    const block = axes.map(({ stride }) => stride)
    const dilations = axes.map(({ dilation }) => dilation)
    const dilated: Node['attributes'] = dilations.every((dilation) => dilation === 1) ? {} : { dilations }
    const crops = [axes[0].crops[0], axes[1].crops[0], axes[0].crops[1], axes[1].crops[1]]
    const still = only && repeats === 1 && crops.every((crop) => crop === 0)
    const main = (input: string, output: string): Node[] => {
      const nodes = convolutions.map((places, i): Node => {
        const key = only ? `${w}/last` : `${w}/last/${String(i)}`
        const made = shared(key, weightOf(plane, group, axes, places))
        const [begin, end] = [
          axes.map((axis, k) => (tapsOf(axis, places[0][k]) - 1) * axis.dilation - axis.first),
          axes.map((a) => a.behind),
        ]
        const name = only ? node.name : view.fresh(`${node.name}/${String(i)}`)
        return {
          name,
          op: 'whittle.Conv',
          inputs: [input, made, ...biases].slice(0, bias === '' ? 2 : 3),
          outputs: [still ? output : only ? view.fresh(`${node.name}/places`) : name],
          attributes: { pads: [...begin, ...end], ...(group === 1 ? {} : { group }), ...dilated },
        }
      })
      if (still) return nodes
      const name = view.fresh(`${node.name}/space`)
      const inputs = nodes.map(({ outputs }) => outputs[0])
      return [...nodes, { name, op: 'whittle.DepthToSpace', inputs, outputs: [output], attributes: { block, crops } }]
    }
    const patch = channelsLastForm(view, node, main, rank)
    return { ...patch, constants: { ...patch.constants, ...constants } }
  },
}

function repeated(bias: Tensor, times: number): Tensor {
  const values = bias.data as Float32Array
  const all = Float32Array.from({ length: times * values.length }, (_, i) => values[i % values.length])
  return new Tensor('float32', all, [all.length])
}

/** See the head of this file. */
export const lowerConvTranspose = rulesPass('lower-conv-transpose', [convTranspose], {
  needs: ['fold-batch-norm', 'fold-affine-into-next'],
  writes: ['whittle.Conv', 'whittle.DepthToSpace', 'Transpose', 'Squeeze', 'Unsqueeze'],
})
