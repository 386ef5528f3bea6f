// SPDX-License-Identifier: Apache-2.0
/** `whittle compare`: two models on the same inputs, as tables, JSON or an HTML report. */
import type { Command } from 'commander'
import { type Comparison, type Session, compare, load } from '../index.ts'
import { type MeasurementOptions, addMeasurementOptions, measurementsOf, wholeNumber } from './arguments.ts'
import { type FeedOptions, addFeedOptions, feedHelp, readFeeds } from './feeds.ts'
import { readMeasuringFeeds } from './measuring-feeds.ts'
import { bytes, interrupt, print, progressBar, table } from './output.ts'
import { labelOf, writeReport } from './report-file.ts'

interface Options extends FeedOptions, MeasurementOptions {
  readonly threads: number
  readonly rounds?: number
  readonly report?: string
  readonly json?: boolean
}

export function addCompare(program: Command): void {
  const command = program
    .command('compare')
    .summary('hold two models against each other')
    .description(
      'Runs two models on the same inputs: bytes, median latency, and how far the outputs of the second are from the first.',
    )
    .argument('<reference>', 'an .onnx or .whittle file')
    .argument('<other>', 'an .onnx or .whittle file')
  addFeedOptions(command)
    .option('-t, --threads <count>', 'threads to use', wholeNumber(1), 1)
    .option('--rounds <count>', 'timed rounds', wholeNumber(1))
    .option('--report <file.html>', 'write a page with plots: sizes, latency, error per output and layer, weights')
  addMeasurementOptions(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `${feedHelp}

Example:
  $ whittle compare model.onnx model.whittle --inputs line.npz --report report.html`,
    )
    .action(async (reference: string, other: string, options: Options) => {
      const signal = interrupt()
      const settings = { threads: options.threads, ...measurementsOf(options), signal }
      const a = await load(reference, settings)
      try {
        const b = await load(other, settings)
        try {
          await compareSessions(a, b, { reference, other, options, signal })
        } finally {
          await b.dispose()
        }
      } finally {
        await a.dispose()
      }
    })
}

interface Call {
  readonly reference: string
  readonly other: string
  readonly options: Options
  readonly signal: AbortSignal
}

async function compareSessions(a: Session, b: Session, { reference, other, options, signal }: Call): Promise<void> {
  const { report, threads, json } = options
  const rounds = options.rounds === undefined ? {} : { rounds: options.rounds }
  const inputs =
    report === undefined
      ? { feeds: await readFeeds(a.inputs, options), said: '' }
      : await readMeasuringFeeds(a.inputs, options)
  const result = await compare(a, b, inputs.feeds, rounds)
  if (report !== undefined) {
    const bar = progressBar('report')
    const models = [reference, other].map((source) => ({ label: labelOf(source), source }))
    const { onProgress } = bar
    const settings = { file: report, ...inputs, threads, ...measurementsOf(options), ...rounds, signal, onProgress }
    await writeReport(models[0], models[1], settings).finally(bar.stop)
  }
  const data = { ...result, ...(report === undefined ? {} : { page: report }) }
  print(json, data, () => [describe(result), ...(report === undefined ? [] : [`report: ${report}`])].join('\n'))
}

function describe({ bytes: sizes, latency, outputs }: Comparison): string {
  return [
    table(
      ['', 'reference', 'other', 'ratio'],
      [
        ['bytes', bytes(sizes[0]), bytes(sizes[1]), (sizes[1] / sizes[0]).toFixed(3)],
        [
          'median latency, ms',
          latency[0].toFixed(2),
          latency[1].toFixed(2),
          latency[0] > 0 ? (latency[1] / latency[0]).toFixed(3) : '',
        ],
      ],
    ),
    table(
      ['output', 'cosine', 'largest error', 'largest error / largest value', 'signal to noise, dB'],
      outputs.map(({ name, cosine, maxAbsError, maxRelError, snr }) => [
        name,
        cosine.toFixed(6),
        maxAbsError.toExponential(2),
        maxRelError.toExponential(2),
        snr.toFixed(1),
      ]),
    ),
  ].join('\n')
}
