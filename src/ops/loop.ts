// SPDX-License-Identifier: Apache-2.0
/**
 * Loop and Scan: a subgraph run again and again, with values carried from one run to the next and values stacked up.
 * Bodies read the names of the graphs around them. Inference finds what stays true of a carried value however often the
 * body runs: dims that a run changes are unknown.
 * https://onnx.ai/onnx/operators/onnx__Loop.html, onnx__Scan.html
 */
import { GraphError } from '../base/errors.ts'
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import type { Graph } from '../ir/graph.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type OpContext,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { axisOf, complaint, contentOf, needed, unknownDims } from './infer.ts'
import { type Cells, cellsOf, integersOf } from './elements.ts'
import { newCells, numbersOf, tensorOfCells } from './numeric.ts'
import { floats } from './sample-tensors.ts'

/** Inputs and outputs ONNX allows. */
const most = 2147483647

/** Rounds of inference until nothing of a carried value changes: rank lost, then dims, then one to see. */
const rounds = 4

const scalar = (dtype: Dtype): ValueInfo => ({ dtype, dims: [] })

/** What is true of a value before and after a run. */
function joined(context: OpContext, before: ValueInfo, after: ValueInfo, position: number): ValueInfo {
  const { dtype, dims } = before
  if (after.dtype !== dtype) throw complaint(context, `a carried value that stays ${dtype}`, after.dtype)
  if (dims === null || after.dims === null || dims.length !== after.dims.length) return { dtype, dims: null }
  const fresh = unknownDims(context, dims.length, position)
  const theirs = after.dims
  return { dtype, dims: dims.map((d: Dim, axis) => (dim.equal(d, theirs[axis]) ? d : fresh[axis])) }
}

function sameDims(a: ValueInfo, b: ValueInfo): boolean {
  if (a.dims === null || b.dims === null) return a.dims === b.dims
  return a.dims.length === b.dims.length && a.dims.every((d, axis) => dim.equal(d, b.dims![axis]))
}

/** Outputs of the body once the carried values are what they are in every run, and those values. */
function settled(
  context: OpContext,
  body: Graph,
  carried: readonly ValueInfo[],
  inputsWith: (carried: readonly ValueInfo[]) => ValueInfo[],
  skip: number,
): { readonly state: readonly ValueInfo[]; readonly outputs: readonly ValueInfo[] } {
  const declared = body.outputs.map(({ dtype, dims }) => ({ dtype, dims }))
  let state: readonly ValueInfo[] = carried.map(({ dtype, dims }) => ({ dtype, dims }))
  for (let round = 0; round < rounds; round++) {
    const given = round < rounds - 1 ? state : state.map(({ dtype }) => ({ dtype, dims: null }))
    const outputs = context.inferGraph?.(body, inputsWith(given)) ?? declared
    const next = given.map((info, i) => joined(context, info, outputs[skip + i], i))
    if (next.every((info, i) => sameDims(info, given[i]))) return { state: next, outputs }
    state = next
  }
  return { state, outputs: declared }
}

/** A body's dims with the axis that the runs are stacked along. */
function stacked(dims: readonly Dim[] | null, axis: number, length: Dim): Dim[] | null {
  if (dims === null) return null
  const at = axis < 0 ? axis + dims.length + 1 : axis
  return [...dims.slice(0, at), length, ...dims.slice(at)]
}

function checkBody(context: OpContext, body: Graph, inputs: number, least: number): void {
  if (body.inputs.length !== inputs) {
    throw complaint(context, `a body with ${inputs} inputs`, String(body.inputs.length))
  }
  if (body.outputs.length < least) {
    throw complaint(context, `a body with at least ${least} outputs`, String(body.outputs.length))
  }
}

/** How often Loop's body runs, where that is known: the condition is false at first, or stays true. */
function runsOf(infos: readonly (ValueInfo | null)[], context: OpContext, state: readonly ValueInfo[]): Dim | null {
  const [trips, condition] = infos
  const go = condition ? contentOf(condition)?.[0] : 1
  if (go === 0) return 0
  if (go !== 1) return null
  const goes = { ...scalar('bool'), content: [1] }
  const [after] = context.inferGraph?.(context.attributes.body as Graph, [scalar('int64'), goes, ...state]) ?? []
  const isAlways = contentOf(after)?.[0] === 1
  if (!trips && isAlways) throw complaint(context, 'a trip count or a condition that may end', 'neither')
  const count = contentOf(trips)?.[0]
  return isAlways && count !== undefined ? dim.max(count, 0) : null
}

function inferLoop(infos: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  const body = context.attributes.body as Graph
  const carried = infos.slice(2).map((info, i) => needed(context, info, `carried value ${i}`))
  checkBody(context, body, carried.length + 2, carried.length + 1)
  const inputsWith = (state: readonly ValueInfo[]) => [scalar('int64'), scalar('bool'), ...state]
  const { state, outputs } = settled(context, body, carried, inputsWith, 1)
  const runs = runsOf(infos, context, state)
  const scans = outputs.slice(1 + carried.length).map(({ dtype, dims }, i) => {
    const [length] = unknownDims(context, 1, carried.length + i)
    return { dtype, dims: stacked(dims, 0, runs ?? length) }
  })
  return [...state, ...scans]
}

/** The number of values Scan carries, and the axes of its scanned inputs. */
function scanPlan({ num_scan_inputs: count, scan_input_axes: axes }: Attributes, inputs: number) {
  const scanned = count as number
  return { carried: inputs - scanned, axes: (axes as number[] | undefined) ?? new Array<number>(scanned).fill(0) }
}

function inferScan(infos: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  const body = context.attributes.body as Graph
  const given = infos.map((info, i) => needed(context, info, `input ${i}`))
  const { carried, axes } = scanPlan(context.attributes, given.length)
  if (carried < 0 || axes.length !== given.length - carried || axes.length === 0) {
    throw complaint(context, `num_scan_inputs in [1, ${given.length}]`, String(context.attributes.num_scan_inputs))
  }
  checkBody(context, body, given.length, carried)
  let length: Dim | undefined
  const slices = given.slice(carried).map(({ dtype, dims }, i) => {
    if (dims === null) return { dtype, dims }
    const axis = axisOf(context, axes[i], dims.length)
    length ??= dims[axis]
    return { dtype, dims: dims.filter((_, at) => at !== axis) }
  })
  const inputsWith = (state: readonly ValueInfo[]) => [...state, ...slices]
  const { state, outputs } = settled(context, body, given.slice(0, carried), inputsWith, 0)
  const outputAxes = context.attributes.scan_output_axes as number[] | undefined
  const scans = outputs.slice(carried).map(({ dtype, dims }, i) => {
    const [fresh] = unknownDims(context, 1, carried + i)
    return { dtype, dims: stacked(dims, outputAxes?.[i] ?? 0, length ?? fresh) }
  })
  return [...state, ...scans]
}

export const ops = defineOps({
  Loop: {
    inputs: [2, most],
    outputs: [1, most],
    attributes: { body: { kind: 'graph', required: true } },
    infer: inferLoop,
  },
  Scan: {
    inputs: [1, most],
    outputs: [1, most],
    attributes: {
      body: { kind: 'graph', required: true },
      num_scan_inputs: { kind: 'int', required: true },
      scan_input_axes: { kind: 'ints' },
      scan_input_directions: { kind: 'ints' },
      scan_output_axes: { kind: 'ints' },
      scan_output_directions: { kind: 'ints' },
    },
    infer: inferScan,
  },
})

/** Equal tensors stacked along a new axis; none at all gives what the body declares, with length 0. */
function stack(tensors: readonly Tensor[], axis: number, declared: Graph['outputs'][number]): Tensor {
  const first = tensors.at(0)
  if (first === undefined) {
    const dims = (declared.dims ?? []).map((d) => (dim.isKnown(d) ? d : 0))
    return tensorOfCells(declared.dtype, newCells(declared.dtype, 0), stacked(dims, axis, 0) as number[])
  }
  const other = tensors.find(({ dims }) => dims.join() !== first.dims.join())
  if (other) {
    const [a, b] = [first, other].map(({ dims }) => `[${dims.join(', ')}]`)
    throw new GraphError({ where: `output '${declared.name}'`, expected: `dims ${a} in every run`, got: b })
  }
  const at = axis < 0 ? axis + first.dims.length + 1 : axis
  const inner = sizeOf(first.dims.slice(at))
  const cells = newCells(first.type, first.size * tensors.length) as Cells & unknown[]
  tensors.forEach((tensor, run) => {
    const from = cellsOf(tensor) as Cells & unknown[]
    for (let i = 0; i < tensor.size; i++) {
      cells[(Math.floor(i / inner) * tensors.length + run) * inner + (i % inner)] = from[i]
    }
  })
  return tensorOfCells(first.type, cells, stacked(first.dims, at, tensors.length) as number[])
}

/** Position `index` of an axis, which is dropped. */
function sliceOf(tensor: Tensor, axis: number, index: number): Tensor {
  const inner = sizeOf(tensor.dims.slice(axis + 1))
  const dims = tensor.dims.filter((_, at) => at !== axis)
  const from = cellsOf(tensor) as Cells & unknown[]
  const cells = newCells(tensor.type, sizeOf(dims)) as Cells & unknown[]
  for (let i = 0; i < cells.length; i++) {
    cells[i] = from[(Math.floor(i / inner) * tensor.dims[axis] + index) * inner + (i % inner)]
  }
  return tensorOfCells(tensor.type, cells, dims)
}

/** Most runs of a body, and most elements they may leave behind: a loop nothing ends would go on for ever. */
const maxTrips = 2 ** 17
const maxElements = 2 ** 26

function endless(expected: string): GraphError {
  return new GraphError({ where: 'Loop', expected: `at most ${expected}`, got: 'more' })
}

export const references = {
  Loop: (inputs, attributes, { evaluate }) => {
    const body = attributes.body as Graph
    const trips = inputs[0] ? integersOf(inputs[0])[0] : Infinity
    let state = inputs.slice(2) as readonly Tensor[]
    let goes = inputs[1] ? numbersOf(inputs[1])[0] !== 0 : true
    const scans: Tensor[][] = body.outputs.slice(1 + state.length).map(() => [])
    let elements = 0
    for (let trip = 0; trip < trips && goes; trip++) {
      if (trip === maxTrips) throw endless(`${maxTrips} runs of the body`)
      const count = new Tensor('int64', [BigInt(trip)], [])
      const [condition, ...values] = evaluate(body, [count, new Tensor('bool', [1], []), ...state])
      goes = numbersOf(condition)[0] !== 0
      const carried = state.length
      state = values.slice(0, carried)
      scans.forEach((scan, i) => scan.push(values[carried + i]))
      elements += values.slice(carried).reduce((sum, { size }) => sum + size, 0)
      if (elements > maxElements) throw endless(`${maxElements} elements of outputs`)
    }
    const declared = body.outputs.slice(1 + state.length)
    return [...state, ...scans.map((scan, i) => stack(scan, 0, declared[i]))]
  },
  Scan: (inputs, attributes, { evaluate }) => {
    const body = attributes.body as Graph
    const given = inputs as readonly Tensor[]
    const { carried, axes } = scanPlan(attributes, given.length)
    const scanned = given
      .slice(carried)
      .map((tensor, i) => ({ tensor, axis: normalizeAxis(axes[i], tensor.dims.length) }))
    const backward = attributes.scan_input_directions as number[] | undefined
    const outputBackward = attributes.scan_output_directions as number[] | undefined
    const outputAxes = attributes.scan_output_axes as number[] | undefined
    const length = scanned[0].tensor.dims[scanned[0].axis]
    let state = given.slice(0, carried)
    const scans: Tensor[][] = body.outputs.slice(carried).map(() => [])
    for (let t = 0; t < length; t++) {
      const slices = scanned.map(({ tensor, axis }, i) =>
        sliceOf(tensor, axis, backward?.[i] === 1 ? length - 1 - t : t),
      )
      const values = evaluate(body, [...state, ...slices])
      state = values.slice(0, carried)
      scans.forEach((scan, i) => scan.push(values[carried + i]))
    }
    const declared = body.outputs.slice(carried)
    const stacks = scans.map((scan, i) =>
      stack(outputBackward?.[i] === 1 ? scan.reverse() : scan, outputAxes?.[i] ?? 0, declared[i]),
    )
    return [...state, ...stacks]
  },
} satisfies Record<string, Reference>

/** A body: sum = a + b, handed on and handed out, going on as long as a condition that it is given. */
function addingBody(isLoop: boolean, dims: readonly number[]): Graph {
  const value = (name: string, dtype: Dtype, of: readonly number[]) => ({ name, dtype, dims: of })
  const [a, b] = [value('a', 'float32', dims), value('b', 'float32', dims)]
  const same = (name: string, from: string) => ({
    name,
    op: 'Identity',
    inputs: [from],
    outputs: [name],
    attributes: {},
  })
  const control = isLoop ? [value('trip', 'int64', []), value('go', 'bool', [])] : []
  return {
    name: 'body',
    opset: 21,
    inputs: isLoop ? [...control, a] : [a, b],
    outputs: [
      ...(isLoop ? [value('goes', 'bool', [])] : []),
      value('sum', 'float32', dims),
      value('out', 'float32', dims),
    ],
    constants: new Map(),
    nodes: [
      { name: 'add', op: 'Add', inputs: ['a', isLoop ? 'a' : 'b'], outputs: ['sum'], attributes: {} },
      same('out', 'sum'),
      ...(isLoop ? [same('goes', 'go')] : []),
    ],
  }
}

export const samples = {
  Loop: (random): Sample[] => {
    const attributes = { body: addingBody(true, [2, 3]) }
    const trips = (n: number): Tensor => new Tensor('int64', [n], [])
    const go = (value: number): Tensor => new Tensor('bool', [value], [])
    return [
      { inputs: [trips(3), go(1), floats(random, [2, 3])], outputs: 2, attributes },
      { inputs: [trips(3), go(0), floats(random, [2, 3])], outputs: 2, attributes },
      { inputs: [trips(2), null, floats(random, [2, 3])], outputs: 2, attributes },
    ]
  },
  Scan: (random): Sample[] => {
    const body = addingBody(false, [3])
    return [
      { inputs: [floats(random, [3]), floats(random, [4, 3])], outputs: 2, attributes: { body, num_scan_inputs: 1 } },
      {
        inputs: [floats(random, [3]), floats(random, [3, 4])],
        outputs: 2,
        attributes: {
          body,
          num_scan_inputs: 1,
          scan_input_axes: [1],
          scan_input_directions: [1],
          scan_output_axes: [-1],
          scan_output_directions: [1],
        },
      },
    ]
  },
} satisfies Record<string, Samples>
