/**
 * A pool of numbered things of which each has one holder at most. Taken in turn, so that what was given back is not given
 * out again at once; the first ones (the band) are left to those who ask for a certain one, while others last.
 */

export interface Pool {
  readonly size: number
  /** Who holds it. */
  holder(index: number): string | undefined
  /** False where somebody else holds it. */
  take(index: number, holder: string): boolean
  /** It is this holder's, whoever had it. */
  assign(index: number, holder: string): void
  /** The next free one, or undefined where all are held. */
  next(holder: string): number | undefined
  /** Nothing happens where somebody else holds it. */
  release(index: number, holder: string): void
}

/** @param random gives the place in [0, 1) at which to begin */
export function createPool(size: number, band: number, random: () => number): Pool {
  const held = new Map<number, string>()
  const open = size - band
  let cursor = Math.floor(random() * open)
  const take = (index: number, holder: string): boolean => {
    const by = held.get(index)
    if (by !== undefined && by !== holder) return false
    held.set(index, holder)
    return true
  }
  return {
    size,
    holder: (index) => held.get(index),
    take,
    assign: (index, holder) => void held.set(index, holder),
    next(holder) {
      if (held.size >= size) return undefined
      for (let tried = 0; tried < open; tried++) {
        const index = band + cursor
        cursor = (cursor + 1) % open
        if (!held.has(index) && take(index, holder)) return index
      }
      for (let index = 0; index < band; index++) if (!held.has(index) && take(index, holder)) return index
      return undefined
    },
    release(index, holder) {
      if (held.get(index) === holder) held.delete(index)
    },
  }
}
