// SPDX-License-Identifier: Apache-2.0
/** All tasks, and what is promised of each. */
import { existsSync } from 'node:fs'
import { load } from '../../src/index.ts'
import { compressed } from './compressed.ts'
import { dataPath } from './data.ts'
import { digits } from './digits.ts'
import { angles, recogniser } from './lines.ts'
import { sentences } from './sentences.ts'
import { speech } from './speech.ts'
import type { Score, Task } from './task.ts'

export const tasks: readonly Task[] = [digits, sentences, speech, recogniser, angles]

/** Largest error in float32, of the largest absolute value. */
export const mostError = 1e-3

/** Points a figure may lose in int8: a half, or what the task allows. */
export function mostLoss(task: Task, figure: string, isQuick = false): number {
  return (isQuick ? task.quickLoss?.[figure] : undefined) ?? task.mostLoss?.[figure] ?? 0.5
}

/** What a recipe's session of the task reaches; every step of it must be in Wasm. */
export async function scoreOf(task: Task, recipe: string, part: number): Promise<Score & { hostSteps: string[] }> {
  await using session = await load(await compressed(task.model(), recipe), { threads: 1, profile: true })
  const score = await task.score(session, part)
  const { hostSteps } = await session.profile()
  return { ...score, hostSteps: hostSteps.map(({ op }) => op) }
}

/** undefined where the task's data is there. */
export function missing(task: Task): string | undefined {
  return existsSync(dataPath(task.data)) ? undefined : task.data
}
