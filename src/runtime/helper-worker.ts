// SPDX-License-Identifier: Apache-2.0
/**
 * Entry of a helper thread's worker. It is told once what to instantiate, then serves: it sits inside Wasm, asleep
 * until the coordinator calls it, and hears no message before it is stopped. It knows nothing of models or graphs.
 */
import { expose } from 'comlink'
import { parentEndpoint } from '../platform/workers.ts'
import { type KernelExports, instantiateKernels } from './instance.ts'
import type { HelperApi } from './pool.ts'

class Helper implements HelperApi {
  #kernels: KernelExports | undefined

  prepare(module: WebAssembly.Module, memory: WebAssembly.Memory): void {
    this.#kernels = instantiateKernels(module, memory)
  }

  serve(control: number, thread: number): void {
    try {
      this.#kernels?.serve(control, thread)
    } catch (error) {
      // the coordinator may sit in Wasm and wait for what was begun here
      this.#kernels?.stop(control, 0)
      throw error
    }
  }
}

expose(new Helper(), await parentEndpoint())
