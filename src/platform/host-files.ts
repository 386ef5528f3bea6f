// SPDX-License-Identifier: Apache-2.0
/** Reads the package's own files by address: from the disk where the address is a file's and the runtime has one, else by fetch. */
import { SourceError } from '../base/errors.ts'

/** The whole file. @throws SourceError when it is not there */
export async function readAsset(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const failed = (got: string, cause?: unknown): SourceError =>
    new SourceError({ where: url.href, expected: "a file of whittle's own", got, todo: 'build or install whittle again' }, { cause })
  if (url.protocol === 'file:') {
    const { readFile } = await import('node:fs/promises')
    return readFile(url).then(
      (bytes) => new Uint8Array(bytes),
      (error: unknown) => {
        throw failed(error instanceof Error ? error.message : String(error), error)
      },
    )
  }
  const response = await fetch(url).catch((error: unknown) => {
    throw failed(error instanceof Error ? error.message : String(error), error)
  })
  if (!response.ok) throw failed(`HTTP status ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}
