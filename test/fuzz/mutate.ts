// SPDX-License-Identifier: Apache-2.0
/**
 * Damage, seeded: to bytes as a bad disk or a careless attacker does it, and to records as an attacker does it who knows
 * the format. Records are plain trees of objects, lists, numbers, texts and bytes; a mutation copies the way to the place
 * it changes and shares the rest. The same random numbers give the same damage.
 */
import { randomInteger } from '../../src/base/rng.ts'

type Random = () => number
type Path = readonly (string | number)[]

/** Numbers at which arithmetic on sizes, axes and counts goes wrong. */
const numbers: readonly number[] = [
  ...[0, -0, 1, -1, 2, -2, 3, 4, 5, 7, 8, 13, 16, 31, 64, 100, 127, 128, 255, 256, 1000, 4096, 65535, 65536, 1e6],
  ...[2 ** 24, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1, -(2 ** 31), -(2 ** 53) + 1],
  ...[0.5, -0.25, 1e-40, 1e38, 1e308],
]

/** Names that plain objects have without anyone having put them there, and texts that are no names at all. */
const texts: readonly string[] = [
  ...['', 'constructor', '__proto__', 'toString', 'hasOwnProperty', '\u0000', '../../x', 'a'.repeat(300)],
  ...['2*n + 1', 'floordiv(n, 0)', 'n - 100', '((((n', '"\\x"', '9'.repeat(400), 'max(n, 3)', '-1', 'batch'],
]

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[randomInteger(random, 0, list.length - 1)]
}

/** A copy of `bytes` with one to four places damaged: bits, whole bytes, runs cut out, doubled, overwritten, the end lost. */
export function damageBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let result: Uint8Array = bytes.slice()
  for (let left = randomInteger(random, 1, 4); left > 0 && result.length > 0; left--) {
    result = pick(random, byteDamages)(result, randomInteger(random, 0, result.length - 1), random)
  }
  return result
}

type ByteDamage = (bytes: Uint8Array, at: number, random: Random) => Uint8Array

const setByte =
  (value: (random: Random, old: number) => number): ByteDamage =>
  (bytes, at, random) => {
    bytes[at] = value(random, bytes[at])
    return bytes
  }

function spliced(bytes: Uint8Array, at: number, cut: number, put: Uint8Array): Uint8Array {
  const rest = bytes.subarray(Math.min(bytes.length, at + cut))
  const result = new Uint8Array(at + put.length + rest.length)
  result.set(bytes.subarray(0, at))
  result.set(put, at)
  result.set(rest, at + put.length)
  return result
}

const byteDamages: readonly ByteDamage[] = [
  setByte((random, old) => old ^ (1 << randomInteger(random, 0, 7))),
  setByte((random, old) => old ^ (1 << randomInteger(random, 0, 7))),
  setByte((random) => randomInteger(random, 0, 255)),
  setByte((random) => pick(random, [0, 1, 0x7f, 0x80, 0xff])),
  (bytes, at) => bytes.slice(0, at),
  (bytes, at, random) => spliced(bytes, at, randomInteger(random, 1, 16), new Uint8Array(0)),
  (bytes, at, random) => spliced(bytes, at, 0, bytes.slice(at, at + randomInteger(random, 1, 64))),
  (bytes, at) => spliced(bytes, at, 10, Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 1)),
]

/** The tree with one to three places changed. Bytes inside are damaged as bytes of the same length. */
export function damageTree<T>(tree: T, random: Random): T {
  let result: unknown = tree
  for (let left = randomInteger(random, 1, 3); left > 0; left--) {
    const path = randomPath(result, random)
    result = replaced(result, path, (old) => changed(old, result, random))
  }
  return result as T
}

/** A way down the tree that ends at a random depth. */
function randomPath(tree: unknown, random: Random): Path {
  const path: (string | number)[] = []
  for (let here = tree; isBranch(here) && (path.length < 2 || random() < 0.85);) {
    const keys: readonly (string | number)[] = Array.isArray(here) ? [...here.keys()] : Object.keys(here)
    if (keys.length === 0) break
    const key = pick(random, keys)
    path.push(key)
    here = (here as Record<string | number, unknown>)[key]
  }
  return path
}

function isBranch(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)
}

const remove = Symbol('remove')

function replaced(tree: unknown, [key, ...rest]: Path, change: (old: unknown) => unknown): unknown {
  if (key === undefined) {
    const next = change(tree)
    return next === remove ? tree : next
  }
  const branch = tree as Record<string | number, unknown>
  const next = rest.length === 0 ? change(branch[key]) : replaced(branch[key], rest, change)
  if (Array.isArray(tree)) {
    const copy = [...(tree as unknown[])]
    if (next === remove) copy.splice(key as number, 1)
    else copy[key as number] = next
    return copy
  }
  const copy = { ...branch }
  if (next === remove) delete copy[key]
  else copy[key] = next
  return copy
}

/** Something else in place of `old`, mostly of its own kind. */
function changed(old: unknown, tree: unknown, random: Random): unknown {
  const way = random()
  if (way < 0.04) return remove
  if (way < 0.1) return elsewhere(tree, random)
  if (Array.isArray(old)) return changedList(old, random)
  if (old instanceof Uint8Array) return changedBytes(old, random)
  if (typeof old === 'number') return random() < 0.3 ? old + pick(random, [-1, 1, -2, 2, 64]) : pick(random, numbers)
  if (typeof old === 'bigint') return BigInt(Math.trunc(pick(random, numbers)))
  if (typeof old === 'string') return random() < 0.6 ? sameKind(old, tree, random) : pick(random, texts)
  return elsewhere(tree, random)
}

function changedList(list: readonly unknown[], random: Random): unknown[] {
  const at = randomInteger(random, 0, Math.max(0, list.length - 1))
  const ways: readonly (() => unknown[])[] = [
    () => list.toSpliced(at, 1),
    () => (list.length === 0 ? [pick(random, numbers)] : list.toSpliced(at, 0, list[at])),
    () => [...list].reverse(),
    () => [],
    () => [...list, pick(random, numbers)],
    () => (list.length === 0 ? [] : list.with(at, pick<unknown>(random, list))),
  ]
  return pick(random, ways)()
}

/** Damaged bytes, or (for what may be shapes and axes) 8-byte integers that are out of place. */
function changedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice()
  if (copy.length === 0) return copy
  if (random() < 0.4 && copy.length % 8 === 0 && copy.length <= 256) {
    const at = 8 * randomInteger(random, 0, copy.length / 8 - 1)
    new DataView(copy.buffer).setBigInt64(
      at,
      BigInt(
        Math.trunc(
          pick(
            random,
            numbers.filter((n) => n < 2 ** 60),
          ),
        ),
      ),
      true,
    )
    return copy
  }
  for (let left = randomInteger(random, 1, 4); left > 0; left--)
    copy[randomInteger(random, 0, copy.length - 1)] = randomInteger(random, 0, 255)
  return copy
}

function elsewhere(tree: unknown, random: Random): unknown {
  let here = tree
  for (const key of randomPath(tree, random)) here = (here as Record<string | number, unknown>)[key]
  return here
}

/** Another text of the tree: the name of another value, operator, type. */
function sameKind(old: string, tree: unknown, random: Random): unknown {
  for (let tries = 0; tries < 20; tries++) {
    const other = elsewhere(tree, random)
    if (typeof other === 'string' && other !== old) return other
  }
  return pick(random, texts)
}
