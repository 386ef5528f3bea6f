// SPDX-License-Identifier: Apache-2.0
/** The side of a measurement that runs in a page: models and inputs come by URL. Left on `window` for chromium.ts. */
import { probe } from '../src/index.ts'
import { type Measured, measure } from './harness/measure.ts'
import { type Input, type NamedInput, type PortableEngine, portableEngines } from './models/open.ts'

/** One input of a case; without a name the only one. */
export interface ServedInput {
  readonly name?: string
  readonly type: NamedInput['type']
  readonly dims: readonly number[]
  readonly url: string
}

export interface ServedCase {
  readonly entrants: readonly { readonly name: string; readonly engine: PortableEngine; readonly url: string }[]
  readonly inputs: readonly ServedInput[]
  readonly back: Readonly<Record<string, string>>
  readonly threads: number
  readonly effort: string
}

async function bytesOf(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return response.arrayBuffer()
}

async function inputOf({ inputs, back }: Pick<ServedCase, 'inputs' | 'back'>): Promise<Input> {
  const feeds: [string, NamedInput][] = []
  for (const { name = '', type, dims, url } of inputs) {
    const buffer = await bytesOf(url)
    feeds.push([name, { type, dims, data: type === 'int64' ? new BigInt64Array(buffer) : new Float32Array(buffer) }])
  }
  const [[name, { data, dims }]] = feeds
  return name === '' ? { data: data as Float32Array, dims } : { feeds: Object.fromEntries(feeds), back }
}

async function measureServed({ entrants, threads, effort, ...served }: ServedCase): Promise<Measured> {
  const input = await inputOf(served)
  const participants = entrants.map(({ name, engine, url }) => ({
    name,
    open: async () => portableEngines[engine](new Uint8Array(await bytesOf(url)), input, threads),
  }))
  return measure(participants, threads, effort)
}

const exposed = { measure: measureServed, probe }
export type Exposed = typeof exposed
Object.assign(globalThis, { whittleBench: exposed })
