// SPDX-License-Identifier: Apache-2.0
/** One case: its contenders opened, timed beside each other and closed, under Node and in a page alike. */
import type { FormChoice } from '../../src/ir/lowering.ts'
import type { OpenedModel } from '../models/open.ts'
import type { CaseResult } from './results.ts'
import { type Contender, type Effort, timeBatch, timeInRounds } from './rounds.ts'
import { quantile } from './statistics.ts'

/** What takes part. */
export interface Participant {
  readonly name: string
  open(): Promise<OpenedModel>
}

/** What a case came to, without what it is called. */
export type Measured = Omit<CaseResult, 'name' | 'macs'>

export const efforts: Readonly<Record<string, Effort>> = {
  full: { warmUp: 600, time: 2000, samples: [15, 101] },
  quick: { warmUp: 150, time: 200, samples: [5, 21] },
}

/** Milliseconds: longer than the threads of the peers look for work before they sleep, up to 45 in onnxruntime-web. */
const restBetweenPools = 100

/** Times all that can run; a contender that cannot is noted with its reason. */
export async function measure(
  participants: readonly Participant[],
  threads: number,
  effortName: string,
): Promise<Measured> {
  const effort = { ...efforts[effortName], ...(threads > 1 ? { rest: restBetweenPools } : {}) }
  const opened: OpenedModel[] = []
  const contenders: (Contender & { readonly model: OpenedModel })[] = []
  const missing: Record<string, string> = {}
  const forms: Record<string, FormChoice> = {}
  for (const { name, open } of participants) {
    try {
      const model = await open()
      opened.push(model)
      await model.run()
      const form = await model.form?.()
      if (form) forms[name] = form
      contenders.push({ name, model, run: () => model.run() })
    } catch (error) {
      missing[name] = (error instanceof Error ? error.message : String(error)).split('\n')[0]
    }
  }
  const timed = contenders.length === 0 ? [] : await timeInRounds(contenders, effort)
  const outside: (number | undefined)[] = []
  for (const { model } of contenders) outside.push(await shareOutside(model))
  for (const model of opened) await model.close()
  const entries = timed.map(({ name: contender, batch, summary }, i) => {
    const outsideWasm = outside[i]
    return { contender, batch, ...summary, ...(outsideWasm === undefined ? {} : { outsideWasm }) }
  })
  return { entries, missing, ...(Object.keys(forms).length > 0 ? { forms } : {}) }
}

/** Runs that the share of time outside Wasm is the median of, fewest and most, each the last of some in a row: asking for the split disturbs the next. */
const splitRuns = [25, 501]
const runsInARow = 10
/** Milliseconds after which the fewest do. */
const splitTime = 300

/** Of the time that the caller's await of a run takes. Timed as in the rounds before, by code that is compiled by now. */
async function shareOutside(model: OpenedModel): Promise<number | undefined> {
  if (!model.inWasm) return undefined
  const shares: number[] = []
  const [least, most] = splitRuns
  const end = performance.now() + splitTime
  while (shares.length < least || (shares.length < most && performance.now() < end)) {
    let time = 0
    for (let j = 0; j < runsInARow; j++) time = await timeBatch(model, 1)
    shares.push(1 - (await model.inWasm()) / time)
  }
  return quantile(shares, 0.5)
}
