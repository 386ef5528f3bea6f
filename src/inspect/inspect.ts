// SPDX-License-Identifier: Apache-2.0
/** Looks into a model file: its graph as it is stored, what it is made of, and how whittle would run each operator. */
import { detectFormat } from '../format/detect.ts'
import { type Graph, subgraphsOf } from '../ir/graph.ts'
import { print } from '../ir/dim.ts'
import { nearestOperator } from '../ir/nearest.ts'
import { fromContainer } from '../model/from-container.ts'
import type { Unsupported } from '../model/from-onnx.ts'
import { loadOps } from '../ops/table.ts'
import type { PassReport } from '../passes/pipeline.ts'
import { type Source, openSource } from '../platform/source.ts'
import { type Rewrite, graphOfOnnx } from '../runtime/onnx-source.ts'
import { type Dtype, byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'

export interface InspectedValue {
  readonly name: string
  /** 'sequence' and the like: whittle has only tensors. */
  readonly type: Dtype | NonNullable<Unsupported['value']>['kind']
  readonly dims: readonly (number | string)[] | null
}

export interface InspectedOperator {
  readonly op: string
  readonly nodes: number
  /** 'kernel': lowers to Wasm; 'reference': runs on the host; 'none': whittle does not know it. */
  readonly support: 'kernel' | 'reference' | 'none'
  /** For unsupported ones: the same in another domain, or the nearest name. */
  readonly nearest?: string
}

export interface Inspection {
  readonly format: 'onnx' | 'whittle'
  readonly bytes: number
  /** Of ONNX's own domain: the one the file was written for. */
  readonly opset: number
  readonly inputs: readonly InspectedValue[]
  readonly outputs: readonly InspectedValue[]
  /** Elements of all constants, those of subgraphs included. */
  readonly parameters: number
  readonly weights: Readonly<Record<string, { readonly tensors: number; readonly bytes: number }>>
  /** Most frequent first. */
  readonly operators: readonly InspectedOperator[]
  /** What keeps the file from being loaded beside operators that whittle does not know: old forms, sequences. */
  readonly problems: readonly string[]
  /** What the passes would do; null where not asked for or where operators are unsupported. */
  readonly passes: readonly PassReport[] | null
  /** Every single rewrite of the passes, in order; null where not asked for. */
  readonly rewrites: readonly Rewrite[] | null
  /** A `.whittle` file's producer and recipe. */
  readonly metadata: string | null
}

export interface InspectOptions {
  readonly passes?: boolean
  /** Names of passes to leave out. */
  readonly off?: readonly string[]
  /** Collect every rewrite. */
  readonly rewrites?: boolean
  readonly signal?: AbortSignal
}

/** Inspects a model. @throws SourceError, FormatError, GraphError */
export async function inspectModel(
  source: Source,
  { passes = false, off = [], rewrites = false, signal }: InspectOptions = {},
): Promise<Inspection> {
  const stream = await openSource(source, signal)
  const bytes = await stream.bytes(signal)
  const format = detectFormat(bytes, stream.name)
  const container = format === 'whittle' ? fromContainer(bytes, stream.name) : undefined
  const unsupported: Unsupported[] = []
  const onUnsupported = (what: Unsupported): void => void unsupported.push(what)
  const stored = container
    ? { graph: container.graph, opset: container.graph.opset }
    : await graphOfOnnx(bytes, stream, { passes: false, onUnsupported })
  const { graph } = stored
  const operators = await inspectOperators(graph, new Set(unsupported.map(({ op }) => op)))
  const isKnown = unsupported.length === 0 && operators.every(({ support }) => support !== 'none')
  const run = passes && format === 'onnx' && isKnown
  const done: Rewrite[] = []
  const onRewrite = (rewrite: Rewrite): void => void done.push(rewrite)
  const optimised = run
    ? await graphOfOnnx(bytes, stream, { disablePasses: off, ...(rewrites ? { onRewrite } : {}) })
    : undefined
  const { producer, recipe } = container?.metadata ?? {}
  const kinds = new Map(unsupported.flatMap(({ value }) => (value ? [[value.name, value.kind] as const] : [])))
  const describe = (value: Graph['inputs'][number]) => describeValue(value, kinds.get(value.name))
  const recipeName = (recipe as { name?: string } | undefined)?.name
  return {
    format,
    bytes: bytes.byteLength,
    opset: stored.opset,
    inputs: graph.inputs.map(describe),
    outputs: graph.outputs.map(describe),
    ...inspectConstants(graph),
    operators,
    problems: unsupported.map(({ error }) => error.message),
    passes: optimised?.passes ?? null,
    rewrites: optimised && rewrites ? done : null,
    metadata:
      producer === undefined ? null : `${String(producer)}${recipeName === undefined ? '' : `, recipe ${recipeName}`}`,
  }
}

function describeValue(
  { name, dtype, dims }: Graph['inputs'][number],
  kind: InspectedValue['type'] = dtype,
): InspectedValue {
  return { name, type: kind, dims: dims?.map((dim) => (typeof dim === 'number' ? dim : print(dim))) ?? null }
}

function allGraphs(graph: Graph): Graph[] {
  return [graph, ...graph.nodes.flatMap(subgraphsOf).flatMap(allGraphs)]
}

function inspectConstants(graph: Graph): Pick<Inspection, 'parameters' | 'weights'> {
  const weights: Record<string, { tensors: number; bytes: number }> = {}
  let parameters = 0
  for (const { dtype, dims } of allGraphs(graph).flatMap(({ constants }) => [...constants.values()])) {
    const row = (weights[dtype] ??= { tensors: 0, bytes: 0 })
    row.tensors++
    row.bytes += byteLengthOf(dtype, sizeOf(dims))
    parameters += sizeOf(dims)
  }
  return { parameters, weights }
}

/** @param refused operators some node of which the importer did not take */
async function inspectOperators(graph: Graph, refused: ReadonlySet<string | undefined>): Promise<InspectedOperator[]> {
  const counts = new Map<string, number>()
  for (const { op } of allGraphs(graph).flatMap(({ nodes }) => nodes)) counts.set(op, (counts.get(op) ?? 0) + 1)
  const ops = await loadOps(counts.keys())
  return [...counts]
    .map(([op, nodes]): InspectedOperator => {
      const def = ops.get(op)
      if (refused.has(op)) return { op, nodes, support: 'none' }
      if (def !== undefined) return { op, nodes, support: def.lower === undefined ? 'reference' : 'kernel' }
      const nearest = nearestOperator(op, ops.keys!())
      return { op, nodes, support: 'none', ...(nearest === undefined ? {} : { nearest }) }
    })
    .sort((a, b) => b.nodes - a.nodes || a.op.localeCompare(b.op))
}
