// SPDX-License-Identifier: Apache-2.0
/**
 * Writing files whole or not at all: the bytes go to a temporary file beside the target, are flushed to the disk, and
 * the file is renamed over the target. Whatever goes wrong, the target keeps its old content and nothing stays behind.
 */
import { SourceError } from '../base/errors.ts'
import { hasFiles, importNode } from './node-modules.ts'

/** What of node:fs/promises writing needs. */
export type WritingFs = Pick<typeof import('node:fs/promises'), 'open' | 'realpath' | 'rename' | 'rm' | 'stat'>

/**
 * Writes `parts` one after the other as the content of `path`; of the file it leads to where it is a link.
 * @param fs node:fs/promises where left out
 * @throws SourceError (no such folder, no permission, disk full, no files in this runtime, a device or a pipe at `path`)
 */
export async function writeFileAtomically(
  path: string,
  parts: readonly Uint8Array[] | Uint8Array,
  fs?: WritingFs,
): Promise<void> {
  if (!hasFiles()) {
    throw new SourceError({
      where: path,
      expected: 'a runtime with files',
      got: 'none',
      todo: 'keep the bytes in memory',
    })
  }
  const files = fs ?? (await importNode('node:fs/promises'))
  const { open, rename, rm } = files
  const { basename, dirname, join } = await importNode('node:path')
  const target = await targetOf(path, files)
  const temporary = join(dirname(target), `.${basename(target)}.${crypto.randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx')
    try {
      for (const part of parts instanceof Uint8Array ? [parts] : parts) await file.writeFile(part)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw new SourceError({ where: path, expected: 'to write it', ...explain(cause) }, { cause })
  }
}

/** The file to be replaced: links are followed, and what is no file is left alone. */
async function targetOf(path: string, { realpath, stat }: WritingFs): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return path
  if (!found.isFile()) {
    const got = found.isDirectory() ? 'a folder of that name' : 'a device or a pipe'
    throw new SourceError({ where: path, expected: 'a file to write', got, todo: 'give a file name' })
  }
  return realpath(path)
}

/** What an error code means and what to do about it. */
const reasons: Readonly<Record<string, readonly [got: string, todo: string]>> = {
  ENOSPC: ['a full disk', 'free some space'],
  EDQUOT: ['a used-up quota', 'free some space'],
  ENOENT: ['no such folder', 'create it first'],
  ENOTDIR: ['a path through a file', 'check the path'],
  EISDIR: ['a folder of that name', 'give a file name'],
  EACCES: ['no permission', 'check who owns the folder'],
  EPERM: ['no permission', 'check who owns the folder'],
  EROFS: ['a read-only file system', 'write elsewhere'],
}

function explain(cause: unknown): { got: string; todo: string } {
  const { code, message } = cause as { code?: string; message?: string }
  const [got, todo] = reasons[code ?? ''] ?? [message ?? String(cause), 'check the path']
  return { got, todo }
}
