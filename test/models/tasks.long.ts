// SPDX-License-Identifier: Apache-2.0
/** The real models on all of their data, with a table of what they reach. Run it by `npm run test:models`. */
import { afterAll, describe, expect, it } from 'vitest'
import { missingData } from './data.ts'
import { mostError, mostLoss, scoreOf, tasks } from './tasks.ts'

const skip = missingData('models/manifest.json')

describe.skipIf(skip !== undefined)('on all of their data', () => {
  const table: object[] = []
  afterAll(() => console.table(table))

  it.each(tasks)(
    '$name reaches its baseline in float32 and stays within half a point of it in int8',
    async (task) => {
      const float32 = await scoreOf(task, 'float32', 1)
      const int8 = await scoreOf(task, 'int8', 1)
      for (const [figure, baseline] of Object.entries(task.baseline)) {
        const [before, after] = [float32.points[figure], int8.points[figure]]
        table.push({ model: task.name, figure, baseline, float32: before, int8: after, error: float32.error })
        expect(Math.abs(before - baseline), figure).toBeLessThan(0.06)
      }
      expect(float32.error).toBeLessThan(mostError)
      for (const [figure, value] of Object.entries(task.baseline)) {
        expect(int8.points[figure], figure).toBeGreaterThanOrEqual(value - mostLoss(task, figure))
      }
      expect([...float32.hostSteps, ...int8.hostSteps]).toEqual([])
    },
    600_000,
  )
})
