// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of operators, as functions of what is under test. `casesOf` turns the samples of the table into graphs
 * of one node with their expected outputs (by the references); `inferenceFaults` holds inference against them, and
 * `outputFaults` holds the outputs of any implementation `(graph, feeds) => outputs` against them.
 */
import { GraphError } from '../../src/base/errors.ts'
import * as dim from '../../src/ir/dim.ts'
import type { Graph, GraphValue, ValueInfo } from '../../src/ir/graph.ts'
import { inferGraph, inferNode, infoOfConstant } from '../../src/ir/infer.ts'
import type { Numerics, Sample } from '../../src/ops/define.ts'
import { type Evaluator, evaluateGraph } from '../../src/ops/evaluate.ts'
import { exactOf, numbersOf } from '../../src/ops/numeric.ts'
import { loadReferences } from '../../src/ops/references.ts'
import { loadOps, moduleOf, opTable } from '../../src/ops/table.ts'
import { dtypes } from '../../src/tensor/dtype.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { seededRandom } from '../../src/base/rng.ts'

/** One sample as a graph of one node. */
export interface OpCase {
  readonly op: string
  /** 'Conv #2' */
  readonly title: string
  readonly graph: Graph
  readonly feeds: ReadonlyMap<string, Tensor>
  readonly expected: readonly Tensor[]
  readonly numerics: Numerics
}

/** What runs a graph: the references, or a session of the runtime. */
export type Implementation = (graph: Graph, feeds: ReadonlyMap<string, Tensor>) => Promise<readonly Tensor[]>

/** Operators of the table. */
export const operators: readonly string[] = Object.keys(opTable)

/** Definitions and references of the whole table. */
export async function wholeTable(): Promise<Evaluator> {
  return { ops: await loadOps(operators), references: await loadReferences(operators) }
}

/** Which inputs of the graph are constants: none, or all but the first. */
export type Constants = 'none' | 'rest'

/** The cases of one operator, seeded by its name. */
export async function casesOf(evaluator: Evaluator, op: string, constants: Constants = 'rest'): Promise<OpCase[]> {
  const { samples } = await moduleOf(op)!()
  const seed = [...op].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 1)
  const list = samples[op](seededRandom(seed))
  return list.map((sample, i) => {
    const title = `${op} #${i}`
    const { graph, feeds } = graphOf(op, title, sample, constants)
    const values = evaluateGraph(evaluator, graph, feeds)
    const outputs = graph.outputs.map((output, k) => ({ ...output, dtype: values[k].type, dims: values[k].dims }))
    const numerics = sample.numerics ?? evaluator.ops.get(op)!.numerics ?? 'exact'
    return { op, title, graph: { ...graph, outputs }, feeds, expected: values, numerics }
  })
}

/** The case with its inputs handed out again behind the operator: nothing may have written over them. */
export function keepingInputs(test: OpCase): OpCase {
  const kept = test.graph.inputs.map((input) => ({ ...input, from: input.name, name: `${input.name}.kept` }))
  const nodes = kept.map(({ from, name }) => ({
    name,
    op: 'Identity',
    inputs: [from],
    outputs: [name],
    attributes: {},
  }))
  const graph = {
    ...test.graph,
    outputs: [...test.graph.outputs, ...kept.map(({ name, dtype, dims }) => ({ name, dtype, dims }))],
    nodes: [...test.graph.nodes, ...nodes],
  }
  return { ...test, graph, expected: [...test.expected, ...kept.map(({ from }) => test.feeds.get(from)!)] }
}

function graphOf(
  op: string,
  title: string,
  sample: Sample,
  constants: Constants,
): { graph: Graph; feeds: Map<string, Tensor> } {
  const names = sample.inputs.map((tensor, i) => (tensor ? `x${i}` : ''))
  const inputs: GraphValue[] = []
  const feeds = new Map<string, Tensor>()
  const held = new Map<string, { dtype: Tensor['type']; dims: readonly number[]; tensor: Tensor }>()
  sample.inputs.forEach((tensor, i) => {
    if (tensor === null) return
    if (i > 0 && constants === 'rest') held.set(names[i], { dtype: tensor.type, dims: tensor.dims, tensor })
    else {
      inputs.push({ name: names[i], dtype: tensor.type, dims: tensor.dims })
      feeds.set(names[i], tensor)
    }
  })
  const outputs = Array.from({ length: sample.outputs ?? 1 }, (_, i) => `y${i}`)
  const node = { name: title, op, inputs: names, outputs, attributes: sample.attributes ?? {} }
  const graph: Graph = {
    name: title,
    opset: sample.opset ?? 21,
    inputs,
    outputs: outputs.map((name) => ({ name, dtype: 'float32', dims: null })),
    constants: held,
    nodes: [node],
  }
  return { graph, feeds }
}

/** What inference says wrongly of a case: with numbers for dims, with contents too, and with symbols. */
export function inferenceFaults(evaluator: Evaluator, test: OpCase): string[] {
  const node = test.graph.nodes[0]
  const bindings = new Map<string, number>()
  const symbolic = (d: number): dim.Dim => {
    if (d < 2) return d
    bindings.set(`d${d}`, d)
    return dim.symbol(`d${d}`)
  }
  const typeOf = (tensor: Tensor): ValueInfo => ({ dtype: tensor.type, dims: tensor.dims })
  const views: Record<string, (tensor: Tensor, index: number) => ValueInfo> = {
    'types only': typeOf,
    'content known': (tensor) => infoOfConstant({ ...typeOf(tensor), tensor } as never),
    'first symbolic': (tensor, index) => {
      if (index > 0) return infoOfConstant({ ...typeOf(tensor), tensor } as never)
      return { dtype: tensor.type, dims: tensor.dims.map(symbolic) }
    },
    'rank unknown': (tensor) => ({ dtype: tensor.type, dims: null }),
  }
  return Object.entries(views).flatMap(([view, infoOf]) => {
    const infos = new Map<string, ValueInfo>()
    node.inputs.forEach((name, index) => {
      const tensor = test.feeds.get(name) ?? test.graph.constants.get(name)?.tensor
      if (tensor) infos.set(name, infoOf(tensor, index))
    })
    try {
      const outputs = inferNode(node, test.graph.opset, evaluator.ops, (name) => infos.get(name))
      return test.expected.flatMap((tensor, i) =>
        infoFaults(outputs[i], tensor, bindings, view === 'content known').map(
          (fault) => `${test.title}, ${view}, output ${i}: ${fault}`,
        ),
      )
    } catch (error) {
      // an operator may insist on knowing the rank
      if (view === 'rank unknown' && error instanceof GraphError) return []
      return [`${test.title}, ${view}: ${String(error)}`]
    }
  })
}

function infoFaults(
  info: ValueInfo,
  actual: Tensor,
  bindings: ReadonlyMap<string, number>,
  complete: boolean,
): string[] {
  const faults: string[] = []
  if (info.dtype !== actual.type) faults.push(`type ${info.dtype}, not ${actual.type}`)
  if (info.dims !== null && info.dims.length !== actual.dims.length) {
    faults.push(`rank ${info.dims.length}, not ${actual.dims.length}`)
  }
  if (info.dims === null && complete) faults.push('dims unknown though all inputs are known')
  info.dims?.forEach((d, axis) => {
    const value = dim.substitute(d, bindings)
    const wrong = dim.isKnown(value) ? value !== actual.dims[axis] : complete
    if (wrong) faults.push(`dim ${axis} is ${dim.print(d)}, not ${actual.dims[axis]}`)
  })
  if (info.content && faults.length === 0) {
    const elements = Array.from(exactOf(actual), Number)
    info.content.forEach((d, i) => {
      const value = dim.substitute(d, bindings)
      if (dim.isKnown(value) && value !== elements[i])
        faults.push(`content ${i} is ${dim.print(d)}, not ${elements[i]}`)
    })
  }
  return faults
}

/** How outputs differ from what is expected. */
export function outputFaults(test: OpCase, outputs: readonly Tensor[]): string[] {
  return test.expected.flatMap((expected, i) =>
    tensorFaults(outputs[i], expected, test.numerics).map((fault) => `${test.title}, output ${i}: ${fault}`),
  )
}

/** How a tensor differs from the expected one: type, shape, then the worst element. */
export function tensorFaults(actual: Tensor | undefined, expected: Tensor, numerics: Numerics): string[] {
  if (actual === undefined) return ['missing']
  if (actual.type !== expected.type) return [`type ${actual.type}, not ${expected.type}`]
  if (actual.dims.join() !== expected.dims.join())
    return [`dims [${actual.dims.join()}], not [${expected.dims.join()}]`]
  if (expected.type === 'string') {
    return (expected.data as string[]).join('\0') === (actual.data as string[]).join('\0') ? [] : ['other strings']
  }
  const exact = numerics === 'exact' || dtypes[expected.type].kind !== 'float'
  const { relative, absolute, ofLargest = 0 } = exact ? { relative: 0, absolute: 0 } : numerics
  const [a, b] = exact ? [exactOf(actual), exactOf(expected)] : [numbersOf(actual), numbersOf(expected)]
  const largest = ofLargest > 0 ? Array.from(b, Number).reduce((most, y) => Math.max(most, Math.abs(y)), 0) : 0
  const least = absolute + ofLargest * largest
  let worst = 0
  let where = -1
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i], b[i]]
    if (x === y || (x !== x && y !== y)) continue
    const excess = Math.abs(Number(x) - Number(y)) / (least + relative * Math.abs(Number(y)))
    if (!(excess <= Math.max(1, worst))) {
      worst = Number.isNaN(excess) ? Infinity : excess
      where = i
    }
  }
  return where < 0
    ? []
    : [
        `element ${where} of ${b.length} is ${a[where]}, not ${b[where]} (${worst.toPrecision(3)} times what is promised)`,
      ]
}

/** Runs an implementation over the cases of one operator; the faults found. */
export async function implementationFaults(run: Implementation, cases: readonly OpCase[]): Promise<string[]> {
  const faults: string[] = []
  for (const test of cases) {
    try {
      faults.push(...outputFaults(test, await run(test.graph, test.feeds)))
    } catch (error) {
      faults.push(`${test.title}: ${String(error)}`)
    }
  }
  return faults
}

/** The whole-graph inference of a case, as the runtime does it: with the dims of its inputs. */
export function inferredOutputs(evaluator: Evaluator, test: OpCase): (ValueInfo | undefined)[] {
  const infos = inferGraph(test.graph, evaluator.ops)
  return test.graph.outputs.map(({ name }) => infos.get(name))
}
