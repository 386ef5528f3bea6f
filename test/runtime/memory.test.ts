// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { type ArenaBuffer, planMemory } from '../../src/runtime/memory.ts'

function mulberry(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

function buffer(id: string, bytes: number, first: number, last: number): ArenaBuffer {
  return { id, bytes, first, last }
}

describe('planMemory', () => {
  it('gives one place to buffers that never live together', () => {
    const plan = planMemory([buffer('a', 640, 0, 1), buffer('b', 640, 2, 3)])
    expect(plan.offsets.get('a')).toBe(plan.offsets.get('b'))
    expect(plan.bytes).toBe(640)
    expect(plan.saved).toBe(640)
  })

  it('keeps apart buffers that meet at a single step', () => {
    const plan = planMemory([buffer('a', 64, 0, 1), buffer('b', 64, 1, 2)])
    expect(plan.offsets.get('a')).not.toBe(plan.offsets.get('b'))
  })

  it('lets a sharing pass a place on, along a chain', () => {
    const buffers = [buffer('a', 128, 0, 1), buffer('b', 128, 1, 2), buffer('c', 128, 2, 3)]
    const plan = planMemory(buffers, [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'c' },
    ])
    expect(new Set(plan.offsets.values()).size).toBe(1)
    expect(plan.bytes).toBe(128)
  })

  it('refuses a sharing whose first buffer is still read later', () => {
    const plan = planMemory([buffer('a', 64, 0, 3), buffer('b', 64, 1, 2)], [{ from: 'a', to: 'b' }])
    expect(plan.offsets.get('a')).not.toBe(plan.offsets.get('b'))
  })

  it('takes the tightest gap', () => {
    const plan = planMemory([
      buffer('big', 1024, 0, 5),
      buffer('x', 512, 0, 1),
      buffer('y', 512, 0, 5),
      buffer('w', 128, 0, 1),
      buffer('z', 128, 0, 5),
      buffer('late', 64, 2, 3),
    ])
    expect(plan.offsets.get('late')).toBe(plan.offsets.get('w'))
  })

  it('gives places also to empty buffers and to none', () => {
    expect(planMemory([]).bytes).toBe(0)
    expect(planMemory([buffer('e', 0, 0, 0)]).offsets.get('e')).toBe(0)
  })

  it('never overlaps what lives together, stays aligned, and never beats the busiest step (seeded graphs)', () => {
    const random = mulberry(7)
    let taken = 0
    for (let round = 0; round < 200; round++) {
      const steps = 1 + Math.floor(random() * 40)
      const buffers: ArenaBuffer[] = []
      for (let i = 0; i < 1 + random() * 60; i++) {
        const first = Math.floor(random() * steps)
        const last = Math.min(steps - 1, first + Math.floor(random() * 8))
        buffers.push(buffer(`b${i}`, Math.floor(random() * 4000), first, last))
      }
      const sharings = buffers.flatMap((from) =>
        buffers
          .filter((to) => to !== from && to.first === from.last && random() < 0.2)
          .map((to) => ({ from: from.id, to: to.id })),
      )
      const plan = planMemory(buffers, sharings)
      for (const a of buffers) {
        const at = plan.offsets.get(a.id)!
        expect(at % 64).toBe(0)
        expect(at + a.bytes).toBeLessThanOrEqual(plan.bytes)
        for (const b of buffers) {
          if (a === b || a.last < b.first || b.last < a.first) continue
          const bt = plan.offsets.get(b.id)!
          const apart = at + a.bytes <= bt || bt + b.bytes <= at
          if (apart) continue
          const handedOn = (from: ArenaBuffer, to: ArenaBuffer): boolean =>
            at === bt && from.last === to.first && sharings.some((s) => s.from === from.id && s.to === to.id)
          expect(handedOn(a, b) || handedOn(b, a), `${a.id} ${b.id}`).toBe(true)
          taken++
        }
      }
      const apart = planMemory(buffers)
      for (let step = 0; step < steps; step++) {
        const alive = buffers.filter((b) => b.first <= step && b.last >= step)
        expect(apart.bytes).toBeGreaterThanOrEqual(alive.reduce((sum, b) => sum + b.bytes, 0))
      }
    }
    expect(taken).toBeGreaterThan(0)
  })
})
