// SPDX-License-Identifier: Apache-2.0
/** Suites run in forked processes, one per core: Wasm memories and workers of one file never meet those of another. */
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [process.env.WHITTLE_LONG ? 'test/**/*.long.ts' : 'test/**/*.test.ts'],
    globalSetup: ['test/support/build-workers.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // by itself one core is left free, which on a machine of two is half of them
    maxWorkers: availableParallelism(),
  },
})
