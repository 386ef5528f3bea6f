// SPDX-License-Identifier: Apache-2.0
/**
 * Where the time of a run goes, as plain data. Times are kept only by sessions loaded with `profile: true`, which make one
 * call into Wasm per step; counts and bytes are always there.
 */
import type { FormChoice, StepSpec } from '../ir/lowering.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { rootOf } from './arena.ts'
import type { Program } from './compile.ts'
import { refsOf } from './encode.ts'

/** One step of the last run: a kernel call, or a node run on the host. */
export interface ProfileStep {
  readonly node: string
  readonly op: string
  /** null: the node's reference ran on the host. */
  readonly kernel: string | null
  /** Why there is no kernel; null where there is one. */
  readonly reason: string | null
  /** Milliseconds; null when the session was not loaded with `profile: true`. */
  readonly time: number | null
  /** Bytes of all buffers the step touches. */
  readonly bytes: number
  /** Of nodes with sparse weights: whether those or all are multiplied, why, and how long each took where that was measured. */
  readonly form?: FormChoice
}

export interface Profile {
  /** Calls into Wasm a run makes: 1 when no node runs on the host. */
  readonly stretches: number
  readonly steps: readonly ProfileStep[]
  /** Those of them that ran on the host. */
  readonly hostSteps: readonly ProfileStep[]
  readonly memory: {
    /** Bytes of weights and tables as packed. */
    readonly weights: number
    /** Bytes of the arena of activations. */
    readonly arena: number
    /** Bytes that sharing the arena saves. */
    readonly arenaSaved: number
    /** Bytes of the whole Wasm memory. */
    readonly total: number
  }
  /** Milliseconds of the last run that were spent in Wasm. */
  readonly wasmTime: number
  /** Wasm build. */
  readonly build: string
  readonly threads: number
  /** With the option `instances`: workers there are; everything else is of the one whose run ended last. */
  readonly instances?: number
}

/** What profiles are made of. */
export interface ProfiledProgram {
  readonly program: Program
  /** One per step and host call, in order; empty without profiling. */
  readonly timings: readonly number[]
}

/** Sets the figures of a run's programs side by side. */
export function profileOf(
  programs: readonly ProfiledProgram[],
  totals: { weights: number; arena: number; total: number; build: string; threads: number; wasm: number },
): Profile {
  const steps = programs.flatMap(stepsOf)
  const { weights, arena, total, build, threads, wasm } = totals
  const arenaSaved = Math.max(0, ...programs.map(({ program }) => program.arena.saved))
  return {
    stretches: programs.reduce(
      (sum, { program }) => sum + program.segments.filter(({ kind }) => kind === 'stretch').length,
      0,
    ),
    hostSteps: steps.filter(({ kernel }) => kernel === null),
    steps,
    memory: { weights, arena, arenaSaved, total },
    wasmTime: wasm,
    build,
    threads,
  }
}

function stepsOf({ program, timings }: ProfiledProgram): ProfileStep[] {
  const rows: Omit<ProfileStep, 'time'>[] = []
  for (const segment of program.segments) {
    if (segment.kind === 'host') {
      const { node, reason, reads } = segment.call
      const bytes = [...reads, ...node.outputs].reduce((sum, name) => sum + bytesOfValue(program, name), 0)
      rows.push({ node: node.name, op: node.op, kernel: null, reason, bytes })
      continue
    }
    for (let i = segment.from; i < segment.to; i++) {
      const { name, op } = program.owners[i]
      const form = program.choices.get(program.owners[i])
      rows.push({
        node: name,
        op,
        ...(form ? { form } : {}),
        kernel: program.steps[i].kernel,
        reason: null,
        bytes: bytesOfStep(program, program.steps[i]),
      })
    }
  }
  return rows.map((row, i) => ({ ...row, time: timings[i] ?? null }))
}

function bytesOfValue({ types }: Program, name: string): number {
  const slot = types.get(name)
  return slot ? byteLengthOf(slot.dtype, sizeOf(slot.dims)) : 0
}

function bytesOfStep(program: Program, step: StepSpec): number {
  const ids = new Set(refsOf(step).map(([, ref]) => rootOf(ref, program.aliases).id))
  return [...ids].reduce((sum, id) => sum + (program.sizes.get(id) ?? 0), 0)
}
