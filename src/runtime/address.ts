// SPDX-License-Identifier: Apache-2.0
/**
 * The map of one Wasm memory. The first page is never handed out: address 0 means "left out", the compiler's own words
 * and the control block of `docs/steps.md` lie there. Behind it are blocks: packed weights and tables, step lists, and one
 * arena that all programs of a session use in turn. Freed blocks are joined with their neighbours and used again.
 *
 * Growing a memory invalidates every view on it, so views are made when they are needed and never kept.
 */
import { UnsupportedError } from '../base/errors.ts'

/** A Wasm page. */
export const pageBytes = 65536

/** Most pages a 32-bit memory can have. */
const mostPages = 65536

/** Where the control block (`docs/steps.md`) lies; above the compiler's `memoryBase`, inside the first page. */
export const controlAddress = 4096

/** Threads the control block has room for. */
export const mostThreads = 256

/** Beyond what is asked for, memory grows by a sixteenth of its size but not by more pages than this. */
const mostSparePages = 1024

interface Block {
  readonly address: number
  readonly bytes: number
}

/**
 * A memory for the builds of `assembly/`. Shared memories reserve address space for their maximum, and phones refuse
 * large ones: `maximumBytes` is asked for first, then half of it, and so on.
 * @throws UnsupportedError when the host gives none
 */
export function createMemory(shared: boolean, maximumBytes = mostPages * pageBytes): WebAssembly.Memory {
  if (!shared) return new WebAssembly.Memory({ initial: 1 })
  const least = 256
  let pages = Math.min(mostPages, Math.max(least, Math.ceil(maximumBytes / pageBytes)))
  for (;;) {
    try {
      return new WebAssembly.Memory({ initial: 1, maximum: pages, shared: true })
    } catch (error) {
      if (pages === least) {
        const where = 'shared memory'
        const got = error instanceof Error ? error.message : String(error)
        const expected = `${(least * pageBytes) >> 20} MiB of address space`
        throw new UnsupportedError({ where, expected, got, todo: 'load with threads: 1' }, { cause: error })
      }
      pages = Math.max(least, pages >> 1)
    }
  }
}

/** Hands out stretches of a memory. */
export class Heap {
  readonly memory: WebAssembly.Memory
  /** Sorted by address; no two touch. */
  readonly #free: Block[] = []
  /** First byte never handed out. */
  #top = pageBytes

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory
  }

  /** Bytes between the start of memory and the last one ever handed out. */
  get top(): number {
    return this.#top
  }

  /** A stretch of at least `bytes` bytes, 64-byte aligned, content undefined. @throws UnsupportedError when memory can't grow */
  allocate(bytes: number): number {
    const size = blockSize(bytes)
    let best = -1
    for (const [i, block] of this.#free.entries()) {
      if (block.bytes >= size && (best < 0 || block.bytes < this.#free[best].bytes)) best = i
    }
    if (best >= 0) {
      const { address, bytes: room } = this.#free[best]
      if (room === size) this.#free.splice(best, 1)
      else this.#free[best] = { address: address + size, bytes: room - size }
      return address
    }
    const last = this.#free.at(-1)
    const address = last !== undefined && last.address + last.bytes === this.#top ? last.address : this.#top
    this.#grow(address + size)
    if (address !== this.#top) this.#free.pop()
    this.#top = address + size
    return address
  }

  /** Gives back what `allocate(bytes)` returned. */
  release(address: number, bytes: number): void {
    let block: Block = { address, bytes: blockSize(bytes) }
    let at = this.#free.findIndex((other) => other.address > address)
    if (at < 0) at = this.#free.length
    const after = this.#free[at]
    if (after !== undefined && block.address + block.bytes === after.address) {
      block = { address, bytes: block.bytes + after.bytes }
      this.#free.splice(at, 1)
    }
    const before = this.#free[at - 1]
    if (before !== undefined && before.address + before.bytes === block.address) {
      this.#free[at - 1] = { address: before.address, bytes: before.bytes + block.bytes }
    } else {
      this.#free.splice(at, 0, block)
    }
  }

  /** A fresh view; do not keep it across an `allocate`. */
  view(address: number, bytes: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, bytes)
  }

  #grow(end: number): void {
    const have = this.memory.buffer.byteLength / pageBytes
    const need = Math.ceil(end / pageBytes) - have
    if (need <= 0) return
    const spare = Math.min(mostSparePages, have >> 4, mostPages - have)
    for (const pages of need < spare ? [spare, need] : [need]) {
      try {
        this.memory.grow(pages)
        return
      } catch (error) {
        if (pages === need) throw tooLarge(end, error)
      }
    }
  }
}

function blockSize(bytes: number): number {
  return Math.max(64, Math.ceil(bytes / 64) * 64)
}

function tooLarge(end: number, cause: unknown): UnsupportedError {
  return new UnsupportedError(
    {
      where: 'memory',
      expected: `room for ${Math.ceil(end / 2 ** 20)} MiB`,
      got: 'a refusal of the host',
      todo: 'use smaller inputs, a compressed model, or fewer sessions at once',
    },
    { cause },
  )
}
