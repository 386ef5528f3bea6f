// SPDX-License-Identifier: Apache-2.0
/**
 * The kernel contract, as a harness: a case says what lies in memory, how the kernel is called and what must come out;
 * `checkCase` places everything between guards, calls the kernel over several splits of its units and holds the result
 * against the promise of src/kernels/row.ts: the right values, equal bits for every split, and not a byte written that
 * is not an output's.
 */
import { readFileSync } from 'node:fs'
import { randomInteger, seededRandom } from '../../src/base/rng.ts'
import type { ArgKind } from '../../src/kernels/row.ts'
import { kernelTable, type KernelName } from '../../src/kernels/table.ts'

export type Data =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
export type DataClass = { new (length: number): Data; readonly BYTES_PER_ELEMENT: number }

/** How far a value may be off: |got - want| <= abs + rel * |want|. NaN and infinities must be themselves. */
export interface Bound {
  readonly abs: number
  readonly rel: number
  /** What is allowed is a share of this, for titles: the magnitudes that were summed. The output's largest value where left out. */
  readonly of?: number
}

/** Equal values; -0 equals 0. */
export const exact: Bound = { abs: 0, rel: 0 }

/**
 * Where an operand begins: 0 is a multiple of 64 bytes, other values are bytes from there. Kernels promise to take
 * operands aligned to their elements, so a case should also try offsets like 4 for float32.
 */
interface Placement {
  readonly offset?: number
  /** Bytes from the operand's beginning to where the argument points; for negative strides. */
  readonly first?: number
}

export interface Input extends Placement {
  readonly kind: 'input'
  readonly data: Data
}

/** What an output must hold afterwards; an undefined element must not be written. */
export interface Output extends Placement {
  readonly kind: 'output'
  readonly type: DataClass
  readonly want: ArrayLike<number | bigint | undefined>
  /** One bound for all elements, or one for each. */
  readonly bound: Bound | ((i: number) => Bound)
  /** What it holds at first: a canary where left out. */
  readonly before?: Data
}

/** Memory the kernel may use as it likes, `bytes` for each thread; the argument is the base. */
export interface Scratch extends Placement {
  readonly kind: 'scratch'
  readonly bytes: number
}

/** The address of another argument, plus bytes: in place, views into one buffer. */
export interface Same {
  readonly kind: 'same'
  readonly as: string
  readonly plus: number
}

export type Arg = number | null | Input | Output | Scratch | Same

export interface KernelCase {
  readonly title: string
  readonly units: number
  /** Its floats are equal to the bit in every build and on every host, as integers are in any case. */
  readonly exact?: boolean
  /** Asked only of builds on hosts whose byte dot takes it: see `readsBytes`. */
  readonly bytes?: ByteNeed
  /** One entry for each argument of the row. */
  readonly args: Readonly<Record<string, Arg>>
}

/** All cases of a row; `random` is seeded by the row's name. */
export type Oracle = (random: () => number) => readonly KernelCase[]

export const input = (data: Data, offset = 0): Input => ({ kind: 'input', data, offset })
export const output = (type: DataClass, want: Output['want'], bound: Output['bound'] = exact, offset = 0): Output => ({
  kind: 'output',
  type,
  want,
  bound,
  offset,
})
/** An output that holds `before` when the kernel starts: its input too. */
export const inPlace = (before: Data, want: Output['want'], bound: Output['bound'] = exact, offset = 0): Output => ({
  kind: 'output',
  type: before.constructor as DataClass,
  want,
  bound,
  before,
  offset,
})
export const scratch = (bytes: number, offset = 0): Scratch => ({ kind: 'scratch', bytes, offset })
export const same = (as: string, plus = 0): Same => ({ kind: 'same', as, plus })

/** Threads that take turns on the chunks of a split, and the most that a dispatch may have. */
const THREADS = 4
const GUARD = 64
const CANARY = 0xa5
/** Operands begin behind the first page. */
const BASE = 65536

/** Another way to do a case: all units of a kernel whose argument words are at `args`. */
export interface Dispatch {
  readonly name: string
  run(kernel: KernelName, args: number, units: number): void
}

type Kernel = (args: number, from: number, to: number, thread: number) => void

/** One of the four builds, over a memory of its own. */
export interface Build {
  readonly name: string
  readonly memory: WebAssembly.Memory
  readonly exports: Readonly<Record<string, Kernel>>
}

export const buildNames = ['simd', 'simd-threads', 'relaxed', 'relaxed-threads'] as const

/** The build's bytes. */
export function buildBytes(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../build/wasm/${name}.wasm`, import.meta.url)))
}

/** Null where this runtime does not validate the build. */
export function loadBuild(name: (typeof buildNames)[number]): Build | null {
  const bytes = buildBytes(name)
  if (!WebAssembly.validate(bytes)) return null
  const shared = name.endsWith('-threads')
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
  return { name, memory, exports: exports as Record<string, Kernel> }
}

/**
 * What a case needs of the dot for bytes of A above 127: unsigned ones where two products fit int16 (`pairs`), or always
 * (`all`). Simd builds have both; of relaxed ones it depends on the host (src/kernels/probe.ts).
 */
export type ByteNeed = 'pairs' | 'all'

/** Whether the dots of the build do that here. */
export function readsBytes({ memory, exports }: Build, need: ByteNeed): boolean {
  const [w, a, zero, out] = [BASE, BASE + 16, BASE + 32, BASE + 48]
  const given = need === 'all' ? [127, 127, -128, -128] : [64, 64, -128, 0]
  const bytes = new Int8Array(memory.buffer, BASE, 64).fill(0)
  for (let i = 0; i < 16; i++) bytes[i] = given[i & 3]!
  bytes.fill(-1, 16, 32)
  exports.probe_dot!(w, a, zero, out)
  const dot = new DataView(memory.buffer).getInt32(out, true)
  if (need === 'all') return dot === -2 * 255
  exports.probe_dot16!(w, a, out, 0)
  const view = new DataView(memory.buffer)
  return dot === 0 && view.getInt16(out, true) === 128 * 255 && view.getInt16(out + 2, true) === -128 * 255
}

interface Placed {
  readonly name: string
  readonly arg: Input | Output | Scratch
  readonly at: number
  readonly bytes: number
  /** Content before a call. */
  readonly before: Uint8Array
}

function contentOf(arg: Input | Output | Scratch): Uint8Array {
  if (arg.kind === 'scratch') return new Uint8Array(arg.bytes * THREADS).fill(CANARY)
  const data = arg.kind === 'input' ? arg.data : arg.before
  if (data) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
  return new Uint8Array((arg as Output).want.length * (arg as Output).type.BYTES_PER_ELEMENT).fill(CANARY)
}

/** Gives every operand an address, and writes the argument words; returns the end of memory used. */
function place(build: Build, row: Readonly<Record<string, ArgKind>>, testCase: KernelCase) {
  const placed: Placed[] = []
  let at = BASE + Math.ceil((4 * Object.keys(row).length) / 64) * 64
  for (const name of Object.keys(row)) {
    const arg = testCase.args[name]
    if (arg === undefined) throw new Error(`case ${testCase.title}: argument ${name} is missing`)
    if (arg === null || typeof arg === 'number' || arg.kind === 'same') continue
    const before = contentOf(arg)
    const start = at + GUARD + (arg.offset ?? 0)
    placed.push({ name, arg, at: start, bytes: before.length, before })
    at = Math.ceil((start + before.length + GUARD) / 64) * 64
  }
  const missing = at - build.memory.buffer.byteLength
  if (missing > 0) build.memory.grow(Math.ceil(missing / 65536))
  const view = new DataView(build.memory.buffer)
  const address = (name: string): number => {
    const { at: start, arg } = placed.find((one) => one.name === name)!
    return start + (arg.first ?? 0)
  }
  Object.entries(row).forEach(([name, kind], word) => {
    const arg = testCase.args[name]!
    const value =
      arg === null
        ? 0
        : typeof arg === 'number'
          ? arg
          : arg.kind === 'same'
            ? address(arg.as) + arg.plus
            : address(name)
    if (kind === 'f32') view.setFloat32(BASE + 4 * word, value, true)
    else view.setInt32(BASE + 4 * word, value, true)
  })
  return { placed, end: at }
}

/** Chunks in the order they are called; every unit once. */
function splits(units: number, random: () => number): [number, number][][] {
  const whole: [number, number][] = [[0, units]]
  const cuts = Array.from({ length: 3 }, () => randomInteger(random, 0, units)).sort((a, b) => a - b)
  const some = [0, ...cuts].map((from, i): [number, number] => [from, cuts[i] ?? units])
  const single = Array.from({ length: units }, (_, i): [number, number] => [i, i + 1])
  return [whole, some.filter(([from, to]) => to > from).reverse(), units <= 64 ? single.reverse() : whole]
}

/**
 * Throws, with the place of the first difference, when the kernel breaks its promise, called directly or by `dispatches`.
 * @returns the results that are to be equal everywhere; none where the build's dot is not for the case
 */
export function checkCase(
  build: Build,
  kernel: KernelName,
  testCase: KernelCase,
  dispatches: readonly Dispatch[] = [],
): Uint8Array[] {
  if (testCase.bytes && !readsBytes(build, testCase.bytes)) return []
  const random = seededRandom(testCase.units + kernel.length)
  const { placed, end } = place(build, kernelTable[kernel].args, testCase)
  const memory = new Uint8Array(build.memory.buffer)
  const complain = (text: string): never => {
    throw new Error(`${build.name} ${kernel}, ${testCase.title}: ${text}`)
  }
  const known = Object.keys(kernelTable[kernel].args)
  for (const name of Object.keys(testCase.args)) if (!known.includes(name)) complain(`unknown argument ${name}`)
  const outputs = placed.filter((one) => one.arg.kind === 'output')
  const attempt = (call: () => void): Uint8Array[] => {
    memory.fill(CANARY, BASE + 4 * known.length, end)
    for (const one of placed) memory.set(one.before, one.at)
    call()
    checkGuards(memory, placed, end, complain)
    return outputs.map((one) => memory.slice(one.at, one.at + one.bytes))
  }
  let first: Uint8Array[] | undefined
  const hold = (results: readonly Uint8Array[], how: string): void => {
    results.forEach((bytes, i) => {
      const at = bytes.findIndex((byte, j) => byte !== first![i]![j])
      if (at >= 0) complain(`${outputs[i]!.name} differs at byte ${at} when its ${testCase.units} units are ${how}`)
    })
  }
  for (const chunks of splits(testCase.units, random)) {
    const results = attempt(() =>
      chunks.forEach(([from, to], i) => {
        build.exports[kernel]!(BASE, from, to, i % THREADS)
      }),
    )
    if (first) hold(results, `cut as ${JSON.stringify(chunks)}`)
    first ??= results
  }
  first!.forEach((bytes, i) => checkValues(bytes, outputs[i]!, complain))
  for (const { name, run } of dispatches) {
    hold(
      attempt(() => run(kernel, BASE, testCase.units)),
      `done by ${name}`,
    )
  }
  // not every host does such a case
  if (testCase.bytes) return []
  const isExact = ({ arg }: Placed): boolean => testCase.exact ?? (arg as Output).type !== Float32Array
  return first!.filter((_, i) => isExact(outputs[i]!))
}

function checkGuards(
  memory: Uint8Array,
  placed: readonly Placed[],
  end: number,
  complain: (text: string) => never,
): void {
  placed.forEach((one, i) => {
    const until = placed[i + 1]?.at ?? end
    for (let p = one.at + one.bytes; p < until; p++) {
      if (memory[p] !== CANARY) complain(`a byte ${p - one.at - one.bytes} past the end of ${one.name} was written`)
    }
    for (let p = i === 0 ? one.at - GUARD : one.at; p < one.at; p++) {
      if (memory[p] !== CANARY) complain(`a byte ${one.at - p} before ${one.name} was written`)
    }
    if (one.arg.kind !== 'input') return
    for (let p = 0; p < one.bytes; p++)
      if (memory[one.at + p] !== one.before[p]) complain(`input ${one.name} was written at byte ${p}`)
  })
}

function checkValues(bytes: Uint8Array, placed: Placed, complain: (text: string) => never): void {
  const { want, bound, type } = placed.arg as Output
  const got = new (type as unknown as new (buffer: ArrayBufferLike) => Data)(bytes.buffer)
  const width = type.BYTES_PER_ELEMENT
  for (let i = 0; i < want.length; i++) {
    const w = want[i]
    if (w === undefined) {
      for (let p = i * width; p < (i + 1) * width; p++)
        if (bytes[p] !== placed.before[p]) complain(`${placed.name}[${i}] was written`)
      continue
    }
    const g = got[i]!
    if (g === w || (Number.isNaN(g) && Number.isNaN(w))) continue
    const { abs, rel } = typeof bound === 'function' ? bound(i) : bound
    const off = Math.abs(Number(g) - Number(w))
    if (Number.isFinite(off) && off <= abs + rel * Math.abs(Number(w))) continue
    complain(`${placed.name}[${i}] is ${g}, expected ${w} (off by ${off}, allowed ${abs + rel * Math.abs(Number(w))})`)
  }
}
