// SPDX-License-Identifier: Apache-2.0
/**
 * Inputs for commands that measure: whatever `run` takes, and random numbers unasked where no dimension is free. Comes
 * with a line that says what was measured on.
 */
import { InputError } from '../base/errors.ts'
import { type FeedOptions, type Feeds, type InputDescription, readFeeds } from './feeds.ts'

/**
 * Inputs to measure with: as `readFeeds`, and random numbers unasked where nothing is given and every dimension is fixed.
 * @throws InputError that says what to pass where a dimension is free
 */
export async function readMeasuringFeeds(
  wanted: readonly InputDescription[],
  options: FeedOptions,
): Promise<{ readonly feeds: Feeds; readonly said: string }> {
  const isGiven = options.inputs !== undefined || options.input !== undefined
  const free = wanted.find(({ dims }) => dims === null || dims.some((dim) => typeof dim !== 'number'))
  if (!isGiven && options.random !== true && free !== undefined) {
    const names = [...new Set(wanted.flatMap(({ dims }) => (dims ?? []).filter((dim) => typeof dim === 'string')))]
    const sizes = names.map((name) => ` --dim ${quoted(`${name}=<number>`)}`).join('')
    throw new InputError({
      where: `input ${free.name}`,
      expected: `numbers to measure with, ${free.type}[${free.dims?.join(', ') ?? '…'}]`,
      got: 'none, and free dimensions',
      todo: `give --input ${free.name}=file.npy, or --random${sizes}`,
    })
  }
  const feeds = await readFeeds(wanted, isGiven ? options : { ...options, random: true })
  const shapes = wanted.map(({ name }) => `${name} ${feeds[name].dims.join(' x ')}`).join(', ')
  const kind = !isGiven ? 'random numbers' : options.random === true ? 'given and random numbers' : 'as given'
  return { feeds, said: `${kind}: ${shapes}` }
}

function quoted(text: string): string {
  return /[^\w.=<>-]/.test(text) || text.includes('<') ? `'${text}'` : text
}
