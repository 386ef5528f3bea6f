// SPDX-License-Identifier: Apache-2.0
/**
 * Where the time of a run goes, as plain data. Times are kept only by sessions loaded with `profile: true`, which make one
 * call into Wasm per step; counts and bytes are always there.
 */

/** One step of the last run: a kernel call, or a node run on the host. */
export interface ProfileStep {
  readonly node: string
  readonly op: string
  /** null: the node's reference ran on the host. */
  readonly kernel: string | null
  /** Why there is no kernel; null where there is one. */
  readonly reason: string | null
  /** Milliseconds; null when the session was not loaded with `profile: true`. */
  readonly time: number | null
  /** Bytes of all buffers the step touches. */
  readonly bytes: number
}

export interface Profile {
  /** Calls into Wasm a run makes: 1 when no node runs on the host. */
  readonly stretches: number
  readonly steps: readonly ProfileStep[]
  /** Nodes that ran on the host. */
  readonly hostSteps: number
  readonly memory: {
    /** Bytes of weights and tables as packed. */
    readonly weights: number
    /** Bytes of the arena of activations. */
    readonly arena: number
    /** Bytes that sharing the arena saves. */
    readonly arenaSaved: number
    /** Bytes of the whole Wasm memory. */
    readonly total: number
  }
  /** Wasm build. */
  readonly build: string
  readonly threads: number
}
