// SPDX-License-Identifier: Apache-2.0
/** `whittle run`: runs a model on NumPy arrays and writes its outputs as NumPy arrays. */
import type { Command } from 'commander'
import { join } from 'node:path'
import { writeNpy } from '../format/npy.ts'
import { load } from '../index.ts'
import { writeFileAtomically } from '../platform/files.ts'
import { type MeasurementOptions, addMeasurementOptions, measurementsOf, wholeNumber } from './arguments.ts'
import { type FeedOptions, addFeedOptions, feedHelp, readFeeds } from './feeds.ts'
import { interrupt, print, progressBar, table } from './output.ts'

interface Options extends FeedOptions, MeasurementOptions {
  readonly outputDir?: string
  readonly threads?: number
  readonly json?: boolean
}

interface OutputLine {
  readonly name: string
  readonly type: string
  readonly dims: readonly number[]
  readonly head: readonly (number | bigint | string)[]
  readonly file: string | null
}

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .summary('run a model on .npy inputs')
    .description('Runs a model once and prints, or writes, its outputs.')
    .argument('<model>', 'an .onnx or .whittle file')
  addFeedOptions(command)
    .option('-o, --output-dir <folder>', 'write each output as <folder>/<name>.npy')
    .option('-t, --threads <count>', 'threads to use (default: what suits the host)', wholeNumber(1))
  addMeasurementOptions(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `${feedHelp}

Examples:
  $ whittle run model.whittle --input x=line.npy --output-dir results
  $ whittle run model.onnx --random --dim batch=4 --json`,
    )
    .action(async (model: string, options: Options) => {
      const bar = progressBar('load')
      const session = await load(model, {
        ...(options.threads === undefined ? {} : { threads: options.threads }),
        ...measurementsOf(options),
        onProgress: bar.onProgress,
        signal: interrupt(),
      }).finally(bar.stop)
      try {
        const outputs = await session.run(await readFeeds(session.inputs, options))
        const lines: OutputLine[] = []
        for (const [name, tensor] of Object.entries(outputs)) {
          const file =
            options.outputDir === undefined ? null : join(options.outputDir, `${name.replace(/[^\w.-]/g, '_')}.npy`)
          if (file !== null) await writeFileAtomically(file, writeNpy(tensor))
          lines.push({
            name,
            type: tensor.type,
            dims: tensor.dims,
            head: Array.from(tensor.data as ArrayLike<number | bigint | string>).slice(0, 6),
            file,
          })
        }
        print(options.json, lines, () =>
          table(
            ['output', 'type', 'dims', 'first values', ...(options.outputDir === undefined ? [] : ['file'])],
            lines.map(({ name, type, dims, head, file }) => [
              name,
              type,
              dims.join('x'),
              head.map(short).join(' '),
              ...(file === null ? [] : [file]),
            ]),
          ),
        )
      } finally {
        await session.dispose()
      }
    })
}

function short(value: number | bigint | string): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(5) : String(value)
}
