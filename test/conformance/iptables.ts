/** The laws of iptables-restore as one table: it holds on the tables in memory and on a kernel, in both variants. For tests. */
import { isWherryError } from '../../api/errors.ts'
import type { Kernel } from '../../agent/kernel/kernel.ts'
import { tableNames, type Listing, type Operation, type Rule, type Transaction } from '../../rules/iptables/index.ts'

export interface IptablesLaw {
  readonly name: string
  /** What is there at first, beside `ground`. */
  readonly given?: readonly Operation[]
  readonly when: readonly Operation[]
  /** The code of the error; undefined where all is done. */
  readonly code?: string
  /** The older variant tells the line, but not what is wrong with it. */
  readonly wordless?: true
  /** Our part of `nat` afterwards, as `stateOf` tells it. After an error it is what was given. */
  readonly left: readonly string[]
}

const [a, b, c, d] = ['10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0.4'].map((address): Rule => `-d ${address}/32 -j RETURN`) as [Rule, Rule, Rule, Rule]
const one = 'WHERRY-ONE'
const two = 'WHERRY-TWO'
const chain = (name: string, ...rules: readonly Rule[]): Operation => ({ kind: 'set-chain', chain: name, rules })
const jump = (kind: 'add-jump' | 'delete-jump', to: string): Operation => ({ kind, hook: 'PREROUTING', rule: `-j ${to}` })
const remove = (name: string): Operation => ({ kind: 'delete-chain', chain: name })
const edit = (name: string, deleted: readonly Rule[], ...inserted: readonly (readonly [number, Rule])[]): Operation => ({
  kind: 'edit-chain',
  chain: name,
  deleted,
  inserted: inserted.map(([at, rule]) => ({ at, rule })),
})

export const iptablesLaws: readonly IptablesLaw[] = [
  { name: 'a chain is made', when: [chain(one, a, b)], left: [`${one} 1 ${a}`, `${one} 2 ${b}`] },
  { name: 'an empty chain is made', when: [chain(one)], left: [one] },
  { name: 'a chain is made anew', given: [chain(one, a, b)], when: [chain(one, c, a)], left: [`${one} 1 ${c}`, `${one} 2 ${a}`] },
  { name: 'a rule leads to a chain that comes later', when: [chain(one, `-j ${two}`), chain(two)], left: [`${one} 1 -j ${two}`, two] },
  { name: 'a rule leads to no chain', given: [chain(two, b)], when: [chain(two, a), chain(one, '-j WHERRY-NONE')], code: 'KERNEL_NOT_FOUND', left: [`${two} 1 ${b}`] },
  { name: 'a chain goes', given: [chain(one, a)], when: [remove(one)], left: [] },
  { name: 'a chain goes that was not there', when: [remove(one)], left: [] },
  { name: 'a chain to which a rule leads stays', given: [chain(two), chain(one, `-j ${two}`)], when: [remove(two)], code: 'KERNEL_BUSY', wordless: true, left: [`${one} 1 -j ${two}`, two] },
  { name: 'a chain goes with the rule that leads to it', given: [chain(two, a), chain(one, b, `-j ${two}`)], when: [remove(two), edit(one, [`-j ${two}`])], left: [`${one} 1 ${b}`] },
  { name: 'two chains go of which one leads to the other', given: [chain(two, a), chain(one, `-j ${two}`)], when: [remove(two), remove(one)], left: [] },
  { name: 'a jump comes in front', given: [chain(one), chain(two), jump('add-jump', one)], when: [jump('add-jump', two)], left: [`PREROUTING 1 -j ${two}`, `PREROUTING 2 -j ${one}`, one, two] },
  { name: 'of two jumps alike one goes', given: [chain(one), jump('add-jump', one), jump('add-jump', one)], when: [jump('delete-jump', one)], left: [`PREROUTING 1 -j ${one}`, one] },
  { name: 'a jump that is not there does not go', given: [chain(one), chain(two), jump('add-jump', one)], when: [jump('delete-jump', two)], code: 'KERNEL_NOT_FOUND', wordless: true, left: [`PREROUTING 1 -j ${one}`, one, two] },
  { name: 'rules go and come by their places', given: [chain(one, a, b, c)], when: [edit(one, [a, c], [1, d], [3, a])], left: [`${one} 1 ${d}`, `${one} 2 ${b}`, `${one} 3 ${a}`] },
  { name: 'a rule comes at the end', given: [chain(one, a)], when: [edit(one, [], [2, b])], left: [`${one} 1 ${a}`, `${one} 2 ${b}`] },
  { name: 'a rule that leads to a new chain comes', given: [chain(one, a)], when: [edit(one, [], [1, `-j ${two}`]), chain(two, b)], left: [`${one} 1 -j ${two}`, `${one} 2 ${a}`, `${two} 1 ${b}`] },
  { name: 'no rule has a place beyond the end', given: [chain(one, a)], when: [edit(one, [], [3, b])], code: 'KERNEL_REFUSED', left: [`${one} 1 ${a}`] },
  { name: 'a rule that is not there does not go', given: [chain(one, a)], when: [edit(one, [a, b])], code: 'KERNEL_NOT_FOUND', wordless: true, left: [`${one} 1 ${a}`] },
  { name: 'a chain that is not there is not edited', given: [chain(one, a)], when: [edit(two, [], [1, b])], code: 'KERNEL_NOT_FOUND', wordless: true, left: [`${one} 1 ${a}`] },
]

/** One line for each rule, and for each chain without one. */
function stateOf(listing: Listing | undefined, table: 'nat' | 'filter'): readonly string[] {
  const { jumps, chains } = listing?.[table] ?? { jumps: new Map<string, readonly Rule[]>(), chains: new Map<string, readonly Rule[]>() }
  return [...jumps, ...chains].flatMap(([name, rules]) => (rules.length > 0 ? rules.map((rule, i) => `${name} ${i + 1} ${rule}`) : [name])).toSorted()
}

const transaction = (nat: readonly Operation[], filter: readonly Operation[] = []): Transaction => ({ family: 'ip', operations: { filter, nat } })

export function codeFor({ code, wordless }: IptablesLaw, variant: 'nft' | 'legacy'): string | undefined {
  return wordless && variant === 'legacy' ? 'KERNEL_REFUSED' : code
}

/** @param kernel without anything of ours */
export async function runIptablesLaw(kernel: Kernel<Listing, Transaction>, law: IptablesLaw, signal: AbortSignal) {
  if (law.given) await kernel.apply(transaction(law.given), signal)
  const found = await codeOf(kernel.apply(transaction(law.when), signal))
  return { code: found, left: stateOf(await kernel.read(signal), 'nat') }
}

/** `filter` is written first, and stays when `nat` then is refused. */
export async function runTableLaw(kernel: Kernel<Listing, Transaction>, signal: AbortSignal) {
  const code = await codeOf(kernel.apply(transaction([chain(one, '-j WHERRY-NONE')], [chain(one, a)]), signal))
  const listing = await kernel.read(signal)
  return { code, ...Object.fromEntries(tableNames.map((name) => [name, stateOf(listing, name)])) }
}

export const tableLawHolds = { code: 'KERNEL_NOT_FOUND', filter: [`${one} 1 ${a}`], nat: [] }

async function codeOf(applied: Promise<void>): Promise<string | undefined> {
  try {
    await applied
    return undefined
  } catch (e) {
    if (isWherryError(e)) return e.code
    throw e
  }
}
