// SPDX-License-Identifier: Apache-2.0
/**
 * Times every way there is to do the products of real models, and says how far behind the fastest the library's choice
 * is: `pick.mjs <repository> <bound> [filter]`. Ends with 1 where a choice is behind by more than `bound` (0: never).
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { loadOps } from '../src/ops/table.ts'
import { createMemory } from '../src/runtime/address.ts'
import { instantiateKernels } from '../src/runtime/instance.ts'
import { knownAnswers } from '../src/runtime/known-answers.ts'
import { geometricMean } from './harness/statistics.ts'
import { type Outcome, type Runner, race } from './pick/race.ts'
import { type Precision, nodeOf } from './pick/nodes.ts'
import { readShapes } from './pick/shapes.ts'
import { type Cut, type Machine, Stage } from './pick/stage.ts'

const heights = [1, 2, 4, 6, 8, 12, 24, 48, 96, 192]
const widths = [16, 32, 64, 128, 256, 512]
/** Multiply-adds beyond which the blocks tried are fewer: the small ones and those between are not it. */
const largeProduct = 8e6
const largeHeights = [6, 12, 48, 192]
const largeWidths = [32, 128, 512]
/** A unit that gathers holds at most this many bytes of rows. */
const mostGathered = 1024 * 1024

/** Blocks a product may be cut into. */
function cutsOf({ m, n, k, mb, nb, ldp }: Readonly<Record<string, number>>): Cut[] {
  const isLarge = m * n * k > largeProduct
  const rows = [...new Set([mb, m, ...(isLarge ? largeHeights : heights).map((height) => Math.min(height, m))])]
  const narrower = (isLarge ? largeWidths : widths).filter((width) => width < n)
  const columns = [...new Set([nb, ...narrower, Math.ceil(n / 8) * 8])]
  const all = rows.flatMap((height) => columns.map((width) => ({ mb: height, nb: width })))
  return all.filter((cut) => {
    const units = Math.ceil(m / cut.mb) * Math.ceil(n / cut.nb)
    if (cut.mb === mb && cut.nb === nb) return false
    if (ldp !== undefined && cut.mb > 6 && cut.mb * ldp * 4 > mostGathered) return false
    // blocks of a few rows of a tall product are never the fastest, and there would be thousands
    return units === 1 || (m * n * k) / units >= 4096 || cut.mb >= mb
  })
}

const [root, boundText, filter = ''] = process.argv.slice(2)
const bound = Number(boundText)
const precisions: readonly Precision[] = ['float32', 'int8', 'int4', 'int4 weights']
const ops = await loadOps([
  'whittle.Gemm',
  'whittle.Conv',
  'whittle.DynamicQuantizeGemm',
  'whittle.DynamicQuantizeConv',
  'whittle.WeightOnlyGemm',
  'MatMul',
])
const files = ['relaxed', 'simd'].map((build) => ({
  build,
  bytes: readFileSync(path.join(root, `build/wasm/${build}.wasm`)),
}))
const { build, bytes } = files.find((file) => WebAssembly.validate(file.bytes))!
const module = await WebAssembly.compile(bytes)

function machineOf(): Machine {
  const memory = createMemory(false)
  return { memory, exports: instantiateKernels(module, memory) as unknown as Machine['exports'] }
}
const memory = createMemory(false)
const { relaxed } = knownAnswers(instantiateKernels(module, memory), memory, build === 'relaxed')
const int8 = relaxed === 'vnni' ? 'u8' : relaxed === 'sdot' ? 's8' : 'pairs'

const outcomes: (Outcome & { readonly title: string; readonly pick: string })[] = []
for (const { name, shape, models } of readShapes(path.join(root, 'bench/shapes'))) {
  for (const precision of precisions) {
    const title = `${precision} ${name}`
    if (!title.includes(filter) && !models.includes(filter)) continue
    const node = nodeOf(shape, precision)
    if (!node) continue
    const stage = new Stage(machineOf(), ops, node, { int8, threads: 1 })
    stage.run(stage.calls())
    const product = stage.product
    if (!product) continue
    const words = product.args as unknown as Readonly<Record<string, number>>
    const runner = ({ mb, nb }: Cut): Runner => {
      const calls = [stage.cut({ mb, nb })]
      return { name: `${mb}x${nb}`, run: () => stage.run(calls) }
    }
    const favourite = runner({ mb: words.mb, nb: words.nb })
    const outcome = race(favourite, cutsOf(words).map(runner), 0.04)
    outcomes.push({ ...outcome, title, pick: favourite.name })
    const behind = ((outcome.lag - 1) * 100).toFixed(1).padStart(5)
    const mark = bound > 0 && outcome.lag > 1 + bound ? '  <-- behind' : ''
    const micro = outcome.times.map((time) => (time * 1000).toFixed(1)).join(' ')
    console.log(
      `${behind} %  ${title}  ${product.kernel} ${favourite.name} against ${outcome.fastest} (${micro} us; ${models.join(' ')})${mark}`,
    )
  }
}
const late = outcomes.filter(({ lag }) => lag > 1 + (bound || 0.05))
const mean = geometricMean(outcomes.map(({ lag }) => lag))
console.log(
  `Node ${process.versions.node}, ${build} build, dot ${relaxed}: ${outcomes.length} products, ` +
    `${late.length} behind by more than ${(bound || 0.05) * 100} %, mean lag ${((mean - 1) * 100).toFixed(2)} %`,
)
process.exitCode = bound > 0 && late.length > 0 ? 1 : 0
