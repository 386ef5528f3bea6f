// SPDX-License-Identifier: Apache-2.0
/**
 * Engines behind one face: bytes of a model in, a function that runs it on one set of inputs out. Each call is a whole run
 * with data in and out, as a user makes it. Here are those that a page has as well.
 */
import { type LoadOptions, Tensor, load } from '../../src/index.ts'
import type { FormChoice } from '../../src/ir/lowering.ts'

/** One input as it is measured with. */
export interface NamedInput {
  readonly type: 'float32' | 'int64'
  readonly data: Float32Array | BigInt64Array
  readonly dims: readonly number[]
}

/** A float32 value for the only input, or values for several by name. */
export type Input =
  | { readonly data: Float32Array; readonly dims: readonly number[] }
  | {
      readonly feeds: Readonly<Record<string, NamedInput>>
      /** Outputs that are inputs of the next run, as a user of such a model feeds them back. */
      readonly back?: Readonly<Record<string, string>>
    }

function feedsOf<T>(input: Input, first: string, tensor: (given: NamedInput) => T): Record<string, T> {
  const named: Readonly<Record<string, NamedInput>> =
    'feeds' in input ? input.feeds : { [first]: { type: 'float32', data: input.data, dims: input.dims } }
  return Object.fromEntries(Object.entries(named).map(([name, given]) => [name, tensor(given)]))
}

const backOf = (input: Input): readonly [output: string, input: string][] =>
  Object.entries(('back' in input && input.back) || {})

export interface OpenedModel {
  run(): Promise<unknown>
  close(): Promise<void>
  /** In which form its last layer ran, where it had a choice; after a run. */
  form?(): Promise<FormChoice | undefined>
  /** Milliseconds of the last run that were spent in Wasm. */
  inWasm?(): Promise<number>
}

export type Open = (bytes: Uint8Array, input: Input, threads: number) => Promise<OpenedModel>

/** The part of ONNX Runtime's API that is used. */
export interface OnnxRuntime {
  readonly env: { readonly wasm: { numThreads?: number }; logLevel?: string }
  readonly Tensor: new (type: string, data: NamedInput['data'], dims: readonly number[]) => object
  readonly InferenceSession: {
    create(
      bytes: Uint8Array,
      options: object,
    ): Promise<{
      readonly inputNames: readonly string[]
      run(feeds: object): Promise<Readonly<Record<string, object>>>
      release(): Promise<void>
    }>
  }
}

/** Opens a model in a build of ONNX Runtime. */
export async function openOnnxRuntime(
  runtime: OnnxRuntime,
  options: object,
  bytes: Uint8Array,
  input: Input,
): Promise<OpenedModel> {
  const session = await runtime.InferenceSession.create(bytes, options)
  const make = ({ type, data, dims }: NamedInput): object => new runtime.Tensor(type, data, dims)
  const feeds = feedsOf(input, session.inputNames[0], make)
  const back = backOf(input)
  const run = async (): Promise<void> => {
    const outputs = await session.run(feeds)
    for (const [from, to] of back) feeds[to] = outputs[from]
  }
  return { run: back.length === 0 ? () => session.run(feeds) : run, close: () => session.release() }
}

export type PortableEngine = 'whittle' | 'whittle on one thread' | 'whittle without worker' | 'onnxruntime-web'

async function openWhittle(bytes: Uint8Array, input: Input, options: LoadOptions): Promise<OpenedModel> {
  const session = await load(bytes, options)
  const feeds = feedsOf(input, session.inputs[0].name, ({ type, data, dims }) => new Tensor(type, data, dims))
  const form = async (): Promise<FormChoice | undefined> => (await session.profile()).steps.at(-1)?.form
  const inWasm = async (): Promise<number> => (await session.profile()).wasmTime
  const close = (): Promise<void> => session.dispose()
  const back = backOf(input)
  if (back.length === 0) return { run: () => session.run(feeds), close, form, inWasm }
  // results lie where those of the run before did, and states where they are read
  const fetches = { ...(await session.run(feeds)), ...Object.fromEntries(back.map(([from, to]) => [from, feeds[to]])) }
  // what stays is frozen, as docs/performance.md advises
  for (const record of [feeds, fetches]) {
    for (const tensor of Object.values(record)) Object.freeze(Object.freeze(tensor).dims)
    Object.freeze(record)
  }
  return { run: () => session.run(feeds, fetches), close, form, inWasm }
}

export const portableEngines: Readonly<Record<PortableEngine, Open>> = {
  whittle: (bytes, input, threads) => openWhittle(bytes, input, { threads }),
  'whittle on one thread': (bytes, input) => openWhittle(bytes, input, { threads: 1 }),
  /** In a page: in its own thread, as onnxruntime-web runs there. */
  'whittle without worker': (bytes, input) => openWhittle(bytes, input, { worker: false }),
  /** Its threads are set for the whole process. */
  async 'onnxruntime-web'(bytes, input, threads) {
    const runtime = (await import('onnxruntime-web')) as unknown as OnnxRuntime
    runtime.env.wasm.numThreads = threads
    runtime.env.logLevel = 'error'
    return openOnnxRuntime(runtime, { executionProviders: ['wasm'] }, bytes, input)
  },
}
