/** How long to wait before something is tried again. Pure; all times in milliseconds. */

const firstMs = 10_000
const mostMs = 300_000
/** A container that ran this long before it ended starts with a clean slate. */
const resetMs = 600_000

/** After so many failures in a row: 10 s, doubled with each further one, at most 300 s. */
export function retryDelay(failures: number): number {
  return failures <= 0 ? 0 : Math.min(mostMs, firstMs * 2 ** (failures - 1))
}

/** For what comes by itself, such as an object that somebody is about to make: 1 s, doubled with each further failure, at most 30 s. */
export function waitDelay(failures: number): number {
  return failures <= 0 ? 0 : Math.min(30_000, 1_000 * 2 ** (failures - 1))
}

/** The n-th end in a row of a container: its first restart comes at once, the further ones wait. */
export function restartDelay(ends: number): number {
  return retryDelay(ends - 1)
}

/** Counts the ends of a container that follow each other closely. */
export function nextEnds(endsBefore: number, ranMs: number): number {
  return ranMs >= resetMs ? 1 : endsBefore + 1
}
