// SPDX-License-Identifier: Apache-2.0
/**
 * A text in a file. It is replaced by renaming, so who reads it while others write sees one text or the other, whole.
 */
import { writeFileAtomically } from './files.ts'
import { importNode } from './node-modules.ts'
import { environment, isGranted } from './permissions.ts'
import type { TextStore } from './store.ts'

/** Names a file, or says `off`. */
const override = 'WHITTLE_MEASUREMENTS'

/**
 * @param path the one in the user's cache folder where left out
 * @returns undefined where that is turned off, where there is no such folder, and where Deno's user has not allowed it
 */
export async function fileStore(path?: string): Promise<TextStore | undefined> {
  const file = path ?? (await usualFile())
  if (file === undefined) return undefined
  const { dirname, resolve } = await importNode('node:path')
  const folder = dirname(resolve(file))
  if (!isGranted({ name: 'read', path: folder }, { name: 'write', path: folder })) return undefined
  const { mkdir, readFile } = await importNode('node:fs/promises')
  return {
    get: () => readFile(file, 'utf8').catch(() => undefined),
    set: async (text) => {
      await mkdir(folder, { recursive: true })
      await writeFileAtomically(file, new TextEncoder().encode(text))
    },
  }
}

async function usualFile(): Promise<string | undefined> {
  const said = environment(override)
  if (said !== undefined) return said === 'off' ? undefined : said
  const { isAbsolute, join } = await importNode('node:path')
  const { platform } = process
  const home = environment(platform === 'win32' ? 'USERPROFILE' : 'HOME')
  // a relative one is to be ignored: XDG Base Directory Specification
  const named = environment(platform === 'win32' ? 'LOCALAPPDATA' : 'XDG_CACHE_HOME')
  const usual = { win32: 'AppData/Local', darwin: 'Library/Caches' }[platform as string] ?? '.cache'
  const folder = named !== undefined && isAbsolute(named) ? named : home && join(home, usual)
  return folder && join(folder, 'whittle', 'measurements.json')
}
