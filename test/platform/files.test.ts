// SPDX-License-Identifier: Apache-2.0
import * as nodeFs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SourceError } from '../../src/base/errors.ts'
import { type WritingFs, writeFileAtomically } from '../../src/platform/files.ts'

let folder = ''
beforeAll(async () => {
  folder = await nodeFs.mkdtemp(join(tmpdir(), 'whittle-files-'))
})
afterAll(() => nodeFs.rm(folder, { recursive: true }))

test('parts are written one after the other, over what was there', async () => {
  const path = join(folder, 'out')
  await writeFileAtomically(path, Uint8Array.of(9, 9, 9, 9))
  await writeFileAtomically(path, [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)])
  expect([...(await nodeFs.readFile(path))]).toEqual([1, 2, 3])
  expect(await nodeFs.readdir(folder)).toEqual(['out'])
})

test('a full disk leaves the old file and nothing else', async () => {
  const path = join(folder, 'out')
  const full: WritingFs = {
    ...nodeFs,
    open: async (...args: Parameters<WritingFs['open']>) => {
      const file = await nodeFs.open(...args)
      const fail = async (): Promise<void> => {
        await file.write(Uint8Array.of(7))
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      }
      return Object.assign(file, { writeFile: fail })
    },
  }
  const before = await nodeFs.readFile(path)
  await expect(writeFileAtomically(path, Uint8Array.of(5), full)).rejects.toThrow(/got a full disk; free some space/)
  expect(await nodeFs.readFile(path)).toEqual(before)
  expect(await nodeFs.readdir(folder)).toEqual(['out'])
})

test('a missing folder and a folder in the way are SourceErrors', async () => {
  await expect(writeFileAtomically(join(folder, 'no', 'out'), Uint8Array.of(1))).rejects.toThrow(SourceError)
  await nodeFs.mkdir(join(folder, 'taken'))
  await expect(writeFileAtomically(join(folder, 'taken'), Uint8Array.of(1))).rejects.toThrow(/a folder of that name/)
  expect((await nodeFs.readdir(folder)).sort()).toEqual(['out', 'taken'])
})

test('a link is followed, a device is left alone', async () => {
  const file = join(folder, 'linked')
  const link = join(folder, 'link')
  await nodeFs.writeFile(file, 'old')
  await nodeFs.symlink(file, link)
  await writeFileAtomically(link, Uint8Array.of(4))
  expect([...(await nodeFs.readFile(file))]).toEqual([4])
  expect((await nodeFs.lstat(link)).isSymbolicLink()).toBe(true)
  await expect(writeFileAtomically('/dev/null', Uint8Array.of(4))).rejects.toThrow(
    /expected a file to write, got a device/,
  )
  expect((await nodeFs.stat('/dev/null')).isFile()).toBe(false)
})
