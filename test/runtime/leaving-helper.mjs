// SPDX-License-Identifier: Apache-2.0
/**
 * A helper thread that joins a run, takes work from the first step that is open and is gone before it has done it: the
 * coordinator waits for units that will never be done. The words are those of docs/steps.md.
 */
import { parentPort } from 'node:worker_threads'

const gate = 0
const list = 32
const state = (192 + 64) / 4
const [called, working] = [1, 2]
const closed = -1
const [units, grain, cursor] = [2, 3, 4]

/** As an odd thread takes a chunk. */
const oneFromTheBack = 0x10000

const held = {}

function leave(memory, control) {
  const words = new Int32Array(memory.buffer)
  const at = control / 4
  while (Atomics.compareExchange(words, at + state, called, working) !== called);
  for (let step = Atomics.load(words, at + list) / 4; ; step += Math.max(4, words[step + 1])) {
    if (words[step + units] <= words[step + grain]) continue
    while (Atomics.load(words, at + gate) === 0);
    if (Atomics.load(words, at + gate) !== closed) Atomics.add(words, step + cursor, oneFromTheBack)
    process.exit(3)
  }
}

parentPort.on('message', ({ id, path, argumentList }) => {
  const [first, second] = (argumentList ?? []).map(({ value }) => value)
  if (path?.includes('serve')) leave(held.memory, first)
  if (path?.includes('prepare')) held.memory = second
  parentPort.postMessage({ id, type: 'RAW', value: undefined })
})
