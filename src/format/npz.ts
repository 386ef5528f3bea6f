// SPDX-License-Identifier: Apache-2.0
/** NumPy's .npz archives: a zip of .npy files, one per array, stored or deflated. */
import { unzipSync, zipSync } from 'fflate'
import { FormatError, WhittleError, inContext } from '../base/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { readNpy, writeNpy } from './npy.ts'

/** Most bytes of all arrays of an archive: guards against archives made to explode. */
const maxBytes = 2 ** 31

/** The arrays of an archive by name. @throws FormatError, UnsupportedError */
export function readNpz(bytes: Uint8Array, where = 'npz'): Record<string, Tensor> {
  let total = 0
  const check = ({ name, originalSize }: { name: string; originalSize: number }): boolean => {
    total += originalSize
    if (!(total <= maxBytes)) {
      throw new FormatError({ where, expected: `at most ${maxBytes} bytes of arrays`, got: 'more' })
    }
    return name.endsWith('.npy')
  }
  let files: Record<string, Uint8Array>
  try {
    files = unzipSync(bytes, { filter: check })
  } catch (cause) {
    if (cause instanceof WhittleError) throw cause
    const got = cause instanceof Error ? cause.message : String(cause)
    throw new FormatError({ where, expected: 'a zip archive of .npy files', got }, { cause })
  }
  return Object.fromEntries(
    Object.entries(files).map(([file, content]) => {
      try {
        return [file.slice(0, -'.npy'.length), readNpy(content, file)]
      } catch (error) {
        throw inContext(where, error)
      }
    }),
  )
}

/** An archive of tensors by name, uncompressed as numpy.savez makes it. @throws UnsupportedError */
export function writeNpz(tensors: Readonly<Record<string, Tensor>>): Uint8Array {
  const files = Object.entries(tensors).map(([name, tensor]) => [`${name}.npy`, writeNpy(tensor)] as const)
  return zipSync(Object.fromEntries(files), { level: 0 })
}
