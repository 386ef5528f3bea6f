// SPDX-License-Identifier: Apache-2.0
/**
 * Runtimes for tests: this process's own binary where it is the one asked for, else the one that scripts/runtimes.mjs
 * has or fetches. Commands run in them have a limit of time, so that a hang is an error with what was printed so far.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

interface Fetcher {
  fetchRuntime(name: string): Promise<string>
}

/** Longest a command may take, in milliseconds: some hundred times what it needs. */
const commandLimit = 120_000

const execute = promisify(execFile)

/** Path of a runtime's binary, or why it cannot be had, which is printed too. */
export async function findRuntime(name: string): Promise<{ binary: string } | { missing: string }> {
  if (name === `node${process.versions.node.split('.')[0]}`) return { binary: process.execPath }
  const script = new URL('../../scripts/runtimes.mjs', import.meta.url).href
  const { fetchRuntime } = (await import(script)) as Fetcher
  try {
    const binary = await fetchRuntime(name)
    return { binary }
  } catch (error) {
    const missing = `skipped: ${name} could not be fetched: ${(error as Error).message}`
    console.warn(missing)
    return { missing }
  }
}

/** What a command prints. @throws when it fails or takes too long, with what it complained of */
export async function output(binary: string, args: readonly string[], cwd?: string): Promise<string> {
  const { stdout } = await execute(binary, args, {
    timeout: commandLimit,
    maxBuffer: 2 ** 26,
    ...(cwd === undefined ? {} : { cwd }),
  })
  return stdout
}
