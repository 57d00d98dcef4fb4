/**
 * Who has what. Several services may raise the same claim; the oldest of them has it, and the next one takes over when it
 * goes. Age is `creationTimestamp`, then the key: the same on every node and after every restart.
 */
import { fragmentOf, type ClaimKey, type Fragment, type PlacedElement, type Problem } from './fragment.ts'
import type { ServiceKey, ServiceView } from './model.ts'
import { setNames } from './names.ts'

/** A service as it was last looked at. */
export interface Entry {
  readonly view: ServiceView
  readonly fragment: Fragment
  /** Milliseconds since 1970; a service without a readable time counts as the youngest. */
  readonly born: number
}

/** Services that raise a claim, oldest first. */
export type Owners = readonly ServiceKey[]

/** All services and who owns what; no claim without an owner. */
export interface Ledger {
  readonly entries: ReadonlyMap<ServiceKey, Entry>
  readonly claims: ReadonlyMap<ClaimKey, Owners>
}

/** What becomes of a ledger: entries that change (undefined: goes), and the new owners of every claim they touch. */
export interface Reseating {
  readonly entries: ReadonlyMap<ServiceKey, Entry | undefined>
  readonly claims: ReadonlyMap<ClaimKey, Owners>
}

/** Both sides of a claim's change. */
export interface Handover {
  readonly before: readonly PlacedElement[]
  readonly after: readonly PlacedElement[]
}

const nobody: Owners = []
const nothing: readonly PlacedElement[] = []

export function entryOf(view: ServiceView): Entry {
  const born = Date.parse(view.created)
  return { view, fragment: fragmentOf(view), born: Number.isNaN(born) ? Infinity : born }
}

/** Puts the changed services' claims in order. Costs as much as those services have claims, whatever the ledger holds. */
export function reseat(ledger: Ledger, changed: ReadonlyMap<ServiceKey, Entry | undefined>): Reseating {
  const claims = new Map<ClaimKey, ServiceKey[]>()
  const shared = new Set<ClaimKey>()
  for (const [key, after] of changed) {
    for (const claim of ledger.entries.get(key)?.fragment.claims.keys() ?? []) {
      claims.set(claim, (claims.get(claim) ?? [...ledger.claims.get(claim)!]).filter((owner) => owner !== key))
    }
    for (const claim of after?.fragment.claims.keys() ?? []) {
      const owners = claims.get(claim)
      if (owners) owners.push(key)
      else claims.set(claim, [...(ledger.claims.get(claim) ?? nobody), key])
      if (claims.get(claim)!.length > 1) shared.add(claim)
    }
  }
  const born = (key: ServiceKey): number => (changed.get(key) ?? ledger.entries.get(key))!.born
  for (const claim of shared) claims.get(claim)!.sort((a, b) => byAge(born(a), born(b)) || (a < b ? -1 : 1))
  return { entries: changed, claims }
}

/** The elements of each touched claim before and after; claims of which nothing changes are left out. */
export function* handovers(ledger: Ledger, reseating: Reseating): Generator<Handover> {
  for (const [claim, owners] of reseating.claims) {
    const holder = ledger.claims.get(claim)?.[0]
    const heir = owners[0]
    const before = holder === undefined ? nothing : ledger.entries.get(holder)!.fragment.claims.get(claim)!
    const winner = heir === undefined ? undefined : (reseating.entries.get(heir) ?? ledger.entries.get(heir))
    const after = winner?.fragment.claims.get(claim) ?? nothing
    if (before !== after) yield { before, after }
  }
}

/** A problem for each service that has to stand back from an address or a node port that an older one holds. */
export function* contests(claims: Iterable<readonly [ClaimKey, Owners]>): Generator<Problem> {
  for (const [claim, [holder, ...losers]] of claims) {
    if (losers.length === 0) continue
    const [set, ...key] = claim.split(' ')
    if (set !== setNames.services && set !== setNames.nodePorts) continue
    const what = `${set === setNames.services ? 'cluster IP and port' : 'node port'} already taken by the older service ${holder}`
    for (const service of losers) yield { service, what, value: key.join(' ') }
  }
}

/** Not a subtraction: two of infinite youth are equal. */
function byAge(a: number, b: number): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
