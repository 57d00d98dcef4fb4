/** What writers.ts writes, and what it says of that. */

/** Writes that were acknowledged: of each the revision, and the time in ms since 1970. */
export interface Told {
  readonly msg: 'told'
  readonly writes: readonly (readonly [revision: number, at: number])[]
}

/** `changed`: endpoints that one write changes. */
export const kindsOfWrites = { endpoints: { changed: 1 }, slices: { changed: 10 }, configmaps: { changed: 0 }, pods: { changed: 0 } } as const
export type Writes = keyof typeof kindsOfWrites
