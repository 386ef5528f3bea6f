// SPDX-License-Identifier: Apache-2.0
/**
 * Values of options as commander parses them: numbers are checked where they are written, so that a wrong one is a
 * misuse of the command (exit code 2) and nothing has been loaded yet; options that may be given again collect.
 */
import { InvalidArgumentError } from 'commander'

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
