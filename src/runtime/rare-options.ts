// SPDX-License-Identifier: Apache-2.0
/** Checks of the options of `load` that few use; imported when one of them is there. */
import { checkBoolean, checkInteger, checkOneOf, describe } from '../base/check.ts'
import { InputError } from '../base/errors.ts'
import { runtimeOf } from '../platform/host.ts'
import type { WasmBuild } from './assets.ts'
import type { LoadOptions } from './options.ts'

/** Builds by name. */
const builds: readonly WasmBuild[] = ['simd', 'simd-threads', 'relaxed', 'relaxed-threads']

/** More workers than any machine has cores for. */
const mostInstances = 64

type RareOptions = Pick<LoadOptions, 'threads' | 'instances' | 'worker' | 'passes' | 'measurements' | 'wasm'>

/** @throws InputError naming the option */
export function checkRareOptions(options: { readonly [K in keyof RareOptions]: RareOptions[K] | undefined }): void {
  const { threads, instances, worker, passes, measurements, wasm } = options
  checkBoolean('options.worker', worker)
  if (instances !== undefined) checkInteger('options.instances', instances, 1, mostInstances)
  if ((instances !== undefined || !worker) && (threads ?? 1) !== 1) {
    const expected = `1 beside options.${worker ? 'instances' : 'worker: false'}`
    throw new InputError({ where: 'options.threads', expected, got: describe(threads), todo: 'leave one out' })
  }
  if (!worker && instances !== undefined) {
    const expected = 'true beside options.instances'
    throw new InputError({ where: 'options.worker', expected, got: 'false', todo: 'leave one out' })
  }
  checkPasses(passes)
  checkMeasurements(measurements, instances !== undefined || (worker === true && runtimeOf() === 'page'))
  if (wasm !== undefined) checkModules(wasm)
}

/** Names are held against the passes when those run. */
function checkPasses(choice: unknown): void {
  if (typeof choice === 'boolean') return
  const off = (choice as { readonly off?: unknown } | null)?.off
  const isChoice = Array.isArray(off) && off.every((name) => typeof name === 'string')
  if (!isChoice || Object.keys(choice as object).length !== 1) {
    const expected = 'true, false or { off: [names of passes] }'
    throw new InputError({ where: 'options.passes', expected, got: describe(choice) })
  }
}

/** @param isFar whether a worker is between the caller and the engine */
function checkMeasurements(place: unknown, isFar: boolean): void {
  if (typeof place === 'boolean' || (typeof place === 'string' && place !== '')) return
  const { get, set } = (place ?? {}) as { readonly get?: unknown; readonly set?: unknown }
  if (!isFar && typeof get === 'function' && typeof set === 'function') return
  const expected = isFar
    ? 'true, false or a name, since functions cannot go to a worker'
    : 'true, false, a name or { get, set }'
  throw new InputError({ where: 'options.measurements', expected, got: describe(place) })
}

function checkModules(wasm: unknown): void {
  if (typeof wasm !== 'object' || wasm === null) {
    throw new InputError({ where: 'options.wasm', expected: 'an object of compiled builds', got: describe(wasm) })
  }
  for (const [name, module] of Object.entries(wasm)) {
    const where = `options.wasm.${name}`
    checkOneOf(where, name, builds)
    if (module !== undefined && Object.prototype.toString.call(module) !== '[object WebAssembly.Module]')
      throw new InputError({ where, expected: 'a WebAssembly.Module', got: describe(module) })
  }
}
