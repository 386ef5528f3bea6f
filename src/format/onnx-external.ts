// SPDX-License-Identifier: Apache-2.0
/**
 * External data of ONNX models (docs/ExternalData.md of onnx): tensors whose bytes lie in files beside the model. A
 * location is relative to the model's folder and never leaves it. Each file is fetched once; tensors become views.
 */
import { FormatError, SourceError, inContext } from '../base/errors.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import type { OnnxTensor } from './onnx-records.ts'
import { countElements } from './onnx-tensor.ts'

/** Gives the bytes of a file by its location relative to the model. */
export type ResolveExternal = (location: string) => Promise<Uint8Array>

type Fillable = { -readonly [K in keyof OnnxTensor]: OnnxTensor[K] }

/**
 * Sets `data` of every tensor in the list.
 * @throws FormatError for a location outside of the folder or a range outside of the file, SourceError without `resolve`
 */
export async function fillExternals(
  tensors: readonly Fillable[],
  resolve: ResolveExternal | undefined,
  where: string,
): Promise<void> {
  const files = new Map<string, Uint8Array>()
  for (const tensor of tensors) {
    const { external } = tensor
    if (external === undefined) continue
    const place = `${where}: tensor '${tensor.name}'`
    const { location } = external
    checkLocation(location, place)
    const name = plainLocation(location)
    let file = files.get(name)
    if (file === undefined) {
      file = await fetchFile(name, resolve, place)
      files.set(name, file)
    }
    tensor.data = slice(tensor, file, place)
  }
}

/** @throws FormatError when `location` is absolute, climbs, or is a URL */
export function checkLocation(location: string, where: string): void {
  const parts = location.split(/[/\\]/)
  const isBad = location === '' || parts[0] === '' || parts.includes('..') || /^[A-Za-z][\w+.-]*:/.test(location)
  if (isBad || location.includes('\0')) {
    throw new FormatError({
      where,
      expected: "a location inside the model's folder",
      got: JSON.stringify(location),
      todo: 'the model is not to be trusted',
    })
  }
}

/** One spelling for each file: './a//b' is 'a/b'. */
function plainLocation(location: string): string {
  const parts = location.split('/').filter((part) => part !== '' && part !== '.')
  return parts.length === 0 ? location : parts.join('/')
}

async function fetchFile(location: string, resolve: ResolveExternal | undefined, where: string): Promise<Uint8Array> {
  if (resolve === undefined) {
    throw new SourceError({
      where,
      expected: `the file '${location}' beside the model`,
      got: 'a model given as bytes',
      todo: 'load the model by path or URL',
    })
  }
  try {
    return await resolve(location)
  } catch (error) {
    throw inContext(where, error)
  }
}

function slice(tensor: OnnxTensor, file: Uint8Array, where: string): Uint8Array {
  const { location, offset, length } = tensor.external ?? { location: '', offset: 0 }
  const wanted = byteLengthOf(tensor.dtype, countElements(tensor.dims, where))
  if (length !== undefined && length !== wanted) {
    throw new FormatError({ where, expected: `${wanted} bytes of external data`, got: `a length of ${length}` })
  }
  if (offset + wanted > file.byteLength) {
    throw new FormatError({
      where,
      expected: `bytes ${offset} to ${offset + wanted} of '${location}'`,
      got: `${file.byteLength} bytes`,
      todo: 'the file is truncated or belongs to another model',
    })
  }
  return new Uint8Array(file.buffer, file.byteOffset + offset, wanted)
}
