// SPDX-License-Identifier: Apache-2.0
/**
 * Values of options as commander parses them: numbers are checked where they are written, so that a wrong one is a
 * misuse of the command (exit code 2) and nothing has been loaded yet; options that may be given again collect. And options
 * that several commands share.
 */
import { type Command, InvalidArgumentError } from 'commander'

/** Of commands that load models: where it is kept what was measured on this host. */
export interface MeasurementOptions {
  readonly measurements?: string | false
}

export function addMeasurementOptions(command: Command): Command {
  return command
    .option('--measurements <file>', 'keep what is measured on this host there (default: in your cache folder)')
    .option('--no-measurements', 'measure this host anew, and keep nothing')
}

/** Their part of the options of `load`. */
export function measurementsOf({ measurements }: MeasurementOptions): MeasurementOptions {
  return measurements === undefined ? {} : { measurements }
}

/** A parser of whole numbers of at least `least`. @throws InvalidArgumentError */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (Number.isSafeInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`expected a whole number of at least ${least}`)
  }
}

/** Adds a value to those given before. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
