// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it } from 'vitest'
import { InputError, StateError } from '../../src/base/errors.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { evaluateGraph, operatorsOf } from '../../src/ops/evaluate.ts'
import { loadReferences } from '../../src/ops/references.ts'
import { loadOps } from '../../src/ops/table.ts'
import { SessionCore } from '../../src/runtime/core.ts'
import { Modules } from '../../src/runtime/module.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const open: SessionCore[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((core) => core.dispose()))
})

async function core(text: string, options: { profile?: boolean } = {}): Promise<SessionCore> {
  const graph = parseGraph(text)
  const ops = await loadOps(operatorsOf(graph))
  const kernels = await new Modules().choose('auto', false)
  const session = await SessionCore.create({
    graph,
    ops,
    kernels,
    threads: 1,
    profile: options.profile ?? false,
    bytes: () => 0,
  })
  open.push(session)
  return session
}

async function oracle(text: string, feeds: Record<string, Tensor>): Promise<Tensor[]> {
  const graph = parseGraph(text)
  const names = operatorsOf(graph)
  const evaluator = { ops: await loadOps(names), references: await loadReferences(names) }
  inferGraph(graph, evaluator.ops)
  return evaluateGraph(evaluator, graph, new Map(Object.entries(feeds)))
}

function wave(dims: number[], step = 0.37): Tensor {
  const size = dims.reduce((a, b) => a * b, 1)
  return new Tensor(
    'float32',
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * step) * 2),
    dims,
  )
}

function expectClose(got: Tensor, wanted: Tensor): void {
  expect(got.type).toBe(wanted.type)
  expect(got.dims).toEqual(wanted.dims)
  const scale = Math.max(1e-6, ...Array.from(wanted.data as Float32Array, Math.abs))
  const worst = Math.max(
    ...Array.from(got.data as Float32Array, (v, i) => Math.abs(v - (wanted.data as Float32Array)[i])),
  )
  expect(worst / scale).toBeLessThan(1e-5)
}

const dense = `graph main opset 17 {
  input x: float32[n, 3]
  const w: float32[3, 2] = 1 2 3 4 5 6
  const b: float32[2] = 0.5 -0.5
  h = MatMul(x, w)
  s = Add(h, b)
  y = Relu(s)
  output y: float32[n, 2]
}`

describe('SessionCore', () => {
  it('runs a graph in one stretch, as the references do', async () => {
    const session = await core(dense)
    const x = wave([5, 3])
    const { y } = await session.run({ x })
    expectClose(y, (await oracle(dense, { x }))[0])
    const profile = await session.profile()
    expect(profile.stretches).toBe(1)
    expect(profile.hostSteps).toEqual([])
    expect(profile.steps.length).toBeGreaterThan(0)
  })

  it('compiles again for other shapes and keeps what it compiled', async () => {
    const session = await core(dense)
    for (const n of [1, 1, 1, 40, 40, 40, 3, 40, 1, 1, 1]) {
      const x = wave([n, 3])
      expectClose((await session.run({ x })).y, (await oracle(dense, { x }))[0])
    }
  })

  it('works in place where a buffer is read for the last time', async () => {
    const session = await core(dense)
    await session.run({ x: wave([1000, 3]) })
    expect((await session.profile()).memory.arena).toBeLessThan(1000 * (3 + 2 + 2) * 4)
  })

  it('gives outputs that are the caller’s own', async () => {
    const text = `graph main opset 17 {
      input x: float32[2]
      const c: float32[2] = 7 8
      y = Identity(x)
      output y: float32[2]
      output x: float32[2]
      output c: float32[2]
    }`
    const session = await core(text)
    const x = wave([2])
    const first = await session.run({ x })
    ;(first.y.data as Float32Array).fill(9)
    ;(first.x.data as Float32Array).fill(9)
    ;(first.c.data as Float32Array).fill(9)
    const second = await session.run({ x })
    expect([...(second.y.data as Float32Array)]).toEqual([...(x.data as Float32Array)])
    expect([...(second.x.data as Float32Array)]).toEqual([...(x.data as Float32Array)])
    expect([...(second.c.data as Float32Array)]).toEqual([7, 8])
  })

  it('serves overlapping runs in order and turns them away after dispose', async () => {
    const session = await core(dense)
    const runs = [1, 2, 3, 4].map((n) => session.run({ x: wave([n, 3]) }))
    const disposed = session.dispose()
    const results = await Promise.allSettled(runs)
    await disposed
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(StateError)
    await expect(session.run({ x: wave([1, 3]) })).rejects.toThrow(StateError)
  })

  it('runs nodes without kernels by their references and says why', async () => {
    const text = `graph main opset 17 {
      input x: float32[n, 4]
      a = Relu(x)
      b = Sinh(a)
      y = Relu(b)
      output y: float32[n, 4]
    }`
    const session = await core(text, { profile: true })
    const x = wave([3, 4])
    expectClose((await session.run({ x })).y, (await oracle(text, { x }))[0])
    const profile = await session.profile()
    expect(profile.stretches).toBe(2)
    const host = profile.steps.filter(({ kernel }) => kernel === null)
    expect(host.map(({ op }) => op)).toEqual(['Sinh'])
    expect(host[0].reason).toContain('no kernels')
    for (const step of profile.steps) expect(step.time).toBeGreaterThanOrEqual(0)
  })

  it('says how much of the last run was spent in Wasm', async () => {
    const session = await core(dense)
    for (const n of [300, 2]) {
      await session.run({ x: wave([n, 3]) })
      expect((await session.profile()).wasmTime).toBeGreaterThan(0)
    }
  })

  it('rejects feeds with the input’s name', async () => {
    const session = await core(dense)
    await expect(session.run({})).rejects.toThrow(InputError)
    await expect(session.run({ z: wave([1, 3]) })).rejects.toThrow(/'z'.*'x'/)
    await expect(session.run({ x: wave([1, 4]) })).rejects.toThrow(/axis 1.*expected 3, got 4/)
    await expect(session.run({ x: wave([3]) })).rejects.toThrow(InputError)
    await expect(session.run({ x: new Tensor('int32', [1, 2, 3], [1, 3]) })).rejects.toThrow(/float32 tensor.*int32/)
    await expect(session.run({ x: [1, 2, 3] })).rejects.toThrow(InputError)
    expect((await session.run({ x: wave([0, 3]) })).y.dims).toEqual([0, 2])
  })

  it('holds equal symbols equal', async () => {
    const session = await core(`graph main opset 17 {
      input a: float32[n, 2]
      input b: float32[n, 2]
      y = Add(a, b)
      output y: float32[n, 2]
    }`)
    await expect(session.run({ a: wave([3, 2]), b: wave([4, 2]) })).rejects.toThrow(/'b' axis 0.*expected 3/)
  })

  it('goes on after a shape that only data tells', async () => {
    const text = `graph main opset 17 {
      input x: float32[n]
      input s: int64[2]
      a = Relu(x)
      b = Reshape(a, s)
      c = Sigmoid(b)
      d = Reshape(c, s)
      y = Mul(d, b)
      output y: float32[p, q]
      output a: float32[n]
    }`
    const session = await core(text)
    const x = wave([12])
    for (const shape of [
      [3, 4],
      [2, 6],
      [3, 4],
      [12, 1],
    ]) {
      const s = new Tensor('int64', shape)
      const [y, a] = await oracle(text, { x, s })
      const outputs = await session.run({ x, s })
      expectClose(outputs.y, y)
      expectClose(outputs.a, a)
      expect(outputs.y.dims).toEqual(shape)
    }
    const profile = await session.profile()
    expect(profile.hostSteps.length).toBeGreaterThan(0)
    expect(profile.hostSteps[0].reason).toContain('shape')
  })

  it('evaluates branches of If on the host, captures included', async () => {
    const text = `graph main opset 17 {
      input x: float32[n]
      input c: bool[]
      const k: float32[1] = 3
      a = Relu(x)
      y = If(c) {then_branch: graph yes opset 17 {
        t = Mul(a, k)
        output t: float32[n]
      }, else_branch: graph no opset 17 {
        const m: float32[1] = -1
        e = Add(a, m)
        output e: float32[n]
      }}
      z = Neg(y)
      output z: float32[n]
    }`
    const session = await core(text)
    const x = wave([5])
    for (const condition of [1, 0]) {
      const c = new Tensor('bool', [condition], [])
      expectClose((await session.run({ x, c })).z, (await oracle(text, { x, c }))[0])
    }
    expect((await session.profile()).hostSteps.map(({ reason }) => reason)).toEqual(['control flow'])
  })

  it('forgets the programs of shapes long past', async () => {
    const session = await core(dense)
    await session.run({ x: wave([64, 3]) })
    const { total } = (await session.profile()).memory
    for (let n = 1; n <= 64; n++)
      expectClose((await session.run({ x: wave([n, 3]) })).y, (await oracle(dense, { x: wave([n, 3]) }))[0])
    expect((await session.profile()).memory.total).toBe(total)
  })

  it('compiles a shape again that it had run last and then forgot', async () => {
    const session = await core(dense)
    const often = wave([64, 3])
    const [expected] = await oracle(dense, { x: often })
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++) expectClose((await session.run({ x: often })).y, expected)
      const others = Array.from({ length: 40 }, (_, n) => wave([n + 1, 3]))
      const [first, ...rest] = await Promise.all([often, ...others].map((x) => session.run({ x })))
      expectClose(first.y, expected)
      for (const [i, { y }] of rest.entries()) expectClose(y, (await oracle(dense, { x: others[i] }))[0])
    }
  })

  it('reads inputs as they are at the call', async () => {
    const session = await core(dense)
    const x = wave([5, 3])
    const [expected] = await oracle(dense, { x })
    const runs = [session.run({ x }), session.run({ x })]
    ;(x.data as Float32Array).fill(99)
    for (const { y } of await Promise.all(runs)) expectClose(y, expected)
  })
})
