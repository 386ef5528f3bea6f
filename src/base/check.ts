// SPDX-License-Identifier: Apache-2.0
/**
 * Argument checks that name the argument. Each returns the value with its type narrowed, or throws an InputError in
 * the grammar of errors.ts. `where` is how the caller wrote it: 'options.threads', 'Tensor.dims[1]'.
 */
import { AbortError, InputError } from './errors.ts'

/** `value` as an integer in [min, max]; `or` tells what else would do. @throws InputError */
export function checkInteger(
  where: string,
  value: unknown,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
  or = '',
): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
  const range =
    max < Number.MAX_SAFE_INTEGER ? ` in [${min}, ${max}]` : min > Number.MIN_SAFE_INTEGER ? ` >= ${min}` : ''
  throw new InputError({ where, expected: `${or}an integer${range}`, got: describe(value) })
}

/** `value` as a finite number in [min, max]. @throws InputError */
export function checkNumber(where: string, value: unknown, min = -Infinity, max = Infinity): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max) return value
  const range = min > -Infinity || max < Infinity ? ` in [${min}, ${max}]` : ''
  throw new InputError({ where, expected: `a finite number${range}`, got: describe(value) })
}

/** `value` as one of `choices`. @throws InputError */
export function checkOneOf<const T extends string>(where: string, value: unknown, choices: readonly T[]): T {
  if ((choices as readonly unknown[]).includes(value)) return value as T
  throw new InputError({ where, expected: `one of ${choices.join(' | ')}`, got: describe(value) })
}

/** `value` as a boolean. @throws InputError */
export function checkBoolean(where: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new InputError({ where, expected: 'true or false', got: describe(value) })
}

/** @throws AbortError naming `where` when the signal has been aborted */
export function checkAborted(where: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  const reason: unknown = signal.reason
  throw new AbortError({ where, expected: 'to go on', got: 'an aborted signal' }, { cause: reason })
}

/** A short description of any value for the `got` of a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value)
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `a ${name}` : `a ${typeof value}`
}
