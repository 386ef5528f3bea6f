// SPDX-License-Identifier: Apache-2.0
/**
 * Where the files lie that code does not import: Wasm modules and worker scripts.
 *
 * This is the form for sources: Wasm from `build/wasm/`, workers from the last build of `dist/` (a worker cannot be
 * TypeScript on every runtime). The build replaces the file by `scripts/assets-dist.ts`, which has the same exports.
 */

/** A build of `assembly/`; the names are the targets of `asconfig.json`. */
export type WasmBuild = 'simd' | 'simd-threads' | 'relaxed' | 'relaxed-threads'

/** A worker script; the names are files of `src/runtime/`. */
export type WorkerName = 'engine-worker' | 'helper-worker'

/** Address of a Wasm build. */
export function wasmUrl(build: WasmBuild): URL {
  return new URL(`../../build/wasm/${build}.wasm`, import.meta.url)
}

/** Address of a worker's script: an ES module that imports nothing but files beside it. */
export function workerUrl(worker: WorkerName): URL {
  return new URL(`../../dist/${worker}.js`, import.meta.url)
}
