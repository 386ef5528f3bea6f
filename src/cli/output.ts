// SPDX-License-Identifier: Apache-2.0
/** How commands speak: tables and progress bars on a terminal, plain lines in a pipe, JSON on request. */
import { SingleBar } from 'cli-progress'
import Table from 'cli-table3'

/** Rows below a header, with a line under it and none between rows; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const numeric = head.map((_, column) => rows.every((row) => typeof row[column] !== 'string'))
  const result = new Table({
    head: [...head],
    colAligns: numeric.map((is) => (is ? 'right' : 'left')),
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: process.stdout.isTTY ? { head: ['bold'], border: ['grey'] } : { head: [], border: [] },
  })
  for (const row of rows) result.push(row.map((cell) => (cell === null ? '' : String(cell))))
  const [top, header, ...body] = result.toString().split('\n')
  const rule = top.replace('┌', '├').replaceAll('┬', '┼').replace('┐', '┤')
  return [top, header, rule, ...body].join('\n')
}

/** Prints `text()`, or `data` as JSON where --json was given. BigInts and infinities become strings. */
export function print(json: boolean | undefined, data: unknown, text: () => string): void {
  process.stdout.write(`${json === true ? JSON.stringify(data, plain, 2) : text()}\n`)
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

/** 12345678 as '12.3 MB' (decimal units). */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`
}

export interface ProgressEvent {
  readonly phase: string
  readonly loaded: number
  readonly total?: number
}

/** A progress listener that draws a bar on a terminal's stderr and is silent in a pipe; `stop` takes the bar away. */
export function progressBar(title: string): { onProgress(event: ProgressEvent): void; stop(): void } {
  if (!process.stderr.isTTY) return { onProgress() {}, stop() {} }
  const bar = new SingleBar({ format: `${title} {bar} {percentage}% {phase}`, hideCursor: true, clearOnComplete: true })
  let started = false
  return {
    onProgress({ phase, loaded, total }) {
      if (!started) bar.start(total ?? loaded, loaded, { phase })
      started = true
      if (total !== undefined) bar.setTotal(total)
      bar.update(loaded, { phase })
    },
    stop() {
      if (started) bar.stop()
    },
  }
}

/** An AbortSignal that Ctrl-C raises, so that half-done work is cleaned up before the process ends. */
export function interrupt(): AbortSignal {
  const controller = new AbortController()
  process.once('SIGINT', () => controller.abort())
  return controller.signal
}
