/** Tells our own changes from other people's: what is seen is compared with what our own steps have left. */
import type { Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { isRecorded, tableName, type Listing } from '../../../rules/ipvs/index.ts'
import type { ForeignChange } from '../kernel.ts'
import { rested } from '../pace.ts'

export interface WatchDeps {
  readonly clock: Clock
  readonly log: Log
  /** Reads the kernel. */
  readonly look: (signal: AbortSignal) => Promise<Listing>
  /** What our own steps have left; undefined while that is not known. */
  readonly left: () => Listing | undefined
  /** Another number whenever a change of our own begins or ends. */
  readonly changes: () => number
  /** Runs something while no change of our own goes on. */
  readonly alone: (work: () => Promise<void>) => Promise<void>
}

/** How often it is looked, at most which share of the time is spent on it, and how many looks in a row our own changes may spoil. */
const looks = { everyMs: 500, share: 0.1, spoilt: 10 } as const

/** Resolves when the signal aborts. IPVS tells nobody of changes, so it is looked at. */
export async function watchForStrays(deps: WatchDeps, tell: (change: ForeignChange) => void, signal: AbortSignal): Promise<void> {
  const { clock, log, look, changes, alone } = deps
  const compare = (seen: Listing): void => {
    const left = deps.left()
    const found = left ? strays(left, seen, (virtual) => isRecorded(left, virtual)) : []
    if (found.length > 0) tell({ what: found.length === 1 ? found[0]! : `${found[0]} and ${found.length - 1} more` })
  }
  let spoilt = 0
  let pause: number = looks.everyMs
  while (await rested(clock, pause, signal)) {
    const began = clock.now()
    try {
      if (spoilt >= looks.spoilt) await alone(async () => compare(await look(signal)))
      else {
        const round = changes()
        const seen = await look(signal)
        // What we have changed meanwhile says nothing about others.
        if (round !== changes()) {
          spoilt++
          continue
        }
        compare(seen)
      }
      spoilt = 0
    } catch (error) {
      if (signal.aborted) return
      log.warn('The kernel could not be looked at for changes by others.', errorKeys(error))
    } finally {
      pause = Math.max(looks.everyMs, (clock.now() - began) / looks.share)
    }
  }
}

/** What is not as we left it, for people; empty if all is. Virtual servers that are not ours do not count. */
export function strays(left: Listing, seen: Listing, isOurs: (virtual: string) => boolean): readonly string[] {
  return [...table(left, seen), ...servers(left, seen, isOurs), ...addresses(left, seen)]
}

function* table({ table: left, family }: Listing, { table: seen }: Listing): Generator<string> {
  if (!left || !seen) {
    if (left && !seen) yield `table ${family} ${tableName} deleted`
    return
  }
  for (const [name, { base, rules }] of left.chains) {
    const other = seen.chains.get(name)
    if (!other) yield `chain ${name} deleted`
    else if (other.base !== base || other.rules.join('\n') !== rules.join('\n')) yield `chain ${name} changed`
  }
  for (const name of seen.chains.keys()) if (!left.chains.has(name)) yield `chain ${name} added`
  for (const [name, elements] of left.elements) {
    const others = seen.elements.get(name)
    if (!others) {
      yield `set ${name} deleted`
      continue
    }
    const same = others.size === elements.size && [...elements].every(([key, { value }]) => others.has(key) && others.get(key)!.value === value)
    if (!same) yield `set ${name} changed`
  }
}

function* servers({ servers: left }: Listing, { servers: seen }: Listing, isOurs: (virtual: string) => boolean): Generator<string> {
  for (const [virtual, { settings, reals }] of left) {
    if (!isOurs(virtual)) continue
    const other = seen.get(virtual)
    if (!other) yield `virtual server ${virtual} deleted`
    else if (other.settings !== settings) yield `virtual server ${virtual} changed`
    else {
      const same = other.reals.size === reals.size && [...reals].every(([real, { weight }]) => other.reals.get(real)?.weight === weight)
      if (!same) yield `real servers of ${virtual} changed`
    }
  }
}

function* addresses(left: Listing, seen: Listing): Generator<string> {
  for (const address of left.addresses) if (!seen.addresses.has(address)) yield `address ${address} deleted`
  for (const address of seen.addresses) if (!left.addresses.has(address)) yield `address ${address} added`
  if ([...left.hostAddresses].sort().join() !== [...seen.hostAddresses].sort().join()) yield 'addresses of the host changed'
}
