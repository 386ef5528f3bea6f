// SPDX-License-Identifier: Apache-2.0
/**
 * onnxruntime-web behind the face of a session, so that it is timed and compared as whittle's own. The package is the
 * user's: whoever calls this imports it. Its tensors have the fields of whittle's.
 */
import { StateError, UnsupportedError } from '../base/errors.ts'
import type { Dtype } from '../tensor/dtype.ts'
import { Tensor, type TensorSource } from '../tensor/tensor.ts'
import type { Profile } from '../runtime/profile.ts'
import { Session, type SessionBackend, type ValueDescription } from '../runtime/session.ts'

/** What of onnxruntime-web is used. */
export interface OnnxRuntime {
  readonly env: { readonly wasm: { numThreads?: number }; logLevel?: string; readonly versions?: { web?: string } }
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => PeerTensor
  readonly InferenceSession: {
    create(model: Uint8Array, options: { readonly executionProviders: readonly string[] }): Promise<PeerSession>
  }
}

interface PeerTensor {
  readonly type: string
  readonly data: unknown
  readonly dims: readonly number[]
}

interface PeerSession {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(feeds: Readonly<Record<string, PeerTensor>>): Promise<Readonly<Record<string, PeerTensor>>>
  release(): Promise<void>
}

/** True for a module that has what is used. */
export function isOnnxRuntime(module: unknown): module is OnnxRuntime {
  const { InferenceSession, Tensor: TensorClass, env } = (module ?? {}) as Partial<OnnxRuntime>
  return typeof InferenceSession?.create === 'function' && typeof TensorClass === 'function' && env?.wasm !== undefined
}

/**
 * Opens an .onnx model.
 * @param like the same model in whittle, for the descriptions of inputs and outputs
 * @throws UnsupportedError where onnxruntime-web refuses the model or cannot run it
 */
export async function openOnnxRuntime(
  ort: OnnxRuntime,
  model: Uint8Array,
  threads: number,
  like: Pick<Session, 'inputs' | 'outputs'>,
): Promise<Session> {
  ort.env.wasm.numThreads = threads
  ort.env.logLevel = 'error'
  const session = await guarded('to load the model', () =>
    ort.InferenceSession.create(model, { executionProviders: ['wasm'] }),
  )
  return new Session(new Peer(ort, session, model.byteLength, like))
}

class Peer implements SessionBackend {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  readonly bytes: number
  readonly #ort: OnnxRuntime
  readonly #session: PeerSession

  constructor(
    ort: OnnxRuntime,
    session: PeerSession,
    bytes: number,
    { inputs, outputs }: Pick<Session, 'inputs' | 'outputs'>,
  ) {
    this.#ort = ort
    this.#session = session
    this.bytes = bytes
    this.inputs = inputs
    this.outputs = outputs
  }

  async run(feeds: unknown): Promise<Record<string, Tensor>> {
    const tensors = Object.entries(feeds as Record<string, Tensor>).map(
      ([name, { type, data, dims }]) => [name, new this.#ort.Tensor(type, data, dims)] as const,
    )
    const outputs = await guarded('to run the model', () => this.#session.run(Object.fromEntries(tensors)))
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { type, data, dims }]) => [
        name,
        new Tensor(type as Dtype, data as TensorSource, dims),
      ]),
    )
  }

  profile(): Promise<Profile> {
    const complaint = { where: 'onnxruntime-web', expected: 'a session of whittle', got: 'a session of another' }
    return Promise.reject(new StateError(complaint))
  }

  dispose(): Promise<void> {
    return this.#session.release()
  }
}

async function guarded<T>(expected: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause)
    throw new UnsupportedError({ where: 'onnxruntime-web', expected, got }, { cause })
  }
}
