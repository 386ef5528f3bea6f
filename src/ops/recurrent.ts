// SPDX-License-Identifier: Apache-2.0
/**
 * LSTM, GRU and RNN over a whole sequence. X is [sequence, batch, input] (batch first where layout is 1), W and R are
 * [directions, gates * hidden, input or hidden]; gates stand in ONNX's order (LSTM: input, output, forget, cell; GRU:
 * update, reset, hidden). https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html
 *
 * whittle.DynamicQuantizeLSTM, …GRU and …RNN are the same with W and R int8, each followed by its scales, float32
 * [directions, gates * hidden]. What they multiply, rows of X and of h (GRU: of the reset h too), is quantised on the fly,
 * each row by itself, to asymmetric 8 bits (rules: kernels/pack.ts, oracle: quantize.ts).
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type AttributeSpec,
  type OpContext,
  type OpDef,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
} from './define.ts'
import { complaint, needed, printDims, unknownDims } from './infer.ts'
import { type RecurrentInputs, lowerRecurrent } from './lower-recurrent.ts'
import { recurrent, recurrentKinds } from './recurrent-reference.ts'
import { floats, integers } from './sample-tensors.ts'

type Name = keyof typeof recurrentKinds
type QuantizedName = `whittle.DynamicQuantize${Name}`

/** Where ONNX's operators have their inputs. */
const plainInputs: RecurrentInputs = { x: 0, w: 1, r: 2, bias: 3, lengths: 4, h: 5, c: 6, peep: 7 }

/** Where the quantised ones have them. */
const quantizedInputs: Required<RecurrentInputs> = {
  x: 0,
  w: 1,
  wScale: 2,
  r: 3,
  rScale: 4,
  bias: 5,
  lengths: 6,
  h: 7,
  c: 8,
  peep: 9,
}

/** Inputs of a quantised operator without the scales: as ONNX orders them. */
function withoutScales<T>(inputs: readonly T[]): T[] {
  return inputs.filter((_, i) => i !== quantizedInputs.wScale && i !== quantizedInputs.rScale)
}

const attributes: Readonly<Record<string, AttributeSpec>> = {
  activation_alpha: { kind: 'floats' },
  activation_beta: { kind: 'floats' },
  activations: { kind: 'strings' },
  clip: { kind: 'float' },
  direction: { kind: 'string', default: 'forward' },
  hidden_size: { kind: 'int' },
  layout: { kind: 'int', default: 0 },
}

/** Dims of X as [sequence, batch, input], of R as [directions, rows, hidden]. */
function checkedDims(
  inputs: readonly (ValueInfo | null)[],
  context: OpContext,
): [readonly Dim[], readonly Dim[]] | null {
  const [x, w, r] = ['X', 'W', 'R'].map((name, i) => needed(context, inputs[i], name).dims)
  for (const dims of [x, w, r]) {
    if (dims !== null && dims.length !== 3) throw complaint(context, 'X, W and R of rank 3', printDims(dims))
  }
  const both = context.attributes.direction === 'bidirectional'
  if (!both && context.attributes.direction !== 'forward' && context.attributes.direction !== 'reverse') {
    throw complaint(context, 'a direction of forward, reverse, bidirectional', String(context.attributes.direction))
  }
  if (x === null || r === null) return null
  if (dim.isKnown(r[0]) && r[0] !== (both ? 2 : 1)) {
    throw complaint(context, `weights of ${both ? 'two directions' : 'one direction'}`, printDims(r))
  }
  return [context.attributes.layout === 1 ? [x[1], x[0], x[2]] : x, r]
}

function inferRecurrent(name: Name, inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  const dims = checkedDims(inputs, context)
  const { dtype } = inputs[0]!
  if (dims === null) return [4, 3, 3].map((rank, i) => ({ dtype, dims: unknownDims(context, rank, i) }))
  const [[sequence, batch, width], [directions, rows, hidden]] = dims
  const { gates } = recurrentKinds[name]
  if (dim.isKnown(rows) && dim.isKnown(hidden) && rows !== gates * hidden) {
    throw complaint(context, `R of ${gates} gates of ${hidden} rows`, `${rows} rows`)
  }
  const inputSize = inputs[1]!.dims?.[2]
  if (inputSize !== undefined && dim.isKnown(inputSize) && dim.isKnown(width) && inputSize !== width) {
    throw complaint(context, `W for inputs of ${width}`, String(inputSize))
  }
  const batchFirst = context.attributes.layout === 1
  const state = { dtype, dims: batchFirst ? [batch, directions, hidden] : [directions, batch, hidden] }
  const y = batchFirst ? [batch, sequence, directions, hidden] : [sequence, directions, batch, hidden]
  return [{ dtype, dims: y }, state, ...(name === 'LSTM' ? [state] : [])]
}

function define(name: Name, inputs: readonly [number, number], more: Readonly<Record<string, AttributeSpec>>): OpDef {
  return {
    inputs,
    // none at all is allowed, though nothing is to be had from it
    outputs: [0, name === 'LSTM' ? 3 : 2],
    attributes: { ...attributes, ...more },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: (infos, context) => inferRecurrent(name, infos, context),
    lower: (lowering, context) => lowerRecurrent(lowering, name, plainInputs, context),
  }
}

/** @throws GraphError naming the node when weights are not int8, or a scale is missing or not one for each of their rows */
function checkQuantized(inputs: readonly (ValueInfo | null)[], context: OpContext): void {
  for (const [name, at] of [
    ['W', quantizedInputs.w],
    ['R', quantizedInputs.r],
  ] as const) {
    const weight = needed(context, inputs[at], name)
    const scale = needed(context, inputs[at + 1], `the scale of ${name}`)
    if (weight.dtype !== 'int8') throw complaint(context, `${name} int8`, weight.dtype)
    if (scale.dtype !== 'float32') throw complaint(context, `scales of ${name} float32`, scale.dtype)
    const rows = weight.dims?.slice(0, 2)
    if (!rows || !scale.dims) continue
    if (scale.dims.length !== 2 || !scale.dims.every((d, i) => dim.equal(d, rows[i]) || !dim.isKnown(rows[i])))
      throw complaint(context, `scales of ${name} of dims ${printDims(rows)}`, printDims(scale.dims))
  }
}

/** Most that an element is off where the state of a kernel and that of the reference round to neighbouring steps. */
const oneStep = 2e-3

function quantized(name: Name, plain: OpDef): OpDef {
  const [fewest, most] = plain.inputs
  return {
    ...plain,
    inputs: [fewest + 2, most + 2],
    numerics: { relative: 1e-4, absolute: oneStep },
    infer(inputs, context) {
      checkQuantized(inputs, context)
      return inferRecurrent(name, withoutScales(inputs), context)
    },
    lower: (lowering, context) => lowerRecurrent(lowering, name, quantizedInputs, context),
  }
}

const plain: Readonly<Record<Name, OpDef>> = {
  GRU: define('GRU', [3, 6], { linear_before_reset: { kind: 'int', default: 0 } }),
  LSTM: define('LSTM', [3, 8], { input_forget: { kind: 'int', default: 0 } }),
  RNN: define('RNN', [3, 6], {}),
}

export const ops: Readonly<Record<Name | QuantizedName, OpDef>> = {
  ...plain,
  'whittle.DynamicQuantizeGRU': quantized('GRU', plain.GRU),
  'whittle.DynamicQuantizeLSTM': quantized('LSTM', plain.LSTM),
  'whittle.DynamicQuantizeRNN': quantized('RNN', plain.RNN),
}

function reference(name: Name): Reference {
  return (inputs, given, { outputs }) => recurrent(recurrentKinds[name], inputs, given).slice(0, outputs)
}

function quantizedReference(name: Name): Reference {
  return (inputs, given, { outputs }) => {
    const scales = [inputs[quantizedInputs.wScale]!, inputs[quantizedInputs.rScale]!] as const
    return recurrent(recurrentKinds[name], withoutScales(inputs), given, scales).slice(0, outputs)
  }
}

export const references = {
  GRU: reference('GRU'),
  LSTM: reference('LSTM'),
  RNN: reference('RNN'),
  'whittle.DynamicQuantizeGRU': quantizedReference('GRU'),
  'whittle.DynamicQuantizeLSTM': quantizedReference('LSTM'),
  'whittle.DynamicQuantizeRNN': quantizedReference('RNN'),
} satisfies Record<string, Reference>

function samplesOf(name: Name): Samples {
  return (random): Sample[] => {
    const { gates } = recurrentKinds[name]
    const outputs = name === 'LSTM' ? 3 : 2
    const [seq, batch, width, hidden] = [4, 2, 3, 8]
    const of = (directions: number): Tensor[] => [
      floats(random, [seq, batch, width]),
      floats(random, [directions, gates * hidden, width]),
      floats(random, [directions, gates * hidden, hidden]),
      floats(random, [directions, 2 * gates * hidden]),
    ]
    const state = (directions: number): Tensor => floats(random, [directions, batch, hidden])
    const states = (directions: number): Tensor[] => Array.from({ length: outputs - 1 }, () => state(directions))
    const lengths = new Tensor('int32', [4, 2])
    const [x, ...first] = of(1)
    return [
      { inputs: of(1).slice(0, 3), outputs },
      { inputs: of(2), outputs, attributes: { direction: 'bidirectional' } },
      { inputs: [...of(1), null, ...states(1)], outputs },
      { inputs: of(1), outputs, attributes: { direction: 'reverse' } },
      { inputs: [...of(2), null, ...states(2)], outputs, attributes: { direction: 'bidirectional' } },
      { inputs: [...of(1), lengths, ...states(1)], outputs, attributes: { direction: 'reverse' } },
      { inputs: [...of(2), lengths, ...states(2)], outputs, attributes: { direction: 'bidirectional' } },
      { inputs: [floats(random, [batch, seq, width]), ...first], outputs, attributes: { layout: 1 } },
      { inputs: [x, ...first], attributes: { clip: 0.5, hidden_size: hidden } },
      ...(name === 'GRU' ? [{ inputs: of(1), outputs, attributes: { linear_before_reset: 1 } }] : []),
      ...(name === 'LSTM'
        ? [{ inputs: [...of(1), null, state(1), state(1), floats(random, [1, 3 * hidden])], outputs }]
        : []),
    ]
  }
}

/** The same with weights of int8, at most 0.4 large. */
function quantizedSamples(name: Name): Samples {
  return (random) =>
    (samplesOf(name)(random) as Sample[]).map((sample) => {
      const [x, w, r, ...rest] = sample.inputs
      const weights = [w!, r!].flatMap(({ dims }) => [
        integers(random, dims, -127, 127, 'int8'),
        floats(random, dims.slice(0, 2), 0.0005, 0.003),
      ])
      return { ...sample, inputs: [x, ...weights, ...rest] }
    })
}

export const samples = {
  GRU: samplesOf('GRU'),
  LSTM: samplesOf('LSTM'),
  RNN: samplesOf('RNN'),
  'whittle.DynamicQuantizeGRU': quantizedSamples('GRU'),
  'whittle.DynamicQuantizeLSTM': quantizedSamples('LSTM'),
  'whittle.DynamicQuantizeRNN': quantizedSamples('RNN'),
} satisfies Record<string, Samples>
