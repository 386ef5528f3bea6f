// SPDX-License-Identifier: Apache-2.0
/** Where a text is kept in runtimes with files; pages, Deno and Bun have theirs in test/runtimes. */
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { fileStore } from '../../src/platform/file-store.ts'
import { environment, isGranted } from '../../src/platform/permissions.ts'
import { openStore } from '../../src/platform/store.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-store-'))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => {
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
})

/** The environment of a user who has nothing set. */
function bareEnvironment(values: Readonly<Record<string, string>> = {}): void {
  for (const name of ['WHITTLE_MEASUREMENTS', 'XDG_CACHE_HOME', 'LOCALAPPDATA', 'HOME', 'USERPROFILE'])
    vi.stubEnv(name, values[name] ?? '')
}

describe('a file', () => {
  test('has nothing at first, then what was written last, and its folders are made', async () => {
    const path = join(folder, 'new', 'folders', 'kept.json')
    const store = (await openStore(path))!
    expect(await store.get()).toBeUndefined()
    await store.set('one')
    await store.set('zwei ü')
    expect(await (await openStore(path))!.get()).toBe('zwei ü')
    expect(await readdir(join(folder, 'new', 'folders'))).toEqual(['kept.json'])
  })

  test('is whole at all times, whoever writes', async () => {
    const path = join(folder, 'busy.json')
    const texts = ['a', 'b'].map((letter) => letter.repeat(200_000))
    const write = async (text: string): Promise<void> => {
      const store = (await openStore(path))!
      for (let i = 0; i < 20; i++) await store.set(text)
    }
    const store = (await openStore(path))!
    await store.set(texts[0])
    let isOver = false
    const writing = Promise.all(texts.map(write)).finally(() => (isOver = true))
    while (!isOver) expect(texts).toContain(await store.get())
    await writing
    expect((await readdir(folder)).filter((name) => name.includes('busy'))).toEqual(['busy.json'])
  })
})

describe('the usual file', () => {
  test('is in the folder for caches', async () => {
    for (const [platform, values, wanted] of [
      ['linux', { HOME: folder }, '.cache/whittle'],
      ['linux', { HOME: folder, XDG_CACHE_HOME: join(folder, 'xdg') }, 'xdg/whittle'],
      ['linux', { HOME: folder, XDG_CACHE_HOME: 'relative' }, '.cache/whittle'],
      ['darwin', { HOME: folder }, 'Library/Caches/whittle'],
      ['win32', { USERPROFILE: folder }, 'AppData/Local/whittle'],
      ['win32', { USERPROFILE: folder, LOCALAPPDATA: join(folder, 'local') }, 'local/whittle'],
    ] as const) {
      bareEnvironment(values)
      vi.stubGlobal('process', Object.create(process, { platform: { value: platform } }))
      await (await fileStore())!.set(platform)
      vi.unstubAllGlobals()
      expect(await readFile(join(folder, wanted, 'measurements.json'), 'utf8')).toBe(platform)
      await rm(join(folder, wanted), { recursive: true })
    }
  })

  test('is nowhere without a home, and where the environment says so', async () => {
    bareEnvironment()
    expect(await openStore()).toBeUndefined()
    bareEnvironment({ HOME: folder, WHITTLE_MEASUREMENTS: 'off' })
    expect(await openStore()).toBeUndefined()
    bareEnvironment({ HOME: folder, WHITTLE_MEASUREMENTS: join(folder, 'elsewhere.json') })
    await (await openStore())!.set('here')
    expect(await readFile(join(folder, 'elsewhere.json'), 'utf8')).toBe('here')
  })

  test('of this suite is nowhere', async () => {
    expect(await openStore()).toBeUndefined()
  })
})

test('edge hosts have no place', async () => {
  vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
  expect(await openStore()).toBeUndefined()
})

test('a folder that may not be written fails and leaves nothing; a file in the place of a folder too', async () => {
  const sealed = join(folder, 'sealed')
  await mkdir(sealed)
  await chmod(sealed, 0o500)
  const isRoot = process.getuid?.() === 0
  const store = (await openStore(join(sealed, 'kept.json')))!
  expect(await store.get()).toBeUndefined()
  if (!isRoot) await expect(async () => store.set('text')).rejects.toThrow()
  await writeFile(join(folder, 'taken'), '')
  const blocked = (await openStore(join(folder, 'taken', 'kept.json')))!
  expect(await blocked.get()).toBeUndefined()
  await expect(async () => blocked.set('text')).rejects.toThrow()
})

describe('in Deno', () => {
  /** Grants what is in `granted`, by name and what follows. */
  function deno(...granted: string[]): string[] {
    const asked: string[] = []
    const querySync = ({ name, ...rest }: { name: string } & Record<string, string>) => {
      const text = [name, ...Object.values(rest)].join(' ')
      asked.push(text)
      return { state: granted.some((one) => text.startsWith(one)) ? 'granted' : 'prompt' }
    }
    vi.stubGlobal('Deno', { permissions: { querySync } })
    return asked
  }

  test('nothing is touched that is not granted', async () => {
    vi.stubEnv('SOME_VARIABLE', 'value')
    deno('env SOME')
    expect(environment('SOME_VARIABLE')).toBe('value')
    expect(environment('HOME')).toBeUndefined()
    expect(isGranted({ name: 'sys', kind: 'cpus' })).toBe(false)
    expect(isGranted({ name: 'env', variable: 'SOME_VARIABLE' }, { name: 'read', path: '/' })).toBe(false)
  })

  test('a file takes reading and writing its folder', async () => {
    const path = join(folder, 'deno', 'kept.json')
    const asked = deno('read', 'env')
    expect(await openStore(path)).toBeUndefined()
    expect(asked).toContain(`write ${join(folder, 'deno')}`)
    deno('read', 'write')
    expect(await openStore()).toBeUndefined()
    expect(await openStore(path)).toBeDefined()
  })
})
