// SPDX-License-Identifier: Apache-2.0
/**
 * What the architecture test asks of a Wasm binary, read off its bytes: a runtime need not be able to compile a build to
 * say what is in it. Names and numbers are those of the binary format (WebAssembly core specification, 5.5).
 */

export interface WasmExternal {
  /** Of imports only. */
  readonly module?: string
  readonly name: string
  readonly kind: 'function' | 'table' | 'memory' | 'global' | 'other'
  /** Of exports only: its number among those of its kind. */
  readonly index?: number
}

export interface WasmSummary {
  /** Bytes by section id: 8 start, 11 data, 12 data count. */
  readonly sections: ReadonlyMap<number, number>
  readonly exports: readonly WasmExternal[]
  /** Number of imports; `firstImport` is all that is read of them. */
  readonly importCount: number
  readonly firstImport: WasmExternal | undefined
}

const IMPORTS = 2
const EXPORTS = 7
const kinds = ['function', 'table', 'memory', 'global'] as const

/** Walks the bytes of a module. */
export class WasmReader {
  at: number
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0
  }

  /** LEB128, unsigned. */
  number(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte()
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
  }

  name(): string {
    const length = this.number()
    this.at += length
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at))
  }

  kind(): WasmExternal['kind'] {
    return kinds[this.byte()] ?? 'other'
  }
}

/** @param wasm a whole module in the binary format, version 1 */
export function summarizeWasm(wasm: Uint8Array): WasmSummary {
  const sections = new Map<number, number>()
  const exports: WasmExternal[] = []
  let importCount = 0
  let firstImport: WasmExternal | undefined
  const reader = new WasmReader(wasm, 8)
  while (reader.at < wasm.length) {
    const id = reader.byte()
    const bytes = reader.number()
    const end = reader.at + bytes
    sections.set(id, bytes)
    if (id === IMPORTS) {
      importCount = reader.number()
      firstImport = { module: reader.name(), name: reader.name(), kind: reader.kind() }
    } else if (id === EXPORTS) {
      for (let left = reader.number(); left > 0; left--) {
        exports.push({ name: reader.name(), kind: reader.kind(), index: reader.number() })
      }
    }
    reader.at = end
  }
  return { sections, exports, importCount, firstImport }
}
