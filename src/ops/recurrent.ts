// SPDX-License-Identifier: Apache-2.0
/**
 * LSTM, GRU and RNN over a whole sequence. X is [sequence, batch, input] (batch first where layout is 1), W and R are
 * [directions, gates * hidden, input or hidden]; gates stand in ONNX's order (LSTM: input, output, forget, cell; GRU:
 * update, reset, hidden). https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html
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
import { lowerRecurrent } from './lower-recurrent.ts'
import { recurrent, recurrentKinds } from './recurrent-reference.ts'
import { floats } from './sample-tensors.ts'

type Name = keyof typeof recurrentKinds

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
    lower: (lowering, { node, attributes }) => lowerRecurrent(lowering, node, attributes),
  }
}

export const ops: Readonly<Record<Name, OpDef>> = {
  GRU: define('GRU', [3, 6], { linear_before_reset: { kind: 'int', default: 0 } }),
  LSTM: define('LSTM', [3, 8], { input_forget: { kind: 'int', default: 0 } }),
  RNN: define('RNN', [3, 6], {}),
}

function reference(name: Name): Reference {
  return (inputs, given, { outputs }) => recurrent(recurrentKinds[name], inputs, given).slice(0, outputs)
}

export const references = {
  GRU: reference('GRU'),
  LSTM: reference('LSTM'),
  RNN: reference('RNN'),
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

export const samples = {
  GRU: samplesOf('GRU'),
  LSTM: samplesOf('LSTM'),
  RNN: samplesOf('RNN'),
} satisfies Record<string, Samples>
