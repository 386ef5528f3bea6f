// SPDX-License-Identifier: Apache-2.0
/**
 * The memory planner: lifetimes in, offsets out. Pure.
 *
 * A buffer is alive from step `first` to step `last`, both included; two buffers alive at the same step never share a
 * byte, unless a sharing (in-place step) allowed it: then the second takes over the first one's place at the very step
 * that reads the first for the last time. Buffers are placed by size, largest first, each into the smallest gap that
 * holds it among the placed ones whose lifetimes meet its own ("greedy by size for offset calculation" of Pisarchyk and
 * Lee, 2020, with best fit).
 */

/** A stretch of arena memory and when it is needed. */
export interface ArenaBuffer {
  readonly id: string
  readonly bytes: number
  /** First and last step that touch it; `first <= last`. */
  readonly first: number
  readonly last: number
}

/** `to` may lie where `from` lies: the step that defines `to` is the last to read `from`, byte for byte in order. */
export interface Sharing {
  readonly from: string
  readonly to: string
}

export interface MemoryPlan {
  /** Byte offsets in the arena, multiples of the alignment. */
  readonly offsets: ReadonlyMap<string, number>
  /** Size of the arena. */
  readonly bytes: number
  /** Bytes that buffers of their own would have taken in addition. */
  readonly saved: number
}

interface Block {
  readonly ids: string[]
  bytes: number
  first: number
  last: number
  offset: number
}

/** A cache line, so that threads writing neighbouring buffers do not meet. */
const lineBytes = 64

/** Places all buffers. `sharings` that the lifetimes do not allow are left alone. */
export function planMemory(
  buffers: readonly ArenaBuffer[],
  sharings: readonly Sharing[] = [],
  alignment = lineBytes,
): MemoryPlan {
  const blocks = joinSharings(buffers, sharings, alignment)
  const bySize = [...blocks].sort((a, b) => b.bytes - a.bytes || a.first - b.first)
  const placed: Block[] = []
  for (const block of bySize) {
    block.offset = bestGap(block, placed)
    insertByOffset(placed, block)
  }
  const offsets = new Map<string, number>()
  let bytes = 0
  for (const block of blocks) {
    bytes = Math.max(bytes, block.offset + block.bytes)
    for (const id of block.ids) offsets.set(id, block.offset)
  }
  let alone = 0
  for (const buffer of buffers) alone += roundUp(buffer.bytes, alignment)
  return { offsets, bytes, saved: alone - bytes }
}

/** Buffers become blocks; a block of several buffers passes from one to the next without a step between. */
function joinSharings(buffers: readonly ArenaBuffer[], sharings: readonly Sharing[], alignment: number): Block[] {
  const blockOf = new Map<string, Block>()
  for (const { id, bytes, first, last } of buffers) {
    blockOf.set(id, { ids: [id], bytes: roundUp(bytes, alignment), first, last, offset: 0 })
  }
  const passing = new Set(buffers.filter((buffer) => buffer.first < buffer.last).map((buffer) => buffer.id))
  for (const { from, to } of sharings) {
    const before = blockOf.get(from)
    const after = blockOf.get(to)
    if (!before || !after || before === after || !passing.has(from)) continue
    if (before.ids.at(-1) !== from || after.ids[0] !== to) continue
    if (before.last !== after.first || before.bytes !== after.bytes) continue
    before.ids.push(...after.ids)
    before.last = after.last
    for (const id of after.ids) blockOf.set(id, before)
  }
  return [...new Set(blockOf.values())]
}

/** Lowest offset of the tightest gap between the placed blocks (sorted by offset) that live at the same time. */
function bestGap(block: Block, placed: readonly Block[]): number {
  let end = 0
  let best = -1
  let bestSize = Infinity
  for (const other of placed) {
    if (other.last < block.first || other.first > block.last) continue
    const gap = other.offset - end
    if (gap >= block.bytes && gap < bestSize) {
      best = end
      bestSize = gap
    }
    end = Math.max(end, other.offset + other.bytes)
  }
  return best >= 0 ? best : end
}

function insertByOffset(placed: Block[], block: Block): void {
  let at = placed.length
  while (at > 0 && placed[at - 1].offset > block.offset) at--
  placed.splice(at, 0, block)
}

function roundUp(bytes: number, alignment: number): number {
  return Math.max(alignment, Math.ceil(bytes / alignment) * alignment)
}
