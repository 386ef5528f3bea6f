// SPDX-License-Identifier: Apache-2.0
/** An instance of a Wasm build over a memory: what the host calls in it. Its contract is `docs/steps.md`. */
import { StateError } from '../base/errors.ts'
import type { ProbeExports } from './known-answers.ts'

/** Exports of every build that the host calls. */
export interface KernelExports extends ProbeExports {
  run(list: number, words: number, control: number, thread: number, threads: number): number
  resume(control: number, thread: number, threads: number): number
  serve(control: number, thread: number): void
  stop(control: number, threads: number): void
}

/** An instance over `memory`, which is all that builds import. @throws StateError when the module is not one of ours */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  const kernels = exports as unknown as KernelExports
  const missing = (['run', 'resume', 'serve', 'stop'] as const).find((name) => typeof kernels[name] !== 'function')
  if (missing) {
    throw new StateError({
      where: 'Wasm module',
      expected: `the export '${missing}'`,
      got: 'none',
      todo: 'build whittle again',
    })
  }
  return kernels
}
