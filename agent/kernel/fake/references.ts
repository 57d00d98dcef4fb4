/** What rules and elements refer to, read from their canonical text (nft(8)). */
import type { ChainName, Listing, Rule, SetDeclaration, SetName } from '../../../rules/model.ts'

export type SetUse = 'vmap' | 'map' | 'lookup'

export interface References {
  readonly chains: ReadonlySet<ChainName>
  readonly sets: ReadonlyMap<SetName, SetUse>
  /** Whether it rewrites the destination to what a map says. */
  readonly translates: boolean
}

export function referencesOf({ text }: Rule): References {
  const plain = text.replace(/"[^"]*"/g, '')
  return {
    chains: new Set([...plain.matchAll(/\b(?:goto|jump) (\S+)/g)].map((match) => match[1]!)),
    sets: new Map(
      [...plain.matchAll(/(?:\b(vmap|map) )?@([\w./\\-]+)/g)].map((match) => [match[2]!, (match[1] as SetUse) ?? 'lookup']),
    ),
    translates: /\bdnat\b.*\bmap @/.test(plain),
  }
}

/** The chain that a verdict leads to; undefined for `accept`, `drop` and the like. */
export function targetOf(verdict: string): ChainName | undefined {
  return /^(?:goto|jump) (\S+)$/.exec(verdict)?.[1]
}

export interface SetShape {
  readonly keyFields: number
  /** 0 for a set. */
  readonly valueFields: number
  readonly isVerdict: boolean
  readonly isInterval: boolean
}

/** Of a declaration such as `type ipv4_addr . inet_service : verdict; flags interval;`. */
export function shapeOf({ type }: SetDeclaration): SetShape {
  const [, key = '', value = ''] = /^\s*type(?:of)? (.+?)(?: : (.+?))?\s*(?:;|$)/.exec(type) ?? []
  return {
    keyFields: key.split(' . ').length,
    valueFields: value === '' ? 0 : value.split(' . ').length,
    isVerdict: value === 'verdict',
    isInterval: /\bflags [^;]*\binterval\b/.test(type),
  }
}

/** NFT_JUMP_STACK_SIZE in the kernel's nf_tables.h: how many chains deep a packet may get. */
const deepest = 16

/** Whether a way from a base chain is longer than the kernel allows, as a loop is. */
export function tooDeep({ chains, sets, elements }: Listing): boolean {
  const depths = new Map<ChainName, number>()
  const depthOf = (name: ChainName): number => {
    const known = depths.get(name)
    if (known !== undefined) return known
    // Whoever comes back here while the way is still being walked has found a loop.
    depths.set(name, Infinity)
    const next = new Set<ChainName>()
    for (const rule of chains.get(name)?.rules ?? []) {
      const references = referencesOf(rule)
      for (const chain of references.chains) next.add(chain)
      for (const [set, use] of references.sets)
        if (use === 'vmap' && sets.has(set)) for (const chain of targetsOf(set)) next.add(chain)
    }
    const depth = Math.max(-1, ...[...next].map(depthOf)) + 1
    depths.set(name, depth)
    return depth
  }
  const targetsOf = (set: SetName): ReadonlySet<ChainName> => {
    const found = new Set<ChainName>()
    for (const { value } of elements.get(set)?.values() ?? []) {
      const target = value && targetOf(value)
      if (target) found.add(target)
    }
    return found
  }
  return [...chains.values()].some((chain) => chain.base !== undefined && depthOf(chain.name) >= deepest)
}
