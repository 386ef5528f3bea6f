// SPDX-License-Identifier: Apache-2.0
/** Calls of the platform that may fail: whatever a file system or the network throws comes out as a named error. */
import { checkAborted } from '../base/check.ts'
import { AbortError, SourceError, WhittleError } from '../base/errors.ts'

/** Runs a platform call; its failure comes out as an AbortError or a SourceError. */
export async function guarded<T>(name: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
  checkAborted(name, signal)
  try {
    return await body()
  } catch (cause) {
    if (cause instanceof WhittleError) throw cause
    if (signal?.aborted === true)
      throw new AbortError({ where: name, expected: 'to go on', got: 'an aborted signal' }, { cause })
    throw new SourceError(
      { where: name, expected: 'to read it', got: reasonOf(cause), todo: 'check the path or URL' },
      { cause },
    )
  }
}

/** The innermost message of a platform error: fetch hides the reason in `cause`. */
function reasonOf(error: unknown): string {
  const { cause, code, message } = error as { cause?: unknown; code?: unknown; message?: unknown }
  if (code === 'ENOENT') return 'no such file'
  if (cause instanceof Error) return reasonOf(cause)
  return typeof message === 'string' && message !== '' ? message : String(code ?? error)
}
