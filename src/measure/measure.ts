// SPDX-License-Identifier: Apache-2.0
/**
 * Measures a model against a reference and gives the data of a report: sizes, latency, error per output and per layer,
 * weights before and after, what the passes did. Both are run here, on the inputs given; nothing is estimated.
 */
import { checkAborted, checkInteger } from '../base/check.ts'
import { InputError } from '../base/errors.ts'
import { describeHost } from '../platform/host.ts'
import type { Source } from '../platform/source.ts'
import type { LayerRow, ReportData, SizeRow } from '../report/data.ts'
import { histogramOf } from '../report/histogram.ts'
import { compare } from '../runtime/compare.ts'
import { openNear } from '../runtime/near.ts'
import type { Feeds } from '../runtime/feeds.ts'
import type { MeasurementPlace } from '../runtime/measurements.ts'
import { type LoadOptions, checkOptions } from '../runtime/options.ts'
import { Session } from '../runtime/session.ts'
import { layerNoise } from './layer-noise.ts'
import { type Layer, layersOf, pairLayers } from './layers.ts'
import { type ModelFile, readModelFile } from './model-file.ts'
import { Noise } from './noise.ts'
import { timeInTurns } from './spread.ts'

/** A model and what the report calls it. */
export interface Contender {
  readonly label: string
  readonly source: Source
}

export interface MeasureProgress {
  readonly phase: 'read' | 'errors' | 'latency' | 'layers'
  readonly loaded: number
  readonly total: number
}

export interface MeasureOptions {
  readonly title?: string
  /** Goes before runtime, build and date in the line under the title. */
  readonly machine?: string
  /** Says what the inputs are. */
  readonly inputs?: string
  /** Threads to compute with; 1 where left out. */
  readonly threads?: number
  /** As for `load`. */
  readonly measurements?: MeasurementPlace
  /** Timed rounds; 15 where left out. */
  readonly rounds?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (event: MeasureProgress) => void
}

/** Histograms are of this many layers at most, those with most weights. */
const mostHistograms = 12

const defaultRounds = 15

/**
 * Measures `other` against `reference`.
 * @param inputs one set of feeds, or several; latency is the mean over a round's sets
 * @throws InputError for no inputs or inputs that do not fit; SourceError, FormatError, GraphError, UnsupportedError,
 * AbortError of the models
 */
export async function measure(
  reference: Contender,
  other: Contender,
  inputs: Feeds | readonly Feeds[],
  options: MeasureOptions = {},
): Promise<ReportData> {
  const { threads = 1, measurements = true, signal, onProgress } = options
  const rounds = checkInteger('options.rounds', options.rounds ?? defaultRounds, 1)
  const sets = Array.isArray(inputs) ? (inputs as readonly Feeds[]) : [inputs as Feeds]
  if (sets.length === 0)
    throw new InputError({ where: 'measure inputs', expected: 'at least one set of inputs', got: 'none' })
  const load = await checkOptions({ threads, measurements, ...(signal ? { signal } : {}) } satisfies LoadOptions)
  const tell = (phase: MeasureProgress['phase'], loaded: number, total: number): void => {
    checkAborted('measure', signal)
    onProgress?.({ phase, loaded, total })
  }
  tell('read', 0, 2)
  const otherFile = await readModelFile(other.source, signal ? { signal } : {})
  const disablePasses = otherFile.disabledPasses
  const referenceFile = await readModelFile(reference.source, { disablePasses, ...(signal ? { signal } : {}) })
  const a = new Session(await openNear(reference.source, load))
  try {
    const b = new Session(await openNear(other.source, load))
    try {
      tell('errors', 0, 1)
      const { outputs } = await compare(a, b, sets, { rounds: 1 })
      const { build } = await b.profile()
      const latencies = await timeInTurns([a, b].map(oneRound(sets)), rounds, {
        ...(signal ? { signal } : {}),
        onRound: (round) => tell('latency', round, rounds),
      })
      const pairs = pairLayers(referenceFile.graph, otherFile.graph)
      const noise = await layerNoise([referenceFile.graph, otherFile.graph], pairs.map(nameOf), sets, {
        load,
        ...(signal ? { signal } : {}),
        onProgress: (done) => tell('layers', done, pairs.length),
      })
      return {
        title: options.title ?? `${reference.label} and ${other.label}`,
        setting: settingLine(options, build, threads),
        notes: notesOf(sets.length, rounds, options.inputs),
        sizes: [sizeRow(reference.label, referenceFile), sizeRow(other.label, otherFile)],
        latencies: [
          { label: reference.label, runs: latencies[0].map(({ time }) => time / sets.length) },
          { label: other.label, runs: latencies[1].map(({ time }) => time / sets.length) },
        ],
        outputs,
        layers: layerRows(referenceFile, pairs, noise),
        histograms: histogramsOf(pairs),
        passes: referenceFile.passes.map(({ pass, fired, nodes }) => ({ name: pass, fired, nodes })),
      }
    } finally {
      await b.dispose()
    }
  } finally {
    await a.dispose()
  }
}

function oneRound(sets: readonly Feeds[]): (session: Session) => () => Promise<void> {
  return (session) => async () => {
    for (const feeds of sets) await session.run(feeds)
  }
}

function nameOf([layer]: readonly [Layer, Layer]): string {
  return layer.output
}

function settingLine({ machine }: MeasureOptions, build: string, threads: number): string {
  const day = new Date().toISOString().slice(0, 10)
  const count = `${threads} thread${threads === 1 ? '' : 's'}`
  return [machine, describeHost().runtime, `${build} build`, count, day]
    .filter((part) => part !== undefined)
    .join(' · ')
}

function notesOf(sets: number, rounds: number, inputs: string | undefined): string[] {
  const each = sets === 1 ? 'one set of inputs' : `${sets} sets of inputs`
  return [
    `Measured on ${each}${inputs === undefined ? '' : ` (${inputs})`}; ${rounds} timed rounds in which the models take turns, after one that does not count.`,
  ]
}

function sizeRow(label: string, { bytes, byType }: ModelFile): SizeRow {
  return { label, bytes, byType }
}

/** Layers in the reference's order; those the other model computes otherwise have no figures. */
function layerRows(
  { graph }: ModelFile,
  pairs: readonly (readonly [Layer, Layer])[],
  noise: ReadonlyMap<string, number>,
): LayerRow[] {
  const matches = new Map(pairs.map(([layer, match]) => [layer.output, match]))
  return layersOf(graph).flatMap((layer) => {
    const match = matches.get(layer.output)
    if (match === undefined) return []
    return {
      node: layer.node.name,
      op: layer.node.op,
      to: match.dtype,
      bytesBefore: layer.bytes,
      bytesAfter: match.bytes,
      weightSnr: weightNoise(layer, match),
      outputSnr: noise.get(layer.output) ?? null,
    }
  })
}

/** null where the weight is unchanged or cannot be told. */
function weightNoise(layer: Layer, match: Layer): number | null {
  const [before, after] = [layer.weights(), match.weights()]
  if (before === null || after === null || before.length !== after.length) return null
  const noise = new Noise()
  noise.add(before, after)
  return noise.decibels === Infinity ? null : noise.decibels
}

function histogramsOf(pairs: readonly (readonly [Layer, Layer])[]): ReportData['histograms'] {
  const largest = [...pairs].sort(([a], [b]) => b.bytes - a.bytes).slice(0, mostHistograms)
  return largest.flatMap(([layer, match]) => {
    const [before, after] = [layer.weights(), match.weights()]
    return before === null || after === null ? [] : [histogramOf(layer.node.name, before, after)]
  })
}
