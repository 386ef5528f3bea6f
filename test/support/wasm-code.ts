// SPDX-License-Identifier: Apache-2.0
/**
 * What the code of a Wasm binary does, function by function, read off its bytes: which functions it calls and from how
 * deep inside loops, and whether it touches globals. Numbers are those of the binary format (WebAssembly core
 * specification 5.4, with the threads and relaxed SIMD proposals).
 */
import { WasmReader } from './wasm-sections.ts'

export interface WasmCall {
  readonly callee: number
  /** Loops around it; 0: none. */
  readonly depth: number
}

export interface WasmFunction {
  /** Types of its parameters, as written in the text format. */
  readonly parameters: string
  readonly calls: readonly WasmCall[]
  readonly loops: number
  /** Uses of call_indirect, and of globals. */
  readonly indirect: number
  readonly globals: number
  /** Uses of memory.grow. */
  readonly grows: number
}

const TYPES = 1
const FUNCTIONS = 3
const CODE = 10

const types: Readonly<Record<number, string>> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64', 0x7b: 'v128' }

/** Immediates of an instruction without prefix, by opcode; those left out have none. n: LEB128, m: alignment and offset. */
const plain: Readonly<Record<number, string>> = Object.fromEntries([
  ...[
    0x02, 0x03, 0x04, 0x0c, 0x0d, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x3f, 0x40, 0x41, 0x42, 0xd0, 0xd2,
  ].map((code) => [code, 'n'] as const),
  [0x11, 'nn'],
  [0x43, '4'],
  [0x44, '8'],
  ...Array.from({ length: 0x3e - 0x28 + 1 }, (_, i) => [0x28 + i, 'nn'] as const),
])

/** Functions in the order of their bodies; imported ones are none of them. */
export function functionsOf(wasm: Uint8Array): WasmFunction[] {
  const reader = new WasmReader(wasm, 8)
  const list = <T>(read: (i: number) => T): T[] => Array.from({ length: reader.number() }, (_, i) => read(i))
  let signatures: string[] = []
  let indices: number[] = []
  while (reader.at < wasm.length) {
    const id = reader.byte()
    const end = reader.number() + reader.at
    if (id === TYPES) signatures = list(() => readParameters(reader))
    else if (id === FUNCTIONS) indices = list(() => reader.number())
    else if (id === CODE) return list((i) => ({ parameters: signatures[indices[i]], ...readBody(reader) }))
    reader.at = end
  }
  return []
}

function readParameters(reader: WasmReader): string {
  reader.byte()
  const [parameters] = [0, 1].map(() => Array.from({ length: reader.number() }, () => types[reader.byte()]))
  return parameters.join(' ')
}

function readBody(reader: WasmReader): Omit<WasmFunction, 'parameters'> {
  const end = reader.number() + reader.at
  for (let groups = reader.number(); groups > 0; groups--) {
    reader.number()
    reader.byte()
  }
  const calls: WasmCall[] = []
  const counts = { loops: 0, indirect: 0, globals: 0, grows: 0 }
  /** True for a loop. */
  const open: boolean[] = []
  while (reader.at < end) {
    const code = reader.byte()
    if (code === 0x02 || code === 0x03 || code === 0x04) open.push(code === 0x03)
    if (code === 0x03) counts.loops++
    if (code === 0x0b) open.pop()
    if (code === 0x11) counts.indirect++
    if (code === 0x23 || code === 0x24) counts.globals++
    if (code === 0x40) counts.grows++
    if (code === 0x10) calls.push({ callee: reader.number(), depth: open.filter(Boolean).length })
    else skipImmediates(reader, code)
  }
  return { calls, ...counts }
}

function skipImmediates(reader: WasmReader, code: number): void {
  if (code === 0x0e) {
    for (let labels = reader.number() + 1; labels > 0; labels--) reader.number()
  } else if (code === 0xfc) skip(reader, { 8: 'nn', 9: 'n', 10: 'nn', 11: 'n' }[reader.number()] ?? '')
  else if (code === 0xfd) skip(reader, vectorImmediates(reader.number()))
  else if (code === 0xfe) skip(reader, reader.number() === 3 ? 'n' : 'nn')
  else skip(reader, plain[code] ?? '')
}

/** Loads and stores have an address, lanes a byte, constants and shuffles sixteen. */
function vectorImmediates(code: number): string {
  if (code <= 11 || code === 92 || code === 93) return 'nn'
  if (code === 12 || code === 13) return '88'
  if (code >= 21 && code <= 34) return '1'
  return code >= 84 && code <= 91 ? 'nn1' : ''
}

function skip(reader: WasmReader, kinds: string): void {
  for (const kind of kinds) {
    if (kind === 'n') reader.number()
    else reader.at += Number(kind)
  }
}
