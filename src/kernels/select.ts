// SPDX-License-Identifier: Apache-2.0
/**
 * Which kernel does a product: from what the rows of the table say they need, and from figures of the host. The choice
 * changes no result, since only rows that are exact on the host are candidates. Packed weights serve every shape, so it
 * is made by the host and the weights; the blocks are chosen by the shape (blocks.ts).
 */
import type { ByteDot, ByteForm, Form, KernelRow, ProductTraits } from './row.ts'
import type { KernelName } from './table.ts'
import { usualRows } from './usual.ts'

/** GMAC/s of the inner loops of forms; what is not known is left out. */
export type Figures = Readonly<Partial<Record<Form, number>>>

/** What is to be multiplied. */
export type Problem = Pick<ProductTraits, 'family' | 'weights'>

/** A row that does it. */
export interface Candidate {
  readonly kernel: KernelName
  readonly form: Form
}

/**
 * GMAC/s of the forms of byte products by host, where they are not measured: large GEMMs on one thread, Node 24 on a Xeon
 * with VNNI (docs/performance.md). Hosts that are left out have one form that is exact.
 */
const usual: Readonly<Partial<Record<ByteDot, Figures>>> = {
  vnni: { dot: 95, pairs: 39 },
  sdot: { dot: 95, pairs: 39 },
}

/** The rows that do it exactly on a host with this dot, as they stand in the table; rows of products are usual ones. */
export function candidates({ family, weights }: Problem, dot: ByteDot): Candidate[] {
  return Object.entries<KernelRow>(usualRows).flatMap(([kernel, { product }]) => {
    if (product?.family !== family || product.weights !== weights) return []
    return !product.dots || product.dots.includes(dot) ? [{ kernel: kernel as KernelName, form: product.form }] : []
  })
}

/** The fastest of them: by the figures where all of their forms have one, else by what is usual. */
export function select(problem: Problem, dot: ByteDot, figures: Figures = {}): Candidate {
  const all = candidates(problem, dot)
  const known = all.every(({ form }) => figures[form]) ? figures : (usual[dot] ?? {})
  const rate = ({ form }: Candidate): number => known[form] ?? 0
  return all.reduce((best, one) => (rate(one) > rate(best) ? one : best))
}

/** Whether a host multiplies narrow weights in another way than others. */
export function hasNarrow(dot: ByteDot): boolean {
  return dot === 'pmaddubsw'
}

/** How a host multiplies bytes by these weights. */
export function byteForm(weights: ProductTraits['weights'], dot: ByteDot, figures?: Figures): ByteForm {
  const { form } = select({ family: 'gemm', weights }, dot, figures)
  if (form === 'pairs') return form
  return dot === 'sdot' ? 's8' : 'u8'
}
