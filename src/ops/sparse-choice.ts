// SPDX-License-Identifier: Apache-2.0
/**
 * Which form of a sparse product runs. What is faster depends on host, shape and density, so where the host measures
 * (HostTraits.forms), both forms are timed, once per host, on made-up weights of the same density, before any real weight is packed;
 * else the file's own choice stands. A layer keeps its form whatever its shapes are later: its weights are packed once.
 */
import type { FormChoice, Trial } from '../ir/lowering.ts'
import { seededRandom } from '../base/rng.ts'
import { noEpilogue } from './epilogue.ts'
import type { Emitter, FamilyName, SparseShape } from './lower-sparse.ts'
import { families, recipeOf, side } from './lower-sparse.ts'
import type { HostTraits, Ref, StepSpec } from './lower.ts'

/** Multiply-adds of a dense trial: some hundred microseconds. */
const trialWork = 16 * 1024 * 1024
/** Rows of a trial: multiples of what both forms take at a time. */
const trialRows = 96

/** The forms, the file's own first. */
export const formNames = ['sparse', 'dense'] as const
export type FormName = (typeof formNames)[number]

/**
 * The form of `layer`.
 * @param inFile what the file says
 */
export function chooseForm(
  host: HostTraits,
  layer: string,
  family: FamilyName,
  shape: SparseShape,
  inFile: FormName,
): FormChoice {
  const key = [family, recipeOf(shape, host).gemm, sizes(shape).join('x'), shape.count].join(' ')
  const told = host.forms?.measure(layer, key, formNames, () => trialsOf(family, trialShape(shape), host))
  if (!told) return { form: inFile, reason: 'the file says so', times: null }
  const { times, earlier } = told
  const form = times.dense < times.sparse ? 'dense' : 'sparse'
  const when = earlier === undefined ? 'for this session' : earlier.slice(0, 10)
  return { form, reason: `it was the faster one, measured ${when} on this host`, ...told }
}

function sizes({ m, k, n }: SparseShape): number[] {
  return [m, k, n]
}

/** The same with fewer rows where there is much to do. */
function trialShape(shape: SparseShape): SparseShape {
  const { m, n, k } = shape
  const fitting = Math.floor(trialWork / (n * k) / trialRows) * trialRows
  return { ...shape, m: Math.min(m, Math.max(trialRows, fitting)) }
}

/** Both forms over buffers of their own. */
export function trialsOf(family: FamilyName, shape: SparseShape, host: HostTraits): Record<FormName, Trial> {
  const forms = families[family]
  const { m, n, k } = shape
  const make = (
    weights: (buffer: (bytes: number, content?: Int32Array) => Ref) => (emit: Emitter, o: Operands) => void,
  ) => {
    const buffers = new Map<string, { bytes: number; content?: Uint8Array }>()
    const steps: StepSpec[] = []
    const buffer = (bytes: number, content?: Int32Array): Ref => {
      const id = `buffer ${buffers.size}`
      const filled = content && { content: new Uint8Array(content.buffer, content.byteOffset, content.byteLength) }
      buffers.set(id, { bytes, ...filled })
      return { id, offset: 0 }
    }
    const emit: Emitter = {
      host,
      scratch: (bytes) => buffer(bytes),
      threadScratch: (bytes) => buffer(bytes * host.threads),
      step: (step) => void steps.push(step as StepSpec),
    }
    const operands = { x: buffer(m * k * 4), y: buffer(m * n * 4), wScale: buffer(n * 4), epilogue: noEpilogue }
    weights(buffer)(emit, operands)
    return { steps, buffers }
  }
  return {
    sparse: make((buffer) => {
      const { depths, starts } = madeUpPlaces(family, shape, forms.depthStep(shape, host))
      const values = forms.values(shape, host)?.layout.bytes ?? shape.count * forms.size * 4
      const weights = {
        values: buffer(values),
        depths: buffer(depths.byteLength, depths),
        starts: buffer(starts.byteLength, starts),
      }
      return (emit, operands) => forms.sparse(emit, shape, operands, weights)
    }),
    dense: make((buffer) => {
      const b = buffer(forms.spread(shape, host).layout.bytes)
      return (emit, operands) => forms.dense(emit, shape, operands, b)
    }),
  }
}

interface Operands {
  readonly x: Ref
  readonly y: Ref
  readonly wScale: Ref
  readonly epilogue: typeof noEpilogue
}

/** Places of `count` values or blocks in steps of `step`, about as many in each list, ascending. */
function madeUpPlaces(family: FamilyName, { n, k, count }: SparseShape, step: number) {
  const lists = family === 'byteBlocks' ? Math.ceil(n / side) : n
  const size = family === 'byteBlocks' ? Math.ceil(k / side) : k
  const random = seededRandom(lists + size)
  const starts = new Int32Array(lists + 1)
  const depths = new Int32Array(count)
  const share = count / lists / size
  let filled = 0
  for (let list = 0; list < lists; list++) {
    for (let depth = 0; depth < size && filled < count; depth++) if (random() < share) depths[filled++] = depth * step
    starts[list + 1] = filled
  }
  return { depths, starts }
}
