// SPDX-License-Identifier: Apache-2.0
/**
 * whittle: loads compressed neural networks and runs them on WebAssembly SIMD. In a page the engine lives in a worker,
 * unless told otherwise, and this file brings only the way to it; everywhere else it runs in the caller's thread.
 */
import { describeHost } from './platform/host.ts'
import type { Source } from './platform/source.ts'
import type { CompareOptions, Comparison } from './runtime/compare.ts'
import type { Feeds } from './runtime/feeds.ts'
import { type LoadOptions, checkOptions } from './runtime/options.ts'
import type { ProbeReport } from './runtime/probe.ts'
import { Session } from './runtime/session.ts'

export {
  AbortError,
  FormatError,
  GraphError,
  InputError,
  SourceError,
  StateError,
  UnsupportedError,
  WhittleError,
} from './base/errors.ts'
export type { Source } from './platform/source.ts'
export type { TextStore } from './platform/store.ts'
export type { CompareOptions, Comparison, OutputComparison } from './runtime/compare.ts'
export type { Feeds, TensorLike } from './runtime/feeds.ts'
export type { Fetches } from './runtime/fetches.ts'
export type { LoadOptions, ProgressEvent } from './runtime/options.ts'
export type { Peaks, ProbeReport } from './runtime/probe.ts'
export type { Profile, ProfileStep } from './runtime/profile.ts'
export { Session, type ValueDescription } from './runtime/session.ts'
export type { Dtype, TensorData } from './tensor/dtype.ts'
export { Tensor } from './tensor/tensor.ts'

/**
 * Loads a model, .whittle or .onnx, recognised by content.
 * @param source a path, a URL, or the bytes (not copied: they must stay as they are while the session is in use)
 * @throws InputError, SourceError, FormatError, GraphError, UnsupportedError, StateError, AbortError
 */
export async function load(source: Source, options: LoadOptions = {}): Promise<Session> {
  const { instances, worker, ...checked } = await checkOptions(options)
  if (instances !== undefined) {
    const { openInstances } = await import('./runtime/instances.ts')
    return new Session(await openInstances(await import('./runtime/remote.ts'), source, instances, checked))
  }
  const open =
    worker && describeHost().runtime === 'page'
      ? (await import('./runtime/remote.ts')).openRemoteModel
      : (await import('./runtime/near.ts')).openNear
  return new Session(await open(source, checked))
}

/**
 * Compares session `b` with the reference `a`, in rounds that alternate between them.
 * @param inputs one set of feeds, or several
 * @throws InputError when the sessions' outputs differ in name, type or shape, and whatever their runs throw
 */
export async function compare(
  a: Session,
  b: Session,
  inputs: Feeds | readonly Feeds[],
  options: CompareOptions = {},
): Promise<Comparison> {
  return (await import('./runtime/compare.ts')).compare(a, b, inputs, options)
}

/**
 * What this host is and can do. Measures for some tens of milliseconds.
 * @param options `wasm` as for `load`
 * @throws UnsupportedError without WebAssembly SIMD
 */
export async function probe({ wasm }: Pick<LoadOptions, 'wasm'> = {}): Promise<ProbeReport> {
  const { wasm: checked } = await checkOptions({ wasm })
  if (describeHost().runtime === 'page') return (await import('./runtime/remote.ts')).probeRemotely(checked)
  return (await import('./runtime/probe.ts')).probeHost(checked)
}
