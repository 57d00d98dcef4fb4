/** Whether a listing can be believed. */
import type { Listing } from '../../../rules/nft/index.ts'

/**
 * The kernel hands a large set out in pieces, and finds its place again by counting. If the set's hash table is rearranged in
 * between, as it is shortly after a large load, some elements come twice and as many not at all. Elements that are named twice
 * are the trace of it: without that, no set names one twice.
 * @param text what nft printed
 * @param listing the same, parsed; elements named twice are one there
 */
export function isTorn(text: string, listing: Listing): boolean {
  let held = 0
  for (const elements of listing.elements.values()) held += elements.size
  return namedIn(text) !== held
}

function namedIn(text: string): number {
  // What packets taught a dynamic set is not in the listing.
  // Comments may hold anything; the rest of an element holds neither commas nor braces.
  const plain = text.replace(/"[^"]*"/g, '').replace(/flags dynamic[^}]*\}/g, '')
  let named = 0
  for (const [, inside] of plain.matchAll(/^\s*elements = \{([^}]*)\}/gm)) named += inside!.split(',').length
  return named
}
