// SPDX-License-Identifier: Apache-2.0
/** `whittle probe`: what this host and runtime can do. */
import type { Command } from 'commander'
import { probe } from '../index.ts'
import { print, table } from './output.ts'

export function addProbe(program: Command): void {
  program
    .command('probe')
    .summary('what this host can do')
    .description(
      'Runs known-answer tests and register-only loops: which relaxed SIMD instructions this host really has, which ' +
        'build whittle chooses for it, and the most multiply-accumulates a second one thread could do.',
    )
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const host = await probe()
      print(options.json, host, () => {
        const { peaks, ...rest } = host
        const rows = Object.entries(rest).map(([key, value]): [string, string] => [key, String(value)])
        for (const [kind, rate] of Object.entries(peaks)) {
          rows.push([`peak ${kind}`, rate === null ? 'unknown (the clock stands still)' : `${rate.toFixed(1)} GMAC/s`])
        }
        return table(['', 'this host'], rows)
      })
    })
}
