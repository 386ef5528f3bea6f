// SPDX-License-Identifier: Apache-2.0
/**
 * Walks a step list: the contract is docs/steps.md.
 *
 * Without threads it is a loop over steps. With threads the coordinator opens steps one after the other by raising
 * the gate; everyone takes chunks from a step's cursor, and the step is over when as many units are done as it has.
 * A helper joins a run by moving its own state word from CALLED to WORKING; the coordinator takes back the calls that
 * nobody answered, so a helper that sleeps, starts late or died between two runs delays nothing, and no helper touches
 * the list after a run has ended. Every wait ends: by a notify, by the stop word, or after a short time without progress,
 * when the call returns so that the host can see whether a helper died, and `resume` goes on.
 */
import { dispatch } from './generated/dispatch'

/** Words of a step's header, as byte offsets. */
// @ts-ignore: decorator
@inline
const SIZE: usize = 4
// @ts-ignore: decorator
@inline
const UNITS: usize = 8
// @ts-ignore: decorator
@inline
const GRAIN: usize = 12
// @ts-ignore: decorator
@inline
const CURSOR: usize = 16
// @ts-ignore: decorator
@inline
const DONE: usize = 20
/** The unit that the step's range begins with. */
// @ts-ignore: decorator
@inline
const FIRST: usize = 24
/** Not 0: a run with helpers returns LED when the step is done, with the next one open. */
// @ts-ignore: decorator
@inline
const LEADS: usize = 28
// @ts-ignore: decorator
@inline
const ARGS: usize = 32

/** Words of the control block, as byte offsets. */
// @ts-ignore: decorator
@inline
const GATE: usize = 0
/** Helpers that sleep at the gate. */
// @ts-ignore: decorator
@inline
const SLEEPERS: usize = 4
// @ts-ignore: decorator
@inline
const STOP: usize = 64
// @ts-ignore: decorator
@inline
const LIST: usize = 128
// @ts-ignore: decorator
@inline
const WORDS: usize = 132
/** Not 0 while the coordinator sleeps. */
// @ts-ignore: decorator
@inline
const WAITING: usize = 136
/** Of a run under way: the step whose units are awaited, or 0 at the end of the list, and the step's position. */
// @ts-ignore: decorator
@inline
const STEP: usize = 140
// @ts-ignore: decorator
@inline
const INDEX: usize = 144
/** Pages that a helper must see before it touches what a run works on. */
// @ts-ignore: decorator
@inline
const PAGES: usize = 152
/** Times in a row that a run returned UNDER_WAY without any progress. */
// @ts-ignore: decorator
@inline
const ROUNDS: usize = 148
// @ts-ignore: decorator
@inline
const THREADS: usize = 192
/** Bytes of a thread's part of the control block: its state, then whether it sleeps there. */
// @ts-ignore: decorator
@inline
const THREAD_BYTES: usize = 64
// @ts-ignore: decorator
@inline
const ASLEEP: usize = 4
/** Long looks of this thread in a row that saw nothing. */
// @ts-ignore: decorator
@inline
const MISSES: usize = 8

/** States of a helper. */
// @ts-ignore: decorator
@inline
const IDLE: u32 = 0
// @ts-ignore: decorator
@inline
const CALLED: u32 = 1
// @ts-ignore: decorator
@inline
const WORKING: u32 = 2

/** A gate behind which there is no run. */
// @ts-ignore: decorator
@inline
const CLOSED: u32 = 0xffffffff

/** What `run` returns. */
// @ts-ignore: decorator
@inline
const FINISHED: u32 = 0
// @ts-ignore: decorator
@inline
const STOPPED: u32 = 1
// @ts-ignore: decorator
@inline
const LOST: u32 = 2
// @ts-ignore: decorator
@inline
const UNDER_WAY: u32 = 3
// @ts-ignore: decorator
@inline
const LED: u32 = 4

/**
 * Looks at a word before sleeping on it. Long: some hundred microseconds, more than the difference between two threads
 * at the end of a step, so that a pool with a core for each thread does not sleep within a run. Short: some
 * microseconds, for when there are fewer cores than threads and looking takes the time of whom we look for.
 */
// @ts-ignore: decorator
@inline
const LONG: i32 = 200000
// @ts-ignore: decorator
@inline
const SHORT: i32 = 4000
/** Long looks that may miss in a row before they become short. */
// @ts-ignore: decorator
@inline
const MISSES_ALLOWED: u32 = 4
/** Of the looks after that, one in as many is long, to notice that cores are free again. A power of two. */
// @ts-ignore: decorator
@inline
const RETRY: u32 = 16
/** Chunks of a step; both halves of a cursor hold as many, and one more for each thread that comes too late. */
// @ts-ignore: decorator
@inline
const MOST_CHUNKS: u32 = 32768
/** Nanoseconds of one sleep. */
// @ts-ignore: decorator
@inline
const SLEEP: i64 = 50000000
/** Sleeps without any progress after which the host is asked: 0.2 seconds. */
// @ts-ignore: decorator
@inline
const PATIENCE: u32 = 4
/** Times of asking after which a helper counts as lost: 30 seconds. */
// @ts-ignore: decorator
@inline
const MOST_ROUNDS: u32 = 150

/**
 * Does the steps of `list` (`words` 4-byte words) as thread `thread` with up to `threads` - 1 helpers in `serve`.
 * Returns 0 when all is done, 1 when the stop word was set, 2 when a helper that had taken work made no progress for
 * long, 3 when it made none for a moment, 4 when a step that leads is done, while helpers go on with the next; after 1
 * and 2 the contents of outputs are unspecified and the pool must be given up, after 3 and 4 `resume` is to be called.
 */
export function run(list: usize, words: u32, control: usize, thread: u32, threads: u32): u32 {
  if (ASC_FEATURE_THREADS) {
    if (threads > 1) return coordinate(list, words, control, thread, threads)
  }
  const end = list + (<usize>words << 2)
  for (let step = list; step < end; step += <usize>load<u32>(step, SIZE) << 2) {
    const units = load<u32>(step, UNITS)
    if (units) work(step, 0, units, thread)
  }
  return FINISHED
}

/** Does units of a step. */
// @ts-ignore: decorator
@inline
function work(step: usize, from: u32, to: u32, thread: u32): void {
  const first = load<u32>(step, FIRST)
  dispatch(load<u32>(step), step + ARGS, first + from, first + to, thread)
}

/** Goes on with the run that returned 3 or 4; returns what `run` returns. */
export function resume(control: usize, thread: u32, threads: u32): u32 {
  if (ASC_FEATURE_THREADS) {
    const step = <usize>load<u32>(control, STEP)
    if (!step) return finish(control, threads, FINISHED)
    const index = load<u32>(control, INDEX)
    const status = awaitUnits(step, load<u32>(step, UNITS), control, stateOf(control, thread))
    if (status == UNDER_WAY) return status
    if (status != FINISHED) return finish(control, threads, status)
    return walk(step + (<usize>load<u32>(step, SIZE) << 2), index + 1, load<u32>(step, LEADS) != 0, control, thread, threads)
  }
  return FINISHED
}

/** A helper's life: waits to be called, works, waits again; returns when the stop word is set. */
export function serve(control: usize, thread: u32): void {
  if (ASC_FEATURE_THREADS) {
    const state = stateOf(control, thread)
    while (!atomic.load<u32>(control, STOP)) {
      if (atomic.load<u32>(state) == CALLED && atomic.cmpxchg<u32>(state, CALLED, WORKING) == CALLED) {
        help(control, thread)
        atomic.store<u32>(state, IDLE)
        if (atomic.load<u32>(control, WAITING)) atomic.notify(state, -1)
      } else if (!spin(state, IDLE, SHORT)) {
        atomic.store<u32>(state, 1, ASLEEP)
        atomic.wait<u32>(state, IDLE, SLEEP)
        atomic.store<u32>(state, 0, ASLEEP)
      }
    }
  }
}

/** Sets the stop word and wakes everyone: helpers return from `serve`, a `run` under way returns 1. */
export function stop(control: usize, threads: u32): void {
  if (ASC_FEATURE_THREADS) {
    atomic.store<u32>(control, 1, STOP)
    atomic.notify(control + GATE, -1)
    for (let t: u32 = 0; t < threads; t++) atomic.notify(stateOf(control, t), -1)
  }
}

// @ts-ignore: decorator
@inline
function stateOf(control: usize, thread: u32): usize {
  return control + THREADS + <usize>thread * THREAD_BYTES
}

/** True as soon as the word is not `value`; false after `looks` looks. */
function spin(word: usize, value: u32, looks: i32): bool {
  for (let i = 0; i < looks; i++) {
    if (atomic.load<u32>(word) != value) return true
  }
  return false
}

/** The same within a run: as long as it has been worth it for the thread whose state word is `state`. */
function spinInRun(word: usize, value: u32, state: usize): bool {
  const misses = load<u32>(state, MISSES)
  const long = misses < MISSES_ALLOWED || (misses & (RETRY - 1)) == 0
  if (spin(word, value, long ? LONG : SHORT)) {
    if (long) store<u32>(state, 0, MISSES)
    return true
  }
  store<u32>(state, misses + 1, MISSES)
  return false
}

function coordinate(list: usize, words: u32, control: usize, thread: u32, threads: u32): u32 {
  store<u32>(control, 0, ROUNDS)
  let status = settle(control, threads)
  while (status == UNDER_WAY) status = settle(control, threads)
  if (status != FINISHED) return status
  store<u32>(control, <u32>list, LIST)
  store<u32>(control, words, WORDS)
  store<u32>(control, memory.size(), PAGES)
  atomic.store<u32>(control, 0, GATE)
  call(control, thread, threads)
  return walk(list, 0, false, control, thread, threads)
}

/** Does the steps from `step` on, which is the list's step number `index`, and may be open already. */
function walk(step: usize, index: u32, isOpen: bool, control: usize, thread: u32, threads: u32): u32 {
  let status = FINISHED
  const end = <usize>load<u32>(control, LIST) + (<usize>load<u32>(control, WORDS) << 2)
  for (; step < end; step += <usize>load<u32>(step, SIZE) << 2) {
    if (atomic.load<u32>(control, STOP)) {
      status = STOPPED
      break
    }
    const units = load<u32>(step, UNITS)
    if (units <= load<u32>(step, GRAIN)) {
      if (units) work(step, 0, units, thread)
    } else {
      if (!isOpen) openStep(step, control, index)
      takeChunks(step, units, control, thread)
      store<u32>(control, 0, ROUNDS)
      const leads = load<u32>(step, LEADS) != 0
      if (leads) openStep(step + (<usize>load<u32>(step, SIZE) << 2), control, index + 1)
      status = awaitUnits(step, units, control, stateOf(control, thread))
      if (status == FINISHED && leads) status = LED
      if (status >= UNDER_WAY) {
        store<u32>(control, <u32>step, STEP)
        store<u32>(control, index, INDEX)
        return status
      }
      if (status != FINISHED) break
    }
    isOpen = false
    index++
  }
  store<u32>(control, 0, ROUNDS)
  return finish(control, threads, status)
}

/** The end of a run that has come to `status`. */
function finish(control: usize, threads: u32, status: u32): u32 {
  const settled = settle(control, threads)
  store<u32>(control, 0, STEP)
  return status != FINISHED ? status : settled
}

/** Calls every helper into the run. */
function call(control: usize, thread: u32, threads: u32): void {
  for (let t: u32 = 0; t < threads; t++) {
    if (t == thread) continue
    const state = stateOf(control, t)
    atomic.store<u32>(state, CALLED)
    if (atomic.load<u32>(state, ASLEEP)) atomic.notify(state, -1)
  }
}

/** Closes the gate, takes back unanswered calls and waits until no helper works. */
function settle(control: usize, threads: u32): u32 {
  open(control, CLOSED)
  for (let t: u32 = 0; t < threads; t++) {
    const state = stateOf(control, t)
    if (atomic.cmpxchg<u32>(state, CALLED, IDLE) != WORKING) continue
    let patience = PATIENCE
    while (atomic.load<u32>(state) == WORKING) {
      if (!patience--) return outOfPatience(control)
      if (!spin(state, WORKING, SHORT)) sleep(state, WORKING, control)
      if (atomic.load<u32>(control, STOP)) return STOPPED
    }
  }
  return FINISHED
}

/** UNDER_WAY, until that has been the answer too often. */
function outOfPatience(control: usize): u32 {
  const rounds = load<u32>(control, ROUNDS) + 1
  store<u32>(control, rounds, ROUNDS)
  return rounds < MOST_ROUNDS ? UNDER_WAY : LOST
}

/** Lets helpers take units of step number `index`. */
function openStep(step: usize, control: usize, index: u32): void {
  atomic.store<u32>(step, 0, CURSOR)
  atomic.store<u32>(step, 0, DONE)
  open(control, index + 1)
}

// @ts-ignore: decorator
@inline
function open(control: usize, gate: u32): void {
  atomic.store<u32>(control, gate, GATE)
  if (atomic.load<u32>(control, SLEEPERS)) atomic.notify(control + GATE, -1)
}

/** The coordinator's sleep, while `word` is `value`; the flag asks for a notify. */
function sleep(word: usize, value: u32, control: usize): void {
  atomic.store<u32>(control, 1, WAITING)
  atomic.wait<u32>(word, value, SLEEP)
  atomic.store<u32>(control, 0, WAITING)
}

/**
 * Works at an open step until its cursor is used up: even threads from the front, odd ones from the back. Steps that
 * follow each other mostly walk the same rows, so what a thread reads is mostly what it wrote, and lies in its own cache.
 */
function takeChunks(step: usize, units: u32, control: usize, thread: u32): void {
  const grain = max<u32>(load<u32>(step, GRAIN), units / MOST_CHUNKS + 1)
  const chunks = (units + grain - 1) / grain
  const back = thread & 1
  let finished: u32 = 0
  while (!isUsedUp(atomic.load<u32>(step, CURSOR), chunks)) {
    const before = atomic.add<u32>(step, back ? 0x10000 : 1, CURSOR)
    if (isUsedUp(before, chunks)) break
    const from = (back ? chunks - 1 - (before >> 16) : before & 0xffff) * grain
    const to = min<u32>(units - from, grain) + from
    work(step, from, to, thread)
    finished += to - from
  }
  if (finished && atomic.add<u32>(step, finished, DONE) + finished == units) {
    if (atomic.load<u32>(control, WAITING)) atomic.notify(step + DONE, -1)
  }
}

/** A cursor counts the chunks taken from the front in its low half, those from the back in its high half. */
// @ts-ignore: decorator
@inline
function isUsedUp(cursor: u32, chunks: u32): bool {
  return (cursor & 0xffff) + (cursor >> 16) >= chunks
}

function awaitUnits(step: usize, units: u32, control: usize, state: usize): u32 {
  let patience = PATIENCE
  let done = atomic.load<u32>(step, DONE)
  while (done != units) {
    if (atomic.load<u32>(control, STOP)) return STOPPED
    if (!spinInRun(step + DONE, done, state)) sleep(step + DONE, done, control)
    const now = atomic.load<u32>(step, DONE)
    if (now != done) {
      patience = PATIENCE
      store<u32>(control, 0, ROUNDS)
    } else if (!patience--) return outOfPatience(control)
    done = now
  }
  return FINISHED
}

/** One run of a helper: walks the list behind the gate until it closes. */
function help(control: usize, thread: u32): void {
  if (!seesPages(load<u32>(control, PAGES))) return
  let step = <usize>load<u32>(control, LIST)
  const end = step + (<usize>load<u32>(control, WORDS) << 2)
  for (let index: u32 = 0; step < end; index++) {
    const units = load<u32>(step, UNITS)
    if (units > load<u32>(step, GRAIN)) {
      if (!passGate(control, index, stateOf(control, thread))) return
      takeChunks(step, units, control, thread)
    }
    step += <usize>load<u32>(step, SIZE) << 2
  }
}

/**
 * True when this thread may touch that many pages. Where bounds are checked by comparison (V8 without trap handler),
 * a thread may hold an old size for a moment after another one grew the memory; growing by nothing renews it.
 */
function seesPages(pages: u32): bool {
  if (<u32>memory.size() < pages) memory.grow(0)
  return <u32>memory.size() >= pages
}

/** Waits until step `index` is open; false when the run is over or the stop word is set. */
function passGate(control: usize, index: u32, state: usize): bool {
  while (true) {
    const gate = atomic.load<u32>(control, GATE)
    if (gate == CLOSED || atomic.load<u32>(control, STOP)) return false
    if (gate > index) return true
    if (spinInRun(control + GATE, gate, state)) continue
    atomic.add<u32>(control, 1, SLEEPERS)
    atomic.wait<u32>(control + GATE, gate, SLEEP)
    atomic.sub<u32>(control, 1, SLEEPERS)
  }
}
