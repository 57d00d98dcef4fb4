/** A way to nftables for text in the language of nft(8). Both doors are given the same bytes. */
import type { Family } from '../../rules/model.ts'

/** `exact` is for reading back: priorities and protocols as numbers, no counters or ages. `people` is what nft prints without flags. */
export type ListingStyle = 'exact' | 'people'

export interface Door {
  /** For people: `libnftables 1.0.6 in process`, `nft 1.0.6 as a process`. */
  readonly how: string
  /** Runs commands as one transaction. @throws KernelError */
  run(payload: string, signal: AbortSignal): Promise<void>
  /** What `nft list table` prints. @throws KernelError KERNEL_NOT_FOUND if there is no such table */
  list(table: { readonly family: Family; readonly name: string }, style: ListingStyle, signal: AbortSignal): Promise<string>
  close(): void
}
