// SPDX-License-Identifier: Apache-2.0
/**
 * Weights made from several constants, as dense panels are from sparse values and their places, and weights in blocks with
 * their scales: the bytes of each are held until all of one weight are there, then the weight is packed and they are let go.
 */
import type { Heap } from './address.ts'
import type { WeightRequest } from './lowering.ts'
import type { RunSteps } from './weights.ts'

interface Held {
  readonly address: number
  readonly bytes: number
  whole: boolean
}

/** Names of the constants a request is made from. */
function sourcesOf({ constant, beside = [] }: WeightRequest): readonly string[] {
  return [constant, ...beside]
}

/** Takes constants as they come and packs what is complete. */
export class JointPacking {
  readonly #heap: Heap
  readonly #runSteps: RunSteps
  readonly #targetOf: (id: string) => number
  readonly #waiting: Set<WeightRequest>
  readonly #held = new Map<string, Held>()

  /**
   * @param requests with `beside`
   * @param targetOf address of the room for a weight
   */
  constructor(heap: Heap, requests: readonly WeightRequest[], runSteps: RunSteps, targetOf: (id: string) => number) {
    this.#heap = heap
    this.#runSteps = runSteps
    this.#targetOf = targetOf
    this.#waiting = new Set(requests)
  }

  /** Constants that are waited for. */
  get constants(): Set<string> {
    return new Set([...this.#waiting].flatMap(sourcesOf))
  }

  /** Takes a piece of a constant, of `length` bytes in all; constants nobody waits for are passed over. */
  async take(constant: string, length: number, offset: number, bytes: Uint8Array): Promise<void> {
    if (!this.constants.has(constant)) return
    let held = this.#held.get(constant)
    if (!held) {
      held = { address: this.#heap.allocate(length), bytes: length, whole: false }
      this.#held.set(constant, held)
    }
    this.#heap.view(held.address + offset, bytes.byteLength).set(bytes)
    if (offset + bytes.byteLength < length) return
    held.whole = true
    for (const request of [...this.#waiting]) await this.#packWhole(request)
    const waited = this.constants
    for (const [name, { address, bytes: size }] of [...this.#held]) {
      if (waited.has(name)) continue
      this.#heap.release(address, size)
      this.#held.delete(name)
    }
  }

  /** Packs the request if all it is made from is there. */
  async #packWhole(request: WeightRequest): Promise<void> {
    const sources = sourcesOf(request).map((name) => this.#held.get(name))
    if (!sources.every((held) => held?.whole)) return
    const places = new Map(sources.map((held, i) => [`source ${i}`, held!.address]))
    places.set('target', this.#targetOf(request.id))
    const [first, ...beside] = sources.map((_, i) => ({ id: `source ${i}`, offset: 0 }))
    const steps = request.layout!.steps(first, { id: 'target', offset: 0 }, beside)
    await this.#runSteps(steps, (ref) => places.get(ref.id)! + ref.offset)
    this.#waiting.delete(request)
  }
}
