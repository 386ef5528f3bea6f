// SPDX-License-Identifier: Apache-2.0
/** `threads: 'auto'` on real threads: whatever count a run has, its results are the same, and the count comes to rest. */
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import { Tensor, load } from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { describeHost } from '../../src/platform/host.ts'
import { workerUrl } from '../../src/runtime/assets.ts'
import { mostSearched } from '../../src/runtime/options.ts'
import { candidatesFor } from '../../src/runtime/thread-search.ts'

const missing = existsSync(workerUrl('helper-worker')) ? undefined : 'skipped: dist/helper-worker.js is not built'
if (missing) console.warn(missing)

const model = writeContainer(
  toContainer(
    parseGraph(`graph main opset 17 {
  input x: float32[n, 64]
  const w: float32[64, 64] = ${Array.from({ length: 4096 }, (_, i) => ((i * 7) % 11) / 64 - 0.08).join(' ')}
  h = MatMul(x, w)
  y = Tanh(h)
  output y: float32[n, 64]
}`),
  ),
)

describe.skipIf(missing !== undefined)("threads: 'auto'", () => {
  it('tries its counts for each set of input shapes, with the same results, and stays with one', async () => {
    const counts = candidatesFor(Math.min(describeHost().threads, mostSearched))
    await using session = await load(model, { threads: 'auto' })
    await using one = await load(model, { threads: 1 })
    for (const rows of [3, 200]) {
      const x = new Tensor('float32', new Float32Array(rows * 64).fill(0.3), [rows, 64])
      const { y } = await one.run({ x })
      const used: number[] = []
      for (let run = 0; run < counts.length * 3 + 5; run++) {
        expect((await session.run({ x })).y).toEqual(y)
        used.push((await session.profile()).threads)
      }
      expect(new Set(used.slice(0, counts.length * 3 + 1))).toEqual(new Set(counts))
      expect(new Set(used.slice(counts.length * 3 + 1)).size).toBe(1)
    }
  })
})
