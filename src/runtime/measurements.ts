// SPDX-License-Identifier: Apache-2.0
/**
 * What was measured on this host, in this session and in earlier ones. All that is known lies in one text of a store
 * (platform/store.ts), oldest first; each figure is found by what it depends on: kernels, runtime, processor, threads, and
 * what was measured. A text that cannot be read counts as none, entries that make no sense are left out, and where nothing
 * can be kept each session measures for itself. Programs that write at the same time may lose each other's figures, never more.
 */
import { crc32 } from '../base/crc.ts'
import { hostSignature } from '../platform/host-signature.ts'
import { type TextStore, openStore } from '../platform/store.ts'
import type { KernelModule } from './module.ts'

/** Where measurements are kept: true the usual place, false nowhere, or what `openStore` takes, or a store of the caller's. */
export type MeasurementPlace = boolean | string | TextStore

/** Numbers by name: rates, or milliseconds. */
export type Figures = Readonly<Record<string, number>>

export interface Measured {
  readonly figures: Figures
  /** When, ISO 8601. */
  readonly date: string
}

/** Entries that are kept, of all hosts that share the store. */
const mostEntries = 500

/** The measurements of one session. */
export class Measurements {
  readonly #store: TextStore | undefined
  readonly #host: string
  /** Of earlier sessions, by key. */
  readonly #earlier: ReadonlyMap<string, Measured>
  readonly #own = new Map<string, Measured>()
  readonly #unwritten = new Map<string, Measured>()
  #writing: Promise<void> | undefined

  /**
   * @param host what everything depends on
   * @param store kept nowhere where left out
   * @param text what is in the store
   */
  constructor(host = '', store?: TextStore, text?: string | null) {
    this.#host = crc32(new TextEncoder().encode(host)).toString(16).padStart(8, '0')
    this.#store = store
    this.#earlier = entriesOf(text)
  }

  /** Never throws: what goes wrong comes to a place that holds nothing. */
  static async open(
    place: MeasurementPlace,
    kernels: Pick<KernelModule, 'build' | 'module' | 'relaxed'>,
    threads: number,
  ): Promise<Measurements> {
    if (place === false) return new Measurements()
    try {
      const store = typeof place === 'object' ? place : await openStore(place === true ? undefined : place)
      if (!store) return new Measurements()
      const [text, host] = await Promise.all([store.get(), hostSignature()])
      const { build, relaxed, module } = kernels
      return new Measurements([host, build, relaxed, idOf(module), threads].join(', '), store, text)
    } catch {
      return new Measurements()
    }
  }

  /** What is known of `what`, where it has these figures and no others; `earlier` where another session measured it. */
  find(what: string, names: readonly string[]): (Measured & { readonly earlier: boolean }) | undefined {
    const key = this.#keyOf(what)
    const found = this.#own.get(key) ?? this.#earlier.get(key)
    if (!found || Object.keys(found.figures).sort().join() !== [...names].sort().join()) return undefined
    return { ...found, earlier: !this.#own.has(key) }
  }

  /** Takes figures, which are kept before long. */
  note(what: string, figures: Figures): void {
    const measured = { date: new Date().toISOString(), figures }
    this.#own.set(this.#keyOf(what), measured)
    this.#unwritten.set(this.#keyOf(what), measured)
    if (this.#store) this.#writing ??= this.#write(this.#store)
  }

  /** Done when all that was noted is kept, or cannot be. */
  async settled(): Promise<void> {
    await this.#writing
  }

  #keyOf(what: string): string {
    return `${this.#host} ${what}`
  }

  async #write(store: TextStore): Promise<void> {
    try {
      while (this.#unwritten.size > 0) {
        // read anew: others write too
        const entries = entriesOf(await store.get())
        for (const [key, measured] of this.#unwritten) {
          entries.delete(key)
          entries.set(key, measured)
        }
        this.#unwritten.clear()
        const kept = [...entries].slice(-mostEntries)
        await store.set(`${JSON.stringify(Object.fromEntries(kept), null, 1)}\n`)
      }
    } catch {
      this.#unwritten.clear()
    } finally {
      this.#writing = undefined
    }
  }
}

/** Names the code that is measured: scripts/build-wasm.mjs. */
function idOf(module: WebAssembly.Module): string {
  return WebAssembly.Module.customSections(module, 'build_id')
    .map((bytes) => [...new Uint8Array(bytes)].join('.'))
    .join()
}

/** The entries of a text, in order, without those that are none. */
function entriesOf(text: string | null | undefined): Map<string, Measured> {
  let content: unknown
  try {
    content = JSON.parse(text ?? '{}')
  } catch {
    // left by someone else
  }
  return new Map(Object.entries(content ?? {}).filter((entry): entry is [string, Measured] => isMeasured(entry[1])))
}

function isMeasured(entry: unknown): entry is Measured {
  const { date, figures } = (entry ?? {}) as Partial<Record<keyof Measured, unknown>>
  if (typeof date !== 'string' || Number.isNaN(Date.parse(date)) || typeof figures !== 'object') return false
  const values: unknown[] = Object.values(figures ?? {})
  return values.length > 0 && values.every((value) => typeof value === 'number' && value > 0 && value < Infinity)
}
