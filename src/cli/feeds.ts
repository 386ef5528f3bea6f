// SPDX-License-Identifier: Apache-2.0
/** Inputs from the command line: `--input name=file.npy`, `--inputs file.npz`, or seeded random numbers. */
import type { Command } from 'commander'
import { InputError } from '../base/errors.ts'
import { seededRandom } from '../base/rng.ts'
import { readNpy } from '../format/npy.ts'
import { readNpz } from '../format/npz.ts'
import { openSource } from '../platform/source.ts'
import { Tensor } from '../tensor/tensor.ts'
import { sizeOf } from '../tensor/shape.ts'
import { collect } from './arguments.ts'

export type Feeds = Record<string, Tensor>

/** What a session says of an input: its name, type and dims (a string or null where a dim is free). */
export interface InputDescription {
  readonly name: string
  readonly type: string
  readonly dims: readonly (number | string | null)[] | null
}

export interface FeedOptions {
  readonly input?: readonly string[]
  readonly inputs?: string
  readonly random?: boolean
  readonly dim?: readonly string[]
}

/** Adds the options by which a command gets inputs. */
export function addFeedOptions(command: Command): Command {
  return command
    .option('-i, --input <name=file.npy>', 'an input; may be given again', collect)
    .option('--inputs <file.npz>', 'all inputs in one archive')
    .option('--random', 'random numbers for inputs not given')
    .option('--dim <name=number>', 'size of a free dimension, for --random; may be given again', collect)
}

/** Help lines that every command with inputs shares. */
export const feedHelp = `
Inputs are NumPy arrays: --input x=line.npy (again for each input), or --inputs all.npz with an array per input.
--random fills what is not given with seeded random numbers; --dim width=320 sets a free dimension (default 1).`

/** Reads the inputs a session wants. @throws InputError for what is missing or malformed */
export async function readFeeds(wanted: readonly InputDescription[], options: FeedOptions): Promise<Feeds> {
  const feeds: Feeds = {}
  if (options.inputs !== undefined) Object.assign(feeds, await readArchive(options.inputs))
  for (const pair of options.input ?? []) {
    const at = pair.indexOf('=')
    if (at < 1) throw new InputError({ where: '--input', expected: 'name=file.npy', got: pair })
    const file = pair.slice(at + 1)
    feeds[pair.slice(0, at)] = readNpy(await readBytes(file), file)
  }
  const dims = readDims(options.dim ?? [], wanted)
  for (const input of wanted) {
    if (feeds[input.name] !== undefined) continue
    if (options.random !== true) {
      throw new InputError({
        where: `input ${input.name}`,
        expected: `an array of ${input.type}[${input.dims?.join(', ') ?? '…'}]`,
        got: 'none',
        todo: `give --input ${input.name}=file.npy, or --random`,
      })
    }
    feeds[input.name] = randomTensor(input, dims)
  }
  return feeds
}

/** The arrays of an `.npz` file, by name. */
export async function readArchive(file: string): Promise<Feeds> {
  return readNpz(await readBytes(file), file)
}

function readDims(pairs: readonly string[], wanted: readonly InputDescription[]): Map<string, number> {
  const free = new Set(wanted.flatMap(({ dims }) => (dims ?? []).filter((dim) => typeof dim === 'string')))
  return new Map(
    pairs.map((pair) => {
      const match = /^(.+)=(\d+)$/.exec(pair)
      if (match === null) throw new InputError({ where: '--dim', expected: 'name=number', got: pair })
      if (!free.has(match[1])) {
        const expected = free.size === 0 ? 'no --dim, since no dimension is free' : `one of ${[...free].join(', ')}`
        throw new InputError({ where: '--dim', expected, got: match[1] })
      }
      return [match[1], Number(match[2])]
    }),
  )
}

function randomTensor({ name, type, dims }: InputDescription, named: Map<string, number>): Tensor {
  const shape = (dims ?? []).map((dim) => (typeof dim === 'number' ? dim : (named.get(String(dim)) ?? 1)))
  const random = seededRandom(name.length + 1)
  const integer = !type.startsWith('float')
  const values = Array.from({ length: sizeOf(shape) }, () => (integer ? Math.floor(random() * 2) : random() * 2 - 1))
  return new Tensor(type as Tensor['type'], values, shape)
}

async function readBytes(file: string): Promise<Uint8Array> {
  return (await openSource(file)).bytes()
}
