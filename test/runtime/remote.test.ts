// SPDX-License-Identifier: Apache-2.0
/** The engine in a worker, as in a page, but in this process: the same messages over Node's workers. */
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AbortError, FormatError, InputError, StateError } from '../../src/base/errors.ts'
import { writeContainer } from '../../src/format/container.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { workerUrl } from '../../src/runtime/assets.ts'
import type { LoadOptions } from '../../src/runtime/options.ts'
import { checkOptions } from '../../src/runtime/options.ts'
import { openRemoteModel, probeRemotely } from '../../src/runtime/remote.ts'
import { Session } from '../../src/runtime/session.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const missing = existsSync(workerUrl('engine-worker')) ? undefined : 'skipped: dist/engine-worker.js is not built'
if (missing) console.warn(missing)

const file = writeContainer(
  toContainer(
    parseGraph(`graph main opset 17 {
  input x: float32[n, 64]
  const w: float32[64, 64] = ${Array.from({ length: 4096 }, (_, i) => (i % 65 === 0 ? 2 : 0)).join(' ')}
  h = MatMul(x, w)
  y = Relu(h)
  output y: float32[n, 64]
}`),
  ),
)
const x = new Tensor('float32', new Float32Array(64).fill(3), [1, 64])

async function open(options: LoadOptions = {}, source = file): Promise<Session> {
  return new Session(await openRemoteModel(source, await checkOptions(options)))
}

describe.skipIf(missing !== undefined)('a session whose engine is in a worker', () => {
  it.each([1, 2])('runs like any other, with %i threads', async (threads) => {
    await using session = await open({ threads })
    expect(session.inputs).toEqual([{ name: 'x', type: 'float32', dims: ['n', 64] }])
    expect(session.bytes).toBe(file.byteLength)
    const results = await Promise.all([session.run({ x }), session.run({ x })])
    for (const { y } of results) {
      expect(y).toBeInstanceOf(Tensor)
      expect(new Set(y.data as Float32Array)).toEqual(new Set([6]))
    }
    expect(x.data.length).toBe(64)
    expect((await session.profile()).threads).toBe(threads)
  })

  it('throws errors of the classes they were', async () => {
    await using session = await open({ threads: 1 })
    await expect(session.profile()).rejects.toThrow(StateError)
    await expect(session.run({ z: x })).rejects.toThrow(InputError)
    await expect(session.run({ z: x })).rejects.toThrow(/'z'.*one of 'x'/)
    await expect(session.run({ x: (() => 1) as unknown as Tensor })).rejects.toThrow(InputError)
    await expect(session.run(7 as unknown as Record<string, Tensor>)).rejects.toThrow(InputError)
    await expect(open({}, file.slice(0, 100))).rejects.toThrow(FormatError)
  })

  it('reports progress and can be aborted', async () => {
    const seen: number[] = []
    await (await open({ threads: 1, onProgress: ({ loaded }) => seen.push(loaded) })).dispose()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(Math.max(...seen)).toBe(file.byteLength)
    await expect(open({ signal: AbortSignal.abort() })).rejects.toThrow(AbortError)
  })

  it('turns calls away after dispose, which may be called twice', async () => {
    const session = await open({ threads: 1 })
    await Promise.all([session.dispose(), session.dispose()])
    await expect(session.run({ x })).rejects.toThrow(StateError)
    await expect(session.profile()).rejects.toThrow(StateError)
  })

  it('probes', async () => {
    expect(await probeRemotely()).toMatchObject({ runtime: 'page', build: expect.stringMatching(/^(simd|relaxed)$/) })
  })
})
