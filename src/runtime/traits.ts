// SPDX-License-Identifier: Apache-2.0
/**
 * What lowerings are told of the host where it may be measured: where it leaves a choice for weights that the model has,
 * loops are timed, once a session. Sessions in pages, and those that are to be the same on all hosts of a kind, go by
 * what is usual (kernels/select.ts) and never come here.
 */
import type { Graph } from '../ir/graph.ts'
import type { HostTraits } from '../ir/lowering.ts'
import type { Form } from '../kernels/row.ts'
import { type Problem, byteForm, candidates, select } from '../kernels/select.ts'
import { createMemory } from './address.ts'
import { calibrate } from './calibrate.ts'
import { instantiateKernels } from './instance.ts'
import type { KernelModule } from './module.ts'

/** Kinds of weights by the type of a constant: bytes without a sign hold the 4-bit weights of MatMulNBits. */
const weightsByType: Readonly<Record<string, Problem['weights']>> = {
  int8: 's8',
  int4: 's4 blocks',
  uint4: 's4 blocks',
  uint8: 's4 blocks',
}

/** The forms that a host can choose from for the weights of a model; empty where there is no choice. */
export function openForms({ constants }: Pick<Graph, 'constants'>, { relaxed }: Pick<KernelModule, 'relaxed'>): Form[] {
  const kinds = new Set(
    [...constants.values()].map(({ dtype }) => weightsByType[dtype]).filter((one) => one !== undefined),
  )
  const fields = [...kinds].map((weights) => candidates({ family: 'gemm', weights }, relaxed))
  return [...new Set(fields.filter((all) => all.length > 1).flatMap((all) => all.map(({ form }) => form)))]
}

/** The `usual` traits, but for what is measured because there is a choice for the model's weights. */
export function hostTraits(kernels: KernelModule, graph: Pick<Graph, 'constants'>, usual: HostTraits): HostTraits {
  const forms = openForms(graph, kernels)
  if (forms.length === 0) return usual
  const exports = instantiateKernels(kernels.module, createMemory(kernels.shared, 0))
  const figures = calibrate(exports as unknown as Parameters<typeof calibrate>[0], forms)
  const s4 = select({ family: 'gemm', weights: 's4 blocks' }, kernels.relaxed, figures)
  return { ...usual, int8: byteForm('s8', kernels.relaxed, figures), int4: s4.form === 'short' ? s4.form : undefined }
}
