// SPDX-License-Identifier: Apache-2.0
/**
 * Runs cases in a child process, one at a time: one that crashes or takes too long ends its case only, and another child
 * goes on with the next.
 */
import { fork } from 'node:child_process'

/** A child of `script`, which answers 'ready' when it is up and then each message by an outcome. */
export class CaseRunner {
  #script
  #args
  #patience
  #child

  /**
   * @param {string} script path of the child's script
   * @param {readonly string[]} args its arguments
   * @param {number} patience milliseconds a case may take
   */
  constructor(script, args, patience) {
    this.#script = script
    this.#args = args
    this.#patience = patience
  }

  /** The child's answer, or `{ result: 'failed', reason }` where there was none. */
  async run(request) {
    try {
      this.#child ??= await this.#start()
      return await this.#answer(this.#child, () => this.#child.send(request))
    } catch (error) {
      this.stop()
      return { result: 'failed', reason: error.message }
    }
  }

  stop() {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }

  async #start() {
    const child = fork(this.#script, this.#args, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
    this.#child = child
    await this.#answer(child, () => {})
    return child
  }

  #answer(child, ask) {
    return new Promise((resolve, reject) => {
      const done = (settle, value) => {
        clearTimeout(timer)
        child.off('message', onMessage)
        child.off('exit', onExit)
        settle(value)
      }
      const onMessage = (message) => done(resolve, message)
      const onExit = (code, signal) => done(reject, new Error(`the process ended (${signal ?? code})`))
      const late = () => done(reject, new Error(`took longer than ${this.#patience / 1000} s`))
      const timer = setTimeout(late, this.#patience)
      child.once('message', onMessage)
      child.once('exit', onExit)
      ask()
    })
  }
}
