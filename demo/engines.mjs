// SPDX-License-Identifier: Apache-2.0
/** The engines that the demo and the benchmarks hold beside each other, behind one small face: open, run, close. */
import { readFile } from 'node:fs/promises'

/** Opens a model with `engine`; `run({ name: { data, dims } })` gives the first output as { data, dims }. */
export async function open(engine, path, options = {}) {
  return engine === 'onnxruntime-web' ? openOnnxRuntime(path, options) : openWhittle(path, options)
}

async function openWhittle(path, { threads = 1 }) {
  const { load, Tensor } = await import('whittle')
  const session = await load(path, { threads })
  return {
    session,
    inputs: session.inputs.map(({ name }) => name),
    outputs: session.outputs.map(({ name }) => name),
    run: (feeds) => session.run(mapValues(feeds, ({ data, dims }) => new Tensor('float32', data, dims))),
    close: () => session.dispose(),
  }
}

async function openOnnxRuntime(path, { threads = 1 }) {
  const ort = await import('onnxruntime-web')
  ort.env.wasm.numThreads = threads
  ort.env.logLevel = 'error'
  const session = await ort.InferenceSession.create(await readFile(path), { executionProviders: ['wasm'] })
  return {
    session,
    inputs: session.inputNames,
    outputs: session.outputNames,
    run: (feeds) => session.run(mapValues(feeds, ({ data, dims }) => new ort.Tensor('float32', data, dims))),
    close: () => session.release(),
  }
}

function mapValues(object, f) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, f(value)]))
}
