// SPDX-License-Identifier: Apache-2.0
/** Universal Sentence Encoder Lite: cosines of embeddings against human scores, STS-B dev. */
import { readFileSync } from 'node:fs'
import { type Session, Tensor } from '../../src/index.ts'
import { dataPath } from './data.ts'
import { pearson, spearman, worst } from './statistics.ts'
import { type Task, evenly } from './task.ts'

const size = 512

interface Pair {
  readonly a: readonly number[]
  readonly b: readonly number[]
  readonly score: number
}

/** Sentence pairs as token ids. */
export function sentencePairs(): Pair[] {
  return JSON.parse(readFileSync(dataPath('models/use-lite/stsb-dev.json'), 'utf8')) as Pair[]
}

/** Inputs for one sentence. */
export function sentenceFeeds(ids: readonly number[]): Record<string, Tensor> {
  const long = (values: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
  return { input_ids: long(ids), attention_mask: long(ids.map(() => 1)) }
}

/** Expected embeddings of the first 16 pairs: pair, side, element. */
function expectedEmbeddings(): Float32Array {
  const bytes = readFileSync(dataPath('models/use-lite/reference-embeddings-first16pairs.npy'))
  const header = 10 + bytes.readUInt16LE(8)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + header, bytes.byteOffset + bytes.length))
}

async function score(session: Session, part: number) {
  const pairs = sentencePairs()
  const expected = expectedEmbeddings()
  const embed = async (ids: readonly number[]): Promise<Float32Array> =>
    (await session.run(sentenceFeeds(ids))).embedding.data as Float32Array
  let error = 0
  const cosines: number[] = []
  const chosen = evenly([...pairs.keys()], part)
  for (const i of chosen) {
    const [a, b] = [await embed(pairs[i].a), await embed(pairs[i].b)]
    cosines.push(a.reduce((sum, v, j) => sum + v * b[j], 0))
    if ((2 * i + 2) * size > expected.length) continue
    error = Math.max(error, worst(a, expected.subarray(2 * i * size, (2 * i + 1) * size)))
    error = Math.max(error, worst(b, expected.subarray((2 * i + 1) * size, (2 * i + 2) * size)))
  }
  const scores = chosen.map((i) => pairs[i].score)
  return { points: { Pearson: 100 * pearson(cosines, scores), Spearman: 100 * spearman(cosines, scores) }, error }
}

export const sentences: Task = {
  name: 'USE Lite',
  data: 'models/use-lite',
  model: () => dataPath('models/use-lite/use-lite.onnx'),
  baseline: { Pearson: 78.2647, Spearman: 78.3869 },
  quick: 0.05,
  score,
}
