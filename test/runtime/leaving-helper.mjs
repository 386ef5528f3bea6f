// SPDX-License-Identifier: Apache-2.0
/**
 * A helper thread that joins runs, takes work from the first step that is open and is gone before it has done it: the
 * coordinator waits for units that will never be done. The words are those of docs/steps.md.
 */
import { parentPort } from 'node:worker_threads'

const gate = 0
const list = 32
const state = (192 + 64) / 4
const [idle, called, working] = [0, 1, 2]
const closed = -1
const [units, grain, cursor] = [2, 3, 4]

/** As an odd thread takes a chunk. */
const oneFromTheBack = 0x10000

const held = {}

function leave(memory, control) {
  const at = control / 4
  for (;;) {
    const words = new Int32Array(memory.buffer)
    if (Atomics.compareExchange(words, at + state, called, working) !== called) continue
    if (takesWork(words, at)) process.exit(3)
    Atomics.store(words, at + state, idle)
  }
}

/** Walks the list of one run; true with a chunk in hand, false when the run is over. */
function takesWork(words, at) {
  let step = words[at + list] / 4
  const end = step + words[at + list + 1]
  for (let index = 0; step < end; index++) {
    const chunks = Math.ceil(words[step + units] / words[step + grain])
    if (chunks > 1) {
      let open
      do open = Atomics.load(words, at + gate)
      while (open !== closed && open <= index)
      if (open === closed) return false
      const taken = Atomics.add(words, step + cursor, oneFromTheBack)
      if ((taken & 0xffff) + (taken >>> 16) < chunks) return true
    }
    step += words[step + 1]
  }
  return false
}

parentPort.on('message', ({ id, path, argumentList }) => {
  const [first, second] = (argumentList ?? []).map(({ value }) => value)
  if (path?.includes('serve')) leave(held.memory, first)
  if (path?.includes('prepare')) held.memory = second
  parentPort.postMessage({ id, type: 'RAW', value: undefined })
})
