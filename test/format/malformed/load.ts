// SPDX-License-Identifier: Apache-2.0
/** Loads bytes as a user does, up to a graph whose shapes are known and that could run: what a malformed file must not pass. */
import { readContainer } from '../../../src/format/container.ts'
import { detectFormat } from '../../../src/format/detect.ts'
import { inferGraph } from '../../../src/ir/infer.ts'
import { fromContainer } from '../../../src/model/from-container.ts'
import { loadOps } from '../../../src/ops/table.ts'
import { operatorsOf } from '../../../src/ops/evaluate.ts'
import { memoryStream } from '../../../src/platform/source.ts'
import { graphOfOnnx } from '../../../src/runtime/onnx-source.ts'

/** Reads, imports, optimises and infers. @throws whatever is thrown on the way */
export async function loadBytes(bytes: Uint8Array): Promise<void> {
  const isOnnx = detectFormat(bytes) === 'onnx'
  if (!isOnnx) readContainer(bytes)
  const { graph } = isOnnx ? await graphOfOnnx(bytes, memoryStream(bytes, 'bad.onnx')) : fromContainer(bytes)
  inferGraph(graph, await loadOps(operatorsOf(graph)))
}

/** The error's class and message, or what came instead of an error. */
export async function refusal(load: () => Promise<unknown>): Promise<string> {
  try {
    await load()
    return 'no error'
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  }
}
