// SPDX-License-Identifier: Apache-2.0
/**
 * TensorProto → OnnxTensor. Whatever field the elements came in (raw_data, or one of the typed fields by the table
 * below), the record holds them in raw_data's layout; raw_data and a float_data in one piece stay views. The number
 * of bytes always agrees with dtype and dims: a tensor that does not is refused here, before anything is allocated.
 */
import { concatBytes, decodeUtf8 } from '../base/bytes.ts'
import { FormatError, UnsupportedError } from '../base/errors.ts'
import { type Dtype, byteLengthOf, dtypeOfOnnx, dtypes } from '../tensor/dtype.ts'
import { mostRank } from '../tensor/shape.ts'
import type { OnnxExternal, OnnxTensor } from './onnx-records.ts'
import { type Fields, Wire, decodeVarints } from './onnx-wire.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface RawTensor {
  readonly offset: number
  readonly dims: number[]
  type: number
  name: string
  raw: Uint8Array | null
  segment: boolean
  external: boolean
  readonly entries: [string, string][]
  readonly floats: Uint8Array[]
  readonly doubles: Uint8Array[]
  readonly int32s: Uint8Array[]
  readonly int64s: Uint8Array[]
  readonly uint64s: Uint8Array[]
  readonly strings: Uint8Array[]
}

/** StringStringEntryProto, read into a pair. */
export const entryFields: Fields<[string, string]> = {
  1: (wire, entry) => (entry[0] = wire.string()),
  2: (wire, entry) => (entry[1] = wire.string()),
}

const tensorFields: Fields<RawTensor> = {
  1: (wire, t) => wire.integers(t.dims, 'a dim', 0, Number.MAX_SAFE_INTEGER),
  2: (wire, t) => (t.type = wire.integer('data_type', 0, 2 ** 31 - 1)),
  3: (wire, t) => {
    wire.span()
    t.segment = true
  },
  4: (wire, t) => t.floats.push(wire.elements('fixed32')),
  5: (wire, t) => t.int32s.push(wire.elements('varint')),
  6: (wire, t) => {
    wire.countRecord()
    t.strings.push(wire.span())
  },
  7: (wire, t) => t.int64s.push(wire.elements('varint')),
  8: (wire, t) => (t.name = wire.string()),
  9: (wire, t) => (t.raw = wire.span()),
  10: (wire, t) => t.doubles.push(wire.elements('fixed64')),
  11: (wire, t) => t.uint64s.push(wire.elements('varint')),
  13: (wire, t) => t.entries.push(wire.message(entryFields, ['', ''])),
  14: (wire, t) => (t.external = wire.integer('data_location', 0, 1) === 1),
}

/** Reads a TensorProto field. External tensors come back without data and are added to `externals`. */
export function readTensor(wire: Wire, externals: Mutable<OnnxTensor>[]): OnnxTensor {
  return finishTensor(wire.message(tensorFields, emptyTensor(wire.offset)), wire.where, externals)
}

/**
 * Reads a file that is one tensor (a TensorProto, as in the ONNX project's test data).
 * @throws FormatError, UnsupportedError for complex numbers, segments and external data
 */
export function parseOnnxTensor(bytes: Uint8Array, where = 'onnx tensor'): OnnxTensor {
  const externals: OnnxTensor[] = []
  const tensor = finishTensor(new Wire(bytes, where).fields(tensorFields, emptyTensor(0)), where, externals)
  if (externals.length === 0) return tensor
  throw new UnsupportedError({ where, expected: 'data inside the file', got: 'external data' })
}

function emptyTensor(offset: number): RawTensor {
  const lists = { dims: [], entries: [], floats: [], doubles: [], int32s: [], int64s: [], uint64s: [], strings: [] }
  return { offset, type: 0, name: '', raw: null, segment: false, external: false, ...lists }
}

function finishTensor(raw: RawTensor, file: string, externals: Mutable<OnnxTensor>[]): OnnxTensor {
  const where = `${file} at byte ${raw.offset}: tensor '${raw.name}'`
  const dtype = dtypeOf(raw, where)
  const elements = countElements(raw.dims, where)
  const { name, dims } = raw
  if (raw.external) {
    const tensor: Mutable<OnnxTensor> = { name, dtype, dims, data: new Uint8Array(0), external: externalOf(raw, where) }
    if (dtype === 'string') throw new FormatError({ where, expected: 'strings inside the file', got: 'external data' })
    externals.push(tensor)
    return tensor
  }
  const data = dtype === 'string' ? textOf(raw, elements, where) : bytesOf(raw, dtype, elements, where)
  return { name, dtype, dims, data }
}

function dtypeOf(raw: RawTensor, where: string): Dtype {
  if (raw.segment) throw new UnsupportedError({ where, expected: 'a whole tensor', got: 'a segment of one' })
  const dtype = dtypeOfOnnx(raw.type)
  if (dtype !== undefined) return dtype
  // 14 and 15 are complex64 and complex128
  if (raw.type === 14 || raw.type === 15) {
    throw new UnsupportedError({ where, expected: 'a real element type', got: 'complex numbers' })
  }
  throw new FormatError({ where, expected: 'an element type of TensorProto.DataType', got: String(raw.type) })
}

/** Product of dims. @throws FormatError when it is no safe integer or the rank is absurd */
export function countElements(dims: readonly number[], where: string): number {
  if (dims.length > mostRank)
    throw new FormatError({ where, expected: `a rank of at most ${mostRank}`, got: String(dims.length) })
  // a dim of 0 leaves nothing of the others, which are held to the limit all the same: strides are made of them
  const whole = dims.reduce((product, dim) => product * Math.max(1, dim), 1)
  if (whole <= Number.MAX_SAFE_INTEGER) return dims.includes(0) ? 0 : whole
  throw new FormatError({ where, expected: 'fewer than 2^53 elements', got: `[${dims.join(', ')}]` })
}

function externalOf(raw: RawTensor, where: string): OnnxExternal {
  const entries = new Map(raw.entries)
  const location = entries.get('location')
  if (location === undefined || location === '') {
    throw new FormatError({ where, expected: 'a location of its external data', got: 'none' })
  }
  const number = (key: string): number | undefined => {
    const text = entries.get(key)
    if (text === undefined || text === '') return undefined
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (Number.isSafeInteger(value)) return value
    throw new FormatError({ where, expected: `an integer >= 0 as external ${key}`, got: `'${text}'` })
  }
  const length = number('length')
  return { location, offset: number('offset') ?? 0, ...(length === undefined ? {} : { length }) }
}

function textOf(raw: RawTensor, elements: number, where: string): string[] {
  if (raw.strings.length !== elements) throw wrongCount(where, elements, 'strings', raw.strings.length)
  return raw.strings.map((bytes, i) => decodeUtf8(bytes, `${where}, string ${i}`))
}

function bytesOf(raw: RawTensor, dtype: Dtype, elements: number, where: string): Uint8Array {
  const wanted = byteLengthOf(dtype, elements)
  const found = raw.raw ?? typedBytes(raw, dtype, wanted, where)
  if (found.byteLength !== wanted)
    throw wrongCount(where, wanted, `bytes for [${raw.dims.join(', ')}] of ${dtype}`, found.byteLength)
  return found
}

function wrongCount(where: string, wanted: number, what: string, found: number): FormatError {
  return new FormatError({ where, expected: `${wanted} ${what}`, got: String(found), todo: 'the file is corrupted' })
}

/** Which typed field holds a dtype's elements, from the comments of onnx.proto; int32_data where there is no row. */
const typedField: Readonly<Partial<Record<Dtype, 'floats' | 'doubles' | 'int64s' | 'uint64s'>>> = {
  float32: 'floats',
  float64: 'doubles',
  int64: 'int64s',
  uint32: 'uint64s',
  uint64: 'uint64s',
}

/** Elements of the typed field as packed bytes; at most `wanted` bytes (+ 1 element) are written. */
function typedBytes(raw: RawTensor, dtype: Dtype, wanted: number, where: string): Uint8Array {
  const field = typedField[dtype] ?? 'int32s'
  if (field === 'floats' || field === 'doubles') return concatBytes(raw[field])
  // one varint per element; the sub-byte types have one per packed byte
  const size = Math.max(8, dtypes[dtype].bits) / 8
  const count = wanted / size
  const available = raw[field].reduce((sum, span) => sum + span.byteLength, 0)
  if (count > available) throw wrongCount(where, count, 'elements', available)
  const bytes = new Uint8Array(wanted)
  const view = new DataView(bytes.buffer)
  let at = 0
  const put = setters[size]
  for (const span of raw[field]) {
    decodeVarints(span, where, (low, value) => {
      if (at + size > wanted) throw wrongCount(where, count, 'elements', at / size + 1)
      put(view, at, low, value)
      at += size
    })
  }
  if (at !== wanted) throw wrongCount(where, count, 'elements', at / size)
  return bytes
}

const setters: Readonly<Record<number, (view: DataView, at: number, low: number, value: () => bigint) => void>> = {
  1: (view, at, low) => view.setInt8(at, low),
  2: (view, at, low) => view.setInt16(at, low, true),
  4: (view, at, low) => view.setInt32(at, low, true),
  8: (view, at, _low, value) => view.setBigInt64(at, value(), true),
}
