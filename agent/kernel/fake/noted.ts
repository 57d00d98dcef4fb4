/** A door to nftables that notes what it is asked. */
import type { Door } from '../nft/door.ts'

/** @returns the door; `asked` has a line for each listing: its style, and the set, the table or everything */
export function noted(door: Door): Door & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    ...door,
    asked,
    list(what, style, signal) {
      asked.push(`${style} ${what.name === undefined ? 'everything' : (what.set?.name ?? 'table')}`)
      return door.list(what, style, signal)
    },
  }
}
