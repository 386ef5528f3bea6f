// SPDX-License-Identifier: Apache-2.0
/**
 * Preparing a value once for all who read it: layers that have an input in common each ask for it quantised (or packed)
 * in the same way, and the second and later askers are given the buffers of the first. Values are written once, so what
 * was made of one stays right; what may be shared is a list of kernels whose results nobody writes to afterwards.
 */
import type { Ref, StepSpec } from '../ir/lowering.ts'
import type { KernelName } from '../kernels/table.ts'
import { rootOf } from './arena.ts'

/** Kernels that prepare an operand, with the arguments they write to: scratch of the node that asks. */
const preparations: Partial<Readonly<Record<KernelName, readonly string[]>>> = {
  minmax_f32: ['partial'],
  quantize_image_i16: ['q', 'params'],
  quantize_image_u8: ['q', 'params'],
  quantize_rows_i16: ['q', 'params'],
  quantize_rows_u8: ['q', 'params'],
  row_sums_i16: ['sums'],
  row_sums_u8: ['sums'],
  pack_f32_x8: ['dst'],
}

type Args = Readonly<Record<string, Ref | number | null>>

/** The preparations of one program so far. */
export class SharedSteps {
  /** What each wrote, by what it did. */
  readonly #done = new Map<string, readonly Ref[]>()
  /** Ids of buffers that hold a preparation. */
  readonly #results = new Set<string>()
  readonly #isScratch: (id: string) => boolean

  /** @param isScratch tells buffers of single nodes, which may be written more than once, from values and constants */
  constructor(isScratch: (id: string) => boolean) {
    this.#isScratch = isScratch
  }

  /**
   * Where the step does what an earlier one did: the places it would have written, each with the place that holds that
   * content already. The step is not needed then.
   */
  twinOf(step: StepSpec, aliases: ReadonlyMap<string, Ref>): [id: string, place: Ref][] | undefined {
    const written = preparations[step.kernel]
    if (!written) return undefined
    const args = step.args as Args
    const key: unknown[] = [step.kernel, step.units]
    for (const [name, value] of Object.entries(args)) {
      if (written.includes(name)) continue
      if (typeof value !== 'object' || value === null) {
        key.push(value)
        continue
      }
      const { id, offset } = rootOf(value, aliases)
      if (this.#isScratch(id) && !this.#results.has(id)) return undefined
      key.push(id, offset)
    }
    const outputs = written.map((name) => args[name] as Ref)
    if (!outputs.every(({ id, offset }) => offset === 0 && this.#isScratch(id))) return undefined
    const text = JSON.stringify(key)
    const twin = this.#done.get(text)
    if (twin) return outputs.map(({ id }, i) => [id, twin[i]])
    this.#done.set(text, outputs)
    for (const { id } of outputs) this.#results.add(id)
    return undefined
  }
}
