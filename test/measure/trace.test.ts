// SPDX-License-Identifier: Apache-2.0
/** Traces: the fields that Chrome's trace viewer wants, and events of a track that follow or hold each other. */
import { describe, expect, it } from 'vitest'
import { stepSpans, traceOf } from '../../src/measure/trace.ts'

describe('traceOf', () => {
  const steps = [
    { name: 'Conv', time: 0.5, details: { node: 'a', kernel: 'conv_f32', bytes: 8 } },
    { name: 'Relu', time: 0.25 },
  ]
  const trace = traceOf(
    [
      { process: 'p', name: 'session', spans: [{ name: 'load', category: 'load', start: 100, time: 2 }] },
      { process: 'q', name: 'session', spans: [{ name: 'load', category: 'load', start: 103, time: 1 }] },
      { process: 'p', name: 'profile', spans: stepSpans('run', 110, 0.6, steps) },
    ],
    { model: 'm' },
  )
  const events = trace.traceEvents

  it('names every process once and every track once', () => {
    const named = events.filter(({ ph }) => ph === 'M').map(({ name, pid, args }) => [name, pid, args.name])
    expect(named).toEqual([
      ['process_name', 1, 'p'],
      ['process_name', 2, 'q'],
      ['thread_name', 1, 'session'],
      ['thread_name', 2, 'session'],
      ['thread_name', 1, 'profile'],
    ])
  })

  it('counts microseconds from the first event', () => {
    const complete = events.filter((event) => event.ph === 'X')
    expect(complete.map(({ name, ts, dur }) => [name, ts, dur])).toEqual([
      ['load', 0, 2000],
      ['load', 3000, 1000],
      ['run', 10000, 750],
      ['Conv', 10000, 500],
      ['Relu', 10500, 250],
    ])
    expect(complete[3].args).toEqual({ node: 'a', kernel: 'conv_f32', bytes: 8 })
  })

  it('gives every event the fields of the format, as plain JSON', () => {
    expect(JSON.parse(JSON.stringify(trace))).toEqual(trace)
    expect(trace.displayTimeUnit).toBe('ms')
    for (const event of events) {
      expect(Number.isInteger(event.pid) && Number.isInteger(event.tid)).toBe(true)
      if (event.ph === 'X') expect(event.ts >= 0 && event.dur >= 0 && event.cat !== '').toBe(true)
    }
  })

  it('of nothing is empty', () => {
    expect(traceOf([]).traceEvents).toEqual([])
  })
})
