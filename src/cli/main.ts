#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * The `whittle` command. Each subcommand is a file that adds itself to the program; this one holds what they share:
 * help that teaches, one line per error, exit code 0 only on success.
 */
import { Command, CommanderError } from 'commander'
import { WhittleError } from '../base/errors.ts'
import { addCompare } from './compare.ts'
import { addCompress } from './compress.ts'
import { addInspect } from './inspect.ts'
import { addProbe } from './probe.ts'
import { addRun } from './run.ts'

/** Exit codes: 1 the work failed, 2 the call was wrong. */
const FAILED = 1
const MISUSED = 2

async function main(): Promise<void> {
  const program = new Command('whittle')
    .description('Compress neural networks and run them on WebAssembly SIMD.')
    .addHelpText(
      'after',
      `
A first session:
  $ whittle inspect model.onnx                       what is in it, and whether every operator has a kernel
  $ whittle compress model.onnx -o model.whittle     int8 weights, about a quarter of the bytes
  $ whittle compare model.onnx model.whittle         how far apart their outputs are, and how fast each is
  $ whittle run model.whittle --input x=line.npy     run it; outputs are written as .npy

Every command takes --json for machines and --help for its own options.`,
    )
    .showHelpAfterError('(whittle --help shows what there is)')
    .exitOverride()
  for (const add of [addInspect, addCompress, addCompare, addRun, addProbe]) add(program)
  for (const command of program.commands) command.exitOverride()
  await program.parseAsync()
}

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
