// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { compare, median } from '../../src/runtime/compare.ts'
import { Session } from '../../src/runtime/session.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

function session(bytes: number, y: Tensor): Session & { runs: number } {
  const result = Object.assign(
    new Session({
      inputs: [],
      outputs: [],
      bytes,
      run: () => {
        result.runs++
        return Promise.resolve({ y })
      },
      profile: () => {
        throw new Error('not asked for')
      },
      dispose: () => Promise.resolve(),
    }),
    { runs: 0 },
  )
  return result
}

const floats = (...values: number[]): Tensor => new Tensor('float32', values)

describe('compare', () => {
  it('measures bytes, cosine, errors and noise', async () => {
    const result = await compare(session(100, floats(3, 4)), session(25, floats(3, 4.5)), {}, { rounds: 1 })
    expect(result.bytes).toEqual([100, 25])
    const [{ cosine, maxAbsError, maxRelError, snr }] = result.outputs
    expect(cosine).toBeCloseTo((9 + 18) / (5 * Math.hypot(3, 4.5)), 12)
    expect(maxAbsError).toBe(0.5)
    expect(maxRelError).toBe(0.125)
    expect(snr).toBeCloseTo(20, 12)
  })

  it('finds equal outputs equal, zeros included', async () => {
    for (const y of [floats(1, -2), floats(0, 0), new Tensor('int64', [5n, 6n])]) {
      const [output] = (await compare(session(1, y), session(1, y), {}, { rounds: 1 })).outputs
      expect(output).toEqual({ name: 'y', cosine: 1, maxAbsError: 0, maxRelError: 0, snr: Infinity })
    }
  })

  it('does not overlook a NaN', async () => {
    const [output] = (await compare(session(1, floats(1, 2)), session(1, floats(NaN, 2)), {}, { rounds: 1 })).outputs
    expect(output.maxAbsError).toBe(Infinity)
  })

  it('runs every set of inputs in every round', async () => {
    const a = session(1, floats(1))
    await compare(a, session(1, floats(1)), [{}, {}], { rounds: 3 })
    expect(a.runs).toBe(2 + 2 * 3)
  })

  it('rejects outputs that cannot be compared, and no inputs', async () => {
    await expect(compare(session(1, floats(1)), session(1, floats(1, 2)), {})).rejects.toThrow(InputError)
    await expect(compare(session(1, floats(1)), session(1, floats(1)), [])).rejects.toThrow(InputError)
    await expect(compare(session(1, floats(1)), session(1, floats(1)), {}, { rounds: 0 })).rejects.toThrow(InputError)
  })
})

describe('median', () => {
  it('is the middle one or the mean of both middle ones', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
  })
})
