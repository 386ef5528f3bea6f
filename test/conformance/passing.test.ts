// SPDX-License-Identifier: Apache-2.0
/** A sample of the cases that pass by the built runtime still do: load, run, compare. `npm run conformance` runs them all. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { load } from '../../src/index.ts'
import { dataPath, missingData } from '../models/data.ts'
import { type RunModel, lineOf, replayModel, variants } from './model.ts'
import { type Half, conformanceCases } from './replay.ts'

const missing = missingData('conformance')

/** One line of the lists in so many is checked here: under each Node others. */
const every = 8
const first = Number(process.versions.node.split('.')[0])

/** Lines the lists have at least: they may only grow. Raise these with them. */
const least = { current: 2100, legacy: 1320 } as const

const run: RunModel = async (model, feeds) => {
  await using session = await load(model, { threads: 1 })
  return await session.run(feeds)
}

function listOf(half: Half): string[] {
  const file = fileURLToPath(new URL(`passing-${half}.txt`, import.meta.url))
  return readFileSync(file, 'utf8').split('\n').slice(0, -1)
}

describe.skipIf(missing !== undefined)('the cases of the ONNX project that pass by the runtime', () => {
  test.each(['current', 'legacy'] as const)('%s: a sample of those listed still passes', async (half) => {
    const cases = new Map(
      conformanceCases(half).flatMap((one) => variants.map((variant) => [lineOf(one, variant), { one, variant }])),
    )
    const listed = listOf(half)
    expect(listed.filter((line) => !cases.has(line))).toEqual([])
    expect(listed.length).toBeGreaterThanOrEqual(least[half])
    const faults: string[] = []
    for (const line of listed.filter((_, i) => i % every === first % every)) {
      const { one, variant } = cases.get(line)!
      const { result, reason } = await replayModel(dataPath(`conformance/${half}`), one, variant, run)
      if (result !== 'passed') faults.push(`${line}: ${reason}`)
    }
    expect(faults).toEqual([])
  })

  test('nearly all common cases are listed: 97 % of those of the current operators, and of the older ones', () => {
    for (const half of ['current', 'legacy'] as const) {
      const listed = new Set(listOf(half))
      const common = conformanceCases(half).filter(({ opTier, typeTier }) => opTier === 1 && typeTier < 3)
      for (const variant of variants) {
        const passing = common.filter((one) => listed.has(lineOf(one, variant)))
        expect(passing.length / common.length).toBeGreaterThanOrEqual(0.97)
      }
    }
  })
})
