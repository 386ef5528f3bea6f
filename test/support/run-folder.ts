// SPDX-License-Identifier: Apache-2.0
/** A folder that suites of one run share, named by WHITTLE_RUN_FOLDER; it is gone when the run ends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-run-'))
  process.env.WHITTLE_RUN_FOLDER = folder
  return () => rm(folder, { recursive: true, force: true })
}
