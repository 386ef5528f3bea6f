// SPDX-License-Identifier: Apache-2.0
/**
 * What lowerings are told of the host where it may be measured: where it leaves a choice for weights that the model has,
 * loops are timed, once per host (measurements.ts). Sessions in pages, and those that are to be the same on all hosts of a kind, go by
 * what is usual (kernels/select.ts) and never come here.
 */
import type { Graph } from '../ir/graph.ts'
import type { HostTraits } from '../ir/lowering.ts'
import type { Form } from '../kernels/row.ts'
import { type Figures, type Problem, byteForm, candidates, select } from '../kernels/select.ts'
import { createMemory } from './address.ts'
import { calibrate } from './calibrate.ts'
import { instantiateKernels } from './instance.ts'
import { Measurements } from './measurements.ts'
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

/**
 * The `usual` traits, but for what is measured because there is a choice for the model's weights.
 * @param measurements kept for the session alone where left out
 */
export function hostTraits(
  kernels: KernelModule,
  graph: Pick<Graph, 'constants'>,
  usual: HostTraits,
  measurements: Measurements = new Measurements(),
): HostTraits {
  const forms = openForms(graph, kernels)
  if (forms.length === 0) return usual
  const figures = figuresOf(kernels, forms, measurements)
  const s4 = select({ family: 'gemm', weights: 's4 blocks' }, kernels.relaxed, figures)
  return { ...usual, int8: byteForm('s8', kernels.relaxed, figures), int4: s4.form === 'short' ? s4.form : undefined }
}

/** Figures of an earlier session, else new ones; those of which rounds did not agree are not kept. */
function figuresOf({ module, shared }: KernelModule, forms: readonly Form[], measurements: Measurements): Figures {
  const what = `products ${forms.join(' ')}`
  const known = measurements.find(what, forms)
  if (known) return known.figures
  const exports = instantiateKernels(module, createMemory(shared, 0))
  const figures = calibrate(exports as unknown as Parameters<typeof calibrate>[0], forms)
  if (Object.keys(figures).length > 0) measurements.note(what, figures as Readonly<Record<string, number>>)
  return figures
}
