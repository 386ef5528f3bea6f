// SPDX-License-Identifier: Apache-2.0
/** From measured data to the text of one self-contained HTML page, the plotting library inside. */
import { openSource } from '../platform/source.ts'
import type { ReportData } from '../report/data.ts'
import { renderReport } from '../report/html.ts'
import { chartUrl } from './assets.ts'

/** The page. @throws SourceError where the package's copy of the library is gone */
export async function reportPage(data: ReportData): Promise<string> {
  const library = await (await openSource(chartUrl())).bytes()
  return renderReport(data, new TextDecoder().decode(library))
}
