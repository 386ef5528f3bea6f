// SPDX-License-Identifier: Apache-2.0
/**
 * Old operator versions → the newest form, so that nothing above the importer knows of opsets. A row is an operator, the
 * opset below which its older form was valid, and how that is rewritten. Rows of one operator apply oldest first; a
 * rewrite that makes another operator, or several nodes, ends the walk. What changed when: docs/Changelog.md of onnx.
 */
import { GraphError, UnsupportedError } from '../base/errors.ts'
import { checkKind } from '../ir/attributes.ts'
import type { AttributeValue, Node } from '../ir/graph.ts'
import type { AttributeSpec } from '../ir/op-set.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type UpgradeScope, numberOf, numbersOf, withAttributes } from './upgrade-scope.ts'

/** The newest opset whose operators whittle knows; upgraded graphs are of this opset. */
export const newestOpset = 28

type Rewrite = (node: Node, scope: UpgradeScope) => readonly Node[]

/** `node`, written for `opset` of ONNX's own domain, in the newest form: nodes in topological order. */
export function upgradeNode(node: Node, opset: number, scope: UpgradeScope): readonly Node[] {
  let current = withAttributes(node, ['consumed_inputs'])
  for (const { below, rewrite, attributes } of Object.hasOwn(upgrades, node.op) ? upgrades[node.op] : []) {
    if (opset >= below) continue
    checkForms(current, attributes)
    const result = rewrite(current, scope).map(filled)
    if (result.length !== 1 || result[0].op !== node.op) return result
    current = result[0]
  }
  return [current]
}

/** Inputs that a rewrite took to be there and are not become left-out ones, which inference complains of. */
function filled(node: Node): Node {
  return { ...node, inputs: node.inputs.map((name: string | undefined) => name ?? '') }
}

/** @throws GraphError for an attribute whose old form is of another kind than it was, or missing where it had to be there */
function checkForms(node: Node, forms: Readonly<Record<string, Form>>): void {
  for (const [name, form] of Object.entries(forms)) {
    const isNeeded = form.endsWith('!')
    const value = Object.hasOwn(node.attributes, name) ? node.attributes[name] : undefined
    if (value === undefined && !isNeeded) continue
    checkKind(`attribute ${name}`, (isNeeded ? form.slice(0, -1) : form) as AttributeSpec['kind'], value)
  }
}

/** Attributes that are of no use to inference. */
const drop =
  (...names: string[]): Rewrite =>
  (node) => [withAttributes(node, names)]

/** An attribute of integers that became input `position`. */
const intsToInput =
  (attribute: string, position: number, dims?: readonly number[]): Rewrite =>
  (node, scope) => {
    const given = node.attributes[attribute]
    const values = typeof given === 'number' ? [given] : numbersOf(node.attributes, attribute)
    if (values === undefined) return [node]
    return [
      setInput(withAttributes(node, [attribute]), position, scope.ints(`${node.name}/${attribute}`, values, dims)),
    ]
  }

/** A default that changed: written out where the attribute is left out. */
const fix =
  (attribute: string, value: AttributeValue): Rewrite =>
  (node) => [node.attributes[attribute] === undefined ? withAttributes(node, [], { [attribute]: value }) : node]

function setInput(node: Node, position: number, name: string): Node {
  const inputs = [...node.inputs]
  while (inputs.length < position) inputs.push('')
  inputs[position] = name
  return { ...node, inputs }
}

/** Adds a float scalar as an input of the type of the node's first; by CastLike where that may not be float32. */
function floatInput(node: Node, position: number, what: string, value: number, scope: UpgradeScope): [Node, Node[]] {
  const name = scope.constant(`${node.name}/${what}`, new Tensor('float32', [value], []))
  if (scope.onlyFloat32) return [setInput(node, position, name), []]
  const cast = scope.derive(node, 'CastLike', [name, node.inputs[0]])
  return [setInput(node, position, cast.outputs[0]), [cast]]
}

const clip: Rewrite = (node, scope) => {
  let result = withAttributes(node, ['min', 'max'])
  const casts: Node[] = []
  for (const [position, what] of [[1, 'min'] as const, [2, 'max'] as const]) {
    const value = node.attributes[what]
    // a bound at the end of float32's range is how "no bound" was written
    if (typeof value !== 'number' || Math.abs(value) >= 3.4028234663852886e38) continue
    const [next, added] = floatInput(result, position, what, value, scope)
    result = next
    casts.push(...added)
  }
  return [...casts, result]
}

const pad: Rewrite = (node, scope) => {
  const value = numberOf(node.attributes, 'value', 0)
  const [padded] = intsToInput('pads', 1)(withAttributes(node, ['value']), scope)
  if (value === 0) return [padded]
  const [result, casts] = floatInput(padded, 2, 'value', value, scope)
  return [...casts, result]
}

const slice: Rewrite = (node, scope) => {
  const [starts, ends, axes] = ['starts', 'ends', 'axes'].map((name) => numbersOf(node.attributes, name) ?? [])
  const all = { starts, ends, axes: node.attributes.axes === undefined ? starts.map((_, i) => i) : axes }
  const names = Object.entries(all).map(([name, list]) => scope.ints(`${node.name}/${name}`, list))
  return [{ ...withAttributes(node, ['starts', 'ends', 'axes']), inputs: [node.inputs[0], ...names] }]
}

/** `value` with dims 1 appended until its axis 0 lies at `axis` of `target`: broadcasting from an axis, as before opset 7. */
function alignToAxis(node: Node, value: string, target: string, axis: number, scope: UpgradeScope): [string, Node[]] {
  const rank = scope.rankOf(value)
  const targetRank = scope.rankOf(target)
  if (rank !== undefined && targetRank !== undefined) {
    if (axis < -targetRank || axis >= Math.max(targetRank, 1)) {
      throw new GraphError({
        where: 'attribute axis',
        expected: `an axis in [${-targetRank}, ${targetRank})`,
        got: String(axis),
      })
    }
    const ones = targetRank - (axis < 0 ? axis + targetRank : axis) - rank
    if (ones <= 0) return [value, []]
    const axes = scope.ints(
      `${node.name}/axes`,
      Array.from({ length: ones }, (_, i) => rank + i),
    )
    const unsqueeze = scope.derive(node, 'Unsqueeze', [value, axes])
    return [unsqueeze.outputs[0], [unsqueeze]]
  }
  if (axis < 0) {
    throw new UnsupportedError({
      where: 'broadcast',
      expected: 'axis >= 0 or a known rank',
      got: `axis ${axis}`,
    })
  }
  const rankOf = (name: string): Node[] => {
    const shape = scope.derive(node, 'Shape', [name])
    return [shape, scope.derive(node, 'Shape', [shape.outputs[0]])]
  }
  const [shape, ownRank] = rankOf(value)
  const [targetShape, fullRank] = rankOf(target)
  const minusOwn = scope.derive(node, 'Sub', [fullRank.outputs[0], ownRank.outputs[0]])
  const count = scope.derive(node, 'Sub', [minusOwn.outputs[0], scope.ints(`${node.name}/axis`, [axis])])
  const one = new Tensor('int64', [1n], [1])
  const ones = scope.derive(node, 'ConstantOfShape', [count.outputs[0]], { value: one })
  const dims = scope.derive(node, 'Concat', [shape.outputs[0], ones.outputs[0]], { axis: 0 })
  const reshape = scope.derive(node, 'Reshape', [value, dims.outputs[0]])
  return [reshape.outputs[0], [shape, ownRank, targetShape, fullRank, minusOwn, count, ones, dims, reshape]]
}

const axisBroadcast: Rewrite = (node, scope) => {
  const { axis, broadcast } = node.attributes
  const plain = withAttributes(node, ['axis', 'broadcast'])
  if (broadcast !== 1 || typeof axis !== 'number') return [plain]
  const [aligned, nodes] = alignToAxis(node, node.inputs[1], node.inputs[0], axis, scope)
  return [...nodes, setInput(plain, 1, aligned)]
}

const slopePerChannel: Rewrite = (node, scope) => {
  const shape = scope.shapeOf(node.inputs[1])
  if (shape !== undefined && (shape.length !== 1 || shape[0] === 1)) return [node]
  const [aligned, nodes] = alignToAxis(node, node.inputs[1], node.inputs[0], 1, scope)
  return [...nodes, setInput(node, 1, aligned)]
}

/** Before opset 13 the axes from `axis` on were normalized together. */
const flattened: Rewrite = (node, scope) => {
  const axis = numberOf(node.attributes, 'axis', 1)
  const rank = scope.rankOf(node.inputs[0])
  const last = withAttributes(node, ['axis'], { axis: -1 })
  if (axis === -1 || (rank !== undefined && (axis < 0 ? axis + rank : axis) === rank - 1)) return [last]
  const shape = scope.derive(node, 'Shape', node.inputs)
  const flat = scope.derive(node, 'Flatten', node.inputs, { axis })
  const value = scope.value(`${node.name}/flat_output`)
  const inner = { ...last, inputs: flat.outputs, outputs: [value] }
  const name = scope.nodeName(`${node.name}/Reshape`)
  const back = { name, op: 'Reshape', inputs: [value, shape.outputs[0]], outputs: node.outputs, attributes: {} }
  return [shape, flat, inner, back]
}

/** Inference has one output; the others were the training mode's. */
const batchNormalization: Rewrite = (node) => [
  { ...withAttributes(node, ['spatial', 'is_test']), outputs: node.outputs.slice(0, 1) },
]

/** Before opset 9 spatial = 0 said that there is a mean and so on per element of an image, not per channel. */
const perElement: Rewrite = (node, scope) => {
  if (node.attributes.spatial !== 0) return [node]
  const [x, scale, bias, mean, variance] = node.inputs
  const epsilon = numberOf(node.attributes, 'epsilon', 1e-5)
  const [widened, casts] = floatInput(scope.derive(node, 'Add', [variance]), 1, 'epsilon', epsilon, scope)
  const deviation = scope.derive(node, 'Sqrt', widened.outputs)
  const centred = scope.derive(node, 'Sub', [x, mean])
  const normal = scope.derive(node, 'Div', [...centred.outputs, ...deviation.outputs])
  const scaled = scope.derive(node, 'Mul', [...normal.outputs, scale])
  const shifted = { ...scope.derive(node, 'Add', [...scaled.outputs, bias]), outputs: node.outputs.slice(0, 1) }
  return [...casts, widened, deviation, centred, normal, scaled, shifted]
}

/** Before opset 10 the mask was of the type of the data. */
const maskLikeData: Rewrite = (node, scope) => {
  const plain = withAttributes(node, ['ratio', 'is_test'])
  const [y, mask = ''] = node.outputs
  if (mask === '') return [plain]
  const kept = scope.value(`${node.name}/mask`)
  const cast = { ...scope.derive(node, 'CastLike', [kept, node.inputs[0]]), outputs: [mask] }
  return [{ ...plain, outputs: [y, kept] }, cast]
}

/** Resize without roi and coordinate modes, and Upsample before it, mapped asymmetrically. */
const resize: Rewrite = (node, scope) => {
  const scales = scope.tensorOf(node.inputs[1])
  const isShrinking = scales?.type === 'float32' && (scales.data as Float32Array).every((scale) => scale <= 1)
  return [
    {
      ...withAttributes(node, ['mode', 'scales'], {
        mode: node.attributes.mode === 'nearest' || node.attributes.mode === undefined ? 'nearest' : 'linear',
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: scales === undefined ? 'ceil_where_shrinking' : isShrinking ? 'ceil' : 'floor',
      }),
      op: 'Resize',
      inputs: [node.inputs[0], '', node.inputs[1]],
    },
  ]
}

const upsample: Rewrite = (node, scope) => {
  const { height_scale: height, width_scale: width } = node.attributes
  const scales =
    numbersOf(node.attributes, 'scales') ??
    (typeof height === 'number' && typeof width === 'number' ? [1, 1, height, width] : undefined)
  const plain = withAttributes(node, ['scales', 'height_scale', 'width_scale'])
  if (scales === undefined) return resize(plain, scope)
  const name = scope.constant(`${node.name}/scales`, new Tensor('float32', scales, [scales.length]))
  const [result] = resize(setInput(plain, 1, name), scope)
  return [withAttributes(result, [], { nearest_mode: 'floor' })]
}

const split: Rewrite = (node) => [
  (node.inputs[1] ?? '') === '' ? withAttributes(node, [], { num_outputs: node.outputs.length }) : node,
]

/** Before opset 21 scale and bias were per group: the groups are normalized as channels. */
const groupNormalization: Rewrite = (node, scope) => {
  const [x, scale, bias] = node.inputs
  const groups = numberOf(node.attributes, 'num_groups', 1)
  const shape = scope.derive(node, 'Shape', [x])
  const grouped = scope.derive(node, 'Reshape', [x, scope.ints(`${node.name}/groups`, [0, groups, -1])])
  const value = scope.value(`${node.name}/grouped_output`)
  const inner = { ...node, inputs: [grouped.outputs[0], scale, bias], outputs: [value] }
  const name = scope.nodeName(`${node.name}/Reshape`)
  const back = { name, op: 'Reshape', inputs: [value, shape.outputs[0]], outputs: node.outputs, attributes: {} }
  return [shape, grouped, inner, back]
}

/** Before opset 6 one axis was repeated: the second input is how often, the third which. */
const tile: Rewrite = (node, scope) => {
  const [x, tiles = '', axis = ''] = node.inputs
  const [count, at] = [tiles, axis].map((name) => scope.tensorOf(name)?.data[0])
  const rank = scope.rankOf(x)
  if (rank !== undefined && count !== undefined && at !== undefined) {
    const place = Number(at) < 0 ? Number(at) + rank : Number(at)
    if (!(place >= 0 && place < rank)) {
      throw new GraphError({ where: 'input axis', expected: `an axis in [${-rank}, ${rank})`, got: String(at) })
    }
    const repeats = Array.from({ length: rank }, (_, i) => (i === place ? Number(count) : 1))
    return [{ ...node, inputs: [x, scope.ints(`${node.name}/repeats`, repeats)] }]
  }
  const one = new Tensor('int64', [1n], [1])
  const shape = scope.derive(node, 'Shape', [x])
  const length = scope.derive(node, 'Shape', shape.outputs)
  const ones = scope.derive(node, 'ConstantOfShape', length.outputs, { value: one })
  const [vectorTiles, vectorAxis] = [tiles, axis].map((name) =>
    scope.derive(node, 'Reshape', [name, scope.ints(`${node.name}/vector`, [1])]),
  )
  const operands = [...ones.outputs, ...vectorAxis.outputs, ...vectorTiles.outputs]
  const repeats = scope.derive(node, 'ScatterElements', operands)
  return [shape, length, ones, vectorTiles, vectorAxis, repeats, { ...node, inputs: [x, ...repeats.outputs] }]
}

/** TensorProto.DataType by the names that Cast took before opset 6. */
const castTargets =
  'UNDEFINED FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 DOUBLE UINT32 UINT64'.split(' ')

const cast: Rewrite = (node) => {
  const { to } = node.attributes
  return [typeof to === 'string' ? withAttributes(node, [], { to: castTargets.indexOf(to.toUpperCase()) }) : node]
}

const gridModes: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic', nearest: 'nearest' }

const gridSample: Rewrite = (node) => {
  const mode = typeof node.attributes.mode === 'string' ? node.attributes.mode : 'bilinear'
  return [withAttributes(node, [], { mode: gridModes[mode] ?? mode })]
}

const dft: Rewrite = (node, scope) => intsToInput('axis', 2, [])(fix('axis', 1)(node, scope)[0], scope)

const unsupported =
  (what: string): Rewrite =>
  () => {
    throw new UnsupportedError({
      where: 'opset',
      expected: what,
      got: 'an older opset',
      todo: 'convert the model',
    })
  }

/** The kind of an attribute's old form, with ! where it had to be there. */
type Form = AttributeSpec['kind'] | `${AttributeSpec['kind']}!`

interface Row {
  readonly below: number
  readonly rewrite: Rewrite
  /** What the rewrite reads; those that stay as they are, are checked with the newest form. */
  readonly attributes: Readonly<Record<string, Form>>
}

const row = (below: number, rewrite: Rewrite, attributes: Row['attributes'] = {}): Row => ({
  below,
  rewrite,
  attributes,
})
const always = Infinity

const forAll = (names: string, ...rows: Row[]): Record<string, readonly Row[]> =>
  Object.fromEntries(names.split(' ').map((name) => [name, rows]))

/** The rows: by operator, oldest first. */
export const upgrades: Readonly<Record<string, readonly Row[]>> = {
  ...forAll(
    'Add Sub Mul Div Pow And Or Xor Equal Greater Less',
    row(7, axisBroadcast, { axis: 'int', broadcast: 'int' }),
  ),
  ...forAll('Softmax LogSoftmax Hardmax', row(13, flattened, { axis: 'int' })),
  ...forAll('LSTM GRU RNN', row(7, drop('output_sequence'))),
  ...forAll('Squeeze Unsqueeze ReduceSum', row(13, intsToInput('axes', 1), { axes: 'ints' })),
  ...forAll(
    'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare',
    row(18, intsToInput('axes', 1), { axes: 'ints' }),
  ),
  BatchNormalization: [row(9, perElement, { spatial: 'int', epsilon: 'float' }), row(14, batchNormalization)],
  Cast: [row(6, cast)],
  Clip: [row(11, clip, { min: 'float', max: 'float' })],
  Concat: [row(4, fix('axis', 1))],
  DFT: [row(20, dft, { axis: 'int' })],
  Dropout: [row(10, maskLikeData), row(12, drop('ratio', 'is_test'))],
  Gemm: [row(7, drop('broadcast'))],
  GridSample: [row(20, gridSample, { mode: 'string' })],
  GroupNormalization: [row(21, groupNormalization, { num_groups: 'int!' })],
  Pad: [
    row(2, (node) => [renamed(node, 'paddings', 'pads')], { paddings: 'ints' }),
    row(11, pad, { pads: 'ints', value: 'float' }),
  ],
  PRelu: [row(7, slopePerChannel)],
  Reshape: [row(5, intsToInput('shape', 1), { shape: 'ints' })],
  Resize: [row(11, resize, { mode: 'string' })],
  RoiAlign: [row(16, fix('coordinate_transformation_mode', 'output_half_pixel'))],
  Scan: [row(9, unsupported('Scan of opset 9 or newer'))],
  Scatter: [row(always, (node) => [{ ...node, op: 'ScatterElements' }])],
  // the defaults before opset 6 had fewer digits
  Selu: [
    row(6, (node, scope) =>
      fix('gamma', Math.fround(1.0507))(fix('alpha', Math.fround(1.6732))(node, scope)[0], scope),
    ),
  ],
  Slice: [row(10, slice, { starts: 'ints!', ends: 'ints!', axes: 'ints' })],
  Split: [row(13, intsToInput('split', 1), { split: 'ints' }), row(18, split)],
  Tile: [row(6, tile)],
  TopK: [row(10, intsToInput('k', 1), { k: 'int' })],
  Upsample: [row(always, upsample, { mode: 'string', scales: 'floats', height_scale: 'float', width_scale: 'float' })],
}

function renamed(node: Node, from: string, to: string): Node {
  const value = node.attributes[from]
  return value === undefined ? node : withAttributes(node, [from], { [to]: value })
}
