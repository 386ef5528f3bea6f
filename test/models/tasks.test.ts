// SPDX-License-Identifier: Apache-2.0
/**
 * Each real model does its task, on a sample of its data: in float32 as the expected outputs, in int8 within half a
 * point. `npm run test:models` does it on all of the data.
 */
import { describe, expect, it } from 'vitest'
import { missingData } from './data.ts'
import { mostError, mostLoss, scoreOf, tasks } from './tasks.ts'

const skip = missingData('models/manifest.json')

describe.skipIf(skip !== undefined).each(tasks)('$name', (task) => {
  it('agrees with expected outputs to 1e-3 in float32 and loses at most half a point in int8, all in Wasm', async () => {
    const float32 = await scoreOf(task, 'float32', task.quick)
    expect(float32.error).toBeLessThan(mostError)
    const int8 = await scoreOf(task, 'int8', task.quick)
    for (const [figure, value] of Object.entries(float32.points)) {
      expect(int8.points[figure], figure).toBeGreaterThanOrEqual(value - mostLoss(task, figure, true))
    }
    expect([...float32.hostSteps, ...int8.hostSteps]).toEqual([])
  })
})
