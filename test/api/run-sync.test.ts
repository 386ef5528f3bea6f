// SPDX-License-Identifier: Apache-2.0
/** Runs within a call give what awaited ones give, complain as they do, and say clearly where they cannot be done. */
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import { InputError, type LoadOptions, Session, StateError, Tensor, load } from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { workerUrl } from '../../src/runtime/assets.ts'
import { checkOptions } from '../../src/runtime/options.ts'
import { openRemoteModel } from '../../src/runtime/remote.ts'

const missing = existsSync(workerUrl('engine-worker')) ? undefined : 'skipped: dist/engine-worker.js is not built'
if (missing) console.warn(missing)

const fileOf = (text: string): Uint8Array => writeContainer(toContainer(parseGraph(text)))

const file = fileOf(`graph main opset 17 {
  input x: float32[n, 2]
  input state: float32[2]
  const w: float32[2, 2] = 1 2 3 4
  h = MatMul(x, w)
  y = Relu(h)
  next = Add(state, w0)
  const w0: float32[2] = 1 10
  output y: float32[n, 2]
  output next: float32[2]
}`)

const x = (...values: number[]): Tensor => new Tensor('float32', values, [values.length / 2, 2])
const state = (): Tensor => new Tensor('float32', [0, 0], [2])

function errorOf(body: () => unknown): Error {
  try {
    body()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

describe('runSync', () => {
  it('gives what run gives, for all shapes that were run, in any order', async () => {
    await using session = await load(file, { threads: 1 })
    const all = [[1, 2], [1, 2, -3, 4], [5, 6], [0, -1, 2, 3, 4, 5]].map((values) => ({ x: x(...values), state: state() })) // oxfmt-ignore
    const wanted = []
    for (const feeds of all) wanted.push(await session.run(feeds))
    for (let round = 0; round < 3; round++) {
      for (const [i, feeds] of all.entries()) expect(session.runSync(feeds)).toEqual(wanted[i])
      expect(await session.run(all[0])).toEqual(wanted[0])
    }
    const [a, b] = [session.runSync(all[0]), session.runSync(all[0])]
    expect((a.y.data as Float32Array).buffer).not.toBe((b.y.data as Float32Array).buffer)
  })

  it('writes results where fetches say, those of the feeds among them', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = { x: x(1, 1), state: state() }
    const y = x(0, 0)
    await session.run(feeds)
    for (let run = 1; run < 6; run++) {
      ;(feeds.x.data as Float32Array).fill(run)
      const outputs = session.runSync(feeds, { y, next: feeds.state })
      expect(outputs).toEqual({ y, next: feeds.state })
      expect(outputs.y).toBe(y)
      expect([...(y.data as Float32Array)]).toEqual([4 * run, 6 * run])
      expect([...(feeds.state.data as Float32Array)]).toEqual([run, 10 * run])
    }
    expect(Object.keys(session.runSync(feeds, ['next']))).toEqual(['next'])
  })

  it('is what profile tells of', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = { x: x(1, 1), state: state() }
    await session.run(feeds)
    for (let run = 0; run < 4; run++) {
      session.runSync(feeds)
      const { steps, wasmTime } = await session.profile()
      expect(steps.length).toBeGreaterThan(0)
      expect(wasmTime).toBeGreaterThanOrEqual(0)
    }
  })

  it('refuses wrong inputs and fetches as run does, and the session goes on', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = { x: x(1, 1), state: state() }
    await session.run(feeds)
    const wrong: readonly (readonly [unknown, unknown?])[] = [
      [{ x: x(1, 1) }],
      [{ ...feeds, z: x(1, 1) }],
      [{ ...feeds, state: new Tensor('int32', [0, 0]) }],
      [{ ...feeds, state: x(1, 1) }],
      [7],
      [feeds, null],
      [feeds, ['z']],
      [feeds, { y: state() }],
    ]
    for (const [given, fetches] of wrong) {
      const error = errorOf(() => session.runSync(given as never, fetches as never))
      expect(error).toBeInstanceOf(InputError)
      const other: unknown = await session.run(given as never, fetches as never).catch((reason: unknown) => reason)
      expect((other as Error).message).toBe(error.message)
      expect([...(session.runSync(feeds).y.data as Float32Array)]).toEqual([4, 6])
    }
  })

  it('needs an awaited run with inputs of these shapes', async () => {
    await using session = await load(file, { threads: 1 })
    const error = errorOf(() => session.runSync({ x: x(1, 1), state: state() }))
    expect(error).toBeInstanceOf(StateError)
    expect(error.message).toMatch(/session\.runSync.*inputs of these shapes.*await session\.run once/)
    await session.run({ x: x(1, 1), state: state() })
    expect(() => session.runSync({ x: x(1, 1, 2, 2), state: state() })).toThrow(StateError)
    expect(session.runSync({ x: x(1, 1), state: state() }).y.dims).toEqual([1, 2])
  })

  it('says so where a step is done outside Wasm', async () => {
    const host = fileOf('graph main opset 17 {\n  input x: float32[2]\n  y = Sinh(x)\n  output y: float32[2]\n}')
    await using session = await load(host, { threads: 1 })
    const feeds = { x: new Tensor('float32', [0, 0]) }
    const { y } = await session.run(feeds)
    expect([...(y.data as Float32Array)]).toEqual([0, 0])
    expect(() => session.runSync(feeds)).toThrow(/all steps were done in Wasm/)
  })

  it.each<[string, LoadOptions, RegExp]>([
    ['two threads', { threads: 2 }, /one thread.*got 2 threads.*threads: 1/],
    ['timed steps', { threads: 1, profile: true }, /not timed.*got profile: true/],
  ])('refuses %s', async (_, options, message) => {
    await using session = await load(file, options)
    const feeds = { x: x(1, 1), state: state() }
    await session.run(feeds)
    const error = errorOf(() => session.runSync(feeds))
    expect(error).toBeInstanceOf(StateError)
    expect(error.message).toMatch(message)
    expect((await session.run(feeds)).y.dims).toEqual([1, 2])
  })

  it('refuses while a run is under way, which goes on', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = { x: x(1, 1), state: state() }
    const running = session.run(feeds)
    expect(() => session.runSync(feeds)).toThrow(/no run under way.*got one.*await it/)
    expect([...((await running).y.data as Float32Array)]).toEqual([4, 6])
    expect([...(session.runSync(feeds).y.data as Float32Array)]).toEqual([4, 6])
  })

  it('refuses from dispose on', async () => {
    const session = await load(file, { threads: 1 })
    const feeds = { x: x(1, 1), state: state() }
    for (let run = 0; run < 4; run++) await session.run(feeds)
    const disposal = session.dispose()
    for (const wait of [undefined, disposal]) {
      await wait
      const error = errorOf(() => session.runSync(feeds))
      expect(error).toBeInstanceOf(StateError)
      expect(error.message).toMatch(/an open session/)
      await expect(session.run(feeds)).rejects.toThrow(/an open session/)
    }
  })

  it.skipIf(missing !== undefined).each<[string, () => Promise<Session>]>([
    ['the engine’s worker', async () => new Session(await openRemoteModel(file, await checkOptions({})))],
    ['instances', () => load(file, { instances: 1 })],
  ])('refuses a model in %s', async (_, open) => {
    await using session = await open()
    const feeds = { x: x(1, 1), state: state() }
    await session.run(feeds)
    const error = errorOf(() => session.runSync(feeds))
    expect(error).toBeInstanceOf(StateError)
    expect(error.message).toMatch(/session\.runSync.*a model in this thread.*one in a worker.*worker: false/)
    expect((await session.run(feeds)).y.dims).toEqual([1, 2])
  })
})
