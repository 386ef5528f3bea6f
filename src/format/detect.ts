// SPDX-License-Identifier: Apache-2.0
/** Tells model files by their content: the first bytes are enough. */
import { FormatError } from '../base/errors.ts'
import { type ModelFormat, isContainer, tellingBytes } from './container-records.ts'

/** Starts of files that are taken for models, and what they are. */
const others: readonly (readonly [start: string, what: string, todo?: string])[] = [
  ['GGUF', 'a GGUF file'],
  ['PK\x03\x04', 'a zip archive', 'unpack it first'],
  ['\x1f\x8b', 'gzipped data', 'unpack it first'],
  ['\x93NUMPY', 'a NumPy array'],
  ['<', 'HTML or XML', 'check the URL'],
  ['{', 'JSON'],
  ['version https://git-lfs', 'a Git LFS pointer', 'fetch the file itself with git lfs pull'],
]

/**
 * The format of a file from its first bytes (at least 8 of them, or the whole file).
 * @throws FormatError naming what it looks like instead
 */
export function detectFormat(start: Uint8Array, where = 'model'): ModelFormat {
  if (isContainer(start)) return 'whittle'
  const text = Array.from(start.subarray(0, tellingBytes), (byte) => String.fromCharCode(byte)).join('')
  const other = others.find(
    ([sign]) => text !== '' && (text.startsWith(sign) || (sign.length > tellingBytes && sign.startsWith(text))),
  )
  if (other === undefined && looksLikeOnnx(start)) return 'onnx'
  throw new FormatError({
    where,
    expected: 'a .whittle or ONNX model',
    got: other?.[1] ?? (start.length === 0 ? 'an empty file' : 'a file of another kind'),
    todo: other?.[2] ?? 'check the path or URL',
  })
}

/** Wire type of each field of ModelProto: its files start with one of these tags. */
const modelFields = new Map([
  [1, 0],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 0],
  [6, 2],
  [7, 2],
  [8, 2],
  [14, 2],
])

function looksLikeOnnx(start: Uint8Array): boolean {
  const [tag] = start
  return start.length > 1 && modelFields.get(tag >>> 3) === (tag & 7)
}
