// SPDX-License-Identifier: Apache-2.0
/**
 * A queue of one: tasks run one after the other in the order they were given, whatever becomes of the ones before. Where
 * none is before it, a task begins within `add` itself.
 * `close` turns away what has not begun and what comes later.
 */

/** Runs tasks in order. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve()
  #closed: (() => Error) | undefined
  #unfinished = 0

  /** True when the next task would begin at once. */
  get isIdle(): boolean {
    return this.#unfinished === 0 && !this.#closed
  }

  /** Runs `task` when all earlier ones have ended; its result or error is the caller's. */
  add<T>(task: () => T | Promise<T>): Promise<T> {
    const begin = (): T | Promise<T> => {
      if (this.#closed) throw this.#closed()
      return task()
    }
    const waits = this.#unfinished++ > 0
    const result = waits ? this.#last.then(begin) : new Promise<T>((resolve) => resolve(begin()))
    const end = (): void => void this.#unfinished--
    this.#last = result.then(end, end)
    return result
  }

  /** From now on every task not yet begun fails with `reason()`. Resolves when the running one has ended. */
  async close(reason: () => Error): Promise<void> {
    this.#closed ??= reason
    await this.#last
  }
}
