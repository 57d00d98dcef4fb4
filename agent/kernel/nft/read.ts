/**
 * Our table as a `Listing`. Quickly, where this process can talk to the kernel: the outline (chains, rules, what sets are of) as
 * text, the elements as bytes. Of a set whose bytes are not known the elements come as text, and so does everything where the
 * quick way does not work. Both ways give the same.
 */
import { systemClock, type Clock } from '../../../api/clock.ts'
import { isWherryError } from '../../../api/errors.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { RulesError } from '../../../rules/error.ts'
import type { Family } from '../../../rules/model.ts'
import { elementForm, isDynamic, parse, tableIn, tableName } from '../../../rules/nft/index.ts'
import type { Element, ElementKey, Listing, SetDeclaration, SetName } from '../../../rules/nft/index.ts'
import type { Door } from './door.ts'
import { KernelError } from '../errors.ts'
import { isTorn } from './listing.ts'
import { errno } from '../netlink-messages.ts'
import type { NetlinkTalk } from '../netlink.ts'
import { elementsQuestion, readElements } from './elements.ts'
import { generationIn, generationQuestion } from './messages.ts'
import { othersTurn } from '../pace.ts'

export interface ReadDeps {
  readonly door: Door
  readonly family: Family
  readonly log: Log
  /** Opens what the quick way talks through, in the door's network namespace. Without it there is only text. */
  readonly openTalk?: () => Promise<NetlinkTalk>
  readonly clock?: Clock
}

/** Each is given up when the rules change in the middle of it. */
const attempts = { quick: 3, text: 5 } as const

/** Some milliseconds of work, after which others have their turn: datagrams of up to 32 KB. */
const turnDatagrams = 8

/** What was found, and the generation of the rules that it was found in; no listing if there is no table of ours. */
interface Found {
  readonly listing: Listing | undefined
  readonly generation: number
}

type Elements = ReadonlyMap<ElementKey, Element>

export interface TableReader {
  /**
   * Begins to read, where that is quick, while others wait for other things. Ends with the signal; what was found is forgotten if
   * nobody asks for it within half a minute.
   */
  prepare(signal: AbortSignal): void
  /**
   * @returns what the kernel holds now, prepared or not; undefined if there is no table of ours
   * @throws KernelError KERNEL_REFUSED; RulesError RULES_UNREADABLE
   */
  read(signal: AbortSignal): Promise<Listing | undefined>
}

const preparedMs = 30_000

export function createTableReader(deps: ReadDeps): TableReader {
  const { clock = systemClock } = deps
  let prepared: { readonly reading: Promise<Found | 'changed'>; readonly forget: () => void } | undefined
  return {
    prepare(signal) {
      const forget = (): void => {
        cancel()
        signal.removeEventListener('abort', forget)
        prepared = undefined
      }
      const cancel = clock.after(preparedMs, forget)
      signal.addEventListener('abort', forget, { once: true })
      prepared?.forget()
      prepared = { reading: readQuickly(deps, signal).catch(() => 'changed'), forget }
    },
    async read(signal) {
      const found = await prepared?.reading
      prepared?.forget()
      if (found && found !== 'changed' && (await isCurrent(deps, found))) return found.listing
      return readTable(deps, signal)
    },
  }
}

async function isCurrent({ openTalk }: ReadDeps, { generation }: Found): Promise<boolean> {
  const talk = await openTalk?.().catch(() => undefined)
  try {
    return talk !== undefined && generationOf(talk) === generation
  } catch {
    return false
  } finally {
    talk?.close()
  }
}

async function readTable(deps: ReadDeps, signal: AbortSignal): Promise<Listing | undefined> {
  const quick = await readQuickly(deps, signal)
  return quick === 'changed' ? readText(deps, signal) : quick.listing
}

async function readQuickly(deps: ReadDeps, signal: AbortSignal): Promise<Found | 'changed'> {
  const { log, openTalk } = deps
  if (!openTalk) return 'changed'
  try {
    const talk = await openTalk()
    try {
      for (let attempt = 1; attempt <= attempts.quick; attempt++) {
        const found = await look(deps, talk, signal)
        if (found !== 'changed') return found
        log.debug('The rules changed while they were read; they are read again.', { attempt })
      }
    } finally {
      talk.close()
    }
  } catch (e) {
    // The text will show whether more is wrong than that.
    if (signal.aborted || !(e instanceof KernelError || e instanceof RulesError)) throw e
    log.debug('The elements are read as text, as their bytes cannot be read.', errorKeys(e))
  }
  return 'changed'
}

async function look({ door, family }: ReadDeps, talk: NetlinkTalk, signal: AbortSignal): Promise<Found | 'changed'> {
  const generation = generationOf(talk)
  const outline = tableIn((await listed(door, { family }, 'outline', signal)) ?? '', family, tableName)
  if (outline === undefined) return { listing: undefined, generation }
  const { chains, sets } = parse(outline)
  const elements = new Map<SetName, Elements>()
  const texts: Promise<boolean>[] = []
  for (const set of sets.values()) {
    const found = await elementsOf(talk, family, set, signal)
    if (found === 'changed') return found
    if (!('held' in found)) elements.set(set.name, found)
    else {
      const text = elementsAsText(door, family, { ...set, held: found.held }, signal).then((read) => read !== 'changed' && elements.set(set.name, read) !== undefined)
      // It is waited for below, if all else goes well.
      text.catch(() => {})
      texts.push(text)
    }
  }
  const isWhole = (await Promise.all(texts)).every(Boolean)
  return isWhole && generationOf(talk) === generation ? { listing: { chains, sets, elements }, generation } : 'changed'
}

/** A set with so many elements, of which some do not look as expected. */
interface NotUnderstood {
  readonly held: number
}

/** Reads the answer to its end in any case: what was left of it would be taken for the next one. */
async function elementsOf(talk: NetlinkTalk, family: Family, set: SetDeclaration, signal: AbortSignal): Promise<Elements | NotUnderstood | 'changed'> {
  const found = new Map<ElementKey, Element>()
  if (isDynamic(set)) return found
  const form = elementForm(set)
  let held = 0
  let understood = true
  talk.ask(elementsQuestion({ family, name: tableName }, set.name))
  for (let datagrams = 1; ; datagrams++) {
    const answer = talk.answer()
    if (!answer) throw new KernelError('KERNEL_REFUSED', `read: the elements of ${set.name} broke off`)
    const end = readElements(answer, form, (element) => {
      held++
      if (element) found.set(element.key, element)
      else understood = false
    })
    if (!end) {
      if (datagrams % turnDatagrams === 0) await othersTurn(signal)
    } else if (end.errno === errno.notFound) return 'changed'
    else if (end.errno !== 0) throw new KernelError('KERNEL_REFUSED', `read: the elements of ${set.name} cannot be read (errno ${end.errno})`)
    else if (!understood) return { held }
    // An element that came twice is the trace of a set that the kernel rearranged: see `isTorn`.
    else return found.size === held ? found : 'changed'
  }
}

async function elementsAsText(
  door: Door,
  family: Family,
  { kind, name, held }: SetDeclaration & NotUnderstood,
  signal: AbortSignal,
): Promise<Elements | 'changed'> {
  const text = await listed(door, { family, name: tableName, set: { kind, name, held } }, 'exact', signal)
  if (text === undefined) return 'changed'
  const listing = parse(text)
  return isTorn(text, listing) ? 'changed' : (listing.elements.get(name) ?? 'changed')
}

/** @throws KernelError KERNEL_REFUSED */
export function generationOf(talk: NetlinkTalk): number {
  talk.ask(generationQuestion())
  const answer = talk.answer()
  const generation = answer && generationIn(answer)
  if (generation === undefined) throw new KernelError('KERNEL_REFUSED', 'read: the kernel does not tell the generation of its rules')
  return generation
}

async function readText({ door, family, log }: ReadDeps, signal: AbortSignal): Promise<Listing | undefined> {
  for (let attempt = 1; attempt <= attempts.text; attempt++) {
    const text = await listed(door, { family, name: tableName }, 'exact', signal)
    if (text === undefined) return undefined
    const listing = parse(text)
    if (!isTorn(text, listing)) return listing
    log.debug('The kernel rearranged a set while it was listed; it is listed again.', { attempt })
  }
  throw new KernelError('KERNEL_REFUSED', `read: each of ${attempts.text} listings was torn by the kernel; read again later`)
}

/** What a door lists; undefined if there is no such thing. */
export async function listed(door: Door, ...question: Parameters<Door['list']>): Promise<string | undefined> {
  try {
    return await door.list(...question)
  } catch (e) {
    if (isWherryError(e, 'KERNEL_NOT_FOUND')) return undefined
    throw e
  }
}
