#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * The `whittle` command. Each subcommand is a file that adds itself to the program; this one holds what they share:
 * help that teaches, one line per error, exit code 0 only on success.
 */
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { WhittleError } from '../base/errors.ts'
import { addBench } from './bench.ts'
import { addCompare } from './compare.ts'
import { addCompress } from './compress.ts'
import { addInspect } from './inspect.ts'
import { addProbe } from './probe.ts'
import { addRun } from './run.ts'

/** Exit codes: 1 the work failed, 2 the call was wrong. */
const FAILED = 1
const MISUSED = 2

/** Of the package this file is in: the name resolves to it from sources and from the published files alike. */
function version(): string {
  return (createRequire(import.meta.url)('whittle/package.json') as { version: string }).version
}

async function main(): Promise<void> {
  const program = new Command('whittle')
    .description('Compress neural networks and run them on WebAssembly SIMD.')
    .version(version(), '-V, --version', 'the version of whittle')
    .addHelpText(
      'after',
      `
A first session:
  $ whittle inspect model.onnx                       what is in it, and whether every operator has a kernel
  $ whittle compress model.onnx -o model.whittle     int8 weights, about a quarter of the bytes
  $ whittle compare model.onnx model.whittle         how far apart their outputs are, and how fast each is
  $ whittle bench model.whittle                      where the time goes
  $ whittle run model.whittle --input x=line.npy     run it; outputs are written as .npy

Every command takes --json for machines and --help for its own options.`,
    )
    .showHelpAfterError('(whittle --help shows what there is)')
    .exitOverride()
  for (const add of [addInspect, addCompress, addCompare, addBench, addRun, addProbe]) add(program)
  await program.parseAsync()
}

// a reader that closes its end of the pipe (head, less) has seen enough
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : FAILED))

try {
  await main()
  process.exitCode ??= 0
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : MISUSED
  } else {
    const known = error instanceof WhittleError
    process.stderr.write(known ? `${error.name}: ${error.message}\n` : `${(error as Error)?.stack ?? String(error)}\n`)
    process.exitCode = FAILED
  }
}
