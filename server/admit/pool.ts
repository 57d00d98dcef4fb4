/**
 * A pool of numbered things of which each has one holder at most. Taken in turn, so that what was given back is not given
 * out again at once; the first ones (the band) are left to those who ask for a certain one, while others last.
 *
 * A pool may have lanes: the same number in another lane is another thing (a port by TCP and by UDP). Who asks for any
 * number gets one that nobody holds in any lane, while there are such.
 */

export interface Pool {
  readonly size: number
  /** Who holds it. */
  holder(index: number, lane?: number): string | undefined
  /** False where somebody else holds it. */
  take(index: number, holder: string, lane?: number): boolean
  /** It is this holder's, whoever had it. */
  assign(index: number, holder: string, lane?: number): void
  /** The next free one, or undefined where all are held. */
  next(holder: string, lane?: number): number | undefined
  /** Nothing happens where somebody else holds it. */
  release(index: number, holder: string, lane?: number): void
}

export interface PoolOptions {
  readonly size: number
  /** How many at the beginning are given to those alone who ask for them, while there are others. */
  readonly band: number
  /** The place in [0, 1) at which to begin. */
  readonly random: () => number
  /** 1 unless told. */
  readonly lanes?: number
}

export function createPool({ size, band, random, lanes = 1 }: PoolOptions): Pool {
  const held = new Map<number, string>()
  const open = size - band
  let cursor = Math.floor(random() * open)
  const key = (index: number, lane: number): number => index * lanes + lane
  const isFree = (index: number, lane: number): boolean => !held.has(key(index, lane))
  const isUntouched = (index: number): boolean => {
    for (let lane = 0; lane < lanes; lane++) if (!isFree(index, lane)) return false
    return true
  }
  const search = (fits: (index: number) => boolean): number | undefined => {
    for (let tried = 0; tried < open; tried++) {
      const index = band + cursor
      cursor = (cursor + 1) % open
      if (fits(index)) return index
    }
    for (let index = 0; index < band; index++) if (fits(index)) return index
    return undefined
  }
  return {
    size,
    holder: (index, lane = 0) => held.get(key(index, lane)),
    take(index, holder, lane = 0) {
      const by = held.get(key(index, lane))
      if (by !== undefined && by !== holder) return false
      held.set(key(index, lane), holder)
      return true
    },
    assign: (index, holder, lane = 0) => void held.set(key(index, lane), holder),
    next(holder, lane = 0) {
      if (held.size >= size * lanes) return undefined
      const untouched = lanes > 1 ? search(isUntouched) : undefined
      const index = untouched ?? search((i) => isFree(i, lane))
      if (index !== undefined) held.set(key(index, lane), holder)
      return index
    },
    release(index, holder, lane = 0) {
      if (held.get(key(index, lane)) === holder) held.delete(key(index, lane))
    },
  }
}
