// SPDX-License-Identifier: Apache-2.0
/**
 * What every runtime is sent to do: run the exact layers on each build and number of threads, and read text lines with
 * the int8 recogniser. It uses nothing but the language and what it is given, so it runs in pages too; what comes back
 * is plain data.
 */
/* global TextDecoder */

/** Each `kernels` option with one thread and with two. */
const ways = ['simd', 'relaxed', 'auto'].flatMap((kernels) => [1, 2].map((threads) => ({ kernels, threads })))

/**
 * @param whittle the package
 * @param read name of a file of the errand's folder → its bytes
 * @param address name → what `load` takes
 */
export async function runErrand({ load, probe, Tensor }, read, address) {
  const { layers, lines } = JSON.parse(new TextDecoder().decode(await read('errand.json')))
  const { relaxed, runtime, sharedMemory, fma, build } = await probe()
  const exact = []
  for (const { name, x } of layers) {
    for (const { kernels, threads } of ways) {
      const outcome = await runOnce(load, address(`${name}.whittle`), { kernels, threads }, () => ({
        x: new Tensor('float32', Float32Array.from(x.data), x.dims),
      }))
      exact.push({ name, kernels, threads, ...outcome })
    }
  }
  const session = await load(address('recogniser.whittle'))
  const keys = JSON.parse(new TextDecoder().decode(await read('keys.json')))
  const texts = []
  for (const { name, dims } of lines) {
    const bytes = await read(name)
    const data = new Float32Array(bytes.slice().buffer)
    const outputs = await session.run({ [session.inputs[0].name]: new Tensor('float32', data, dims) })
    texts.push(textOf(outputs[session.outputs[0].name], keys))
  }
  await session.dispose()
  return { host: { relaxed, runtime, sharedMemory, fma, build }, exact, texts }
}

async function runOnce(load, source, options, feeds) {
  let session
  try {
    session = await load(source, options)
  } catch (error) {
    return { error: error.name }
  }
  const { y } = await session.run(feeds())
  const { threads: used } = await session.profile()
  await session.dispose()
  return { y: { dims: [...y.dims], data: Array.from(y.data) }, used }
}

/** Greedy CTC decoding of [1, steps, classes]: the best class of each step, repeats merged, class 0 dropped. */
function textOf({ data, dims }, keys) {
  const [, steps, count] = dims
  const best = Array.from({ length: steps }, (_, step) => {
    const row = data.subarray(step * count, (step + 1) * count)
    return row.reduce((found, value, i) => (value > row[found] ? i : found), 0)
  })
  return best
    .filter((one, step) => one !== 0 && one !== best[step - 1])
    .map((one) => keys[one])
    .join('')
}
