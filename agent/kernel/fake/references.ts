/** What rules and elements refer to, read from their canonical text (nft(8)). */
import type { ChainName, Listing, Rule, SetDeclaration, SetName } from '../../../rules/nft/model.ts'

/** `update`, `add` and `delete` are what packets do to a set. */
export type SetUse = 'map' | 'lookup' | 'update' | 'add' | 'delete'

export interface References {
  readonly chains: ReadonlySet<ChainName>
  readonly sets: readonly SetReference[]
}

export interface SetReference {
  readonly name: SetName
  readonly use: SetUse
  /** What is found there becomes the packet's destination. */
  readonly translates: boolean
  /** What a packet puts there is forgotten after a time. */
  readonly timeout: boolean
}

/** A use of a set in a rule; of an `update`, what stands between its braces. */
const usePattern = /(?:\b(map|update|add|delete) )?@([a-zA-Z][\w./\\-]*)(?: \{([^}]*)\})?/g

export function referencesOf(rule: Rule): References {
  const plain = rule.replace(/"[^"]*"/g, '')
  const translation = plain.search(/\bdnat\b/)
  return {
    chains: new Set([...plain.matchAll(/\b(?:goto|jump) (\S+)/g)].map((match) => match[1]!)),
    sets: [...plain.matchAll(usePattern)].flatMap((match) => {
      const [, use = 'lookup', name = '', inside = ''] = match as readonly (string | undefined)[]
      // `@nh,96,96` is a part of the packet.
      if (/^(?:ll|nh|th|ih)$/.test(name) && plain[match.index + match[0].length] === ',') return []
      return {
        name,
        use: use as SetUse,
        translates: use === 'map' && translation >= 0 && translation < match.index,
        timeout: / timeout /.test(inside),
      }
    }),
  }
}

export interface SetShape {
  readonly keyFields: number
  /** 0 for a set. */
  readonly valueFields: number
  readonly isInterval: boolean
  /** Packets may write to it; a listing leaves out what is in it. */
  readonly isDynamic: boolean
  readonly hasTimeouts: boolean
}

/** Of a declaration such as `type ipv4_addr . inet_service : classid; flags interval;`. */
export function shapeOf({ type }: SetDeclaration): SetShape {
  const [, key = '', value = ''] = /^\s*type(?:of)? (.+?)(?: : (.+?))?\s*(?:;|$)/.exec(type) ?? []
  const flags = /\bflags ([^;]*)/.exec(type)?.[1]?.split(',').map((flag) => flag.trim()) ?? []
  return {
    keyFields: key.split(' . ').length,
    valueFields: value === '' ? 0 : value.split(' . ').length,
    isInterval: flags.includes('interval'),
    isDynamic: flags.includes('dynamic'),
    hasTimeouts: flags.includes('timeout'),
  }
}

/** NFT_JUMP_STACK_SIZE in the kernel's nf_tables.h: how many chains deep a packet may get. */
const deepest = 16

/** Whether a way from a base chain is longer than the kernel allows, as a loop is. */
export function tooDeep(chains: Listing['chains']): boolean {
  const depths = new Map<ChainName, number>()
  const depthOf = (name: ChainName): number => {
    const known = depths.get(name)
    if (known !== undefined) return known
    // Whoever comes back here while the way is still being walked has found a loop.
    depths.set(name, Infinity)
    const next = chains.get(name)?.rules.flatMap((rule) => [...referencesOf(rule).chains]) ?? []
    const depth = Math.max(-1, ...next.map(depthOf)) + 1
    depths.set(name, depth)
    return depth
  }
  return [...chains.values()].some((chain) => chain.base !== undefined && depthOf(chain.name) >= deepest)
}
