// SPDX-License-Identifier: Apache-2.0
/** What is kept of a host: found again by what it depends on, bounded, and never in the way where a store is of no use. */
import { expect, test } from 'vitest'
import type { TextStore } from '../../src/platform/store.ts'
import { Measurements } from '../../src/runtime/measurements.ts'
import { Modules } from '../../src/runtime/module.ts'

const kernels = await new Modules().choose('simd', false)

/** A store, and what was done to it. */
function memory(text?: string) {
  const calls = { text, gets: 0, sets: 0 }
  const store: TextStore = {
    get: () => {
      calls.gets++
      return calls.text
    },
    set: (next) => {
      calls.sets++
      calls.text = next
    },
  }
  return { calls, store }
}

const open = (store: TextStore | false, threads = 1, from = kernels) => Measurements.open(store, from, threads)

test('what one session notes another finds, with its day; both have the same numbers', async () => {
  const { store } = memory()
  const first = await open(store)
  first.note('forms', { sparse: 0.5, dense: 0.25 })
  expect(first.find('forms', ['sparse', 'dense'])).toMatchObject({
    figures: { sparse: 0.5, dense: 0.25 },
    earlier: false,
  })
  await first.settled()
  const found = (await open(store)).find('forms', ['dense', 'sparse'])
  expect(found).toMatchObject({ figures: { sparse: 0.5, dense: 0.25 }, earlier: true })
  expect(Date.parse(found!.date)).toBeLessThanOrEqual(Date.now())
})

test('another build, number of threads, code or subject is another matter', async () => {
  const { store } = memory()
  const first = await open(store)
  first.note('forms', { sparse: 1 })
  await first.settled()
  const others = [
    await open(store, 2),
    await open(store, 1, { ...kernels, build: 'relaxed' }),
    await open(store, 1, { ...kernels, relaxed: 'vnni' }),
    await open(store, 1, { ...kernels, module: new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)) }),
  ]
  for (const other of others) expect(other.find('forms', ['sparse'])).toBeUndefined()
  const same = await open(store)
  expect(same.find('form', ['sparse'])).toBeUndefined()
  expect(same.find('forms', ['sparse', 'dense'])).toBeUndefined()
  expect(same.find('forms', ['sparse'])).toBeDefined()
})

test('builds are named by their code', async () => {
  const builds = await Promise.all([false, true].map((shared) => new Modules().choose('simd', shared)))
  const ids = builds.map(({ module }) => WebAssembly.Module.customSections(module, 'build_id'))
  expect(ids.map((sections) => sections.map(({ byteLength }) => byteLength))).toEqual([[9], [9]])
  expect(new Uint8Array(ids[0][0])).not.toEqual(new Uint8Array(ids[1][0]))
})

test('what is noted at once is written once, behind what others wrote meanwhile', async () => {
  const { calls, store } = memory()
  const [mine, other] = [await open(store), await open(store, 2)]
  other.note('b', { x: 1 })
  await other.settled()
  mine.note('a', { x: 1 })
  mine.note('c', { x: 2 })
  await mine.settled()
  expect(calls.sets).toBe(2)
  expect((await open(store, 2)).find('b', ['x'])).toBeDefined()
  expect((await open(store)).find('c', ['x'])).toBeDefined()
  mine.note('a', { x: 3 })
  await mine.settled()
  expect((await open(store)).find('a', ['x'])?.figures).toEqual({ x: 3 })
})

test.each(['', 'no JSON {', '[]', '7', 'null', '"text"', '{"a": 1}', '\u0000\u0001'])(
  'a text that is none (%j) counts as empty and is replaced',
  async (text) => {
    const { calls, store } = memory(text)
    const measurements = await open(store)
    expect(measurements.find('a', ['x'])).toBeUndefined()
    measurements.note('a', { x: 1 })
    await measurements.settled()
    expect(Object.keys(JSON.parse(calls.text!) as object)).toHaveLength(1)
    expect((await open(store)).find('a', ['x'])).toBeDefined()
  },
)

test('entries that make no sense are left out, the others stay', async () => {
  const { calls, store } = memory()
  const first = await open(store)
  first.note('good', { x: 1 })
  await first.settled()
  const [[key, good]] = Object.entries(JSON.parse(calls.text!) as Record<string, object>)
  const date = '2026-01-02T03:04:05.000Z'
  const bad = [
    null,
    {},
    { date },
    { date, figures: null },
    { date, figures: {} },
    { date, figures: { x: -1 } },
    { date, figures: { x: 0 } },
    { date, figures: { x: '1' } },
    { date: 'today', figures: { x: 1 } },
    { date: 5, figures: { x: 1 } },
  ]
  const entries = bad.map((entry, i): [string, unknown] => [key.replace('good', `bad ${i}`), entry])
  calls.text = JSON.stringify({ __proto__: null, ...Object.fromEntries(entries), [key]: good })
  const measurements = await open(store)
  expect(bad.filter((_, i) => measurements.find(`bad ${i}`, ['x']))).toEqual([])
  expect(measurements.find('good', ['x'])).toBeDefined()
  measurements.note('more', { x: 2 })
  await measurements.settled()
  expect(Object.keys(JSON.parse(calls.text) as object).map((one) => one.replace(/^\w+ /, ''))).toEqual(['good', 'more'])
})

test('there are so many entries at most: the oldest go', async () => {
  const { calls, store } = memory()
  for (let part = 0; part < 3; part++) {
    const measurements = await open(store)
    for (let i = 0; i < 200; i++) measurements.note(`entry ${part * 200 + i}`, { x: 1 })
    await measurements.settled()
  }
  const names = Object.keys(JSON.parse(calls.text!) as object)
  expect(names.map((name) => name.replace(/^\w+ entry /, ''))).toEqual(
    Array.from({ length: 500 }, (_, i) => `${i + 100}`),
  )
})

test('a store that fails is as good as none: figures are the session’s alone', async () => {
  const fail = (): never => {
    throw new TypeError('no store')
  }
  const stores: TextStore[] = [
    { get: fail, set: fail },
    { get: () => Promise.reject(new TypeError('no store')), set: fail },
    { get: () => undefined, set: fail },
    { get: () => undefined, set: () => Promise.reject(new TypeError('full')) },
    { get: () => 5 as never, set: () => undefined },
  ]
  for (const store of stores) {
    const measurements = await open(store)
    measurements.note('a', { x: 1 })
    await measurements.settled()
    expect(measurements.find('a', ['x'])).toMatchObject({ figures: { x: 1 }, earlier: false })
    expect((await open(store)).find('a', ['x'])).toBeUndefined()
  }
})

test('nowhere is nowhere', async () => {
  const measurements = await open(false)
  measurements.note('a', { x: 1 })
  await measurements.settled()
  expect(measurements.find('a', ['x'])).toBeDefined()
  expect((await open(false)).find('a', ['x'])).toBeUndefined()
})
