/** Signs that cost next to nothing of whether the rules may have changed since they were looked at. */
import type { Clock } from '../../../api/clock.ts'
import type { Family } from '../../../rules/model.ts'
import { openTableSizes } from './sizes.ts'
import type { IptablesVariant } from './tools.ts'
import { openNetlinkSocket } from '../netlink.ts'

export type Sign =
  /** Goes on by one with each change of a table, whoever makes it. */
  | { readonly kind: 'count'; value(): number; close(): void }
  /** Another one when rules came or went. One rule for another of the same size does not show. */
  | { readonly kind: 'size'; value(): string; close(): void }

export type OpenSign = (variant: IptablesVariant, family: Family) => Promise<Sign>

/** @throws KernelError SETUP if this Node cannot ask the kernel */
export const openSign: OpenSign = async (variant, family) => {
  if (variant === 'nft') {
    const socket = await openNetlinkSocket()
    return { kind: 'count', value: () => socket.generation(), close: () => socket.close() }
  }
  const tables = await openTableSizes(family)
  return { kind: 'size', value: () => tables.sizes(), close: () => tables.close() }
}

/** How long a size is believed. */
const believedMs = 30_000

/** Up to which change of anybody the rules are known. */
export interface Seen {
  /** Without a sign everything may have changed at any time. */
  begin(sign: Sign | undefined): void
  mayHaveChanged(): boolean
  /** Runs a change of our own: if no other came in between, nothing new is to be seen. @param tables how many it names */
  own(tables: number, change: () => Promise<void>): Promise<void>
  look<T>(read: () => Promise<T>): Promise<T>
}

export function createSeen(clock: Clock): Seen {
  let sign: Sign | undefined
  let known: { readonly value: number | string; readonly at: number } | undefined
  return {
    begin(opened) {
      sign = opened
      known = undefined
    },
    mayHaveChanged() {
      if (!sign || known?.value !== sign.value()) return true
      return sign.kind === 'size' && clock.now() - known.at >= believedMs
    },
    async own(tables, change) {
      const before = sign?.value()
      const last = known
      known = undefined
      await change()
      if (!sign || !last || before !== last.value) return
      const after = sign.value()
      if (sign.kind === 'size' || after === (Number(before) + tables) >>> 0) known = { value: after, at: last.at }
    },
    /** What comes while it is looked may have been seen, or not: the value from before counts. */
    async look(read) {
      const before = sign?.value()
      const at = clock.now()
      const found = await read()
      known = before === undefined ? undefined : { value: before, at }
      return found
    },
  }
}
