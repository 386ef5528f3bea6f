// SPDX-License-Identifier: Apache-2.0
/** One model on several workers without shared memory: the same results, one reading, and every way it may end. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { writeContainer } from '../../src/format/container.ts'
import {
  AbortError,
  FormatError,
  InputError,
  type LoadOptions,
  type ProgressEvent,
  type Session,
  type Source,
  SourceError,
  StateError,
  Tensor,
  load,
} from '../../src/index.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { toContainer } from '../../src/model/to-container.ts'
import { workerUrl } from '../../src/runtime/assets.ts'

const missing = existsSync(workerUrl('engine-worker')) ? undefined : 'skipped: dist/engine-worker.js is not built'
if (missing) console.warn(missing)

const SIZE = 128
const model = writeContainer(
  toContainer(
    parseGraph(`graph main opset 17 {
  input x: float32[n, ${SIZE}]
  const w: float32[${SIZE}, ${SIZE}] = ${Array.from({ length: SIZE * SIZE }, (_, i) => ((i * 7) % 11) / 64 - 0.08).join(' ')}
  ${Array.from({ length: 12 }, (_, i) => `h${i + 1} = MatMul(${i === 0 ? 'x' : `h${i}`}, w)`).join('\n')}
  y = Tanh(h12)
  output y: float32[n, ${SIZE}]
}`),
  ),
)

const inputOf = (rows: number, seed: number): Tensor =>
  new Tensor(
    'float32',
    Float32Array.from({ length: rows * SIZE }, (_, i) => Math.sin(i + seed)),
    [rows, SIZE],
  )

/** A session with its workers, as the process sees them start. */
async function loadSeen(
  options: LoadOptions,
  source: Source = model,
): Promise<{ session: Session; workers: Worker[] }> {
  const workers: Worker[] = []
  const see = (worker: Worker): number => workers.push(worker)
  process.on('worker', see)
  try {
    return { session: await load(source, options), workers }
  } finally {
    process.off('worker', see)
  }
}

async function serveModel(): Promise<{ server: Server; url: string; requests: string[] }> {
  const requests: string[] = []
  const server = createServer(({ url }, response) => {
    requests.push(url ?? '')
    response.end(model)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.whittle`, requests }
}

describe.skipIf(missing !== undefined)('a model on several instances', () => {
  it('gives the bits of one, whichever worker a run is sent to', async () => {
    await using one = await load(model, { threads: 1 })
    await using many = await load(model, { instances: 2 })
    expect(many.inputs).toEqual(one.inputs)
    expect(many.outputs).toEqual(one.outputs)
    expect(many.bytes).toBe(model.byteLength)
    const inputs = Array.from({ length: 6 }, (_, i) => inputOf(1 + 40 * i, i))
    const outcomes = await Promise.all(inputs.map((x) => many.run({ x })))
    for (const [i, x] of inputs.entries()) expect(outcomes[i].y).toEqual((await one.run({ x })).y)
    expect(await many.profile()).toMatchObject({
      threads: 1,
      instances: 2,
      build: expect.not.stringContaining('threads'),
    })
  })

  it('reads the source once, tells how far it is, and starts as many workers as asked for', async () => {
    const { server, url, requests } = await serveModel()
    const events: ProgressEvent[] = []
    const { session, workers } = await loadSeen({ instances: 3, onProgress: (event) => events.push(event) }, url)
    expect(requests).toEqual(['/model.whittle'])
    expect(workers.length).toBe(3)
    expect(events.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1])).toEqual(['read', 'ready'])
    const read = events.filter(({ phase }) => phase === 'read')
    expect(read.at(-1)?.loaded).toBe(model.byteLength)
    expect(events.at(-1)).toEqual({ phase: 'ready', loaded: model.byteLength, total: model.byteLength })
    await session.dispose()
    server.close()
  })

  it('fails a wrong input with an InputError and goes on', async () => {
    await using session = await load(model, { instances: 2 })
    await expect(session.run({ z: inputOf(1, 0) })).rejects.toThrow(InputError)
    expect((await session.run({ x: inputOf(1, 0) })).y.dims).toEqual([1, SIZE])
  })

  it('ends a load that fails with the error it is, and leaves no worker behind', async () => {
    const workers: Worker[] = []
    const see = (worker: Worker): number => workers.push(worker)
    process.on('worker', see)
    await expect(load(new Uint8Array(100), { instances: 2 })).rejects.toThrow(FormatError)
    await expect(load('/no/such/model.whittle', { instances: 2 })).rejects.toThrow(SourceError)
    process.off('worker', see)
    for (const worker of workers) expect(worker.threadId).toBe(-1)
  })

  it('given up at any event of its load ends in an AbortError with its workers ended', async () => {
    const counter = { events: 0 }
    await (await load(model, { instances: 2, onProgress: () => counter.events++ })).dispose()
    expect(counter.events).toBeGreaterThan(1)
    const workers: Worker[] = []
    const see = (worker: Worker): number => workers.push(worker)
    process.on('worker', see)
    for (let at = 0; at < counter.events; at++) {
      const controller = new AbortController()
      let seen = 0
      const onProgress = (): void => {
        if (seen++ === at) controller.abort()
      }
      await expect(load(model, { instances: 2, onProgress, signal: controller.signal })).rejects.toThrow(AbortError)
    }
    process.off('worker', see)
    for (const worker of workers) expect(worker.threadId).toBe(-1)
  })

  it('loses the runs of a worker that dies, with a StateError, and goes on with the others', async () => {
    const { session, workers } = await loadSeen({ instances: 2 })
    const x = inputOf(400, 1)
    const runs = Array.from({ length: 6 }, () => session.run({ x }))
    const outcomes = Promise.allSettled(runs)
    await workers[0].terminate()
    const failed = (await outcomes).filter((outcome) => outcome.status === 'rejected')
    expect(failed.length).toBeGreaterThan(0)
    expect(failed.length).toBeLessThan(6)
    for (const { reason } of failed) {
      expect(reason).toBeInstanceOf(StateError)
      expect(String(reason)).toMatch(/whittle instance 1.*exit code/)
    }
    for (let i = 0; i < 3; i++) expect((await session.run({ x })).y.dims).toEqual([400, SIZE])
    expect((await session.profile()).instances).toBe(1)
    await workers[1].terminate()
    await expect(session.run({ x })).rejects.toThrow(/at least one of its instances.*exit code/)
    await session.dispose()
  })

  it('disposed during runs waits for those under way and turns the others away', async () => {
    const { session, workers } = await loadSeen({ instances: 2 })
    const x = inputOf(400, 1)
    const outcomes = Promise.allSettled(Array.from({ length: 6 }, () => session.run({ x })))
    await Promise.all([session.dispose(), session.dispose()])
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(StateError)
      else expect(outcome.value.y.dims).toEqual([400, SIZE])
    }
    for (const worker of workers) expect(worker.threadId).toBe(-1)
    await expect(session.run({ x })).rejects.toThrow(/disposed/)
  })

  it('keeps no program from ending, and lets none end before a run has', async () => {
    const index = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
    const program = `
      import { load, Tensor } from ${JSON.stringify(index)}
      const session = await load(new Uint8Array(${JSON.stringify([...model])}), { instances: 2 })
      const x = new Tensor('float32', new Float32Array(${SIZE}), [1, ${SIZE}])
      console.log((await session.run({ x })).y.dims.join(' '))`
    const folder = await mkdtemp(join(tmpdir(), 'whittle-instances-'))
    await writeFile(join(folder, 'program.mjs'), program)
    const child = spawn(process.execPath, [join(folder, 'program.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (data: Buffer) => (text += data.toString()))
    const code = await new Promise((resolve) => child.on('exit', resolve))
    await rm(folder, { recursive: true })
    expect(code).toBe(0)
    expect(text.trim()).toBe(`1 ${SIZE}`)
  })
})
