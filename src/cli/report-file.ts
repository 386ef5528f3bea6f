// SPDX-License-Identifier: Apache-2.0
/** Writing a measured comparison as an HTML file: what `compress --report` and `compare --report` share. */
import { cpus } from 'node:os'
import { basename } from 'node:path'
import { writeFileAtomically } from '../platform/files.ts'
import { type Contender, type MeasureOptions, measure } from '../measure/measure.ts'
import { reportPage } from '../measure/page.ts'
import type { ReportData } from '../report/data.ts'
import type { Feeds } from './feeds.ts'

export interface ReportOptions extends Pick<
  MeasureOptions,
  'threads' | 'measurements' | 'rounds' | 'signal' | 'onProgress'
> {
  /** Where to write. */
  readonly file: string
  readonly feeds: Feeds
  /** Says what the inputs are. */
  readonly said: string
}

/** Measures `other` against `reference` and writes the page. @throws what measuring throws; SourceError where it cannot be written */
export async function writeReport(
  reference: Contender,
  other: Contender,
  { file, feeds, said, ...options }: ReportOptions,
): Promise<ReportData> {
  const data = await measure(reference, other, feeds, { ...options, ...machine(), inputs: said })
  await writeFileAtomically(file, new TextEncoder().encode(await reportPage(data)))
  return data
}

/** What a report calls a file. */
export function labelOf(path: string): string {
  return basename(path)
}

function machine(): { readonly machine?: string } {
  const model = cpus()[0]?.model
  return model === undefined ? {} : { machine: model.trim() }
}
