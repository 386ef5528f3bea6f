// SPDX-License-Identifier: Apache-2.0
/**
 * The engines that are held beside each other, behind one face: bytes of a model in, a function that runs it on one
 * float32 input out. Each call is a whole run with data in and out, as a user makes it.
 */
import { createRequire } from 'node:module'
import { Tensor, load } from '../../src/index.ts'
import type { FormChoice } from '../../src/ir/lowering.ts'

export type EngineName = 'whittle' | 'onnxruntime-web' | 'onnxruntime-node'

/** One input as it is measured with. */
export interface NamedInput {
  readonly type: 'float32' | 'int64'
  readonly data: Float32Array | BigInt64Array
  readonly dims: readonly number[]
}

/** A float32 value for the only input, or values for several by name. */
export type Input =
  | { readonly data: Float32Array; readonly dims: readonly number[] }
  | { readonly feeds: Readonly<Record<string, NamedInput>> }

function feedsOf<T>(input: Input, first: string, tensor: (given: NamedInput) => T): Record<string, T> {
  const named: Readonly<Record<string, NamedInput>> =
    'feeds' in input ? input.feeds : { [first]: { type: 'float32', data: input.data, dims: input.dims } }
  return Object.fromEntries(Object.entries(named).map(([name, given]) => [name, tensor(given)]))
}

export interface OpenedModel {
  run(): Promise<unknown>
  close(): Promise<void>
  /** In which form its last layer ran, where it had a choice; after a run. */
  form?(): Promise<FormChoice | undefined>
  /** Milliseconds of the last run that were spent in Wasm. */
  inWasm?(): Promise<number>
}

type Open = (bytes: Uint8Array, input: Input, threads: number) => Promise<OpenedModel>

/** The part of ONNX Runtime's API that is used. */
interface OnnxRuntime {
  readonly env: { readonly wasm: { numThreads?: number }; logLevel?: string }
  readonly Tensor: new (type: string, data: NamedInput['data'], dims: readonly number[]) => object
  readonly InferenceSession: {
    create(
      bytes: Uint8Array,
      options: object,
    ): Promise<{
      readonly inputNames: readonly string[]
      run(feeds: object): Promise<unknown>
      release(): Promise<void>
    }>
  }
}

/** Folder of peers that are no dependencies; set by scripts/bench.mjs. */
const peerFolder = process.env.WHITTLE_PEERS

async function openOnnxRuntime(
  runtime: OnnxRuntime,
  options: object,
  bytes: Uint8Array,
  input: Input,
): Promise<OpenedModel> {
  const session = await runtime.InferenceSession.create(bytes, options)
  const make = ({ type, data, dims }: NamedInput): object => new runtime.Tensor(type, data, dims)
  const feeds = feedsOf(input, session.inputNames[0], make)
  return { run: () => session.run(feeds), close: () => session.release() }
}

const engines: Readonly<Record<EngineName, Open>> = {
  async whittle(bytes, input, threads) {
    const session = await load(bytes, { threads })
    const feeds = feedsOf(input, session.inputs[0].name, ({ type, data, dims }) => new Tensor(type, data, dims))
    const form = async (): Promise<FormChoice | undefined> => (await session.profile()).steps.at(-1)?.form
    const inWasm = async (): Promise<number> => (await session.profile()).wasmTime
    return { run: () => session.run(feeds), close: () => session.dispose(), form, inWasm }
  },
  /** Its threads are set for the whole process. */
  async 'onnxruntime-web'(bytes, input, threads) {
    const runtime = (await import('onnxruntime-web')) as unknown as OnnxRuntime
    runtime.env.wasm.numThreads = threads
    runtime.env.logLevel = 'error'
    return openOnnxRuntime(runtime, { executionProviders: ['wasm'] }, bytes, input)
  },
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

/** Versions of the peers that can be loaded here. */
export function peerVersions(): Record<string, string> {
  const versions: Record<string, string> = {}
  for (const [name, from] of [
    ['onnxruntime-web', import.meta.url],
    ['onnxruntime-node', `${peerFolder}/`],
  ] as const) {
    try {
      const { version } = createRequire(from)(`${name}/package.json`) as { version: string }
      versions[name] = version
    } catch {
      // not there
    }
  }
  return versions
}
