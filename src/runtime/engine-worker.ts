// SPDX-License-Identifier: Apache-2.0
/**
 * Entry of the worker in which a page's engine lives: one engine, at most one model. Every call answers with an outcome;
 * errors travel as plain data.
 */
import { expose, transfer } from 'comlink'
import { StateError } from '../base/errors.ts'
import type { Source } from '../platform/source.ts'
import { parentEndpoint } from '../platform/workers.ts'
import { type Tensor, copyOfTensor } from '../tensor/tensor.ts'
import type { SessionCore } from './core.ts'
import { openModel } from './engine.ts'
import type { WasmModules } from './module.ts'
import type { PlainOptions, ProgressEvent } from './options.ts'
import { type Outcome, outcomeOf } from './plain-errors.ts'
import type { ProbeReport } from './probe.ts'
import type { Profile } from './profile.ts'
import type { EngineApi, ModelDescription, PlainTensors } from './remote.ts'
import type { Fetch } from './session.ts'

class Engine implements EngineApi {
  readonly #aborter = new AbortController()
  #model: SessionCore | undefined

  open(
    source: Source,
    options: PlainOptions,
    onProgress: ((event: ProgressEvent) => void) | null,
    reader?: MessagePort,
  ): Promise<Outcome<ModelDescription>> {
    return outcomeOf(async () => {
      const { signal } = this.#aborter
      const settings = { ...options, signal, ...(onProgress ? { onProgress } : {}) }
      const model = await (reader
        ? (await import('./handed-source.ts')).openHanded(String(source), reader, settings)
        : openModel(source, settings))
      this.#model = model
      return { inputs: model.inputs, outputs: model.outputs, bytes: model.bytes }
    })
  }

  abort(): void {
    this.#aborter.abort()
  }

  async run(feeds: unknown, names?: readonly string[]): Promise<Outcome<PlainTensors>> {
    const take: Fetch['take'] = (name, value) => (names!.includes(name) ? copyOfTensor(value) : undefined)
    const fetch = names && { names, take }
    const outcome = await outcomeOf(async () => plainTensors(await this.#open().run(feeds, fetch)))
    const buffers = 'value' in outcome ? buffersOf(outcome.value) : []
    return transfer(outcome, buffers)
  }

  profile(): Promise<Outcome<Profile>> {
    return outcomeOf(() => this.#open().profile())
  }

  probe(wasm: WasmModules | undefined): Promise<Outcome<ProbeReport>> {
    return outcomeOf(async () => (await import('./probe.ts')).probeHost(wasm))
  }

  dispose(): Promise<Outcome<void>> {
    return outcomeOf(() => this.#model?.dispose())
  }

  #open(): SessionCore {
    if (this.#model) return this.#model
    throw new StateError({ where: 'engine', expected: 'a loaded model', got: 'none', todo: 'load one first' })
  }
}

function plainTensors(tensors: Record<string, Tensor>): PlainTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, { type, data, dims }]) => [name, { type, data, dims }]))
}

function buffersOf(tensors: PlainTensors): Transferable[] {
  const buffers = Object.values(tensors).flatMap(({ data }) =>
    ArrayBuffer.isView(data) ? [data.buffer as ArrayBuffer] : [],
  )
  return [...new Set(buffers)]
}

expose(new Engine(), await parentEndpoint())
