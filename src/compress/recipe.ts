// SPDX-License-Identifier: Apache-2.0
/**
 * A recipe: a compression as plain data. It is what the caller writes, what the report shows and what the model file
 * keeps, so that a result can be made again. Presets are recipes with a name; adding one is a row.
 */
import * as v from 'valibot'
import { InputError } from '../base/errors.ts'
import { passNames } from '../passes/pipeline.ts'

/** Element types weights can be stored in. */
export const weightTypes = ['float32', 'int8', 'int4'] as const
export type WeightType = (typeof weightTypes)[number]

const recipeSchema = v.strictObject({
  /** Shown in reports; a preset's own name where it came from one. */
  name: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(200)), 'custom'),
  /**
   * What the weights of convolutions, matrix products, recurrent layers and embeddings become. int4 is for matrix products;
   * the others take int8 then.
   */
  weights: v.optional(v.picklist(weightTypes), 'float32'),
  /**
   * Weights along K that share a scale. 'channel': one scale per output channel; 'auto': that, and blocks of 32 for
   * matrix products whose int8 weights would be stored with less than 42.5 dB. int4 always has blocks, of 32 by itself.
   */
  block: v.optional(v.picklist(['auto', 'channel', 32, 64, 128]), 'auto'),
  /**
   * Whether int8 codes of products and convolutions, sparse ones too, are such that the byte dot of x86 before AVX-VNNI
   * is exact: 1.1 to 1.4 times as fast there. False saves 0.3 to 2 dB of what weights are stored with (see quantize-weights.ts).
   */
  narrow: v.optional(v.boolean(), true),
  /**
   * 'compensated': what rounding a weight changes is made up for by the weights beside it, for inputs as calibration tells
   * them, or made-up ones (compensation.ts); the model runs on those. 'nearest': to the nearest, so that the errors of a
   * kernel sum to nothing.
   */
  rounding: v.optional(v.picklist(['compensated', 'nearest']), 'compensated'),
  /** Divide the input channels of layers where they differ much in size, by the same inputs (equalize.ts). */
  equalize: v.optional(v.boolean(), true),
  /**
   * Zeros in matrix products: 'unstructured' keeps single weights by magnitude, in float32 or, with other `weights`, in
   * int8; 'block' keeps int8 blocks of 8 x 8 by norm. `sparsity` is the share that goes.
   */
  sparse: v.optional(
    v.nullable(
      v.strictObject({
        kind: v.picklist(['unstructured', 'block']),
        sparsity: v.pipe(v.number(), v.minValue(0), v.maxValue(0.999)),
      }),
    ),
    null,
  ),
  /** Weights with fewer elements stay as they are: they cost nothing and hurt most. */
  minElements: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 64),
  /** Keep small layers of few weights per output channel in float32 (see quantize-graph.ts). */
  keepShallow: v.optional(v.boolean(), true),
  /** Names of nodes (or of their weights) left in float32. */
  exclude: v.optional(v.array(v.string()), []),
  /** Passes switched off, by name. */
  disablePasses: v.optional(v.array(v.picklist(passNames())), []),
})

export type Recipe = v.InferInput<typeof recipeSchema>
/** A recipe with every default filled in. */
export type FullRecipe = v.InferOutput<typeof recipeSchema>

/** Recipes by name. */
export const presets: Readonly<Record<string, Recipe>> = {
  /** The optimised graph, weights untouched. */
  float32: { name: 'float32', weights: 'float32' },
  /** Symmetric int8 weights per output channel, or row of an embedding; activations quantised on the fly at run time. */
  int8: { name: 'int8', weights: 'int8' },
  /** 4-bit weights of matrix products, symmetric, a scale per block of 32; int8 for all others. */
  int4: { name: 'int4', weights: 'int4', block: 32 },
  /** Float32 with nine of ten weights of each matrix product gone; as it is, without training again. */
  'sparse-90': { name: 'sparse-90', weights: 'float32', sparse: { kind: 'unstructured', sparsity: 0.9 } },
  /** Int8 with three of four blocks of each matrix product gone. */
  'sparse-block-75': { name: 'sparse-block-75', weights: 'int8', sparse: { kind: 'block', sparsity: 0.75 } },
}

/** The full recipe behind a preset's name or a plain object. @throws InputError naming the field that is wrong */
export function resolveRecipe(recipe: string | Recipe): FullRecipe {
  if (typeof recipe === 'string' && !Object.hasOwn(presets, recipe)) {
    throw new InputError({
      where: 'recipe',
      expected: `one of ${Object.keys(presets).join(', ')}, or a plain object`,
      got: JSON.stringify(recipe),
    })
  }
  const result = v.safeParse(recipeSchema, typeof recipe === 'string' ? presets[recipe] : recipe)
  if (result.success) return result.output
  const issue = result.issues[0]
  const path = v.getDotPath(issue)
  throw new InputError({
    where: path === null ? 'recipe' : `recipe.${path}`,
    expected: issue.expected ?? issue.message,
    got: issue.received,
  })
}
