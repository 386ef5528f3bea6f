// SPDX-License-Identifier: Apache-2.0
/**
 * The Wasm side: which build this host runs, compiled once per engine, instantiated over a memory.
 *
 * Builds are tried best first. The real bytes are validated, never a snippet; a relaxed build is used only when the
 * probe's known answers show that its dot product does what one of the known hosts does. What a host compiled is kept in
 * a `Modules` that whoever needs it passes on; there is no cache outside it.
 */
import { UnsupportedError } from '../base/errors.ts'
import type { HostTraits } from '../ir/lowering.ts'
import type { ByteDot, ByteForm } from '../kernels/row.ts'
import { byteForm, hasNarrow, select } from '../kernels/select.ts'
import { runtimeOf } from '../platform/host.ts'
import { openSource } from '../platform/source.ts'
import { createMemory } from './address.ts'
import { type WasmBuild, wasmUrl } from './assets.ts'
import { instantiateKernels } from './instance.ts'
import { knownAnswers } from './known-answers.ts'

/** Builds that someone else compiled. */
export type WasmModules = Readonly<Partial<Record<WasmBuild, WebAssembly.Module>>>

/** The `kernels` option. */
export type KernelChoice = 'auto' | 'simd' | 'relaxed'

/** A compiled build and what the probe found in it. */
export interface KernelModule {
  readonly build: WasmBuild
  readonly shared: boolean
  readonly module: WebAssembly.Module
  /** 'none' for simd builds. */
  readonly relaxed: ByteDot
  /** True when a * b + c is rounded once. */
  readonly fma: boolean
  /** How it multiplies bytes by int8 weights where nothing is measured. */
  readonly int8: ByteForm
  /** Set where 4-bit weights take another way than int8. */
  readonly int4: HostTraits['int4']
  /** Whether narrow int8 weights do. */
  readonly narrow: boolean
}

/** Compiled builds of one engine. */
export class Modules {
  readonly #given: WasmModules | undefined
  readonly #compiled = new Map<WasmBuild, Promise<KernelModule | undefined>>()

  /** @param given the only builds there are, compiled already; where left out, the package's own are compiled */
  constructor(given?: WasmModules) {
    this.#given = given
  }

  /**
   * The best build for the choice.
   * @throws UnsupportedError when the host cannot run the wanted one, or none
   */
  async choose(choice: KernelChoice, shared: boolean): Promise<KernelModule> {
    const suffix = shared ? '-threads' : ''
    if (choice !== 'simd') {
      const relaxed = await this.#get(`relaxed${suffix}`)
      if (relaxed && relaxed.relaxed !== 'broken') return relaxed
      if (choice === 'relaxed') {
        const got = relaxed
          ? 'relaxed dot products that give wrong results'
          : 'a host that does not accept the relaxed build'
        throw new UnsupportedError({
          where: 'options.kernels',
          expected: 'relaxed SIMD',
          got,
          todo: "use kernels: 'auto'",
        })
      }
    }
    const simd = await this.#get(`simd${suffix}`)
    if (simd) return simd
    if (this.#given) {
      throw new UnsupportedError({
        where: 'options.wasm',
        expected: `the build 'simd${suffix}'`,
        got: Object.keys(this.#given).join(', ') || 'none',
      })
    }
    throw new UnsupportedError({
      where: 'host',
      expected: 'WebAssembly SIMD',
      got: 'a host without it',
      todo: 'use a runtime of 2021 or later',
    })
  }

  /** The relaxed build's probe, whatever is chosen; 'none' where the build is not accepted. */
  async relaxedDot(): Promise<ByteDot> {
    return (await this.#get('relaxed'))?.relaxed ?? 'none'
  }

  #get(build: WasmBuild): Promise<KernelModule | undefined> {
    const known = this.#compiled.get(build)
    if (known) return known
    const compiled = this.#given ? examineGiven(build, this.#given[build]) : compileBuild(build)
    this.#compiled.set(build, compiled)
    return compiled
  }
}

async function examineGiven(build: WasmBuild, module?: WebAssembly.Module): Promise<KernelModule | undefined> {
  return module && examine(build, module)
}

async function compileBuild(build: WasmBuild): Promise<KernelModule | undefined> {
  if (runtimeOf() === 'edge') {
    throw new UnsupportedError({
      where: 'options.wasm',
      expected: 'compiled builds, since this host compiles none from bytes',
      got: 'none',
      todo: "import 'whittle/wasm/simd.wasm' and pass it as wasm: { simd }",
    })
  }
  const bytes = (await (await openSource(wasmUrl(build))).bytes()) as Uint8Array<ArrayBuffer>
  if (!WebAssembly.validate(bytes)) return undefined
  return examine(build, await WebAssembly.compile(bytes))
}

function examine(build: WasmBuild, module: WebAssembly.Module): KernelModule {
  const shared = build.endsWith('-threads')
  const memory = createMemory(shared, 0)
  const { relaxed, fma } = knownAnswers(instantiateKernels(module, memory), memory, build.startsWith('relaxed'))
  const s4 = select({ family: 'gemm', weights: 's4 blocks' }, relaxed)
  const int4 = s4.form === 'short' ? s4.form : undefined
  return { build, shared, module, relaxed, fma, int8: byteForm('s8', relaxed), int4, narrow: hasNarrow(relaxed) }
}
