// SPDX-License-Identifier: Apache-2.0
/** Outputs that are named, or written where the caller says: the same values in every kind of session, nothing more. */
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { writeContainer } from '../../src/format/container.ts'
import { type LoadOptions, load } from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { workerUrl } from '../../src/runtime/assets.ts'
import { Fetcher, type Fetches } from '../../src/runtime/fetches.ts'
import { checkOptions } from '../../src/runtime/options.ts'
import { openRemoteModel } from '../../src/runtime/remote.ts'
import { Session } from '../../src/runtime/session.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const missing = existsSync(workerUrl('engine-worker')) ? undefined : 'skipped: dist/engine-worker.js is not built'
if (missing) console.warn(missing)

const weights = Array.from({ length: 4096 }, (_, i) => (i % 65 === 0 ? 2 : 0)).join(' ')
const file = writeContainer(
  toContainer(
    parseGraph(`graph main opset 17 {
  input x: float32[n, 64]
  input state: float32[2]
  const one: float32[2] = 1 1
  const c: int64[1] = 7
  const w: float32[64, 64] = ${weights}
  y = MatMul(x, w)
  next = Add(state, one)
  k = Identity(c)
  output y: float32[n, 64]
  output next: float32[2]
  output k: int64[1]
}`),
  ),
)

const rows = (n: number): Tensor => new Tensor('float32', new Float32Array(n * 64).fill(3), [n, 64])
const zeros = (...dims: number[]): Tensor =>
  new Tensor('float32', new Float32Array(dims.reduce((size, dim) => size * dim, 1)), dims)

const sessions: readonly (readonly [string, () => Promise<Session>])[] = [
  ['on one thread', () => load(file, { threads: 1 })],
  ['on two threads', () => load(file, { threads: 2 })],
  ['timed', () => load(file, { threads: 1, profile: true })],
  [
    'in a worker',
    async () => new Session(await openRemoteModel(file, await checkOptions({ threads: 1 } as LoadOptions))),
  ],
  ['in instances', () => load(file, { instances: 2 })],
]

describe.skipIf(missing !== undefined).each(sessions)('fetches of a session %s', (_, open) => {
  it('are all there is in what a run gives', async () => {
    await using session = await open()
    for (let run = 0; run < 3; run++) {
      const feeds = { x: rows(2), state: zeros(2) }
      expect(Object.keys(await session.run(feeds)).sort()).toEqual(['k', 'next', 'y'])
      const some = await session.run(feeds, ['next'])
      expect(Object.keys(some)).toEqual(['next'])
      expect([...(some.next.data as Float32Array)]).toEqual([1, 1])
      expect(await session.run(feeds, [])).toEqual({})
    }
  })

  it('hold results, where they are tensors, also those of the feeds', async () => {
    await using session = await open()
    const [state, y] = [zeros(2), zeros(1000, 64)]
    for (let run = 1; run <= 4; run++) {
      ;(y.data as Float32Array).fill(0)
      const outputs = await session.run({ x: rows(1000), state }, { y, next: state, k: null })
      expect(outputs.y).toBe(y)
      expect(outputs.next).toBe(state)
      expect(new Set(y.data as Float32Array)).toEqual(new Set([6]))
      expect([...(state.data as Float32Array)]).toEqual([run, run])
      expect([...(outputs.k.data as BigInt64Array)]).toEqual([7n])
    }
  })

  it('may be plain objects', async () => {
    await using session = await open()
    const y = { type: 'float32', data: new Float32Array(64), dims: [1, 64] }
    for (let run = 0; run < 2; run++) {
      y.data.fill(0)
      const outputs = await session.run({ x: rows(1), state: zeros(2) }, { y })
      expect(outputs).toEqual({ y })
      expect(new Set(y.data)).toEqual(new Set([6]))
    }
  })

  it.each<[string, Fetches, RegExp]>([
    ['another name', ['z'], /run output 'z'.*one of 'y', 'next', 'k'.*does not have/],
    ['another shape', { y: zeros(64) }, /run output 'y'.*shape \[1, 64\].*shape \[64\]/],
    ['another type', { k: zeros(1) }, /run output 'k'.*int64 tensor over a BigInt64Array.*float32/],
    ['no array', { y: { type: 'float32', data: [1], dims: [1] } }, /run output 'y'.*over a Float32Array.*over Array/],
    ['no tensor', { y: 7 as never }, /run output 'y'.*got 7/],
    ['undefined', { y: undefined as never }, /run output 'y'.*got undefined/],
    ['text', 'y' as never, /run fetches.*names of outputs.*got y/],
    ['null', null as never, /run fetches.*got null/],
  ])('of %s are refused, and the session goes on', async (_, fetches, message) => {
    await using session = await open()
    const feeds = { x: rows(1), state: zeros(2) }
    for (let run = 0; run < 2; run++) {
      const error: unknown = await session.run(feeds, fetches).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(InputError)
      expect(String(error)).toMatch(message)
      expect(Object.keys(await session.run(feeds, ['y']))).toEqual(['y'])
    }
  })
})

describe('Fetcher', () => {
  const fetcher = new Fetcher([
    { name: 'h', type: 'float16', dims: [2] },
    { name: 's', type: 'string', dims: [1] },
    { name: '__proto__', type: 'float32', dims: [1] },
  ])

  it('writes the bits of half precision into any array of 16 bits', () => {
    const data = new Int16Array(2)
    const value = new Tensor('float16', Uint16Array.of(0x3c00, 0xc000), [2])
    fetcher.read({ h: { type: 'float16', data, dims: [2] } }).take('h', value)
    expect([...new Uint16Array(data.buffer)]).toEqual([0x3c00, 0xc000])
  })

  it('hands out text, and does not write it in place', () => {
    const value = new Tensor('string', ['a'], [1])
    expect(fetcher.read(['s']).take('s', value)?.data).toEqual(['a'])
    const { take } = fetcher.read({ s: { type: 'string', data: ['b'], dims: [1] } })
    expect(() => take('s', value)).toThrow(/not written in place/)
  })

  it('gives what nobody else has as it is', () => {
    const value = new Tensor('float16', Uint16Array.of(1, 2), [2])
    const { take } = fetcher.read(['h'])
    expect(take('h', value, true)).toBe(value)
    expect(take('h', value)).not.toBe(value)
    expect(take('__proto__', new Tensor('float32', [1]))).toBeUndefined()
  })
})
