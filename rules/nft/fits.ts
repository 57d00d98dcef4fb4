/** Whether a table that was read back has the chains, rules and sets that it should have; then only elements are compared. */
import { declarationOf, extensionParts, type Layout } from './layout.ts'
import type { ChainName, Listing, Rule } from './model.ts'
import { extensionOf, type Extension } from './names.ts'

/** Empty extensions cost each change some microseconds. With more of them than this the table is worth making anew. */
const spareExtensions = 16

export function fits(listing: Listing, layout: Layout): boolean {
  const extensions: Extension[] = []
  let spare = 0
  for (const set of listing.sets.values()) {
    const extension = extensionOf(set.name)
    const wanted = declarationOf(layout.family, set.name)
    if (wanted?.type !== set.type || wanted.kind !== set.kind) return false
    if (extension) extensions.push(extension)
    if (extension && !listing.elements.get(set.name)?.size) spare++
  }
  if ([...layout.sets.keys()].some((name) => !listing.sets.has(name)) || spare > spareExtensions) return false
  const tails = tailsOf(layout, extensions)
  return (
    listing.chains.size === layout.chains.size &&
    [...layout.chains.values()].every(({ name, base, rules }) => {
      const held = listing.chains.get(name)
      if (!held || held.base !== base) return false
      return rules.every((rule, i) => held.rules[i] === rule) && sameRules(held.rules.slice(rules.length), tails.get(name) ?? [])
    })
  )
}

function tailsOf(layout: Layout, extensions: readonly Extension[]): ReadonlyMap<ChainName, readonly Rule[]> {
  const tails = new Map<ChainName, Rule[]>()
  for (const extension of extensions) {
    for (const [chain, rule] of extensionParts(layout.family, extension).rules) tails.set(chain, [...(tails.get(chain) ?? []), rule])
  }
  return tails
}

/** In any order: extensions come when they are first needed. */
function sameRules(held: readonly Rule[], wanted: readonly Rule[]): boolean {
  return held.length === wanted.length && new Set(held).size === held.length && wanted.every((rule) => held.includes(rule))
}
