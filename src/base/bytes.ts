// SPDX-License-Identifier: Apache-2.0
/**
 * A bounds-checked little-endian cursor over bytes, and the few byte operations formats share. Every read that would
 * pass the end throws a FormatError that names the offset; nothing is read past `bytes`, nothing is copied.
 */
import { FormatError } from './errors.ts'

/** Reads numbers and views from bytes, front to back. `where` (the file's name or kind) starts every message. */
export class ByteReader {
  readonly bytes: Uint8Array
  readonly where: string
  /** Bytes read so far. */
  offset = 0
  readonly #view: DataView

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes
    this.where = where
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Bytes left. */
  get left(): number {
    return this.bytes.byteLength - this.offset
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#take(1, what))
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#take(2, what), true)
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true)
  }

  /** The next `count` bytes: a view. */
  view(count: number, what: string): Uint8Array {
    const from = this.#take(count, what)
    return this.bytes.subarray(from, from + count)
  }

  /** The next `count` bytes as UTF-8. */
  utf8(count: number, what: string): string {
    const from = this.offset
    return decodeUtf8(this.view(count, what), `${this.where}: ${what} at byte ${from}`)
  }

  #take(count: number, what: string): number {
    const from = this.offset
    if (!Number.isSafeInteger(count) || count < 0 || count > this.left) {
      throw new FormatError({
        where: `${this.where} at byte ${from}`,
        expected: `${count} bytes of ${what}`,
        got: `${this.left} bytes before the end`,
        todo: 'the file is truncated or corrupted',
      })
    }
    this.offset = from + count
    return from
  }
}

/** Text of UTF-8 bytes. @throws FormatError at `where` when they are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new FormatError({ where, expected: 'UTF-8 text', got: 'other bytes' }, { cause })
  }
}

/** UTF-8 bytes of text. */
export function encodeUtf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** One array with the bytes of all parts; a single part is returned as it is. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

/** True when both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false
  for (let i = 0; i < a.byteLength; i++) if (a[i] !== b[i]) return false
  return true
}
