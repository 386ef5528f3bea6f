// SPDX-License-Identifier: Apache-2.0
/**
 * Times every way there is to do the products of real models, and says how far behind the fastest the library's choice
 * is: `pick.mjs <repository> <bound> [filter]`. Ends with 1 where a choice is behind by more than `bound` (0: never).
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { loadOps } from '../src/ops/table.ts'
import { geometricMean } from './harness/statistics.ts'
import { kernelsOf } from './pick/hosts.ts'
import { type Precision, precisions } from './pick/nodes.ts'
import { type Question, questionsOf } from './pick/questions.ts'
import { type Runner, doubt, duel, processorTime, qualify, verdict } from './pick/race.ts'
import { type NamedShape, readShapes } from './pick/shapes.ts'

/** Milliseconds that the contenders of a kernel not met before run first: engines compile what runs often better. */
const warmUp = 150

/** A question, where it came from, and the rivals that a duel found ahead. */
interface Outcome {
  readonly named: NamedShape
  readonly precision: Precision
  readonly of: Question['of']
  readonly pick: string
  readonly lag: number
  readonly ahead: readonly string[]
  readonly line: string
}

const [root, boundText, filter = ''] = process.argv.slice(2)
const bound = Number(boundText)
const most = bound || 0.05
const ops = await loadOps([
  'whittle.Gemm',
  'whittle.Conv',
  'whittle.DynamicQuantizeGemm',
  'whittle.DynamicQuantizeConv',
  'whittle.WeightOnlyGemm',
  'whittle.SparseGemm',
  'whittle.DynamicQuantizeSparseGemm',
  'whittle.BlockSparseGemm',
  'MatMul',
])
const bytesOf = (build: string) => new Uint8Array(readFileSync(path.join(root, `build/wasm/${build}.wasm`)))
const kernels = await kernelsOf({ relaxed: bytesOf('relaxed'), simd: bytesOf('simd') })
const warm = new Set<string>()

const start = performance.now()
const outcomes: Outcome[] = []
for (const named of readShapes(path.join(root, 'bench/shapes'))) {
  for (const precision of precisions) {
    const title = `${precision} ${named.name}`
    if (!title.includes(filter) && !named.models.includes(filter)) continue
    for (const question of questionsOf(named.shape, precision, kernels, ops)) {
      const outcome = look(named, precision, question)
      outcomes.push(outcome)
      console.log(outcome.line)
    }
  }
}
const suspects = outcomes.filter(({ lag }) => lag > 1 + doubt)
console.log(`${suspects.length} of ${outcomes.length} are measured again`)
const checked = new Map(suspects.map((suspect) => [suspect, again(suspect)]))
for (const { line } of checked.values()) console.log(line)
const final = outcomes.map((outcome) => checked.get(outcome) ?? outcome)
const late = final.filter(({ lag }) => lag > 1 + most)
console.log(
  `Node ${process.versions.node}, ${kernels.build} build, dot ${kernels.relaxed}: ${final.length} choices, ` +
    `${late.length} behind by more than ${most * 100} %, ` +
    `mean lag ${((geometricMean(final.map(({ lag }) => lag)) - 1) * 100).toFixed(2)} %, ` +
    `${Math.round((performance.now() - start) / 1000)} s`,
)
process.exitCode = bound > 0 && late.length > 0 ? 1 : 0

/** The pick against all others. */
function look(named: NamedShape, precision: Precision, question: Question): Outcome {
  warmUpOnce(question)
  const rivals = qualify(question.pick, question.others)
  return outcomeOf(named, precision, question, rivals, duel)
}

/** The pick against those that were ahead of it, made anew. */
function again({ named, precision, of, pick, ahead }: Outcome): Outcome {
  const questions = questionsOf(named.shape, precision, kernels, ops)
  const question = questions.find((one) => one.of === of)!
  // a host may measure and choose otherwise this time: then it is this choice that is held against the others
  const rivals =
    question.pick.name === pick
      ? question.others.filter(({ name }) => ahead.includes(name))
      : qualify(question.pick, question.others)
  return outcomeOf(named, precision, question, rivals, verdict)
}

function outcomeOf(
  named: NamedShape,
  precision: Precision,
  { of, pick, kernels: names }: Question,
  rivals: readonly Runner[],
  compare: typeof duel,
): Outcome {
  const duels = rivals.map((rival) => ({ rival: rival.name, ...compare(pick, rival) }))
  const worst = duels.reduce((a, b) => (b.lag > a.lag ? b : a), { rival: pick.name, lag: 1, times: [0, 0] as const })
  const ahead = duels.filter(({ lag }) => lag > 1 + doubt / 2).map(({ rival }) => rival)
  const percent = ((worst.lag - 1) * 100).toFixed(1).padStart(5)
  const micro = worst.times.map((time) => (time * 1000).toFixed(1)).join(' ')
  const against = worst.rival === pick.name ? 'the fastest' : `against ${worst.rival} (${micro} us)`
  const what = of === 'blocks' ? `${names.at(-1)} ${pick.name}` : pick.name
  const mark = compare === verdict && worst.lag > 1 + most ? '  <-- behind' : ''
  const line = `${percent} %  ${precision} ${named.name}  ${of} ${what} ${against} [${named.models.join(' ')}]${mark}`
  return { named, precision, of, pick: pick.name, lag: worst.lag, ahead, line }
}

function warmUpOnce({ kernels: names, pick, others }: Question): void {
  if (names.every((name) => warm.has(name))) return
  for (const name of names) warm.add(name)
  const end = processorTime() + warmUp
  while (processorTime() < end) for (const runner of [pick, ...others]) runner.run()
}
