// SPDX-License-Identifier: Apache-2.0
/** The engines that are held beside each other under Node, and which of the peers are there. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { type Input, type OnnxRuntime, type Open, type OpenedModel, openOnnxRuntime, portableEngines } from './open.ts'

export type EngineName = keyof typeof portableEngines | 'onnxruntime-node'

/** Folder of peers that are no dependencies; set by scripts/bench.mjs. */
const peerFolder = process.env.WHITTLE_PEERS

const engines: Readonly<Record<EngineName, Open>> = {
  ...portableEngines,
  async 'onnxruntime-node'(bytes, input, threads) {
    const runtime = createRequire(`${peerFolder}/`)('onnxruntime-node') as OnnxRuntime
    const options = {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    }
    return openOnnxRuntime(runtime, options, bytes, input)
  },
}

/** Opens a model in an engine. @throws what the engine throws for a model it cannot run */
export function openModel(engine: EngineName, bytes: Uint8Array, input: Input, threads: number): Promise<OpenedModel> {
  return engines[engine](bytes, input, threads)
}

/** Versions of the peers that can be loaded here. Read as files: not every package exports its package.json. */
export function peerVersions(): Record<string, string> {
  const versions: Record<string, string> = {}
  for (const [name, from] of [
    ['onnxruntime-web', import.meta.url],
    ['onnxruntime-node', path.resolve(peerFolder ?? '', 'peers.js')],
  ] as const) {
    const folders = createRequire(from).resolve.paths(name) ?? []
    const file = folders.map((folder) => path.join(folder, name, 'package.json')).find((one) => existsSync(one))
    if (file === undefined) continue
    versions[name] = (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  }
  return versions
}
