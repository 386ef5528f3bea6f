// SPDX-License-Identifier: Apache-2.0
/**
 * The form of `src/runtime/assets.ts` that ships: same exports, addresses inside `dist/`.
 *
 * The build writes the way from a chunk to `dist/` where `DIST_ROOT` stands. Each address is one literal `new URL`, the
 * form in which bundlers find files that belong to a package.
 */
import type { WasmBuild, WorkerName } from '../src/runtime/assets.ts'

const wasm: Record<WasmBuild, () => URL> = {
  simd: () => new URL('DIST_ROOT/wasm/simd.wasm', import.meta.url),
  'simd-threads': () => new URL('DIST_ROOT/wasm/simd-threads.wasm', import.meta.url),
  relaxed: () => new URL('DIST_ROOT/wasm/relaxed.wasm', import.meta.url),
  'relaxed-threads': () => new URL('DIST_ROOT/wasm/relaxed-threads.wasm', import.meta.url),
}

const workers: Record<WorkerName, () => URL> = {
  'engine-worker': () => new URL('DIST_ROOT/engine-worker.js', import.meta.url),
  'helper-worker': () => new URL('DIST_ROOT/helper-worker.js', import.meta.url),
}

export function wasmUrl(build: WasmBuild): URL {
  return wasm[build]()
}

export function workerUrl(worker: WorkerName): URL {
  return workers[worker]()
}
