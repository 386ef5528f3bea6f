// SPDX-License-Identifier: Apache-2.0
/**
 * What the compiler made of the kernels: everything that belongs into a loop is in it. Read off the builds' bytes, so
 * that all four are held against it on any runtime.
 */
import { describe, expect, test } from 'vitest'
import { kernelNames } from '../../src/kernels/table.ts'
import { buildBytes, buildNames } from '../contract/kernel.ts'
import { type WasmFunction, functionsOf } from '../support/wasm-code.ts'
import { summarizeWasm } from '../support/wasm-sections.ts'

/**
 * Functions without a loop of their own that loops may call, by their parameters: what is too long to be in each loop,
 * and is met once a row or is most of the work itself. Kernels that may reach them; all where left out.
 */
const allowed: Readonly<Record<string, { readonly what: string; readonly from?: readonly string[] }>> = {
  'i32 v128 v128 i32': { what: 'the last columns of a tile' },
  v128: { what: 'a logarithm a row', from: ['reduce_log_sum_exp_f32', 'log_softmax_f32'] },
  'v128 v128': { what: 'a power', from: ['binary_pow_f32'] },
}

/** Section numbers: globals, start, elements, data count, data. */
const unwanted = [6, 8, 9, 11, 12]

const mayBeCalled = (kernel: string, { parameters }: WasmFunction): boolean =>
  parameters in allowed && (allowed[parameters]!.from ?? [kernel]).includes(kernel)

for (const build of buildNames) {
  describe(`build ${build}`, () => {
    const bytes = buildBytes(build)
    const functions = functionsOf(bytes)
    const { exports, sections } = summarizeWasm(bytes)
    const kernels = exports.filter(({ name }) => (kernelNames as readonly string[]).includes(name))

    /** The function and all it calls. */
    const reached = (index: number): Set<number> => {
      const found = new Set([index])
      for (const one of found) for (const { callee } of functions[one]!.calls) found.add(callee)
      return found
    }

    test('has every kernel of the table, and no data, globals, tables of functions or code that runs at the start', () => {
      expect(kernels.map(({ name }) => name).sort()).toEqual([...kernelNames].sort())
      expect(unwanted.filter((id) => sections.has(id))).toEqual([])
      expect(functions.filter(({ globals, indirect }) => globals + indirect > 0)).toEqual([])
    })

    test('a loop of a kernel calls only what has a loop in it: innermost loops call nothing', () => {
      const hasLoop = (index: number): boolean => [...reached(index)].some((one) => functions[one]!.loops > 0)
      const wrong = kernels.flatMap(({ name, index }) =>
        [...reached(index!)].flatMap((caller) =>
          functions[caller]!.calls
            .filter(({ depth, callee }) => depth > 0 && !hasLoop(callee))
            .map(({ callee }) => functions[callee]!)
            .filter((callee) => !mayBeCalled(name, callee))
            .map(({ parameters }) => `${name}: function ${caller} calls (${parameters}) in a loop`),
        ),
      )
      expect([...new Set(wrong)]).toEqual([])
    })

    test('kernels do not call themselves, allocate nothing, and call nothing of the host', () => {
      const callees = (index: number): number[] => functions[index]!.calls.map(({ callee }) => callee)
      const all = [...new Set(kernels.flatMap(({ index }) => [...reached(index!)]))]
      expect(all.filter((index) => callees(index).some((callee) => reached(callee).has(index)))).toEqual([])
      expect(all.filter((index) => functions[index]!.grows > 0)).toEqual([])
      expect(summarizeWasm(bytes).importCount).toBe(1)
    })
  })
}
