// SPDX-License-Identifier: Apache-2.0
/**
 * Compressed models that several suites begin with, each made once in a run of vitest: whoever asks first compresses, the
 * others read its file. The folder is made and removed by support/run-folder.ts, so that no run sees what another one made.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { compress } from '../../src/compress.ts'

/** Path of the .whittle file of a model's file by a preset. */
export async function compressedFile(model: string, recipe: string): Promise<string> {
  const folder = process.env.WHITTLE_RUN_FOLDER
  if (folder === undefined) throw new Error('WHITTLE_RUN_FOLDER: expected test/support/run-folder.ts among globalSetup')
  // models of two folders may have one name
  const place = createHash('sha256').update(resolve(model)).digest('hex').slice(0, 8)
  const file = join(folder, `${basename(model, '.onnx')}.${place}.${recipe}.whittle`)
  if (existsSync(file)) return file
  const unfinished = `${file}.${randomUUID()}.tmp`
  await writeFile(unfinished, (await compress(model, recipe)).model)
  await rename(unfinished, file)
  return file
}

/** Its bytes; outside of vitest they are made each time. */
export async function compressed(model: string, recipe: string): Promise<Uint8Array> {
  if (process.env.WHITTLE_RUN_FOLDER === undefined) return (await compress(model, recipe)).model
  return new Uint8Array(await readFile(await compressedFile(model, recipe)))
}
