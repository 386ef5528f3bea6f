// SPDX-License-Identifier: Apache-2.0
/**
 * Suites run in forked processes, one per core. Those of rooms that only compute share one, since starting it takes longer
 * than most of them; those that have workers, memories and files of their own never meet another file's.
 */
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const ending = process.env.WHITTLE_LONG ? 'long.ts' : 'test.ts'

/** Rooms whose suites start no workers and change nothing of their process. */
const computing = `test/{base,compress,format,inspect,ir,kernels,measure,model,ops,passes,report,scripts,tensor}/**/*.${ending}`

const shared = {
  testTimeout: 120_000,
  hookTimeout: 120_000,
  pool: 'forks',
  // the user's measurements are not for tests, nor theirs for the user; child processes inherit it
  env: { WHITTLE_MEASUREMENTS: 'off' },
} as const

export default defineConfig({
  test: {
    globalSetup: ['test/support/build-workers.ts', 'test/support/run-folder.ts'],
    // by itself one core is left free, which on a machine of two is half of them
    maxWorkers: availableParallelism(),
    projects: [
      { test: { ...shared, name: 'computing', include: [computing], isolate: false } },
      { test: { ...shared, name: 'hosted', include: [`test/**/*.${ending}`], exclude: [computing] } },
    ],
  },
})
