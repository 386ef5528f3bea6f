// SPDX-License-Identifier: Apache-2.0
/**
 * Weights from constants as these arrive: what is there of one is held outside Wasm memory until it is whole, and a weight is packed
 * when all that it is made of is, part by part where its layout has parts. So Wasm memory, which never gets smaller, holds
 * little of the constants beside the weights.
 */
import type { Heap } from './address.ts'
import type { WeightRequest } from './lowering.ts'
import type { RunSteps } from './weights.ts'

/** Bytes of constants that are in Wasm memory at a time, where layouts have parts that are as small: less than half of the megabyte that a load may take. */
const stagedBytes = 384 * 1024

/** Names of the constants a request is made from. */
export function sourcesOf({ constant, beside = [] }: WeightRequest): readonly string[] {
  return [constant, ...beside]
}

/** Takes constants as they come and packs what is complete. */
export class Packing {
  readonly #heap: Heap
  readonly #runSteps: RunSteps
  readonly #targetOf: (id: string) => number
  /** By constant: the weights that it is waited for with. */
  readonly #waiting = new Map<string, Set<WeightRequest>>()
  readonly #held = new Map<string, { bytes: Uint8Array; whole: boolean }>()

  /**
   * @param requests those without a layout are passed over
   * @param targetOf address of the room for a weight
   */
  constructor(heap: Heap, requests: readonly WeightRequest[], runSteps: RunSteps, targetOf: (id: string) => number) {
    this.#heap = heap
    this.#runSteps = runSteps
    this.#targetOf = targetOf
    for (const request of requests) {
      if (!request.layout) continue
      for (const name of sourcesOf(request))
        this.#waiting.set(name, (this.#waiting.get(name) ?? new Set()).add(request))
    }
  }

  /** Constants that are waited for. */
  get constants(): string[] {
    return [...this.#waiting.keys()]
  }

  /** Takes a piece of a constant, of `length` bytes in all; constants nobody waits for are passed over. */
  async take(constant: string, length: number, offset: number, bytes: Uint8Array): Promise<void> {
    const requests = this.#waiting.get(constant)
    if (!requests) return
    const whole = bytes.byteLength === length
    const held = this.#held.get(constant) ?? { bytes: whole ? bytes : new Uint8Array(length), whole: false }
    this.#held.set(constant, held)
    if (!whole) held.bytes.set(bytes, offset)
    held.whole = offset + bytes.byteLength === length
    if (!held.whole) return
    for (const request of requests) {
      const names = sourcesOf(request)
      const sources = names.map((name) => this.#held.get(name))
      if (!sources.every((source) => source?.whole)) continue
      await this.#pack(
        request,
        sources.map((source) => source!.bytes),
      )
      for (const name of names) {
        const left = this.#waiting.get(name)
        left?.delete(request)
        if (left?.size !== 0) continue
        this.#waiting.delete(name)
        this.#held.delete(name)
      }
    }
    // the piece is valid until the next one is asked for
    if (whole && requests.size > 0) held.bytes = bytes.slice()
  }

  async #pack({ id, layout }: WeightRequest, sources: readonly Uint8Array[]): Promise<void> {
    const { count, shares } = layout!.parts ?? {
      count: 1,
      shares: sources.map(({ byteLength }) => ({ lines: 1, bytes: byteLength })),
    }
    const partBytes = shares.reduce((sum, { lines, bytes }) => sum + lines * bytes, 0)
    const step = Math.max(1, Math.floor(stagedBytes / partBytes))
    for (let from = 0; from < count; from += step) {
      const to = Math.min(count, from + step)
      const staged: { address: number; bytes: number }[] = []
      try {
        for (const [i, source] of sources.entries()) {
          const { lines, bytes } = shares[i]
          const line = source.byteLength / lines
          const width = Math.min(line, to * bytes) - from * bytes
          const address = this.#heap.allocate(lines * width)
          staged.push({ address, bytes: lines * width })
          const view = this.#heap.view(address, lines * width)
          for (let l = 0; l < lines; l++) {
            const start = l * line + from * bytes
            view.set(source.subarray(start, start + width), l * width)
          }
        }
        const [first, ...beside] = staged.map((_, i) => ({ id: `${i}`, offset: 0 }))
        const steps = layout!.steps(first, { id, offset: 0 }, beside, ...(layout!.parts ? [from, to] : []))
        const target = this.#targetOf(id)
        await this.#runSteps(steps, (ref) => (staged[Number(ref.id)]?.address ?? target) + ref.offset)
      } finally {
        for (const { address, bytes } of staged) this.#heap.release(address, bytes)
      }
    }
  }
}
