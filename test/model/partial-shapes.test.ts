// SPDX-License-Identifier: Apache-2.0
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { WhittleError } from '../../src/base/errors.ts'
import { parseOnnx } from '../../src/format/onnx.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import type { Graph, ValueInfo } from '../../src/ir/graph.ts'
import { fromOnnx } from '../../src/model/from-onnx.ts'
import { Names, UpgradeScope } from '../../src/model/upgrade-scope.ts'
import { operatorsOf } from '../../src/ops/evaluate.ts'
import { loadOps } from '../../src/ops/table.ts'
import { dataPath, missingData } from '../models/data.ts'
import { realModels } from '../support/onnx.ts'

/** What is told of each value, by what inference says of it; undefined where inference has nothing to say. */
async function wrongAnswers(graph: Graph): Promise<string[] | undefined> {
  let infos: ReadonlyMap<string, ValueInfo>
  try {
    infos = inferGraph(graph, await loadOps(operatorsOf(graph)))
  } catch (error) {
    if (error instanceof WhittleError) return undefined
    throw error
  }
  const scope = new UpgradeScope(null, new Names(), true)
  for (const [name, constant] of graph.constants) scope.constants.set(name, constant)
  for (const { name, dims } of graph.inputs)
    scope.learn(
      name,
      dims?.map((dim) => (typeof dim === 'number' ? dim : null)),
    )
  for (const node of graph.nodes) scope.learnFrom(node)
  const wrong: string[] = []
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      const [told, dims] = [scope.shapeOf(name), infos.get(name)?.dims]
      if (told === undefined || !dims) continue
      const agrees =
        told.length === dims.length &&
        told.every((dim, i) => dim === null || typeof dims[i] !== 'number' || dim === dims[i])
      if (!agrees) wrong.push(`${node.op} ${name}: told ${JSON.stringify(told)}, inferred ${JSON.stringify(dims)}`)
    }
  }
  return wrong
}

test.each(realModels())('what is told of values of %s agrees with inference', async (file) => {
  expect((await wrongAnswers(fromOnnx(parseOnnx(readFileSync(file))))) ?? []).toEqual([])
})

test.skipIf(missingData('conformance') !== undefined)(
  'and so it does in the operator tests of the ONNX project',
  async () => {
    const folder = dataPath('conformance/current/models')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.onnx'))
    let told = 0
    const all: string[] = []
    for (const file of files) {
      const model = parseOnnx(readFileSync(join(folder, file)))
      // sequences and the first Scan are refused by the importer
      const isTensors = [...model.graph.inputs, ...model.graph.outputs].every(({ type }) => type?.kind === 'tensor')
      if (!isTensors || file.includes('test_scan_sum')) continue
      const wrong = await wrongAnswers(fromOnnx(model))
      all.push(...(wrong ?? []).map((line) => `${file}: ${line}`))
      told += wrong === undefined ? 0 : 1
    }
    expect(all).toEqual([])
    expect(told).toBeGreaterThan(500)
  },
)
