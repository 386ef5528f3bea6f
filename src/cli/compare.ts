// SPDX-License-Identifier: Apache-2.0
/** `whittle compare`: two models on the same inputs. */
import type { Command } from 'commander'
import { compare, load } from '../index.ts'
import { type FeedOptions, feedHelp, readFeeds } from './feeds.ts'
import { bytes, interrupt, print, table } from './output.ts'

interface Options extends FeedOptions {
  readonly threads?: number
  readonly rounds?: number
  readonly json?: boolean
}

export function addCompare(program: Command): void {
  program
    .command('compare')
    .summary('hold two models against each other')
    .description(
      'Runs two models on the same inputs: bytes, median latency, and how far the outputs of the second are from the first.',
    )
    .argument('<reference>', 'an .onnx or .whittle file')
    .argument('<other>', 'an .onnx or .whittle file')
    .option('-i, --input <name=file.npy...>', 'an input; may be given again')
    .option('--inputs <file.npz>', 'all inputs in one archive')
    .option('--random', 'random numbers for inputs not given')
    .option('--dim <name=number...>', 'size of a free dimension, for --random')
    .option('-t, --threads <count>', 'threads to use', Number, 1)
    .option('--rounds <count>', 'timed rounds', Number, 5)
    .option('--json', 'print JSON')
    .addHelpText('after', feedHelp)
    .action(async (reference: string, other: string, options: Options) => {
      const signal = interrupt()
      const threads = { ...(options.threads === undefined ? {} : { threads: options.threads }), signal }
      const a = await load(reference, threads)
      try {
        const b = await load(other, threads)
        try {
          const feeds = await readFeeds(a.inputs, options)
          const result = await compare(a, b, feeds, options.rounds === undefined ? {} : { rounds: options.rounds })
          print(options.json, result, () =>
            [
              table(
                ['', 'reference', 'other', 'ratio'],
                [
                  [
                    'bytes',
                    bytes(result.bytes[0]),
                    bytes(result.bytes[1]),
                    (result.bytes[1] / result.bytes[0]).toFixed(3),
                  ],
                  [
                    'median latency, ms',
                    result.latency[0].toFixed(2),
                    result.latency[1].toFixed(2),
                    (result.latency[1] / result.latency[0]).toFixed(3),
                  ],
                ],
              ),
              table(
                ['output', 'cosine', 'largest error', 'largest error / largest value', 'signal to noise, dB'],
                result.outputs.map(({ name, cosine, maxAbsError, maxRelError, snr }) => [
                  name,
                  cosine.toFixed(6),
                  maxAbsError.toExponential(2),
                  maxRelError.toExponential(2),
                  snr.toFixed(1),
                ]),
              ),
            ].join('\n'),
          )
        } finally {
          await b.dispose()
        }
      } finally {
        await a.dispose()
      }
    })
}
