// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { UnsupportedError } from '../../src/base/errors.ts'
import { Modules } from '../../src/runtime/module.ts'

describe('Modules', () => {
  it('chooses the simd build when asked, with threads and without', async () => {
    const modules = new Modules()
    expect((await modules.choose('simd', false)).build).toBe('simd')
    expect((await modules.choose('simd', true)).build).toBe('simd-threads')
  })

  it('takes a relaxed build only where its dot is one that is known', async () => {
    const modules = new Modules()
    const best = await modules.choose('auto', false)
    const relaxed = await modules.relaxedDot()
    const usable = relaxed !== 'none' && relaxed !== 'broken'
    expect(best.build).toBe(usable ? 'relaxed' : 'simd')
    expect(best.int8).toBe({ vnni: 'u8', sdot: 's8', pmaddubsw: 'pairs', none: 'pairs', broken: 'pairs' }[relaxed])
    if (!usable) await expect(modules.choose('relaxed', false)).rejects.toThrow(UnsupportedError)
    else expect((await modules.choose('relaxed', true)).build).toBe('relaxed-threads')
  })

  it('compiles a build once', async () => {
    const modules = new Modules()
    const [a, b] = await Promise.all([modules.choose('simd', false), modules.choose('simd', false)])
    expect(a).toBe(b)
  })
})
