// SPDX-License-Identifier: Apache-2.0
/** `whittle compress`: a model file in, a smaller `.whittle` file out. */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { InputError } from '../base/errors.ts'
import { type CompressReport, compress, presets } from '../compress.ts'
import { inspectModel } from '../inspect/inspect.ts'
import { writeFileAtomically } from '../platform/files.ts'
import { collect, wholeNumber } from './arguments.ts'
import { type FeedOptions, type Feeds, addFeedOptions, feedHelp, readArchive } from './feeds.ts'
import { readMeasuringFeeds } from './measuring-feeds.ts'
import { bytes, interrupt, print, progressBar, table } from './output.ts'
import { labelOf, writeReport } from './report-file.ts'

interface Options extends FeedOptions {
  readonly output?: string
  readonly recipe: string
  readonly report?: string
  readonly calibration?: readonly string[]
  readonly threads: number
  readonly rounds?: number
  readonly json?: boolean
  readonly verbose?: boolean
  readonly off?: string[]
}

export function addCompress(program: Command): void {
  const command = program
    .command('compress')
    .summary('write a smaller .whittle model')
    .description('Optimises the graph, compresses its weights and writes a .whittle file.')
    .argument('<model>', 'an .onnx or .whittle file')
    .option('-o, --output <file>', 'where to write (default: the model with the ending .whittle)')
    .option(
      '-r, --recipe <preset|file>',
      `one of ${Object.keys(presets).join(', ')}, or a JSON file with a recipe`,
      'int8',
    )
    .option('--report <file.html>', 'measure the result and write a page with plots of what came of it')
  addFeedOptions(command)
    .option('-t, --threads <count>', 'threads to measure with', wholeNumber(1), 1)
    .option('--rounds <count>', 'timed rounds', wholeNumber(1))
    .option('--calibration <file.npz>', 'a set of inputs to round by, an array each; may be given again', collect)
    .option('-v, --verbose', 'a line per layer and per pass')
    .option('--off <pass...>', 'optimising passes to leave out, by name (whittle inspect --passes lists them)')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Recipes as JSON, every field optional:
  { "weights": "int8", "exclude": ["conv2d_10.w_0"], "minElements": 64, "disablePasses": ["fuse-epilogue"] }
  "exclude" names nodes or weights as the model or the report has them: "w" also means what passes made of it, "w/last"
  { "weights": "int8", "rounding": "nearest", "equalize": false }   runs the model on no inputs (docs/compression.md)
  { "weights": "int8", "narrow": false }   nearer by 0.3 to 2 dB, slower on x86 before AVX-VNNI (docs/performance.md)

Examples:
  $ whittle compress model.onnx
  $ whittle compress model.onnx --recipe float32 -o plain.whittle
  $ whittle compress model.onnx --calibration one.npz --calibration two.npz
  $ whittle compress model.onnx --report report.html --input x=line.npy

Of --report:${feedHelp}`,
    )
    .action(async (model: string, options: Options) => {
      const output =
        options.output ??
        `${model.replace(/\.(onnx|whittle)$/i, '')}${/\.whittle$/i.test(model) ? `.${options.recipe}` : ''}.whittle`
      const bar = progressBar('compress')
      const signal = interrupt()
      try {
        const recipe = /\.json$/i.test(options.recipe) ? await readRecipe(options.recipe) : options.recipe
        const { model: file, report } = await compress(model, withPassesOff(recipe, options.off ?? []), {
          onProgress: bar.onProgress,
          signal,
          ...(options.calibration === undefined ? {} : { calibration: setsOf(options.calibration) }),
        })
        const inputs =
          options.report === undefined
            ? undefined
            : await readMeasuringFeeds((await inspectModel(file)).inputs, options)
        await writeFileAtomically(output, file)
        const { report: page, threads, rounds } = options
        if (page !== undefined && inputs !== undefined) {
          const models = [
            { label: labelOf(model), source: model },
            { label: labelOf(output), source: file },
          ] as const
          const { onProgress } = bar
          const settings = {
            file: page,
            ...inputs,
            threads,
            signal,
            onProgress,
            ...(rounds === undefined ? {} : { rounds }),
          }
          await writeReport(models[0], models[1], settings)
        }
        bar.stop()
        const files = { output, ...(page === undefined ? {} : { page }) }
        print(options.json, { ...files, ...report }, () => describe(files, report, options.verbose === true))
      } finally {
        bar.stop()
      }
    })
}

/** The inputs in archives, read as they are wanted. */
async function* setsOf(files: readonly string[]): AsyncIterable<Feeds> {
  for (const file of files) yield await readArchive(file)
}

function withPassesOff(recipe: string | object, off: readonly string[]): string | object {
  if (off.length === 0 || (typeof recipe === 'string' && !Object.hasOwn(presets, recipe))) return recipe
  const base = typeof recipe === 'string' ? presets[recipe] : recipe
  const before = (base as { readonly disablePasses?: readonly string[] }).disablePasses ?? []
  return { ...base, disablePasses: [...before, ...off] }
}

async function readRecipe(file: string): Promise<object> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as object
  } catch (cause) {
    throw new InputError(
      { where: `recipe ${file}`, expected: 'a readable JSON file', got: String((cause as Error).message) },
      { cause },
    )
  }
}

function describe(
  { output, page }: { readonly output: string; readonly page?: string },
  report: CompressReport,
  verbose: boolean,
): string {
  const { bytesBefore, bytesAfter, roundedBy } = report
  const rounded = { calibration: 'the inputs given', synthetic: 'made-up inputs; --calibration takes real ones' }
  const lines = [
    `${output}: ${bytes(bytesAfter)} of ${bytes(bytesBefore)} (${((100 * bytesAfter) / bytesBefore).toFixed(1)} %), recipe ${report.recipe.name}`,
    ...(roundedBy.inputs === 'none' ? [] : [`rounded by ${rounded[roundedBy.inputs]}`]),
    ...(verbose && roundedBy.reason !== undefined ? [`rounded to the nearest: ${roundedBy.reason}`] : []),
    ...(page === undefined ? [] : [`report: ${page}`]),
  ]
  if (verbose) {
    const passes = report.passes.filter(({ fired }) => fired > 0)
    lines.push(
      table(
        ['pass', 'rewrites', 'nodes before', 'after'],
        passes.map(({ pass, fired, nodes }) => [pass, fired, nodes[0], nodes[1]]),
      ),
    )
    const rows = report.layers.map(
      ({ node, op, dims, to, bytesBefore: before, bytesAfter: after, weightSnr, kept }) => [
        node,
        op,
        dims.join('x'),
        to,
        before,
        after,
        weightSnr === null ? (kept ?? '') : `${weightSnr.toFixed(1)} dB`,
      ],
    )
    lines.push(table(['node', 'operator', 'weight', 'stored as', 'bytes before', 'after', 'weight SNR'], rows))
  }
  return lines.join('\n')
}
