// SPDX-License-Identifier: Apache-2.0
/**
 * Thousands of hostile files: samples of every operator, a network, real models, damaged as bytes and as records whose
 * checksums and lengths are right again. Each is a function of its number, so a failure says how to see it again:
 * `npm run fuzz -- --from N --count 1`.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { type Campaign, describeFinding, emptyTally, openCampaign, runCase } from './campaign.ts'
import { tryFile } from './trial.ts'

const seeds = 3000
const parts = 6

describe('damaged files', () => {
  let campaign: Campaign
  beforeAll(async () => {
    campaign = await openCampaign()
  })

  test('undamaged, models load and run, with whatever inputs', async () => {
    const wrong: string[] = []
    for (const [i, { name, bytes }] of [...campaign.models, ...campaign.operators].entries()) {
      if (i >= campaign.models.length && i % 7 !== 0) continue
      const { ending, error } = await tryFile(bytes, campaign.kernels, i)
      // inputs that say how to compute are made up, so an operator may refuse them, also a size that comes first and indices
      const said = String(error)
      const mayRefuse = name.includes('(inputs)') || /use smaller inputs|indices: expected integers in/.test(said)
      if (ending !== 'ran' && !(ending === 'failed' && mayRefuse)) wrong.push(`${name}: ${ending} ${said}`)
    }
    expect(wrong.join('\n')).toBe('')
  })

  test.each(Array.from({ length: parts }, (_, part) => part))(
    'give outputs or a named error, never a trap, a hang or an error of the language (part %i)',
    async (part) => {
      const findings: string[] = []
      const tally = emptyTally()
      for (let seed = part; seed < seeds; seed += parts) {
        const outcome = await runCase(campaign, seed)
        tally[outcome.ending]++
        if (outcome.ending === 'finding') findings.push(describeFinding(outcome))
      }
      expect(findings.join('\n\n')).toBe('')
      // damage that nothing gets past, or that changes nothing, would find nothing
      expect(tally.refused).toBeGreaterThan(0)
      expect(tally.ran).toBeGreaterThan(0)
    },
  )
})
