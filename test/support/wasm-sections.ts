// SPDX-License-Identifier: Apache-2.0
/** The sections of a Wasm binary, as far as the architecture test asks: their numbers and sizes. */

/** Ids are those of the binary format: 8 start, 11 data, 12 data count (WebAssembly spec, 5.5.2). */
export interface WasmSection {
  readonly id: number
  readonly bytes: number
}

/** Sections of `wasm` in file order. */
export function sectionsOf(wasm: Uint8Array): WasmSection[] {
  const sections: WasmSection[] = []
  for (let at = 8; at < wasm.length;) {
    const id = wasm[at++] ?? 0
    let bytes = 0
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] ?? 0
      bytes |= (byte & 127) << shift
      if (byte < 128) break
    }
    sections.push({ id, bytes })
    at += bytes
  }
  return sections
}
