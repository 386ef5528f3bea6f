// SPDX-License-Identifier: Apache-2.0
/**
 * A queue of one: tasks run one after the other in the order they were given, whatever becomes of the ones before.
 * `close` turns away what has not begun and what comes later.
 */

/** Runs tasks in order. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve()
  #closed: (() => Error) | undefined

  /** Runs `task` when all earlier ones have ended; its result or error is the caller's. */
  add<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      if (this.#closed) throw this.#closed()
      return task()
    })
    this.#last = result.catch(() => undefined)
    return result
  }

  /** From now on every task not yet begun fails with `reason()`. Resolves when the running one has ended. */
  async close(reason: () => Error): Promise<void> {
    this.#closed ??= reason
    await this.#last
  }
}
