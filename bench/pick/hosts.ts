// SPDX-License-Identifier: Apache-2.0
/** What lowerings are told of this host: as a session tells them, and of the other forms that are exact here. */
import type { HostTraits } from '../../src/ir/lowering.ts'
import type { Form } from '../../src/kernels/row.ts'
import { type Problem, candidates } from '../../src/kernels/select.ts'
import { type KernelModule, Modules } from '../../src/runtime/module.ts'
import { hostTraits } from '../../src/runtime/traits.ts'
import { FormTrials } from '../../src/runtime/trials.ts'
import type { Dtype } from '../../src/tensor/dtype.ts'

/** The build that a session on one thread has, of those in `bytes` that this host accepts. */
export async function kernelsOf(bytes: Readonly<Record<string, Uint8Array<ArrayBuffer>>>): Promise<KernelModule> {
  const compiled = Object.entries(bytes)
    .filter(([, build]) => WebAssembly.validate(build))
    .map(async ([name, build]) => [name, await WebAssembly.compile(build)] as const)
  return new Modules(Object.fromEntries(await Promise.all(compiled))).choose('auto', false)
}

/** The traits of a session of its own whose model has constants of these types: measured where it measures. */
export function sessionTraits(kernels: KernelModule, types: readonly Dtype[]): HostTraits {
  const { int8, int4, narrow } = kernels
  const constants = new Map(types.map((dtype, i) => [`${i}`, { dtype, dims: [] }]))
  return hostTraits(kernels, { constants }, { int8, int4, narrow, threads: 1, forms: new FormTrials(kernels) })
}

/** The same with every form of `weights` that is exact on the host and is not the session's own. */
export function otherTraits(kernels: KernelModule, weights: Problem['weights'], own: HostTraits): HostTraits[] {
  const forms = candidates({ family: 'gemm', weights }, kernels.relaxed).map(({ form }) => form)
  const rivals = forms.map((form) => withForm(form, kernels, own))
  const asOthers = own.narrow && weights.startsWith('s8') ? [{ ...own, narrow: false }] : []
  return rivals
    .filter(({ int8, int4 }) => (weights === 's4 blocks' && int4 !== own.int4) || (!int4 && int8 !== own.int8))
    .concat(asOthers)
}

function withForm(form: Form, { relaxed }: KernelModule, own: HostTraits): HostTraits {
  if (form === 'short') return { ...own, int4: form }
  if (form === 'pairs') return { ...own, int8: form, int4: undefined }
  if (form === 'dot') return { ...own, int8: relaxed === 'sdot' ? 's8' : 'u8', int4: undefined }
  return own
}
