// SPDX-License-Identifier: Apache-2.0
/**
 * Loads a model with a sparse layer a few times, and says why its layer has the form it has. In a runtime with files:
 * kept-errand.mjs INDEX_JS MODEL PLACE COUNT
 */

/** Reasons of the sparse step, by load. */
export async function reasonsOf({ load, Tensor }, source, options, count) {
  const reasons = []
  for (let i = 0; i < count; i++) {
    const session = await load(source, { threads: 1, ...options })
    await session.run({ x: new Tensor('float32', new Float32Array(64 * 128), [64, 128]) })
    const { steps } = await session.profile()
    reasons.push(steps.find(({ form }) => form)?.form.reason ?? 'no form')
    await session.dispose()
  }
  return reasons
}

if (globalThis.document === undefined && globalThis.process?.argv?.[1]?.endsWith('kept-errand.mjs')) {
  const [index, model, place, count] = globalThis.process.argv.slice(2)
  const { pathToFileURL } = await import('node:url')
  const whittle = await import(pathToFileURL(index).href)
  const measurements = place === 'usual' ? true : place
  console.log(JSON.stringify(await reasonsOf(whittle, model, { measurements }, Number(count))))
}
