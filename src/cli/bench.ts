// SPDX-License-Identifier: Apache-2.0
/** `whittle bench`: how long a model takes and where the time goes, as tables, JSON or a trace. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { InputError, UnsupportedError } from '../base/errors.ts'
import { type BenchResult, type Rival, bench } from '../measure/bench.ts'
import { type OnnxRuntime, isOnnxRuntime, openOnnxRuntime } from '../measure/onnxruntime.ts'
import { traceOf } from '../measure/trace.ts'
import { writeFileAtomically } from '../platform/files.ts'
import { openSource } from '../platform/source.ts'
import { type MeasurementOptions, addMeasurementOptions, measurementsOf, wholeNumber } from './arguments.ts'
import { type FeedOptions, addFeedOptions, feedHelp } from './feeds.ts'
import { readMeasuringFeeds } from './measuring-feeds.ts'
import { bytes, interrupt, print, progressBar, table } from './output.ts'

interface Options extends FeedOptions, MeasurementOptions {
  readonly threads: number
  readonly kernels: 'auto' | 'simd' | 'relaxed'
  readonly rounds?: number
  readonly steps?: boolean
  readonly trace?: string
  readonly against?: string
  readonly againstModel?: string
  readonly json?: boolean
}

/** The one engine there is to hold whittle against. */
const rivalName = 'onnxruntime-web'

export function addBench(program: Command): void {
  const command = program
    .command('bench')
    .summary('how long a model takes, and where the time goes')
    .description(
      'Times loading, the first run and warm runs of a model, and says which operators the time goes to. ' +
        'Another engine may take turns with it in the same run.',
    )
    .argument('<model>', 'an .onnx or .whittle file')
  addFeedOptions(command)
    .option('-t, --threads <count>', 'threads to use', wholeNumber(1), 1)
    .option('--kernels <build>', 'auto, simd or relaxed', 'auto')
    .option('--rounds <count>', 'timed rounds (default: 20)', wholeNumber(1))
    .option('--steps', 'a line for every step, beside those for operators')
    .option('--trace <file.json>', 'write a trace for chrome://tracing or ui.perfetto.dev')
    .option('--against <engine>', `another engine, as installed in your project: ${rivalName}`)
    .option('--against-model <file.onnx>', 'the model for the other engine, where it cannot read this one')
  addMeasurementOptions(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `${feedHelp}
Without any of these, models without free dimensions are measured on random numbers.

Loading is timed from the call to the session; the first run includes compiling the model for its input shapes.
The profile is the mean of runs in which every step is timed; their sum is a little more than an ordinary run takes.

Examples:
  $ whittle bench model.whittle --random --dim width=320 --trace trace.json
  $ whittle bench model.whittle --against ${rivalName} --against-model model.onnx --input x=line.npy`,
    )
    .action(async (model: string, options: Options) => {
      const { threads, kernels, rounds, trace, json } = options
      const signal = interrupt()
      const rival = await rivalOf(model, options)
      const bar = progressBar('bench')
      let said = ''
      const { result, tracks } = await bench(
        model,
        async (inputs) => {
          const measured = await readMeasuringFeeds(inputs, options)
          said = measured.said
          return measured.feeds
        },
        {
          threads,
          kernels,
          ...measurementsOf(options),
          signal,
          onProgress: bar.onProgress,
          ...(rounds === undefined ? {} : { rounds }),
          ...(rival === undefined ? {} : { against: rival }),
        },
      ).finally(bar.stop)
      if (trace !== undefined) {
        const content = traceOf(tracks, { model, inputs: said, build: result.build, threads: String(threads) })
        await writeFileAtomically(trace, new TextEncoder().encode(JSON.stringify(content)))
      }
      const data = { model, inputs: said, ...result, ...(trace === undefined ? {} : { trace }) }
      print(json, data, () =>
        [
          `${model}: ${bytes(result.bytes)}, ${result.build} build, ${threads} thread${threads === 1 ? '' : 's'}, ${said}`,
          describe(result, options.steps === true),
          ...(trace === undefined ? [] : [`trace: ${trace}`]),
        ].join('\n'),
      )
    })
}

function describe(
  { engines, outputs, operators, steps, memory, outsideWasm }: BenchResult,
  withSteps: boolean,
): string {
  const [own, other] = engines
  const rows = engines.map(({ name, load, firstRun, runs }) => [
    name,
    ...[load, firstRun, runs.median, runs.least, runs.lowerQuartile, runs.upperQuartile, runs.most].map(milliseconds),
  ])
  return [
    table(['ms', 'load', 'first run', 'median', 'least', 'lower quartile', 'upper quartile', 'most'], rows),
    ...(other === undefined
      ? []
      : [`${own.name} takes ${((100 * own.runs.median) / other.runs.median).toFixed(1)} % of ${other.name}'s time`]),
    ...(outputs ?? []).map(
      ({ name, cosine, maxRelError }) =>
        `output ${name}: cosine ${cosine.toFixed(6)}, largest error ${maxRelError.toExponential(2)} of the largest value`,
    ),
    `${(100 * outsideWasm).toFixed(1)} % of a run is spent outside Wasm`,
    table(
      ['operator', 'steps', 'ms', '%', 'kernels'],
      operators.map(({ op, steps: count, time, share, kernels }) => [
        op,
        count,
        milliseconds(time),
        (100 * share).toFixed(1),
        kernels.join(' '),
      ]),
    ),
    ...(withSteps
      ? [
          table(
            ['node', 'operator', 'kernel', 'ms', 'bytes touched'],
            steps.map(({ node, op, kernel, time, bytes: touched }) => [
              node,
              op,
              kernel ?? 'host',
              milliseconds(time),
              bytes(touched),
            ]),
          ),
        ]
      : []),
    `memory: ${bytes(memory.weights)} of weights, ${bytes(memory.arena)} for activations, ${bytes(memory.total)} in all`,
  ].join('\n')
}

function milliseconds(time: number): string {
  return time.toFixed(time < 1 ? 3 : time < 100 ? 2 : 0)
}

async function rivalOf(model: string, { against, againstModel, threads }: Options): Promise<Rival | undefined> {
  if (against === undefined) return undefined
  if (against !== rivalName) throw new InputError({ where: '--against', expected: rivalName, got: against })
  const path = againstModel ?? model
  if (/\.whittle$/i.test(path)) {
    throw new InputError({
      where: '--against',
      expected: `a model that ${rivalName} reads`,
      got: 'a .whittle file',
      todo: 'give the .onnx file it was made of by --against-model',
    })
  }
  const ort = await importInstalled()
  const file = await (await openSource(path)).bytes()
  return { name: rivalName, open: (like) => openOnnxRuntime(ort, file, threads, like) }
}

/** The package as installed where the command is run, else beside whittle. @throws UnsupportedError where it is nowhere */
async function importInstalled(): Promise<OnnxRuntime> {
  const places = [
    () => pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(rivalName)).href,
    () => rivalName,
  ]
  let cause: unknown
  for (const place of places) {
    try {
      const module = (await import(place())) as { readonly default?: unknown }
      const found = [module, module.default].find(isOnnxRuntime)
      if (found) return found
      cause = 'a package of that name that is another'
    } catch (error) {
      cause = error
    }
  }
  const missing = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes(String((cause as { code?: unknown }).code))
  throw new UnsupportedError(
    {
      where: '--against',
      expected: `the package ${rivalName}`,
      got: missing ? 'none' : cause instanceof Error ? cause.message : String(cause),
      todo: `npm install ${rivalName} in your project`,
    },
    { cause },
  )
}
