// SPDX-License-Identifier: Apache-2.0
/**
 * Constants in Wasm memory: weights in the layouts that steps read, and tables made by lowerings. Each (constant, layout)
 * is packed once, by its own steps in Wasm (packing.ts); each table is kept once
 * per content. They stay until the session ends; programs refer to them by id.
 */
import { GraphError } from '../base/errors.ts'
import type { Constant } from '../ir/graph.ts'
import type { Ref, StepSpec } from '../ir/lowering.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { type Tensor, bytesOf, tensorFromBytes } from '../tensor/tensor.ts'
import type { Heap } from './address.ts'
import { type WeightRequest, refIds } from './lowering.ts'
import { Packing, sourcesOf } from './packing.ts'

/** Runs steps with this map of places. */
export type RunSteps = (steps: readonly StepSpec[], resolve: (ref: Ref) => number) => Promise<void>

/** Gives the bytes of a constant that are no longer at hand. */
export type Refetch = (name: string) => Promise<Uint8Array>

/** A part of a weight's bytes, as it arrives. */
export interface ArrivingPiece {
  /** The constants that have this content. */
  readonly constants: readonly string[]
  /** Bytes of the whole weight, and where in it the piece starts. */
  readonly length: number
  readonly offset: number
  /** Valid until the next piece is asked for. */
  readonly bytes: Uint8Array
}

interface Block {
  readonly address: number
  readonly bytes: number
}

/** The constants of one session. */
export class WeightStore {
  readonly #heap: Heap
  readonly #constants: ReadonlyMap<string, Constant>
  readonly #runSteps: RunSteps
  readonly #refetch: Refetch | undefined
  readonly #blocks = new Map<string, Block>()
  /** Programs that use a table. */
  readonly #uses = new Map<string, number>()
  /** Interned tables: ids by a hash of their content. */
  readonly #interned = new Map<number, { readonly id: string; readonly bytes: Uint8Array }[]>()

  constructor(heap: Heap, constants: ReadonlyMap<string, Constant>, runSteps: RunSteps, refetch?: Refetch) {
    this.#heap = heap
    this.#constants = constants
    this.#runSteps = runSteps
    this.#refetch = refetch
  }

  /** Bytes that weights and tables take. */
  get bytes(): number {
    let sum = 0
    for (const block of this.#blocks.values()) sum += block.bytes
    return sum
  }

  /** The id of a table with this content. */
  intern(bytes: Uint8Array): string {
    const hash = hashOf(bytes)
    const bucket = this.#interned.get(hash) ?? []
    const known = bucket.find((entry) => isEqual(entry.bytes, bytes))
    if (known) return known.id
    const id = `table ${hash.toString(16)}.${bucket.length}`
    this.#interned.set(hash, [...bucket, { id, bytes }])
    return id
  }

  /** Counts a program's use of tables. Tables no program uses any more are let go by `releaseTables`. */
  retainTables(ids: Iterable<string>): void {
    for (const id of ids) this.#uses.set(id, (this.#uses.get(id) ?? 0) + 1)
  }

  releaseTables(ids: Iterable<string>): void {
    for (const id of ids) {
      const left = this.#uses.get(id)! - 1
      this.#uses.set(id, left)
      if (left > 0 || !this.#blocks.has(id)) continue
      this.#uses.delete(id)
      this.#release(id)
    }
  }

  #release(id: string): void {
    const block = this.#blocks.get(id)
    if (block) this.#heap.release(block.address, block.bytes)
    this.#blocks.delete(id)
  }

  /** Address of a weight or table that is there, or undefined. */
  addressOf(id: string): number | undefined {
    return this.#blocks.get(id)?.address
  }

  /** The constant itself. @throws GraphError when its bytes were neither kept nor requested as they are */
  tensorOf(name: string): Tensor | undefined {
    const constant = this.#constants.get(name)
    if (!constant || constant.tensor) return constant?.tensor
    const raw = this.#blocks.get(refIds.raw(name))
    if (!raw)
      throw new GraphError({ where: `constant '${name}'`, expected: 'bytes at hand', got: 'only a packed copy' })
    return tensorFromBytes(constant.dtype, this.#heap.view(raw.address, raw.bytes).slice(), constant.dims)
  }

  /** True for names of constants. */
  isConstant(name: string): boolean {
    return this.#constants.has(name)
  }

  /** True when `tensorOf` has an answer. */
  hasTensor(name: string): boolean {
    return this.#constants.get(name)?.tensor !== undefined || this.#blocks.has(refIds.raw(name))
  }

  /** Brings to Wasm memory what is not there yet. */
  async ensure(weights: Iterable<WeightRequest>, tables: ReadonlyMap<string, Uint8Array>): Promise<void> {
    for (const [id, bytes] of tables) if (!this.#blocks.has(id)) this.#place(id, bytes)
    const missing = [...weights].filter(({ id }) => !this.#blocks.has(id))
    const pieces: ArrivingPiece[] = []
    for (const constant of new Set(missing.flatMap(sourcesOf))) {
      const bytes = await this.#bytesOf(constant)
      pieces.push({ constants: [constant], length: bytes.byteLength, offset: 0, bytes })
    }
    try {
      await this.receive(pieces, missing)
    } catch (error) {
      // what is not packed is not there
      for (const { id } of missing) this.#release(id)
      throw error
    }
  }

  /**
   * Takes weights as their pieces arrive: each is packed when its last piece is there. Constants nobody requests are let
   * go. @throws what the stream throws
   */
  async receive(
    pieces: Iterable<ArrivingPiece> | AsyncIterable<ArrivingPiece>,
    requests: readonly WeightRequest[],
  ): Promise<void> {
    for (const request of requests) this.#reserve(request)
    const packing = new Packing(this.#heap, requests, this.#runSteps, (id) => this.#blocks.get(id)!.address)
    for (const constant of packing.constants) {
      const tensor = this.#constant(constant).tensor
      if (tensor) await packing.take(constant, bytesOf(tensor).byteLength, 0, bytesOf(tensor) as Uint8Array)
    }
    for await (const { constants, offset, length, bytes } of pieces) {
      for (const constant of constants) {
        const raw = this.#blocks.get(refIds.raw(constant))
        if (raw) this.#heap.view(raw.address + offset, bytes.byteLength).set(bytes)
        await packing.take(constant, length, offset, bytes)
      }
    }
  }

  /** Makes room for a weight; its content comes later. */
  #reserve({ id, constant, layout }: WeightRequest): void {
    if (this.#blocks.has(id)) return
    const bytes = layout?.bytes ?? byteLengthOfConstant(this.#constant(constant))
    this.#blocks.set(id, { address: this.#heap.allocate(bytes), bytes })
  }

  #constant(name: string): Constant {
    const constant = this.#constants.get(name)
    if (!constant) throw new GraphError({ where: `constant '${name}'`, expected: 'to be in the graph' })
    return constant
  }

  async #bytesOf(name: string): Promise<Uint8Array> {
    const { tensor } = this.#constant(name)
    if (tensor) return bytesOf(tensor)
    const raw = this.#blocks.get(refIds.raw(name))
    if (raw) return this.#heap.view(raw.address, raw.bytes).slice()
    if (!this.#refetch) throw new GraphError({ where: `constant '${name}'`, expected: 'bytes at hand', got: 'none' })
    return this.#refetch(name)
  }

  #place(id: string, bytes: Uint8Array): void {
    const address = this.#heap.allocate(bytes.byteLength)
    this.#heap.view(address, bytes.byteLength).set(bytes)
    this.#blocks.set(id, { address, bytes: bytes.byteLength })
  }
}

/** Bytes of the constant as it is. */
export function byteLengthOfConstant({ dtype, dims }: Constant): number {
  return byteLengthOf(dtype, sizeOf(dims))
}

/** FNV-1a over bytes (Fowler, Noll, Vo). */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
