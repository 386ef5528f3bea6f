// SPDX-License-Identifier: Apache-2.0
/**
 * CRC-32 as in ISO 3309, zip and PNG (reflected polynomial 0xEDB88320, start and final value all ones). Eight bytes a
 * step by eight tables (Kounavis and Berry, "A systematic approach to building high performance software-based CRC
 * generators", 2005). A running checksum is continued by passing it back in: crc32(b, crc32(a)) = crc32(a ++ b).
 */

const tables = makeTables()

function makeTables(): readonly Uint32Array[] {
  const all = Array.from({ length: 8 }, () => new Uint32Array(256))
  for (let i = 0; i < 256; i++) {
    let value = i
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
    all[0][i] = value
  }
  for (let k = 1; k < 8; k++) {
    for (let i = 0; i < 256; i++) {
      const before = all[k - 1][i]
      all[k][i] = (before >>> 8) ^ all[0][before & 0xff]
    }
  }
  return all
}

/** Checksum (unsigned 32 bits) of `bytes`, continued from `running`. */
export function crc32(bytes: Uint8Array, running = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables
  let crc = ~running
  let i = 0
  for (const end = bytes.length - 7; i < end; i += 8) {
    const low = crc ^ (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24))
    crc =
      t7[low & 0xff] ^
      t6[(low >>> 8) & 0xff] ^
      t5[(low >>> 16) & 0xff] ^
      t4[low >>> 24] ^
      t3[bytes[i + 4]] ^
      t2[bytes[i + 5]] ^
      t1[bytes[i + 6]] ^
      t0[bytes[i + 7]]
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]) & 0xff]
  return ~crc >>> 0
}
