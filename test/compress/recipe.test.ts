// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest'
import { InputError } from '../../src/base/errors.ts'
import { type Recipe, presets, resolveRecipe } from '../../src/compress/recipe.ts'

describe('resolveRecipe', () => {
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
    ['a field it does not know', { wieghts: 'int8' }, /^recipe\.wieghts: /],
    ['a wrong choice', { weights: 'int9' }, /^recipe\.weights: expected .*"int8".*, got "int9"$/],
    ['a wrong kind', { minElements: -1 }, /^recipe\.minElements: /],
    ['a wrong kind inside a list', { exclude: ['a', 7] }, /^recipe\.exclude\.1: /],
    ['no recipe', null, /^recipe: /],
  ])('names %s', (_, recipe, message) => {
    expect(() => resolveRecipe(recipe as Recipe)).toThrow(InputError)
    expect(() => resolveRecipe(recipe as Recipe)).toThrow(message)
  })
})
