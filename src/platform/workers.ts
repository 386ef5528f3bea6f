// SPDX-License-Identifier: Apache-2.0
/**
 * Starting workers through the platform's own worker: `node:worker_threads` in Node, `Worker` (module type) elsewhere,
 * always from a script's address. What comes back speaks the message interface that comlink expects and tells when the
 * worker dies.
 */
import type { Endpoint } from 'comlink'
import { StateError } from '../base/errors.ts'
import { runtimeOf } from './host.ts'
import { importNode } from './node-modules.ts'

/** A worker and its life. */
export interface WorkerHandle {
  readonly endpoint: Endpoint
  /** Rejects when the worker dies by itself; never resolves. */
  readonly death: Promise<never>
  /** Lets the program end although the worker lives (Node; elsewhere programs do). */
  unref(): void
  /** Takes that back. */
  ref(): void
  /** Ends the worker; its death is not reported. */
  terminate(): Promise<void>
}

/** What both Node's worker and its parent's port offer. */
interface NodePort {
  postMessage(message: unknown, transfer?: readonly unknown[]): void
  on(event: string, listener: (data: unknown) => void): unknown
  off(event: string, listener: (data: unknown) => void): unknown
}

/** Starts the module at `url`. @throws StateError when the platform refuses at once; later failures come as `death` */
export async function startWorker(url: URL, name: string): Promise<WorkerHandle> {
  const handle = runtimeOf() === 'node' ? await startNodeWorker(url, name) : startWebWorker(url, name)
  handle.death.catch(() => undefined)
  return handle
}

/** In a worker: the end towards who started it. */
export async function parentEndpoint(): Promise<Endpoint> {
  if (runtimeOf() !== 'node') return globalThis as unknown as Endpoint
  const { parentPort } = await importNode('node:worker_threads')
  if (!parentPort)
    throw new StateError({ where: 'worker script', expected: 'to be started as a worker', got: 'a main thread' })
  return nodeEndpoint(parentPort as unknown as NodePort)
}

async function startNodeWorker(url: URL, name: string): Promise<WorkerHandle> {
  const { Worker } = await importNode('node:worker_threads')
  const worker = new Worker(url, { name })
  const lifeline = new Lifeline(name)
  worker.on('error', (error: unknown) => lifeline.end(error))
  worker.on('messageerror', (error: unknown) => lifeline.end(error))
  worker.on('exit', (code: number) => lifeline.end(`exit code ${code}`))
  return {
    endpoint: nodeEndpoint(worker as unknown as NodePort),
    death: lifeline.death,
    unref: () => worker.unref(),
    ref: () => worker.ref(),
    terminate: async () => {
      lifeline.close()
      await worker.terminate()
    },
  }
}

function startWebWorker(url: URL, name: string): WorkerHandle {
  const lifeline = new Lifeline(name)
  const worker = new Worker(url, { type: 'module', name })
  worker.addEventListener('error', (event) => {
    event.preventDefault()
    lifeline.end(event.message || 'an error while its script was loaded')
  })
  worker.addEventListener('messageerror', () => lifeline.end('a message that cannot be read'))
  worker.addEventListener('close', () => lifeline.end('its end'))
  return {
    endpoint: worker,
    death: lifeline.death,
    unref: () => undefined,
    ref: () => undefined,
    terminate: () => {
      lifeline.close()
      worker.terminate()
      return Promise.resolve()
    },
  }
}

/** A promise that rejects once when something ends, unless it was closed before. */
class Lifeline {
  readonly death: Promise<never>
  #reject: (error: StateError) => void = () => undefined
  #closed = false
  readonly #name: string

  constructor(name: string) {
    this.#name = name
    this.death = new Promise((_, reject) => {
      this.#reject = reject
    })
  }

  end(cause: unknown): void {
    if (this.#closed) return
    this.#closed = true
    const got = cause instanceof Error ? cause.message : String(cause)
    this.#reject(
      new StateError(
        {
          where: `worker '${this.#name}'`,
          expected: 'to live as long as its session',
          got,
          todo: 'load the model again',
        },
        { cause },
      ),
    )
  }

  close(): void {
    this.#closed = true
  }
}

/** Node's events in the form of the web's. */
function nodeEndpoint(port: NodePort): Endpoint {
  const listeners = new Map<unknown, (data: unknown) => void>()
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer),
    addEventListener: (_type, listener) => {
      const deliver = (data: unknown): void => {
        const event = { data } as unknown as Event
        if (typeof listener === 'function') listener(event)
        else listener.handleEvent(event)
      }
      listeners.set(listener, deliver)
      port.on('message', deliver)
    },
    removeEventListener: (_type, listener) => {
      const deliver = listeners.get(listener)
      if (deliver) port.off('message', deliver)
      listeners.delete(listener)
    },
  }
}
