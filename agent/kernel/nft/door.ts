/** A way to nftables for text in the language of nft(8). Both doors are given the same bytes. */
import type { Family } from '../../../rules/model.ts'
import type { SetDeclaration } from '../../../rules/nft/index.ts'

/**
 * `exact` is for reading back: priorities and protocols as numbers, no counters or ages; `outline` is the same without the elements
 * of named sets. `people` is what nft prints without flags.
 */
export type ListingStyle = 'exact' | 'outline' | 'people'

/** A table, or one set of it. */
export interface TablePart {
  readonly family: Family
  readonly name: string
  /** With how many elements it was seen to have. */
  readonly set?: Pick<SetDeclaration, 'kind' | 'name'> & { readonly held: number }
}

/** What a door is asked for: without a name all tables of the family. */
export type Listed = TablePart | { readonly family: Family; readonly name?: undefined }

export interface Door {
  /** For people: `libnftables 1.0.6 in process`, `nft 1.0.6 as a process`. */
  readonly how: string
  /** Runs commands as one transaction. @throws KernelError */
  run(payload: string, signal: AbortSignal): Promise<void>
  /**
   * What `nft list` prints. The outline of one table costs nft 1.0.6 as much as all of its elements, the outline of a family's
   * tables next to nothing.
   * @throws KernelError KERNEL_NOT_FOUND if there is no such table or set
   */
  list(what: Listed, style: ListingStyle, signal: AbortSignal): Promise<string>
  close(): void
}

/** The command for it, in words. */
export function listCommand(what: Listed): readonly string[] {
  if (what.name === undefined) return ['list', 'ruleset', what.family]
  const { family, name, set } = what
  return set ? ['list', set.kind, family, name, set.name] : ['list', 'table', family, name]
}
