// SPDX-License-Identifier: Apache-2.0
/**
 * Where the time of a model goes: profiles of several runs of the same program, averaged step by step and added up by
 * operator. Shares are of the sum of all steps.
 */
import type { Profile } from '../runtime/profile.ts'

/** A step of the model, in the order of its run. */
export interface StepTime {
  readonly node: string
  readonly op: string
  /** null: on the host. */
  readonly kernel: string | null
  /** Mean milliseconds. */
  readonly time: number
  /** Bytes of all buffers the step touches. */
  readonly bytes: number
}

export interface OperatorTime {
  readonly op: string
  readonly steps: number
  /** Mean milliseconds of all its steps in one run. */
  readonly time: number
  /** Of the whole, 0 to 1. */
  readonly share: number
  /** Kernels that its steps called; 'host' where there is none. */
  readonly kernels: readonly string[]
}

/** Mean times of the steps. Profiles with other steps than the first one (another shape) are left out. */
export function stepTimes(profiles: readonly Profile[]): StepTime[] {
  const [first] = profiles
  if (first === undefined) return []
  const alike = profiles.filter(
    ({ steps }) => steps.length === first.steps.length && steps.every(({ node }, i) => node === first.steps[i].node),
  )
  return first.steps.map(({ node, op, kernel, bytes }, i) => {
    const total = alike.reduce((sum, { steps }) => sum + (steps[i].time ?? 0), 0)
    return { node, op, kernel, time: total / alike.length, bytes }
  })
}

/** Steps added up by operator, the costliest first. */
export function operatorTimes(steps: readonly StepTime[]): OperatorTime[] {
  const total = steps.reduce((sum, { time }) => sum + time, 0)
  const rows = new Map<string, StepTime[]>()
  for (const step of steps) rows.set(step.op, [...(rows.get(step.op) ?? []), step])
  return [...rows]
    .map(([op, own]) => {
      const time = own.reduce((sum, step) => sum + step.time, 0)
      const kernels = [...new Set(own.map(({ kernel }) => kernel ?? 'host'))]
      return { op, steps: own.length, time, share: total > 0 ? time / total : 0, kernels }
    })
    .sort((a, b) => b.time - a.time)
}
