// SPDX-License-Identifier: Apache-2.0
/**
 * What every runtime is sent to do: run the exact layers on each build and number of threads, read text lines with the
 * int8 recogniser in one session and on two instances, and hash what deterministic sessions give. It uses nothing but the language and what it is given, so it runs in pages too; what comes back
 * is plain data.
 */

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
  const recogniser = address('recogniser.whittle')
  const keys = JSON.parse(new TextDecoder().decode(await read('keys.json')))
  const images = []
  for (const { name, dims } of lines) {
    const bytes = await read(name)
    images.push(new Tensor('float32', new Float32Array(bytes.slice().buffer), dims))
  }
  const [texts] = await runAll(load, recogniser, {}, images, (output) => textOf(output, keys))
  const bits = []
  for (const [name, feeds] of [
    [recogniser, images],
    [address('floats.whittle'), [floats(Tensor)]],
  ]) {
    for (const threads of [1, 2])
      bits.push((await runAll(load, name, { deterministic: true, threads }, feeds, hashOf))[0])
  }
  let instances
  try {
    const [read, profile] = await runAll(load, recogniser, { instances: 2 }, images, (output) => textOf(output, keys))
    instances = { texts: read, count: profile.instances, threads: profile.threads }
  } catch (error) {
    instances = { error: error.name }
  }
  return { host: { relaxed, runtime, sharedMemory, fma, build }, exact, texts, bits, instances }
}

/** What `see` makes of the output for each input, all runs begun at once; and the profile. */
async function runAll(load, source, options, inputs, see) {
  const session = await load(source, options)
  try {
    const runs = inputs.map((input) => session.run({ [session.inputs[0].name]: input }))
    const seen = (await Promise.all(runs)).map((outputs) => see(outputs[session.outputs[0].name]))
    return [seen, await session.profile()]
  } finally {
    await session.dispose()
  }
}

/** Input of floats.whittle; no function of Math that runtimes may round differently. */
function floats(Tensor) {
  const data = Float32Array.from({ length: 130 * 64 }, (_, i) => ((i * 7919) % 1013) / 253 - 2)
  return new Tensor('float32', data, [130, 64])
}

/** FNV-1a over the bits of float32 values. */
function hashOf({ data }) {
  let hash = 0x811c9dc5
  for (const byte of new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
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
