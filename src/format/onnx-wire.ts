// SPDX-License-Identifier: Apache-2.0
/**
 * A checked walk over protobuf's wire format (protobuf.dev/programming-guides/encoding). pbf decodes; this class
 * holds every read inside the message it belongs to, limits nesting and the number of records, and turns whatever goes
 * wrong into a FormatError with the offset. A message is read by a table: field number → what to do with the field.
 */
import { PbfReader } from 'pbf'
import { decodeUtf8 } from '../base/bytes.ts'
import { FormatError } from '../base/errors.ts'

/** Readers of a message's fields by number; fields without one are skipped. */
export type Fields<T> = Readonly<Record<number, (wire: Wire, record: T) => void>>

/** As protobuf's own limit. */
const maxDepth = 100
/** Messages and unpacked elements of a file: far above real models, bounds the memory a hostile file can ask for. */
const maxRecords = 2 ** 22

const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

export class Wire {
  readonly bytes: Uint8Array
  readonly where: string
  readonly #pbf: PbfReader
  #end: number
  #type = 0
  #depth = 0
  #records = 0

  constructor(bytes: Uint8Array, where: string) {
    // a plain view: `subarray` and `slice` of Node's Buffer differ from those of Uint8Array
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.where = where
    this.#pbf = new PbfReader(this.bytes)
    this.#end = bytes.byteLength
  }

  /** Offset of the next byte to read. */
  get offset(): number {
    return this.#pbf.pos
  }

  /** Reads fields into `record` up to the end of the message. */
  fields<T>(table: Fields<T>, record: T): T {
    const pbf = this.#pbf
    while (pbf.pos < this.#end) {
      const tag = this.#varint()
      if (tag > 0xffffffff || tag >>> 3 === 0) throw this.error('a field number', `tag ${tag}`)
      this.#type = tag & 7
      const read = table[tag >>> 3]
      if (read === undefined) this.#skip()
      else read(this, record)
    }
    return record
  }

  /** An embedded message read into `record`. */
  message<T>(table: Fields<T>, record: T): T {
    this.countRecord()
    if (this.#depth === maxDepth) throw this.error(`at most ${maxDepth} nested messages`, 'more')
    const end = this.#length()
    const outer = this.#end
    this.#end = end
    this.#depth++
    this.fields(table, record)
    this.#depth--
    this.#end = outer
    return record
  }

  /** Bytes of a length-delimited field: a view. */
  span(): Uint8Array {
    const end = this.#length()
    const view = this.bytes.subarray(this.#pbf.pos, end)
    this.#pbf.pos = end
    return view
  }

  /** Text of a string field. */
  string(): string {
    const at = this.#pbf.pos
    return decodeUtf8(this.span(), `${this.where} at byte ${at}`)
  }

  /** An int64 or enum field. */
  int64(): number | bigint {
    this.#expect(wireTypes.varint)
    return this.#int64()
  }

  /** An int64 field as a safe integer in [min, max]. */
  integer(what: string, min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): number {
    return this.#inRange(this.int64(), what, min, max)
  }

  /** Appends a repeated int64 field, packed or not. */
  int64s(into: (number | bigint)[]): void {
    this.#packed(wireTypes.varint, () => into.push(this.#int64()))
  }

  /** Appends a repeated int64 field of safe integers in [min, max]. */
  integers(into: number[], what: string, min: number, max: number): void {
    this.#packed(wireTypes.varint, () => into.push(this.#inRange(this.#int64(), what, min, max)))
  }

  /** A float field. */
  float(): number {
    this.#expect(wireTypes.fixed32)
    return this.#float()
  }

  /** Appends a repeated float field, packed or not. */
  floats(into: number[]): void {
    this.#packed(wireTypes.fixed32, () => into.push(this.#float()))
  }

  /**
   * Wire bytes of a repeated numeric field (`varint`, `fixed32` or `fixed64`), packed or of one element: a view.
   * Concatenated in file order they are all elements, undecoded.
   */
  elements(kind: 'varint' | 'fixed32' | 'fixed64'): Uint8Array {
    if (this.#type === wireTypes.bytes) return this.span()
    this.countRecord()
    this.#expect(wireTypes[kind])
    const from = this.#pbf.pos
    this.#skip()
    return this.bytes.subarray(from, this.#pbf.pos)
  }

  /** Counts one more thing kept in memory. @throws FormatError above the limit */
  countRecord(): void {
    if (++this.#records > maxRecords) throw this.error(`at most ${maxRecords} records`, 'more')
  }

  /** An error at the current offset. */
  error(expected: string, got: string, cause?: unknown): FormatError {
    const todo = 'the file is truncated, corrupted or not an ONNX model'
    return new FormatError({ where: `${this.where} at byte ${this.#pbf.pos}`, expected, got, todo }, { cause })
  }

  #expect(type: number): void {
    if (this.#type !== type) throw this.error(`wire type ${type}`, `wire type ${this.#type}`)
  }

  #packed(type: number, readOne: () => void): void {
    if (this.#type !== wireTypes.bytes) {
      this.#expect(type)
      return readOne()
    }
    const end = this.#length()
    const outer = this.#end
    this.#end = end
    while (this.#pbf.pos < end) readOne()
    this.#end = outer
  }

  #inRange(value: number | bigint, what: string, min: number, max: number): number {
    if (typeof value === 'number' && value >= min && value <= max) return value
    throw this.error(`${what} in [${min}, ${max}]`, String(value))
  }

  /** The end of a length-delimited field whose length is next. */
  #length(): number {
    this.#expect(wireTypes.bytes)
    const length = this.#varint()
    const end = this.#pbf.pos + length
    if (end > this.#end) throw this.error(`${length} bytes`, `${this.#end - this.#pbf.pos} before the end`)
    return end
  }

  #skip(): void {
    if (this.#type === wireTypes.varint) this.#varint()
    else if (this.#type === wireTypes.bytes) this.#pbf.pos = this.#length()
    else if (this.#type === wireTypes.fixed32) this.#advance(4)
    else if (this.#type === wireTypes.fixed64) this.#advance(8)
    else throw this.error('wire type 0, 1, 2 or 5', String(this.#type))
  }

  #advance(bytes: number): void {
    if (this.#pbf.pos + bytes > this.#end)
      throw this.error(`${bytes} bytes`, `${this.#end - this.#pbf.pos} before the end`)
    this.#pbf.pos += bytes
  }

  #float(): number {
    this.#advance(4)
    this.#pbf.pos -= 4
    return this.#pbf.readFloat()
  }

  #varint(signed = false): number {
    const from = this.#pbf.pos
    try {
      const value = this.#pbf.readVarint(signed)
      if (this.#pbf.pos <= this.#end) return value
    } catch (cause) {
      this.#pbf.pos = from
      throw this.error('a varint of at most 10 bytes', 'more', cause)
    }
    this.#pbf.pos = from
    throw this.error('a whole varint', 'the end')
  }

  #int64(): number | bigint {
    const from = this.#pbf.pos
    const value = this.#varint(true)
    return Number.isSafeInteger(value) ? value : BigInt.asIntN(64, varintBits(this.bytes, from, this.#pbf.pos))
  }
}

/** The bits of a varint that lies in [from, to), exactly. */
function varintBits(bytes: Uint8Array, from: number, to: number): bigint {
  let bits = 0n
  for (let i = to - 1; i >= from; i--) bits = (bits << 7n) | BigInt(bytes[i] & 0x7f)
  return bits
}

/**
 * Decodes undecoded varints (of `Wire.elements`) one after the other.
 * @throws FormatError when the last one is cut off or one is longer than 10 bytes
 */
export function decodeVarints(span: Uint8Array, where: string, each: (low: number, value: () => bigint) => void): void {
  for (let at = 0; at < span.length;) {
    const from = at
    while (at < span.length && span[at] > 0x7f) at++
    at++
    if (at > span.length || at - from > 10) {
      throw new FormatError({
        where,
        expected: 'a whole varint of at most 10 bytes',
        got: `${span.length - from} bytes`,
      })
    }
    // low 32 bits: what int32 fields need (negative ones are written sign-extended to 64 bits)
    let low = 0
    for (let i = from, shift = 0; i < at && shift < 32; i++, shift += 7) low |= (span[i] & 0x7f) << shift
    each(low, () => varintBits(span, from, at))
  }
}
