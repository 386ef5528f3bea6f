// SPDX-License-Identifier: Apache-2.0
/**
 * A recipe: a compression as plain data. It is what the caller writes, what the report shows and what the model file
 * keeps, so that a result can be made again. Presets are recipes with a name; adding one is a row.
 */
import * as v from 'valibot'
import { describe } from '../base/check.ts'
import { InputError } from '../base/errors.ts'
import { nearestName } from '../ir/nearest.ts'
import { passNames } from '../passes/pipeline.ts'

/** Element types weights can be stored in. */
export const weightTypes = ['float32', 'int8', 'int4'] as const
export type WeightType = (typeof weightTypes)[number]
const blocks = ['auto', 'channel', 32, 64, 128] as const
const roundings = ['compensated', 'nearest'] as const
const sparseKinds = ['unstructured', 'block'] as const

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
   * matrix products whose int8 weights would be stored with less than 42.5 dB, or are too deep for one. int4 always has blocks, of 32 by itself.
   */
  block: v.optional(v.picklist(blocks), 'auto'),
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
  rounding: v.optional(v.picklist(roundings), 'compensated'),
  /** Divide the input channels of layers where they differ much in size, by the same inputs (equalize.ts). */
  equalize: v.optional(v.boolean(), true),
  /**
   * Zeros in matrix products, not with int4: 'unstructured' keeps single weights by magnitude, in the type of `weights`;
   * 'block' keeps int8 blocks of 8 x 8 by norm. `sparsity` is the share that goes.
   */
  sparse: v.optional(
    v.nullable(
      v.strictObject({
        kind: v.picklist(sparseKinds),
        sparsity: v.pipe(v.number(), v.minValue(0), v.maxValue(0.999)),
      }),
    ),
    null,
  ),
  /** Weights with fewer elements stay as they are: they cost nothing and hurt most. */
  minElements: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 64),
  /** Keep small layers of few weights per output channel in float32 (see quantize-graph.ts). */
  keepShallow: v.optional(v.boolean(), true),
  /**
   * Names of nodes (or of their weights) left in float32, as the model or the report has them: with `w` goes what passes made
   * of it, `w/…`. `compress` complains of those that no layer has.
   */
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

/** Whether an exclusion means the node or weight `name`: it is called so, or is what passes made of it (`…/…`, `…~1`). */
export function isMeant(exclusion: string, name: string): boolean {
  return exclusion !== '' && name.startsWith(exclusion) && ['', '/', '~'].includes(name.charAt(exclusion.length))
}

const oneOf = (choices: readonly (string | number)[]): string => `one of ${choices.map(describe).join(', ')}`

/** What each field may be, for messages; an item of a list is '*'. */
const expectations: Readonly<Record<keyof FullRecipe | `${keyof FullRecipe}.${string}`, string>> = {
  name: 'a text of 1 to 200 characters',
  weights: oneOf(weightTypes),
  block: oneOf(blocks),
  narrow: 'true or false',
  rounding: oneOf(roundings),
  equalize: 'true or false',
  sparse: 'null, or an object with kind and sparsity',
  'sparse.kind': oneOf(sparseKinds),
  'sparse.sparsity': 'a number from 0 to 0.999',
  minElements: 'a whole number from 0 on',
  keepShallow: 'true or false',
  exclude: 'an array of names of nodes or weights',
  'exclude.*': 'the name of a node or of a weight',
  disablePasses: 'an array of names of passes',
  'disablePasses.*': oneOf(passNames()),
}

/** The fields of the recipe, or of the one in front of `prefix`'s dot. */
function fieldsOf(prefix: string): string[] {
  const paths = Object.keys(expectations).filter((path) => path.startsWith(prefix))
  return paths.map((path) => path.slice(prefix.length)).filter((field) => !field.includes('.'))
}

/** The full recipe behind a preset's name or a plain object. @throws InputError naming the field that is wrong */
export function resolveRecipe(recipe: string | Recipe): FullRecipe {
  const isPreset = typeof recipe === 'string' && Object.hasOwn(presets, recipe)
  if (!isPreset && (typeof recipe !== 'object' || recipe === null || Array.isArray(recipe))) {
    throw new InputError({
      where: 'recipe',
      expected: `one of ${Object.keys(presets).join(', ')}, or an object of which ${fieldsOf('').join(', ')} are fields`,
      got: describe(recipe),
    })
  }
  const result = v.safeParse(recipeSchema, isPreset ? presets[recipe] : recipe)
  if (!result.success) throw complaintOf(result.issues[0])
  checkTogether(result.output)
  return result.output
}

function complaintOf(issue: v.BaseIssue<unknown>): InputError {
  const path = v.getDotPath(issue)!
  const where = `recipe.${path}`
  const general = path.replace(/\.\d+$/, '.*')
  if (Object.hasOwn(expectations, general)) {
    const expected = expectations[general as keyof typeof expectations]
    return new InputError({ where, expected, got: describe(issue.input) })
  }
  const prefix = path.slice(0, path.lastIndexOf('.') + 1)
  const fields = fieldsOf(prefix)
  const near = nearestName(path.slice(prefix.length), fields)
  const todo = near === undefined ? 'leave it out' : `leave it out, or write ${near}`
  return new InputError({ where, expected: `one of ${fields.join(', ')}`, got: 'an unknown field', todo })
}

/** Fields that are right by themselves and contradict each other. @throws InputError */
function checkTogether({ weights, block, sparse }: FullRecipe): void {
  if (weights !== 'int4') return
  if (block === 'channel') {
    throw new InputError({
      where: 'recipe.block',
      expected: `${oneOf(blocks.filter((one) => one !== 'channel'))} with weights "int4"`,
      got: describe(block),
      todo: 'leave block out, or take weights "int8"',
    })
  }
  if (sparse !== null) {
    throw new InputError({
      where: 'recipe.sparse',
      expected: 'null with weights "int4"',
      got: `zeros of kind ${describe(sparse.kind)}`,
      todo: 'leave sparse out, or take weights "int8"',
    })
  }
}
