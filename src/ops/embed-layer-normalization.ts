// SPDX-License-Identifier: Apache-2.0
/**
 * com.microsoft.EmbedLayerNormalization: rows of up to three embeddings - words, places, segments - added and normalised.
 * Inputs: input_ids [B, S], segment_ids [B, S], word_embedding [V, K], position_embedding [P, K], segment_embedding
 * [T, K], gamma and beta [K], mask [B, S], position_ids [B or 1, S]; where these are left out places count from 0. Outputs:
 * the rows [B, S, K]; how many elements of each sequence's mask are 1, int32 [B], or zeros; the rows before they are
 * normalised. spell-out-fused makes Gather, Add and LayerNormalization of it.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.EmbedLayerNormalization
 */
import { isKnown } from '../ir/dim.ts'
import { Tensor } from '../tensor/tensor.ts'
import { checkOperand, checkPair } from './contrib-attention.ts'
import { checkVector } from './conv-types.ts'
import { type OpContext, type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { indexFromFront, integersOf } from './elements.ts'
import { complaint, needed, printDims } from './infer.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

function inferEmbedding(inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  const ids = needed(context, inputs[0], 'input_ids')
  const [words, places] = [
    needed(context, inputs[2], 'word_embedding'),
    needed(context, inputs[3], 'position_embedding'),
  ]
  const { dtype } = words
  if (ids.dtype !== 'int32' && ids.dtype !== 'int64')
    throw complaint(context, 'input_ids of type int32 or int64', ids.dtype)
  checkOperand(context, 'input_ids', ids, ids.dtype, [null, null])
  const dims = ids.dims ?? [null, null]
  checkPair(context, 'segment_ids and segment_embedding', inputs[1], inputs[4])
  checkOperand(context, 'segment_ids', inputs[1], ids.dtype, dims)
  checkOperand(context, 'word_embedding', words, dtype, [null, null])
  const channels = words.dims?.[1] ?? null
  checkOperand(context, 'position_embedding', places, dtype, [null, channels])
  checkOperand(context, 'segment_embedding', inputs[4], dtype, [null, channels])
  for (const [i, name] of ['gamma', 'beta'].entries()) {
    checkOperand(context, name, needed(context, inputs[5 + i], name), dtype)
    if (channels !== null) checkVector(context, name, inputs[5 + i], channels)
  }
  checkOperand(context, 'mask', inputs[7], 'int32', dims)
  checkOperand(context, 'position_ids', inputs[8], ids.dtype, [dims[0] === null ? null : [dims[0], 1], dims[1]])
  const [length, rows] = [dims[1], places.dims?.[0]]
  if (!inputs[8] && length !== null && rows !== undefined && isKnown(length) && isKnown(rows) && length > rows)
    throw complaint(context, `at most ${rows} places`, printDims(ids.dims))
  const y = { dtype, dims: ids.dims === null || channels === null ? null : [...ids.dims, channels] }
  return [y, { dtype: 'int32', dims: ids.dims === null ? null : [ids.dims[0]] }, y]
}

export const ops = defineOps({
  'com.microsoft.EmbedLayerNormalization': {
    inputs: [7, 9],
    outputs: [1, 3],
    attributes: { epsilon: { kind: 'float', default: 1e-12 }, mask_index_type: { kind: 'int', default: 0 } },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: inferEmbedding,
  },
})

export const references = {
  'com.microsoft.EmbedLayerNormalization'(inputs, { epsilon }, { outputs }) {
    const [ids, segments, words, places, kinds, gamma, beta, mask, given] = inputs
    const [batch, sequence] = ids!.dims
    const channels = words!.dims[1]
    const [scale, shift] = [numbersOf(gamma!), numbersOf(beta!)]
    const rowsOf = (table: Tensor, indices: (row: number) => number): ((row: number, c: number) => number) => {
      const values = numbersOf(table)
      return (row, c) => values[indexFromFront(indices(row), table.dims[0]) * channels + c]
    }
    const at = (tensor: Tensor): ((row: number) => number) => {
      const values = integersOf(tensor)
      return (row) => values[row % values.length]
    }
    const tables = [
      rowsOf(words!, at(ids!)),
      rowsOf(places!, given ? at(given) : (row) => row % sequence),
      ...(segments ? [rowsOf(kinds!, at(segments))] : []),
    ]
    const sums = new Float64Array(batch * sequence * channels)
    const y = new Float64Array(sums.length)
    for (let row = 0; row < batch * sequence; row++) {
      const own = sums.subarray(row * channels, (row + 1) * channels)
      for (let c = 0; c < channels; c++) own[c] = tables.reduce((sum, table) => sum + table(row, c), 0)
      const mean = own.reduce((a, b) => a + b, 0) / channels
      const variance = own.reduce((a, b) => a + (b - mean) ** 2, 0) / channels
      const inverse = 1 / Math.sqrt(variance + (epsilon as number))
      own.forEach((v, c) => (y[row * channels + c] = (v - mean) * inverse * scale[c] + shift[c]))
    }
    const open = mask ? integersOf(mask) : []
    const counts = Array.from(
      { length: batch },
      (_, b) => open.slice(b * sequence, (b + 1) * sequence).filter((value) => value === 1).length,
    )
    const dims = [batch, sequence, channels]
    return [
      tensorOf(words!.type, y, dims),
      new Tensor('int32', counts, [batch]),
      tensorOf(words!.type, sums, dims),
    ].slice(0, outputs)
  },
} satisfies Record<string, Reference>

export const samples = {
  'com.microsoft.EmbedLayerNormalization': (random): Sample[] => {
    const ids = (dims: readonly number[], most: number): Tensor => integers(random, dims, 0, most)
    const table = (rows: number): Tensor => floats(random, [rows, 8])
    const affine = [floats(random, [8]), floats(random, [8])]
    return [
      { inputs: [ids([2, 5], 9), ids([2, 5], 1), table(10), table(6), table(2), ...affine], outputs: 2 },
      { inputs: [ids([2, 5], 9), null, table(10), table(5), null, ...affine, ids([2, 5], 1)], outputs: 3 },
      {
        inputs: [
          ids([2, 5], 9),
          ids([2, 5], 1),
          table(10),
          table(7),
          table(2),
          ...affine,
          ids([2, 5], 1),
          ids([2, 5], 6),
        ],
        outputs: 2,
        attributes: { epsilon: 0.001 },
      },
      { inputs: [ids([2, 3], 9), null, table(10), table(7), null, ...affine, null, ids([1, 3], 6)], outputs: 2 },
    ]
  },
} satisfies Record<string, Samples>
