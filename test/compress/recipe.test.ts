// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { type Recipe, presets, resolveRecipe } from '../../src/compress/recipe.ts'

describe('resolveRecipe', () => {
  test('says of every field what it may be', () => {
    for (const field of Object.keys(resolveRecipe({}))) {
      const wrong = { [field]: Symbol('none') } as unknown as Recipe
      expect(() => resolveRecipe(wrong)).toThrow(new RegExp(`^recipe\\.${field}: expected (?!one of name)`))
    }
  })

  test('fills in every default, and is content with its own result', () => {
    for (const name of Object.keys(presets)) {
      const full = resolveRecipe(name)
      expect(full.name).toBe(name)
      expect(resolveRecipe(full)).toEqual(full)
    }
    expect(resolveRecipe({})).toMatchObject({ name: 'custom', weights: 'float32', exclude: [], disablePasses: [] })
  })

  test.each<[string, unknown, RegExp]>([
    ['a preset that is none', 'int9', /^recipe: expected one of float32, int8, .*got "int9"$/],
    ['a name that every object has', 'toString', /^recipe: .*got "toString"$/],
    [
      'a field it does not know',
      { wieghts: 'int8' },
      /^recipe\.wieghts: expected one of name, weights, .*, got an unknown field; leave it out, or write weights$/,
    ],
    ['one that is like no other', { xyzzy: 1 }, /^recipe\.xyzzy: expected one of name, .*; leave it out$/],
    [
      'a field it does not know in another',
      { sparse: { kind: 'block', sparsity: 0.5, kinds: 1 } },
      /^recipe\.sparse\.kinds: expected one of kind, sparsity, got an unknown field; leave it out, or write kind$/,
    ],
    [
      'a field that is missing',
      { sparse: { sparsity: 0.5 } },
      /^recipe\.sparse\.kind: expected one of "unstructured", "block", got undefined$/,
    ],
    ['a share that is too large', { sparse: { kind: 'block', sparsity: 1 } }, /sparsity: expected a number .*, got 1$/],
    ['a wrong choice', { weights: 'int9' }, /^recipe\.weights: expected one of .*"int8".*, got "int9"$/],
    ['a wrong kind', { minElements: -1 }, /^recipe\.minElements: expected a whole number from 0 on, got -1$/],
    ['a wrong kind inside a list', { exclude: ['a', 7] }, /^recipe\.exclude\.1: expected the name of .*, got 7$/],
    [
      'a pass that is none',
      { disablePasses: ['fuse'] },
      /^recipe\.disablePasses\.0: expected one of .*"fuse-epilogue"/,
    ],
    ['no recipe', null, /^recipe: expected one of float32, .* or an object of which .*weights.* are fields, got null$/],
    ['a list', [], /^recipe: expected .*, got an array of 0$/],
    ['one scale an output of int4', { weights: 'int4', block: 'channel' }, /^recipe\.block: .*"int4", got "channel"; /],
    [
      'zeros in int4',
      { weights: 'int4', sparse: { kind: 'block', sparsity: 0.5 } },
      /^recipe\.sparse: expected null with weights "int4", got zeros of kind "block"; leave sparse out, or /,
    ],
  ])('names %s', (_, recipe, message) => {
    expect(() => resolveRecipe(recipe as Recipe)).toThrow(InputError)
    expect(() => resolveRecipe(recipe as Recipe)).toThrow(message)
  })
})
