// SPDX-License-Identifier: Apache-2.0
/**
 * The error classes of whittle and the one grammar of their messages:
 *
 *     where: expected what, got what; what to do
 *
 * Every error a user can cause is one of these classes. `withContext` prefixes the place while an error
 * unwinds through importers and passes, so that the message names the file, the pass and the node.
 */

/** The parts of a message. `got` and `todo` may be left out. */
export interface Complaint {
  readonly where: string
  readonly expected: string
  readonly got?: string
  readonly todo?: string
}

function sentence(c: Complaint): string {
  return `${c.where}: expected ${c.expected}${c.got === undefined ? '' : `, got ${c.got}`}${c.todo === undefined ? '' : `; ${c.todo}`}`
}

/** Base of all errors thrown on purpose. `name` is the class's name, kept when an error crosses a worker boundary. */
export class WhittleError extends Error {
  readonly complaint: Complaint
  constructor(complaint: Complaint, options?: ErrorOptions) {
    super(sentence(complaint), options)
    this.complaint = complaint
  }
  override get name(): string {
    return 'WhittleError'
  }
}

/** Bytes that are not what they claim to be: truncated, corrupted, hostile. */
export class FormatError extends WhittleError {
  override get name(): string {
    return 'FormatError'
  }
}

/** A graph whose nodes, types or shapes contradict each other. */
export class GraphError extends WhittleError {
  override get name(): string {
    return 'GraphError'
  }
}

/** Something well-formed that whittle cannot do: an operator, a type, a runtime without SIMD. */
export class UnsupportedError extends WhittleError {
  override get name(): string {
    return 'UnsupportedError'
  }
}

/** An argument of the public API with the wrong kind, name, type, shape or range. */
export class InputError extends WhittleError {
  override get name(): string {
    return 'InputError'
  }
}

/** A call at the wrong time: on a disposed session, after a worker died. */
export class StateError extends WhittleError {
  override get name(): string {
    return 'StateError'
  }
}

/** A file or URL that cannot be read or written (missing, full disk, HTTP status). */
export class SourceError extends WhittleError {
  override get name(): string {
    return 'SourceError'
  }
}

/** The operation was ended by an AbortSignal. `name` is 'AbortError', as the platform's own. */
export class AbortError extends WhittleError {
  override get name(): string {
    return 'AbortError'
  }
}

type ErrorClass = new (complaint: Complaint, options?: ErrorOptions) => WhittleError

/** Classes by name, to revive an error that crossed a worker boundary as plain data. */
export const errorClasses: Readonly<Record<string, ErrorClass>> = {
  WhittleError,
  FormatError,
  GraphError,
  UnsupportedError,
  InputError,
  StateError,
  SourceError,
  AbortError,
}

/** Runs `body`; a WhittleError thrown inside comes out with `place › ` put before its `where`. */
export function withContext<T>(place: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    throw inContext(place, error)
  }
}

/**
 * What a file provoked, as a named error: errors of the language (a stack that ended, an array too long, something
 * undefined where a hostile graph left a hole) become a GraphError at `place`; whittle's own are returned as they are.
 */
export function asNamed(place: string, error: unknown): unknown {
  if (error instanceof WhittleError || !(error instanceof Error)) return error
  const expected = 'inputs, attributes and sizes that the operator can take'
  return new GraphError({ where: place, expected, got: `${error.name}: ${error.message}` }, { cause: error })
}

/** The same error with `place › ` put before its `where`; errors of other classes are returned as they are. */
export function inContext(place: string, error: unknown): unknown {
  if (!(error instanceof WhittleError)) return error
  const Class = errorClasses[error.name] ?? WhittleError
  return new Class({ ...error.complaint, where: `${place} › ${error.complaint.where}` }, { cause: error })
}
