// SPDX-License-Identifier: Apache-2.0
/** What times depend on and a program can ask for: the runtime and its version, the processor, how many threads it runs. */
import { describeHost } from './host.ts'
import { hasFiles, importNode } from './node-modules.ts'
import { isGranted } from './permissions.ts'

/** A text that differs where any of it does. In Deno the processor's name takes `--allow-sys=cpus`. */
export async function hostSignature(): Promise<string> {
  const { runtime, threads } = describeHost()
  // a page and its workers are one host
  const parts = hasFiles() ? [runtime, ...(await machine())] : [navigator.userAgent]
  return [...parts, threads].join(', ')
}

async function machine(): Promise<(string | undefined)[]> {
  const { versions, platform, arch } = process
  const [cpu] = isGranted({ name: 'sys', kind: 'cpus' }) ? (await importNode('node:os')).cpus() : []
  return [versions['deno'] ?? versions['bun'] ?? versions.node, versions.v8, platform, arch, cpu?.model]
}
