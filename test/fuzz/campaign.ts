// SPDX-License-Identifier: Apache-2.0
/**
 * A campaign: case after case, each a function of its number alone. A case picks a subject, damages it and tries it;
 * what comes out is counted, and whatever is neither outputs nor a named error is handed to the caller.
 */
import { seededRandom } from '../../src/base/rng.ts'
import { type KernelModule, Modules } from '../../src/runtime/module.ts'
import { pick } from './mutate.ts'
import { type Subject, damage, largeSubjects, modelSubjects, operatorSubjects } from './subjects.ts'
import { type Ending, type Outcome, tryFile } from './trial.ts'

export interface Campaign {
  readonly models: readonly Subject[]
  /** Real models of megabytes, each opened when a case first asks for it. */
  readonly large: readonly (() => Promise<Subject>)[]
  readonly operators: readonly Subject[]
  readonly kernels: KernelModule
}

/** Subjects and kernels for `runCase`. */
export async function openCampaign(): Promise<Campaign> {
  const [models, operators, kernels] = await Promise.all([
    modelSubjects(),
    operatorSubjects(),
    new Modules().choose('auto', false),
  ])
  return { models, large: largeSubjects(models[0]), operators, kernels }
}

/** How often a case takes a large model, and how often a small one: a tenth of a second and some milliseconds each. */
const [largeShare, modelShare] = [0.0005, 0.06]

/** The file of a case. */
export async function fileOfCase(campaign: Campaign, seed: number): Promise<{ name: string; bytes: Uint8Array }> {
  const { models, large, operators } = campaign
  const random = seededRandom(seed)
  const share = random()
  const subject =
    share < largeShare ? await pick(random, large)() : pick(random, share < modelShare ? models : operators)
  return { name: subject.name, bytes: damage(subject, random) }
}

export interface CaseOutcome extends Outcome {
  readonly seed: number
  readonly name: string
  /** Of the processor: what else the machine does, and pauses, do not count. */
  readonly milliseconds: number
}

/** Tries one case. */
export async function runCase(campaign: Campaign, seed: number): Promise<CaseOutcome> {
  const { name, bytes } = await fileOfCase(campaign, seed)
  const start = process.cpuUsage()
  const outcome = await tryFile(bytes, campaign.kernels, seed)
  const { user, system } = process.cpuUsage(start)
  return { ...outcome, seed, name, milliseconds: (user + system) / 1000 }
}

export type Tally = Record<Ending, number>

export function emptyTally(): Tally {
  return { refused: 0, failed: 0, ran: 0, large: 0, finding: 0 }
}

/** What a finding is, in one line and the top of its stack. */
export function describeFinding({ seed, name, error }: CaseOutcome): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return `seed ${seed}, ${name}: ${stack.split('\n').slice(0, 7).join('\n')}`
}
