// SPDX-License-Identifier: Apache-2.0
/**
 * Compression from end to end: a model's bytes become a graph, the passes optimise it, the recipe rewrites its weights,
 * and a `.whittle` file with a report of all that comes out.
 */
import { checkAborted, describe } from '../base/check.ts'
import { InputError, StateError } from '../base/errors.ts'
import { writeContainer } from '../format/container.ts'
import type { Json } from '../format/container-records.ts'
import { detectFormat } from '../format/detect.ts'
import type { Graph } from '../ir/graph.ts'
import { fromContainer } from '../model/from-container.ts'
import { toContainer } from '../model/to-container.ts'
import { type ByteStream, type Source, openSource } from '../platform/source.ts'
import type { PassReport } from '../passes/pipeline.ts'
import { graphOfOnnx } from '../runtime/onnx-source.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { type Calibration, measureValues } from './calibrate.ts'
import { checkExclusions } from './exclusions.ts'
import { pruneGraph } from './prune-graph.ts'
import { type KnownInputs, type LayerReport, layerInputs, quantizeGraph } from './quantize-graph.ts'
import { type FullRecipe, type Recipe, resolveRecipe } from './recipe.ts'
import { syntheticInputs } from './synthetic-inputs.ts'

export interface CompressProgress {
  readonly phase: 'read' | 'optimise' | 'compress' | 'write'
  /** Phases done, of `total`. */
  readonly loaded: number
  readonly total: number
}

export interface CompressOptions {
  /**
   * Sets of inputs as the model will see them; some tens are enough. Weights are rounded by them, and biases corrected for
   * what that shifts. Left out: made-up inputs, see docs/compression.md.
   */
  readonly calibration?: Calibration
  readonly onProgress?: (event: CompressProgress) => void
  readonly signal?: AbortSignal
}

export interface CompressReport {
  readonly recipe: FullRecipe
  readonly roundedBy: RoundedBy
  /** Bytes of the source file. */
  readonly bytesBefore: number
  /** Bytes of the `.whittle` file. */
  readonly bytesAfter: number
  /** Bytes of weights by element type, before and after. */
  readonly weightsBefore: Readonly<Record<string, number>>
  readonly weightsAfter: Readonly<Record<string, number>>
  readonly nodesBefore: number
  readonly nodesAfter: number
  readonly passes: readonly PassReport[]
  readonly layers: readonly LayerReport[]
}

export interface Compressed {
  /** The bytes of a `.whittle` file. */
  readonly model: Uint8Array
  readonly report: CompressReport
}

/** The inputs by which weights were rounded. */
export interface RoundedBy {
  /** 'calibration': those given; 'synthetic': made-up ones; 'none': each weight went to the nearest, sums of them apart. */
  readonly inputs: 'calibration' | 'synthetic' | 'none'
  /** Of 'none': why there are none. */
  readonly reason?: string
}

/** The graphs of a compression, for those who measure it. */
export interface CompressedGraphs {
  /** As read and optimised, weights untouched. */
  readonly before: Graph
  readonly after: Graph
}

const phases = ['read', 'optimise', 'compress', 'write'] as const

/**
 * Compresses a model.
 * @param source an `.onnx` or `.whittle` model: a path, a URL or its bytes
 * @param recipe a preset's name or a plain object
 * @throws InputError, SourceError, FormatError, GraphError, UnsupportedError, AbortError
 */
export async function compress(
  source: Source,
  recipe: string | Recipe,
  options: CompressOptions = {},
): Promise<Compressed> {
  const { model, report } = await compressGraph(source, recipe, options)
  return { model, report }
}

/** As `compress`, with the graphs beside the file. */
export async function compressGraph(
  source: Source,
  recipe: string | Recipe,
  options: CompressOptions = {},
): Promise<Compressed & { readonly graphs: CompressedGraphs }> {
  checkCompressOptions(options)
  const full = resolveRecipe(recipe)
  const { signal } = options
  const reach = (phase: CompressProgress['phase']): void => {
    checkAborted('compress', signal)
    options.onProgress?.({ phase, loaded: phases.indexOf(phase), total: phases.length })
  }
  reach('read')
  const stream = await openSource(source, signal)
  const bytes = await stream.bytes(signal)
  reach('optimise')
  const { graph: before, source: original, passes } = await readModel(bytes, stream, full, signal)
  checkExclusions(before, full)
  reach('compress')
  const pruned = pruneGraph(before, full)
  const { known, ...measured } = await measureInputs(pruned.graph, full, options)
  const { graph: after, layers: dense, usesStatistics } = quantizeGraph(pruned.graph, full, known)
  const says = measured.inputs !== 'synthetic' || usesStatistics
  const roundedBy: RoundedBy = says
    ? measured
    : { inputs: 'none', reason: 'made-up inputs say too little of its layers' }
  const layers = [...pruned.layers, ...dense]
  reach('write')
  const sizes = {
    nodesBefore: original.nodes.length,
    nodesAfter: after.nodes.length,
    weightsBefore: weightBytes(original),
    weightsAfter: weightBytes(after),
  }
  const metadata = {
    producer: 'whittle',
    source: stream.name.split(/[\\/]/).at(-1) ?? '',
    recipe: full as unknown as Json,
    ...sizes,
  }
  const model = writeContainer(toContainer(after, metadata))
  options.onProgress?.({ phase: 'write', loaded: phases.length, total: phases.length })
  const report = {
    recipe: full,
    roundedBy,
    bytesBefore: bytes.byteLength,
    bytesAfter: model.byteLength,
    ...sizes,
    passes,
    layers,
  }
  return { model, report, graphs: { before, after } }
}

/** Bytes of weights up to which a model is run on made-up inputs: it is there a second time meanwhile. */
const mostSyntheticBytes = 512 * 1024 * 1024

/** What the layers' inputs are like; nothing where there are no layers to round, or no inputs to be had. */
async function measureInputs(
  graph: Graph,
  recipe: FullRecipe,
  { calibration, signal }: CompressOptions,
): Promise<RoundedBy & { readonly known?: KnownInputs }> {
  const none = (reason: string) => ({ inputs: 'none' as const, reason })
  const { all, summed, together } = layerInputs(graph, recipe)
  const options = { moments: together, ...(signal === undefined ? {} : { signal }) }
  if (calibration !== undefined && all.length > 0) {
    const statistics = await measureValues(graph, all, calibration, options)
    return { inputs: 'calibration', known: { statistics, areReal: true } }
  }
  if (summed.length === 0) return none('no layer is rounded')
  if (recipe.rounding === 'nearest' && !recipe.equalize) return none('the recipe wants none')
  const bytes = Object.values(weightBytes(graph)).reduce((sum, of) => sum + of, 0)
  if (bytes > mostSyntheticBytes) return none(`the model is too large to run it meanwhile, ${bytes} bytes`)
  const inputs = syntheticInputs(graph)
  if (inputs === undefined) return none('inputs of such types, ranks or sizes are not made up')
  try {
    const statistics = await measureValues(graph, summed, inputs, { ...options, deterministic: true })
    return { inputs: 'synthetic', known: { statistics, areReal: false } }
  } catch (error) {
    // a model that does not run on just any inputs is compressed all the same
    checkAborted('compress', signal)
    return none(`the model does not run on made-up inputs: ${(error as Error).message}`)
  }
}

const optionNames = ['calibration', 'onProgress', 'signal']

function checkCompressOptions(options: unknown): void {
  const wrong = (where: string, expected: string, value: unknown) =>
    new InputError({ where, expected, got: describe(value) })
  if (typeof options !== 'object' || options === null) throw wrong('options', 'an object', options)
  for (const name of Object.keys(options)) {
    if (!optionNames.includes(name)) {
      throw new InputError({
        where: `options.${name}`,
        expected: `one of ${optionNames.join(', ')}`,
        got: 'an unknown option',
      })
    }
  }
  const { calibration, onProgress, signal } = options as Record<string, unknown>
  const iterable = calibration as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined
  if (
    calibration !== undefined &&
    typeof (iterable?.[Symbol.iterator] ?? iterable?.[Symbol.asyncIterator]) !== 'function'
  ) {
    throw wrong('options.calibration', 'an array or async iterable of inputs', calibration)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw wrong('options.onProgress', 'a function', onProgress)
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') {
    throw wrong('options.signal', 'an AbortSignal', signal)
  }
}

async function readModel(
  bytes: Uint8Array,
  stream: ByteStream,
  recipe: FullRecipe,
  signal: AbortSignal | undefined,
): Promise<{ graph: Graph; source: Graph; passes: readonly PassReport[] }> {
  if (detectFormat(bytes, stream.name) === 'onnx') {
    return graphOfOnnx(bytes, stream, { disablePasses: recipe.disablePasses, ...(signal ? { signal } : {}) })
  }
  const { graph } = fromContainer(bytes, stream.name)
  if (graph.nodes.some(({ op }) => op.startsWith('whittle.DynamicQuantize') || op === 'whittle.WeightOnlyGemm')) {
    throw new StateError({
      where: stream.name,
      expected: 'a model whose weights are still float32',
      got: 'one that is quantised already',
      todo: 'compress the original model',
    })
  }
  return { graph, source: graph, passes: [] }
}

function weightBytes({ constants }: Graph): Record<string, number> {
  const bytes: Record<string, number> = {}
  for (const { dtype, dims } of constants.values())
    bytes[dtype] = (bytes[dtype] ?? 0) + byteLengthOf(dtype, sizeOf(dims))
  return bytes
}
