// SPDX-License-Identifier: Apache-2.0
/**
 * A real model with the task it is for: inputs, expected outputs and labels of ../shared/models, and the figures a
 * session reaches on them. `part` is the share of the data that is used, evenly spread.
 */
import type { Session } from '../../src/index.ts'

/** What a session reached. */
export interface Score {
  /** Figures in points of 100. */
  readonly points: Readonly<Record<string, number>>
  /** Largest error over the largest absolute value, of the outputs that there are expected values for. */
  readonly error: number
}

export interface Task {
  readonly name: string
  /** Folder of the data under `models/`. */
  readonly data: string
  /** Path of the ONNX file. */
  model(): string
  /** Figures of the expected outputs over all of the data. */
  readonly baseline: Readonly<Record<string, number>>
  /** Points that int8 may lose, by figure; half a point where left out. */
  readonly mostLoss?: Readonly<Record<string, number>>
  /** The same for the quick test, where a sample is coarser than half a point. */
  readonly quickLoss?: Readonly<Record<string, number>>
  /** Share of the data for the quick test: 1 is all. */
  readonly quick: number
  score(session: Session, part: number): Promise<Score>
}

/** The elements at even steps that are this share of a list. */
export function evenly<T>(list: readonly T[], part: number): T[] {
  const count = Math.max(1, Math.round(list.length * part))
  return Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)])
}

/** 100 of `hits` of `total`, as points. */
export function points(hits: number, total: number): number {
  return (100 * hits) / total
}
