// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { StateError } from '../../src/base/errors.ts'
import { Queue } from '../../src/runtime/queue.ts'

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

describe('Queue', () => {
  it('runs overlapping tasks in the order they came', async () => {
    const queue = new Queue()
    const log: string[] = []
    const task = (name: string) => async (): Promise<string> => {
      log.push(`${name} begins`)
      await later()
      log.push(`${name} ends`)
      return name
    }
    expect(await Promise.all([queue.add(task('a')), queue.add(task('b'))])).toEqual(['a', 'b'])
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  it('goes on after a task that fails', async () => {
    const queue = new Queue()
    const failed = queue.add(() => {
      throw new RangeError('no')
    })
    const next = queue.add(() => 1)
    await expect(failed).rejects.toThrow(RangeError)
    expect(await next).toBe(1)
  })

  it('lets the running task end and turns away the others when closed', async () => {
    const queue = new Queue()
    const running = queue.add(async () => {
      await later()
      return 'done'
    })
    await Promise.resolve()
    const waiting = queue.add(() => 'never').catch((error: unknown) => error)
    await queue.close(() => new StateError({ where: 'session', expected: 'an open session' }))
    expect(await running).toBe('done')
    expect(await waiting).toBeInstanceOf(StateError)
    await expect(queue.add(() => 1)).rejects.toThrow(StateError)
  })
})
