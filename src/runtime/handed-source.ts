// SPDX-License-Identifier: Apache-2.0
/** A source that someone else reads: this engine's worker asks for its bytes and is handed a copy. */
import { wrap } from 'comlink'
import { checkAborted } from '../base/check.ts'
import { type ByteStream, memoryStream } from '../platform/source.ts'
import type { SessionCore } from './core.ts'
import { openStream } from './engine.ts'
import type { CheckedOptions, ProgressEvent } from './options.ts'
import { type Outcome, unwrap } from './plain-errors.ts'

/** Who reads for the workers. Nothing in it throws. */
export interface SourceReader {
  /** The model's bytes, or those of the file at a path beside it. */
  read(location: string | null): Promise<Outcome<Uint8Array>>
  /** Told how far this worker is. */
  progress(phase: string, loaded: number, total: number | null): void
}

/** Loads from a source that is read at the other end of `port`. @throws as `openModel`, and what the reader's errors were */
export async function openHanded(name: string, port: MessagePort, options: CheckedOptions): Promise<SessionCore> {
  const reader = wrap<SourceReader>(port)
  const told: Promise<void>[] = []
  const onProgress = ({ phase, loaded, total }: ProgressEvent): void => {
    const telling = reader.progress(phase, loaded, total ?? null)
    telling.catch(() => undefined)
    told.push(telling)
  }
  const core = await openStream(
    handedStream(name, (location) => reader.read(location)),
    { ...options, onProgress },
  )
  // two ports keep no order: what is told here comes before the answer that the model is loaded
  await Promise.all(told)
  return core
}

/** The source as a stream; each reading asks once more. */
function handedStream(name: string, read: SourceReader['read']): ByteStream {
  const ask = async (location: string | null, signal: AbortSignal | undefined): Promise<Uint8Array> => {
    checkAborted(name, signal)
    const bytes = unwrap(await read(location))
    checkAborted(name, signal)
    return bytes
  }
  return {
    name,
    async *stream(signal) {
      yield await ask(null, signal)
    },
    bytes: (signal) => ask(null, signal),
    resolve: async (relative, signal) => memoryStream(await ask(relative, signal), relative),
  }
}
