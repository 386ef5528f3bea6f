// SPDX-License-Identifier: Apache-2.0
/** `whittle inspect`: what is in a model file, without running it. */
import type { Command } from 'commander'
import { type Inspection, inspectModel } from '../inspect/inspect.ts'
import { bytes, interrupt, print, table } from './output.ts'

interface Options {
  readonly json?: boolean
  readonly passes?: boolean
  readonly off?: string[]
  readonly verbose?: boolean
}

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('what is in a model')
    .description(
      'Lists inputs, outputs, parameters, bytes by element type and operators, and which of them whittle has kernels for.',
    )
    .argument('<model>', 'an .onnx or .whittle file')
    .option('--passes', 'what the optimising passes would do')
    .option('--off <pass...>', 'with --passes: passes to leave out, by name')
    .option('-v, --verbose', 'with --passes: a line for every rewrite')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ whittle inspect model.onnx --passes --verbose
  $ whittle inspect model.onnx --passes --off fuse-epilogue sink-transposes
  $ whittle inspect model.whittle --json`,
    )
    .action(async (model: string, options: Options) => {
      const found = await inspectModel(model, {
        passes: options.passes === true,
        off: options.off ?? [],
        rewrites: options.verbose === true,
        signal: interrupt(),
      })
      const asked = options.passes === true
      const why =
        found.format === 'whittle' ? 'went through them when it was made' : 'has what whittle does not support'
      const note = asked && found.passes === null ? `\npasses: none, this file ${why}` : ''
      print(options.json, found, () => describe(found) + note)
    })
}

function describe({
  format,
  bytes: size,
  opset,
  inputs,
  outputs,
  parameters,
  weights,
  operators,
  problems,
  passes,
  rewrites,
  metadata,
}: Inspection): string {
  const shape = (dims: readonly (number | string)[] | null) => (dims === null ? 'any shape' : dims.join(' x '))
  const missing = operators.filter(({ support }) => support === 'none')
  return [
    `${format} file, ${bytes(size)}, opset ${opset}, ${parameters.toLocaleString('en')} parameters`,
    ...(metadata === null ? [] : [`made by ${metadata}`]),
    table(
      ['', 'name', 'type', 'shape'],
      [
        ...inputs.map(({ name, type, dims }) => ['input', name, type, shape(dims)]),
        ...outputs.map(({ name, type, dims }) => ['output', name, type, shape(dims)]),
      ],
    ),
    table(
      ['weights', 'tensors', 'bytes'],
      Object.entries(weights).map(([type, { tensors, bytes: b }]) => [type, tensors, b]),
    ),
    table(
      ['operator', 'nodes', 'runs on'],
      operators.map(({ op, nodes, support, nearest }) => [op, nodes, supportText(support, nearest)]),
    ),
    ...(passes === null
      ? []
      : [
          table(
            ['pass', 'rewrites', 'nodes before', 'after'],
            passes.map(({ pass, fired, nodes }) => [pass, fired, ...nodes]),
          ),
        ]),
    ...(rewrites === null
      ? []
      : [
          table(
            ['pass', 'rule', 'node'],
            rewrites.map(({ pass, rule, node }) => [pass, rule, node]),
          ),
        ]),
    ...(missing.length === 0 ? [] : [`${missing.length} unsupported: ${missing.map(({ op }) => op).join(', ')}`]),
    ...problems,
  ].join('\n')
}

function supportText(support: Inspection['operators'][number]['support'], nearest: string | undefined): string {
  if (support === 'kernel') return 'Wasm kernels'
  if (support === 'reference') return 'the host (no kernel yet)'
  return `nothing: unsupported${nearest === undefined ? '' : `, the nearest is ${nearest}`}`
}
