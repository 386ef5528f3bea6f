// SPDX-License-Identifier: Apache-2.0
/**
 * What this host is and can do. Peaks are measured by loops of the Wasm builds that hold all operands in registers, never
 * by a kernel: they are what a kernel is to be held against. Where the clock stands still they are null.
 */
import { peakLoops } from '../kernels/probe.ts'
import type { ByteDot } from '../kernels/row.ts'
import { clockTicks, now } from '../platform/clock.ts'
import { type RuntimeName, describeHost } from '../platform/host.ts'
import { createMemory } from './address.ts'
import type { WasmBuild } from './assets.ts'
import { instantiateKernels } from './instance.ts'
import { Modules, type WasmModules } from './module.ts'

/** GMAC/s of one thread, or null where they cannot be measured. */
export interface Peaks {
  readonly f32: number | null
  /** Byte dots as this build multiplies bytes exactly. */
  readonly int8: number | null
  readonly int4: number | null
}

export interface ProbeReport {
  readonly runtime: RuntimeName
  /** What the relaxed byte dot is here; 'none' where relaxed SIMD is not accepted. */
  readonly relaxed: ByteDot
  /** True when multiply-add is rounded once. */
  readonly fma: boolean
  /** Threads the machine runs at once. */
  readonly threads: number
  readonly sharedMemory: boolean
  /** The Wasm build that `load` uses with one thread. */
  readonly build: WasmBuild
  readonly peaks: Peaks
}

/** A measurement lasts at least this long, in milliseconds, and the best of several counts. */
const leastTime = 8
const attempts = 3

/** Looks and measures; takes some tens of milliseconds. @throws UnsupportedError without WebAssembly SIMD */
export async function probeHost(wasm?: WasmModules): Promise<ProbeReport> {
  const { runtime, threads, sharedMemory } = describeHost()
  const modules = new Modules(wasm)
  const kernels = await modules.choose('auto', false)
  const exports = instantiateKernels(kernels.module, createMemory(false)) as unknown as Readonly<Record<string, Loop>>
  const ticks = clockTicks()
  const peak = ({ name, macs }: { name: string; macs: number }): number | null =>
    ticks ? measure(exports[name], macs) : null
  const peaks = {
    f32: peak(peakLoops.f32),
    int8: peak(kernels.int8 === 'pairs' ? peakLoops.pairs : peakLoops.s8),
    int4: peak(kernels.int4 === 'short' ? peakLoops.short : peakLoops.s4),
  }
  return {
    runtime,
    relaxed: await modules.relaxedDot(),
    fma: kernels.fma,
    threads,
    sharedMemory,
    build: kernels.build,
    peaks,
  }
}

type Loop = (iterations: number) => number

function measure(loop: Loop, macs: number): number {
  let iterations = 1024
  let best = 0
  for (let done = 0; done < attempts;) {
    const start = now()
    loop(iterations)
    const time = now() - start
    if (time < leastTime) {
      iterations *= 2
      continue
    }
    best = Math.max(best, (iterations * macs) / time / 1e6)
    done++
  }
  return best
}
