// SPDX-License-Identifier: Apache-2.0
/**
 * NumPy's .npy format, versions 1 to 3 (numpy.lib.format): magic, version, length of a header that is a Python dict
 * literal, then the elements. Read: little-endian C order of the types that both sides have. Written: version 1. The
 * header is matched by one strict pattern; it is never evaluated.
 */
import { ByteReader, concatBytes, encodeUtf8, equalBytes } from '../base/bytes.ts'
import { FormatError, UnsupportedError } from '../base/errors.ts'
import { type Dtype, byteLengthOf } from '../tensor/dtype.ts'
import { mostRank } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { bytesOf, tensorFromBytes } from '../tensor/tensor.ts'

/** NumPy's `descr` of each type it shares with whittle. */
const descriptions: Readonly<Partial<Record<Dtype, string>>> = {
  float32: '<f4',
  float64: '<f8',
  float16: '<f2',
  int8: '|i1',
  uint8: '|u1',
  int16: '<i2',
  uint16: '<u2',
  int32: '<i4',
  uint32: '<u4',
  int64: '<i8',
  uint64: '<u8',
  bool: '|b1',
}

/** 0x93 'NUMPY' */
const magic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)
const maxHeader = 2 ** 20

const headerPattern =
  /^\{\s*'descr':\s*'([^']*)',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([\d\s,L]*)\),?\s*\}\s*$/

/**
 * The array in a .npy file; a view on its bytes where they are aligned.
 * @throws FormatError for what is no .npy file, UnsupportedError for other types, orders and big-endian arrays
 */
export function readNpy(bytes: Uint8Array, where = 'npy'): Tensor {
  const reader = new ByteReader(bytes, where)
  if (!equalBytes(reader.view(magic.length, 'magic'), magic)) {
    throw new FormatError({ where, expected: 'a .npy file', got: 'other bytes' })
  }
  const major = reader.u8('version')
  reader.u8('version')
  if (major < 1 || major > 3) throw new FormatError({ where, expected: 'version 1, 2 or 3', got: String(major) })
  const length = major === 1 ? reader.u16('header length') : reader.u32('header length')
  if (length > maxHeader)
    throw new FormatError({ where, expected: `a header of at most ${maxHeader} bytes`, got: String(length) })
  const header = reader.utf8(length, 'header')
  const match = headerPattern.exec(header)
  if (match === null) {
    const todo = 'structured arrays are not supported; save a plain array'
    throw new UnsupportedError({
      where,
      expected: "a header of 'descr', 'fortran_order' and 'shape'",
      got: header.trim().slice(0, 80),
      todo,
    })
  }
  const [, description, fortran, shape] = match
  const dims = (shape.match(/\d+/g) ?? []).map(Number)
  const dtype = dtypeOf(description, where)
  if (fortran === 'True' && dims.length > 1) {
    throw new UnsupportedError({
      where,
      expected: 'C order',
      got: 'Fortran order',
      todo: 'save numpy.ascontiguousarray(x)',
    })
  }
  const size = dims.reduce((product, dim) => product * dim, 1)
  if (dims.length > mostRank || !Number.isSafeInteger(size)) {
    throw new FormatError({ where, expected: 'a shape of fewer than 2^53 elements', got: `(${shape})` })
  }
  const content = reader.view(byteLengthOf(dtype, size), `${dtype}[${dims.join(', ')}]`)
  if (reader.left > 0)
    throw new FormatError({ where, expected: 'the end of the file', got: `${reader.left} more bytes` })
  return tensorFromBytes(dtype, content, dims)
}

function dtypeOf(description: string, where: string): Dtype {
  // one byte has no order: '<i1' and '=i1' mean '|i1'
  const wanted = description.replace(/^[<>=](?=[a-z]1$)/, '|').replace(/^=/, '<')
  const [dtype] = Object.entries(descriptions).find(([, text]) => text === wanted) ?? []
  if (dtype !== undefined) return dtype as Dtype
  const todo = description.startsWith('>') ? 'save it in little-endian order' : 'convert it with numpy.astype'
  throw new UnsupportedError({
    where,
    expected: `one of ${Object.values(descriptions).join(' ')}`,
    got: description,
    todo,
  })
}

/** A .npy file with the tensor's content. @throws UnsupportedError for types NumPy has not */
export function writeNpy(tensor: Tensor): Uint8Array {
  const description = descriptions[tensor.type]
  if (description === undefined) {
    throw new UnsupportedError({
      where: 'npy',
      expected: `one of ${Object.keys(descriptions).join(' ')}`,
      got: tensor.type,
    })
  }
  const shape = tensor.dims.length === 1 ? `${tensor.dims[0]},` : tensor.dims.join(', ')
  const dict = `{'descr': '${description}', 'fortran_order': False, 'shape': (${shape}), }`
  // the elements start at a multiple of 64: magic, version and length take 10 bytes, a line feed ends the header
  const padding = 63 - ((10 + dict.length) % 64)
  const header = encodeUtf8(`${dict}${' '.repeat(padding)}\n`)
  const length = Uint8Array.of(header.length & 0xff, header.length >> 8)
  return concatBytes([magic, Uint8Array.of(1, 0), length, header, bytesOf(tensor)])
}
