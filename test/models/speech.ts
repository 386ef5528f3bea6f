// SPDX-License-Identifier: Apache-2.0
/** Silero voice activity: frames of 512 samples with the last 64 before them, the state fed back; 12 labelled clips. */
import { readFileSync } from 'node:fs'
import { type Session, Tensor } from '../../src/index.ts'
import { dataPath } from './data.ts'
import { areaUnderCurve, worst } from './statistics.ts'
import { type Task, evenly, points } from './task.ts'

const frame = 512
const past = 64
const stateDims = [2, 1, 128]

/** Samples of a 16-bit mono WAV file, -1 to 1. */
function samplesOf(clip: string): Float32Array {
  const bytes = readFileSync(dataPath(`models/vad/clips/${clip}.wav`))
  let at = 12
  while (bytes.toString('latin1', at, at + 4) !== 'data') at += 8 + bytes.readUInt32LE(at + 4)
  const count = Math.min(bytes.readUInt32LE(at + 4), bytes.length - at - 8) >> 1
  return Float32Array.from({ length: count }, (_, i) => bytes.readInt16LE(at + 8 + 2 * i) / 32768)
}

/** Inputs for the frame that begins at a sample, with the state before it. */
export function speechFeeds(samples: Float32Array, start: number, state?: Tensor): Record<string, Tensor> {
  const input = new Float32Array(past + frame)
  input.set(samples.subarray(Math.max(0, start - past), start + frame), Math.max(0, past - start))
  return {
    input: new Tensor('float32', input, [1, past + frame]),
    sr: new Tensor('int64', BigInt64Array.of(16000n), []),
    state: state ?? new Tensor('float32', new Float32Array(256), stateDims),
  }
}

/** Samples of a clip by its number, '01' to '12'. */
export function speechClip(clip: string): Float32Array {
  return samplesOf(clip)
}

async function probabilities(session: Session, samples: Float32Array): Promise<number[]> {
  const found: number[] = []
  let state: Tensor | undefined
  for (let start = 0; start + frame <= samples.length; start += frame) {
    const { output, stateN } = await session.run(speechFeeds(samples, start, state))
    found.push((output.data as Float32Array)[0])
    state = stateN
  }
  return found
}

async function score(session: Session, part: number) {
  const read = <T>(file: string): Record<string, T> =>
    (JSON.parse(readFileSync(dataPath(`models/vad/${file}`), 'utf8')) as { clips: Record<string, T> }).clips
  const labels = read<{ frameLabels: string }>('labels.json')
  const reference = read<{ probs: number[] }>('reference.json')
  const scores: number[] = []
  const isSpeech: boolean[] = []
  let error = 0
  for (const clip of evenly(Object.keys(labels).sort(), part)) {
    const found = await probabilities(session, samplesOf(clip))
    error = Math.max(error, worst(found, reference[clip].probs))
    for (const [i, label] of [...labels[clip].frameLabels].entries()) {
      if (label === 'x' || i >= found.length) continue
      scores.push(found[i])
      isSpeech.push(label === '1')
    }
  }
  const right = scores.filter((p, i) => p >= 0.5 === isSpeech[i]).length
  return {
    points: { 'frames right': points(right, scores.length), AUC: 100 * areaUnderCurve(scores, isSpeech) },
    error,
  }
}

export const speech: Task = {
  name: 'Silero VAD',
  data: 'models/vad',
  model: () => dataPath('models/vad/silero_vad_op18_ifless.onnx'),
  baseline: { 'frames right': 90.72, AUC: 95.37 },
  quick: 1,
  score,
}
