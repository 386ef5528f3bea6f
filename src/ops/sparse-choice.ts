// SPDX-License-Identifier: Apache-2.0
/**
 * Which form of a sparse product runs. What is faster depends on host, shape and density, so where the host measures
 * (HostTraits.forms), both forms are timed, once per host, on made-up weights of the same density, before any real weight is packed;
 * else the file's own choice stands. Where rows differ from run to run, both are timed at the fewest rows and at many. One form
 * is packed and runs at all of them, unless each is far behind at some: then both are, and a run's rows decide.
 */
import type { FormChoice, FormTimes, FormTrial, Trial } from '../ir/lowering.ts'
import { seededRandom } from '../base/rng.ts'
import { noEpilogue } from './epilogue.ts'
import type { Emitter, FamilyName, SparseShape } from './lower-sparse.ts'
import { families, recipeOf, side, vectorRows } from './lower-sparse.ts'
import type { HostTraits, Ref, StepSpec } from './lower.ts'

/** Multiply-adds of a dense trial: some hundred microseconds; and where forms are timed at two numbers of rows, at most. */
const [trialWork, openWork] = [16 * 1024 * 1024, 128 * 1024 * 1024]
/** Rows of a trial where there are many: multiples of what both forms take at a time. */
const trialRows = 96

/** A form that takes at most so many times what the other one takes is not far behind: less than what two packed copies cost. */
const far = 1.25
/** And one that takes so many times is as fast: trials do not tell less apart. */
const tie = 1.03

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
  const shapes = rowsOf(shape, host.openRows?.get(layer)).map((rows): FormTrial => {
    const { k, n, count } = shape
    return {
      rows,
      key: [
        family,
        recipeOf(shape, host).gemm + (shape.narrow > 1 ? shape.narrow : ''),
        [rows, k, n].join('x'),
        count,
      ].join(' '),
      trials: () => trialsOf(family, { ...shape, m: rows }, host),
    }
  })
  const timed = host.forms?.measure(layer, formNames, shapes)
  if (!timed) return { form: inFile, reason: 'the file says so', timed: null, kept: [inFile] }
  const { form, why, kept } = pickForm(timed, shape.m)
  return { form, reason: `${why}, measured ${whenOf(timed)} on this host`, timed, kept }
}

/**
 * Rows of trials: fewer than there are where there is much to do, and two numbers of them where forms may change places.
 * @param least fewest rows, where they differ from run to run
 */
function rowsOf({ m, n, k }: SparseShape, least: number | undefined): number[] {
  const most = Math.max(trialRows, Math.floor(trialWork / (n * k) / trialRows) * trialRows)
  if (least === undefined) return [Math.min(m, most)]
  const fitting = Math.floor(openWork / (n * k) / vectorRows) * vectorRows
  const many = Math.max(vectorRows, Math.min(trialRows, Math.max(least, fitting)))
  return least < many / 2 ? [least, many] : [many]
}

/**
 * The form for `m` rows, and those to be packed.
 * @param timed at one number of rows, or at two in ascending order
 */
export function pickForm(
  timed: readonly FormTimes[],
  m: number,
): { readonly form: FormName; readonly why: string; readonly kept: readonly FormName[] } {
  const at = `at ${timed.map(({ rows }) => rows).join(' and ')} rows`
  const behind = ([own, other]: readonly FormName[]): number =>
    Math.max(...timed.map(({ times }) => times[own] / times[other]))
  const [sparse, dense] = [behind(formNames), behind([...formNames].reverse())]
  const alone = (form: FormName, why: string) => ({ form, why: `it was ${why} ${at}`, kept: [form] })
  if (sparse <= 1) return alone('sparse', 'the faster one')
  if (sparse <= tie) return alone('sparse', 'as fast and takes less memory')
  if (dense <= 1) return alone('dense', 'the faster one')
  if (Math.min(sparse, dense) <= far)
    return alone(sparse <= dense ? 'sparse' : 'dense', 'the one that fell behind less')
  const form = timeAt(m, 'dense', timed) < timeAt(m, 'sparse', timed) ? 'dense' : 'sparse'
  return {
    form,
    why: `both are packed, and it is the faster one at ${m} rows, by what they took ${at}`,
    kept: formNames,
  }
}

/** Milliseconds on the line through two times. */
function timeAt(m: number, form: FormName, [few, many]: readonly FormTimes[]): number {
  const slope = (many.times[form] - few.times[form]) / (many.rows - few.rows)
  return few.times[form] + slope * (m - few.rows)
}

/** When times were measured. */
function whenOf(timed: readonly FormTimes[]): string {
  return [...new Set(timed.map(({ earlier }) => earlier?.slice(0, 10) ?? 'for this session'))].join(' and ')
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
