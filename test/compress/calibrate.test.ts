// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { AbortError, InputError } from '../../src/base/errors.ts'
import { measureValues } from '../../src/compress/calibrate.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const graph = parseGraph(`graph main opset 17 {
  input x: float32[n, 2]
  h = Relu(x)
  y = Neg(h)
  output y: float32[n, 2]
}`)
const feeds = (...rows: [number, number][]) => ({ x: new Tensor('float32', rows.flat(), [rows.length, 2]) })

describe('measureValues', () => {
  test('over all rows of all samples, of inputs, inner values and outputs', async () => {
    async function* samples() {
      yield feeds([1, -1], [3, 4])
      yield feeds([8, 3])
    }
    const known = await measureValues(graph, ['h', 'y', 'h'], samples(), { moments: new Set(['h']) })
    const [h, y] = [known.get('h')!, known.get('y')!]
    expect([...h.means]).toEqual([4, 7 / 3])
    expect([...y.means]).toEqual([-4, -7 / 3])
    expect([...h.squares]).toEqual([74 / 3, 25 / 3])
    expect([[...h.least], [...h.most]]).toEqual([
      [1, 0],
      [8, 4],
    ])
    // rows (1, 0), (3, 4), (8, 3)
    expect(h.moments.map((matrix) => [...matrix])).toEqual([[74 / 3, 12, 12, 25 / 3]])
    expect(y.moments).toEqual([])
    expect([h.rows, y.rows]).toEqual([3, 3])
  })

  test('keeps moments of 128 channels together, of evenly chosen rows', async () => {
    const wide = parseGraph(`graph main opset 17 {
  input x: float32[n, 130]
  y = Neg(x)
  output y: float32[n, 130]
}`)
    const x = new Tensor(
      'float32',
      Float32Array.from({ length: 1000 * 130 }, (_, i) => i % 130),
      [1000, 130],
    )
    const { moments, rows } = (await measureValues(wide, ['x'], [{ x }])).get('x')!
    expect(moments.map(({ length }) => length)).toEqual([128 ** 2, 4])
    expect([...moments[1]]).toEqual([128 ** 2, 128 * 129, 128 * 129, 129 ** 2])
    expect(rows).toBe(250)
  })

  test('says what is wrong with the data', async () => {
    await expect(measureValues(graph, ['h'], [])).rejects.toThrow(/^options\.calibration: expected at least one set/)
    await expect(measureValues(graph, ['h'], [{}])).rejects.toThrow(InputError)
    const options = { signal: AbortSignal.abort() }
    await expect(measureValues(graph, ['h'], [feeds([1, 2])], options)).rejects.toThrow(AbortError)
  })
})
