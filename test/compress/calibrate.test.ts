// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { AbortError, InputError } from '../../src/base/errors.ts'
import { measureMeans } from '../../src/compress/calibrate.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const graph = parseGraph(`graph main opset 17 {
  input x: float32[n, 2]
  h = Relu(x)
  y = Neg(h)
  output y: float32[n, 2]
}`)
const feeds = (...rows: [number, number][]) => ({ x: new Tensor('float32', rows.flat(), [rows.length, 2]) })

describe('measureMeans', () => {
  test('means over all rows of all samples, of inputs, inner values and outputs', async () => {
    async function* samples() {
      yield feeds([1, -1], [3, 4])
      yield feeds([8, 3])
    }
    const means = await measureMeans(graph, ['h', 'y'], samples())
    expect([...means.get('h')!]).toEqual([4, 7 / 3])
    expect([...means.get('y')!]).toEqual([-4, -7 / 3])
  })

  test('says what is wrong with the data', async () => {
    await expect(measureMeans(graph, ['h'], [])).rejects.toThrow(/^options\.calibration: expected at least one set/)
    await expect(measureMeans(graph, ['h'], [{}])).rejects.toThrow(InputError)
    await expect(measureMeans(graph, ['h'], [feeds([1, 2])], AbortSignal.abort())).rejects.toThrow(AbortError)
  })
})
