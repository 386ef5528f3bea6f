// SPDX-License-Identifier: Apache-2.0
/** A folder that suites of one run share, named by WHITTLE_RUN_FOLDER; it is gone when the run ends. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-run-'))
  process.env.WHITTLE_RUN_FOLDER = folder
  // where vitest watches, what made the files may have changed
  project.onTestsRerun(async () => {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder)
  })
  return () => rm(folder, { recursive: true, force: true })
}
