// SPDX-License-Identifier: Apache-2.0
/** Runs with the tensors of the run before: whatever a caller does to them between runs, results and errors are those of any run. */
import { describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import type { Tensor } from '../../src/index.ts'
import { type Fetches, InputError, type Session, load } from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import type { Feeds } from '../../src/runtime/feeds.ts'

// k chooses between two values, so programs are compiled for what it holds
const file = writeContainer(
  toContainer(
    parseGraph(`graph main opset 17 {
  input x: float32[n, 2]
  input k: int64[1]
  input s: int64[1]
  input unused: float32[1]
  const one: int64[1] = 1
  const two: float32[] = 2
  d = Mul(x, two)
  next = Add(s, one)
  zero = Sub(one, one)
  is = Equal(k, zero)
  flag = Squeeze(is)
  a = Neg(d)
  b = Exp(d)
  y = whittle.Select(flag, a, b)
  output y: float32[n, 2]
  output next: int64[1]
}`),
  ),
)

interface Plain {
  type: string
  data: Float32Array | BigInt64Array | Int32Array
  dims: number[]
}
type Tensors = Record<'x' | 'k' | 's' | 'unused', Plain>
type Targets = Record<string, Plain | null>

const feedsOf = (): Tensors => ({
  x: { type: 'float32', data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] },
  k: { type: 'int64', data: BigInt64Array.of(0n), dims: [1] },
  s: { type: 'int64', data: BigInt64Array.of(4n), dims: [1] },
  unused: { type: 'float32', data: Float32Array.of(9), dims: [1] },
})
const targetsOf = (): Targets => ({
  y: { type: 'float32', data: new Float32Array(4), dims: [2, 2] },
  next: { type: 'int64', data: new BigInt64Array(1), dims: [1] },
})

function wantedOf({ x, k, s }: Tensors): Record<string, unknown[]> {
  const isZero = k.data[0] === 0n
  const y = [...(x.data as Float32Array)].map((v) => Math.fround(isZero ? -2 * v : Math.exp(2 * v)))
  return { y, next: [(s.data[0] as bigint) + 1n] }
}

function expectOutputs(outputs: Record<string, Tensor>, wanted: Record<string, unknown[]>): void {
  for (const [name, { data }] of Object.entries(outputs)) {
    const got = [...(data as Iterable<number | bigint>)]
    expect(got.length).toBe(wanted[name].length)
    got.forEach((value, i) => {
      if (typeof value === 'bigint') expect(value).toBe(wanted[name][i])
      else expect(value).toBeCloseTo(wanted[name][i] as number, 1)
    })
  }
}

async function settled(session: Session, feeds: Tensors, fetches?: Targets): Promise<void> {
  for (let run = 0; run < 4; run++) {
    const wanted = wantedOf(feeds)
    expectOutputs(await session.run(feeds as Feeds, fetches as Fetches), wanted)
  }
}

describe('the run before, once more', () => {
  it('sees what tensors hold now, and gives new outputs or those of the caller', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = feedsOf()
    for (const fetches of [undefined, targetsOf(), { y: null, next: targetsOf().next }, { y: targetsOf().y }]) {
      await settled(session, feeds, fetches)
      const seen = new Set<unknown>()
      for (let run = 0; run < 5; run++) {
        feeds.x.data.fill(run as never)
        const outputs = await session.run(feeds as Feeds, fetches as Fetches)
        expect(Object.keys(outputs).sort()).toEqual(Object.keys(fetches ?? { next: 0, y: 0 }).sort())
        expectOutputs(outputs, wantedOf(feeds))
        for (const [name, target] of Object.entries(fetches ?? {})) if (target) expect(outputs[name]).toBe(target)
        if (!fetches?.y) seen.add(outputs.y.data)
        // outputs are the caller's
        delete (outputs as Partial<typeof outputs>).y
      }
      expect(seen.size).toBe(fetches?.y ? 0 : 5)
    }
  })

  it('notices another content where one was compiled for, also one that it has written itself', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = feedsOf()
    for (const k of [0n, 1n, 0n, 2n]) {
      feeds.k.data[0] = k
      await settled(session, feeds)
    }
    const counting = { ...targetsOf(), next: feeds.k }
    for (let run = 0; run < 4; run++) {
      feeds.k.data[0] = 0n
      await settled(session, feeds, counting)
      expect(feeds.k.data[0]).toBe(5n)
    }
  })

  it.each<[string, (feeds: Tensors) => void]>([
    ['another tensor', (feeds) => (feeds.x = { ...feedsOf().x, data: Float32Array.of(4, 3, 2, 1) })],
    ['other data', (feeds) => (feeds.x.data = Float32Array.of(4, 3, 2, 1))],
    ['data of another length, with its dims', (feeds) => Object.assign(feeds.x, { data: Float32Array.of(8, 9), dims: [1, 2] })], // oxfmt-ignore
    [
      'another order',
      (feeds) => {
        const { x } = feeds
        delete (feeds as Partial<Tensors>).x
        feeds.x = x
      },
    ],
  ])('notices %s', async (_, change) => {
    // oxfmt-ignore
    for (const fetches of [undefined, { next: null }]) {
      await using session = await load(file, { threads: 1 })
      const feeds = feedsOf()
      await settled(session, feeds, fetches)
      change(feeds)
      await settled(session, feeds, fetches)
    }
  })

  it.each<[string, (feeds: Tensors) => void]>([
    ['a tensor that is gone', (feeds) => delete (feeds as Partial<Tensors>).unused],
    ['one more', (feeds) => Object.assign(feeds, { z: feedsOf().x })],
    ['null', (feeds) => (feeds.x = null as never)],
    ['dims changed in place', (feeds) => (feeds.x.dims[1] = 4)],
    ['a dim more', (feeds) => feeds.x.dims.push(1)],
    ['another type', (feeds) => (feeds.x.type = 'int32')],
    ['data that was taken away', (feeds) => structuredClone(feeds.x.data, { transfer: [feeds.x.data.buffer as ArrayBuffer] })], // oxfmt-ignore
  ])('refuses %s, and goes on', async (_, spoil) => {
    await using session = await load(file, { threads: 1 })
    const feeds = feedsOf()
    await settled(session, feeds)
    spoil(feeds)
    for (let run = 0; run < 2; run++) await expect(session.run(feeds as Feeds)).rejects.toThrow(InputError)
    await settled(session, feedsOf())
  })

  it.each<[string, (targets: Targets) => unknown]>([
    ['an unknown name', (targets) => (targets.z = targetsOf().y)],
    ['undefined', (targets) => (targets.y = undefined as never)],
    ['another type', (targets) => (targets.y!.type = 'int32')],
    ['dims changed in place', (targets) => (targets.y!.dims[0] = 4)],
    ['too little data', (targets) => (targets.y!.data = new Float32Array(3))],
    ['data that was taken away', ({ y }) => structuredClone(y!.data, { transfer: [y!.data.buffer as ArrayBuffer] })],
  ])('refuses fetches with %s, and goes on', async (_, spoil) => {
    await using session = await load(file, { threads: 1 })
    const [feeds, targets] = [feedsOf(), targetsOf()]
    await settled(session, feeds, targets)
    spoil(targets)
    for (let run = 0; run < 2; run++)
      await expect(session.run(feeds as Feeds, targets as Fetches)).rejects.toThrow(InputError)
    await settled(session, feeds, targetsOf())
    await expect(session.run(feeds as Feeds, null as never)).rejects.toThrow(InputError)
  })

  it('knows that no fetches are not all', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = feedsOf()
    for (let run = 0; run < 4; run++) expect(await session.run(feeds as Feeds, {})).toEqual({})
    await expect(session.run(feeds as Feeds, null as never)).rejects.toThrow(InputError)
    await settled(session, feeds)
    expect(await session.run(feeds as Feeds, {})).toEqual({})
    expect(Object.keys(await session.run(feeds as Feeds, ['y']))).toEqual(['y'])
  })

  it('is right after runs of other shapes, also where the arena has grown or programs were dropped', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = feedsOf()
    await settled(session, feeds)
    for (const rows of [1, 5000, 2, ...Array.from({ length: 20 }, (_, i) => 10 + i)]) {
      const other = feedsOf()
      Object.assign(other.x, { data: new Float32Array(rows * 2).fill(0.5), dims: [rows, 2] })
      await settled(session, other)
      await settled(session, feeds)
    }
    const together = await Promise.all([feeds, feedsOf(), feeds].map((given) => session.run(given as Feeds)))
    for (const outputs of together) expectOutputs(outputs, wantedOf(feeds))
    await settled(session, feeds)
  })
})

describe('a run once more, of records that are frozen,', () => {
  /** All that can be, but for what `open` names. */
  function frozen<T extends Record<string, Plain | null>>(record: T, ...open: ('record' | 'tensors' | 'dims')[]): T {
    for (const tensor of Object.values(record)) {
      if (!open.includes('dims')) Object.freeze(tensor?.dims)
      if (!open.includes('tensors')) Object.freeze(tensor)
    }
    return open.includes('record') ? record : Object.freeze(record)
  }

  it('sees what tensors hold now, and gives new outputs or those of the caller', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = frozen(feedsOf())
    for (const fetches of [undefined, frozen(targetsOf()), frozen({ y: null, next: targetsOf().next })]) {
      await settled(session, feeds, fetches)
      for (let run = 0; run < 5; run++) {
        feeds.x.data.fill(run as never)
        feeds.k.data[0] = BigInt(run >> 1)
        feeds.s.data[0] = BigInt(run)
        const outputs = await session.run(feeds as Feeds, fetches as Fetches)
        expectOutputs(outputs, wantedOf(feeds))
        for (const [name, target] of Object.entries(fetches ?? {})) if (target) expect(outputs[name]).toBe(target)
      }
    }
  })

  it('feeds states back', async () => {
    await using session = await load(file, { threads: 1 })
    const feeds = frozen(feedsOf())
    const fetches = frozen({ y: targetsOf().y, next: feeds.s })
    for (let run = 1; run < 8; run++) {
      await session.run(feeds as Feeds, fetches as Fetches)
      expect(feeds.s.data[0]).toBe(BigInt(4 + run))
    }
  })

  it('knows other records', async () => {
    await using session = await load(file, { threads: 1 })
    const [feeds, fetches] = [frozen(feedsOf()), frozen(targetsOf())]
    await settled(session, feeds, fetches)
    const other = frozen({ ...feedsOf(), x: { ...feedsOf().x, data: Float32Array.of(4, 3, 2, 1) } })
    expectOutputs(await session.run(other as Feeds, fetches as Fetches), wantedOf(other))
    await settled(session, feeds, fetches)
    expect(Object.keys(await session.run(feeds as Feeds))).toEqual(['y', 'next'])
    await settled(session, feeds, fetches)
    expect(await session.run(feeds as Feeds, {})).toEqual({})
    await settled(session, feeds, fetches)
    await expect(session.run(frozen({ ...feeds, z: feeds.x }) as Feeds, fetches as Fetches)).rejects.toThrow(InputError)
    await expect(session.run(feeds as Feeds, null as never)).rejects.toThrow(InputError)
  })

  it.each<['record' | 'tensors' | 'dims', (feeds: Tensors) => unknown]>([
    ['record', (feeds) => (feeds.x = { ...feedsOf().x, type: 'int32' })],
    ['tensors', (feeds) => (feeds.x.data = new Float32Array(3))],
    ['dims', (feeds) => (feeds.x.dims[0] = 4)],
  ])('looks at %s that are not', async (open, spoil) => {
    await using session = await load(file, { threads: 1 })
    const feeds = frozen(feedsOf(), open)
    await settled(session, feeds)
    spoil(feeds)
    for (let run = 0; run < 2; run++) await expect(session.run(feeds as Feeds)).rejects.toThrow(InputError)
    await settled(session, frozen(feedsOf()))
  })

  it('asks properties that are functions', async () => {
    await using session = await load(file, { threads: 1 })
    const [first, second] = [frozen(feedsOf()), frozen(feedsOf())]
    second.x.data.fill(7 as never)
    let { x } = first
    const feeds = Object.freeze({
      ...first,
      get x() {
        return x
      },
    })
    await settled(session, feeds)
    x = second.x
    await settled(session, feeds)
  })

  it.each(['x', 'k', 's', 'unused', 'y'] as const)('refuses data of %s that was taken away', async (name) => {
    await using session = await load(file, { threads: 1 })
    const [feeds, targets] = [frozen(feedsOf()), frozen(targetsOf())]
    await settled(session, feeds, targets)
    const { data } = (name === 'y' ? targets.y : feeds[name])!
    structuredClone(data, { transfer: [data.buffer as ArrayBuffer] })
    for (let run = 0; run < 2; run++)
      await expect(session.run(feeds as Feeds, targets as Fetches)).rejects.toThrow(InputError)
    await settled(session, frozen(feedsOf()), frozen(targetsOf()))
  })

  it('refuses data that has grown', async () => {
    await using session = await load(file, { threads: 1 })
    const buffer = new (ArrayBuffer as new (bytes: number, options: object) => ArrayBuffer)(16, { maxByteLength: 64 })
    const feeds = frozen({ ...feedsOf(), x: { type: 'float32', data: new Float32Array(buffer), dims: [2, 2] } })
    await settled(session, feeds)
    ;(buffer as unknown as { resize(bytes: number): void }).resize(32)
    await expect(session.run(feeds as Feeds)).rejects.toThrow(InputError)
  })
})

describe('a run once more, on what callers make of their tensors,', () => {
  const two = writeContainer(
    toContainer(
      parseGraph(`graph main opset 17 {
  input x: float32[n]
  a = Neg(x)
  b = Exp(x)
  output a: float32[n]
  output b: float32[n]
}`),
    ),
  )

  it('writes into a tensor that is asked for twice what the first run does', async () => {
    await using session = await load(two, { threads: 1 })
    const feeds = { x: { type: 'float32', data: Float32Array.of(1, 2), dims: [2] } }
    const shared = { type: 'float32', data: new Float32Array(2), dims: [2] }
    const seen: number[][] = []
    for (let i = 0; i < 6; i++) {
      await session.run(feeds, { b: shared, a: shared })
      seen.push([...shared.data])
    }
    expect(new Set(seen.map(String)).size).toBe(1)
  })

  it('writes nothing into what a loop over fetches does not find', async () => {
    await using session = await load(two, { threads: 1 })
    const feeds = { x: { type: 'float32', data: Float32Array.of(1, 2), dims: [2] } }
    const target = { type: 'float32', data: new Float32Array(2), dims: [2] }
    const fetches: Fetches = Object.defineProperty({ a: null }, 'b', { value: target })
    for (let run = 0; run < 5; run++) {
      expect(Object.keys(await session.run(feeds, fetches))).toEqual(['a'])
      expect([...target.data]).toEqual([0, 0])
    }
  })

  it('profiles the run that was last, also behind one that was refused when it was done', async () => {
    await using session = await load(two, { threads: 1 })
    const feedsOf = (rows: number): Feeds => ({ x: { type: 'float32', data: new Float32Array(rows), dims: [rows] } })
    const [few, many] = [feedsOf(2), feedsOf(64)]
    const bytes = async (): Promise<number> => (await session.profile()).steps[0].bytes
    for (const feeds of [many, few]) for (let run = 0; run < 4; run++) await session.run(feeds)
    const before = await bytes()
    const tooSmall = { a: { type: 'float32', data: new Float32Array(2), dims: [2] } }
    await expect(session.run(many, tooSmall)).rejects.toThrow(InputError)
    expect(await bytes()).toBeGreaterThan(before)
    await session.run(few)
    expect(await bytes()).toBe(before)
  })

  it('refuses dims that are none any more', async () => {
    await using session = await load(two, { threads: 1 })
    const x: { type: string; data: Float32Array; dims: unknown } = {
      type: 'float32',
      data: Float32Array.of(1, 2),
      dims: [2],
    }
    for (let i = 0; i < 4; i++) await session.run({ x } as Feeds)
    for (const dims of [undefined, null, { length: 1, 0: 2 }]) {
      x.dims = dims
      await expect(session.run({ x } as Feeds)).rejects.toThrow(InputError)
    }
  })
})
