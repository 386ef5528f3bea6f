// SPDX-License-Identifier: Apache-2.0
/**
 * Timings in the trace event format that Chrome's trace viewer (chrome://tracing, ui.perfetto.dev) opens: "Trace Event
 * Format", Google, sections "JSON Object Format", "Complete Events" and "Metadata Events". Times become microseconds from
 * the first event on. Events of one track either follow each other or lie inside each other.
 */

/** Something that took time, in milliseconds of any clock that all spans share. */
export interface Span {
  readonly name: string
  readonly category: string
  readonly start: number
  readonly time: number
  /** Shown beside the event. */
  readonly details?: Readonly<Record<string, string | number | null>>
}

/** A row of the viewer. */
export interface Track {
  /** Tracks of one process stand together. */
  readonly process: string
  readonly name: string
  readonly spans: readonly Span[]
}

interface MetadataEvent {
  readonly ph: 'M'
  readonly name: 'process_name' | 'thread_name'
  readonly pid: number
  readonly tid: number
  readonly args: { readonly name: string }
}

interface CompleteEvent {
  readonly ph: 'X'
  readonly name: string
  readonly cat: string
  readonly pid: number
  readonly tid: number
  /** Microseconds. */
  readonly ts: number
  readonly dur: number
  readonly args: Readonly<Record<string, string | number | null>>
}

/** The content of a trace file, to be written as JSON. */
export interface Trace {
  readonly traceEvents: readonly (MetadataEvent | CompleteEvent)[]
  readonly displayTimeUnit: 'ms'
  readonly otherData: Readonly<Record<string, string>>
}

/** Lays tracks out. `about` says what was traced. */
export function traceOf(tracks: readonly Track[], about: Readonly<Record<string, string>> = {}): Trace {
  const processes = [...new Set(tracks.map(({ process }) => process))]
  const origin = tracks.flatMap(({ spans }) => spans).reduce((least, { start }) => Math.min(least, start), Infinity)
  const names = processes.map((name, i): MetadataEvent => ({
    ph: 'M',
    name: 'process_name',
    pid: i + 1,
    tid: 0,
    args: { name },
  }))
  const rows = tracks.flatMap(({ process, name, spans }, i) => {
    const place = { pid: processes.indexOf(process) + 1, tid: i + 1 }
    const title: MetadataEvent = { ph: 'M', name: 'thread_name', ...place, args: { name } }
    return [title, ...spans.map((span) => completeEvent(span, place, origin))]
  })
  return { traceEvents: [...names, ...rows], displayTimeUnit: 'ms', otherData: about }
}

function completeEvent(
  { name, category, start, time, details = {} }: Span,
  place: { readonly pid: number; readonly tid: number },
  origin: number,
): CompleteEvent {
  return { ph: 'X', name, cat: category, ...place, ts: (start - origin) * 1000, dur: time * 1000, args: details }
}

/** Steps laid one behind the other from `start` on, inside an event of the whole run. */
export function stepSpans(
  name: string,
  start: number,
  time: number,
  steps: readonly (Omit<Span, 'start' | 'category'> & { readonly category?: string })[],
): Span[] {
  const placed: Span[] = []
  let at = start
  for (const step of steps) {
    placed.push({ category: 'step', ...step, start: at })
    at += step.time
  }
  return [{ name, category: 'run', start, time: Math.max(time, at - start) }, ...placed]
}
