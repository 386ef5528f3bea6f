// SPDX-License-Identifier: Apache-2.0
/** Errors across workers: a thrown error becomes plain data on one side and an error of its class again on the other. */
import { type Complaint, StateError, WhittleError, errorClasses } from '../base/errors.ts'

/** An error as structured clones carry it. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly complaint?: Complaint
}

/** A result or the error in its place. */
export type Outcome<T> = { readonly value: T } | { readonly error: PlainError }

/** Runs `body`; never throws. */
export async function outcomeOf<T>(body: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await body() }
  } catch (error) {
    return { error: toPlain(error) }
  }
}

/** The result. @throws the error, of its own class */
export function unwrap<T>(outcome: Outcome<T>): T {
  if ('value' in outcome) return outcome.value
  throw revive(outcome.error)
}

function toPlain(error: unknown): PlainError {
  if (error instanceof WhittleError) return { name: error.name, message: error.message, complaint: error.complaint }
  if (error instanceof Error) return { name: error.name, message: error.message }
  return { name: 'Error', message: String(error) }
}

function revive({ name, message, complaint }: PlainError): WhittleError {
  const Class = Object.hasOwn(errorClasses, name) ? errorClasses[name] : undefined
  if (Class && complaint) return new Class(complaint)
  return new StateError({ where: 'engine', expected: 'to do its work', got: `${name}: ${message}` })
}
