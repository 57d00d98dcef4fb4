/**
 * What every Kernel does, as a table: the laws of nf_tables that the agent lives by. Found out on Linux 6.18 with nft 1.0.6.
 * kernel.test.ts holds the kernel in memory and the real one, through both doors, against it.
 */
import type { Element, Family, Listing, Operation, Rule, SetDeclaration, Transaction } from '../../rules/model.ts'
import type { KernelErrorCode } from '../../agent/kernel/errors.ts'

export type Outcome = 'ok' | Exclude<KernelErrorCode, 'SETUP'>

export interface KernelCase {
  readonly name: string
  /** What the kernel holds at first, made from nothing by one transaction; `ground` if absent. */
  readonly given?: readonly Operation[]
  /** The transaction that is tried. If it fails, then because of its last operation: without it, the rest succeeds. */
  readonly when: readonly Operation[]
  readonly outcome: Outcome
  /** Where the failure is a fault of some versions of nft: when a real kernel may succeed. */
  readonly unless?: string
  /** How the listing differs afterwards, in the words of `linesOf`. After a failure it does not differ. */
  readonly gains?: readonly string[]
  readonly loses?: readonly string[]
}

/** A listing as a sorted list of facts, so that the order of sets, chains and elements does not matter but that of rules does. */
export function linesOf(listing: Listing | undefined): readonly string[] {
  if (!listing) return ['no table']
  const { chains, sets, elements } = listing
  return [
    ...[...sets.values()].map(({ kind, name, type }) => `${kind} ${name}: ${type}`),
    ...[...elements].flatMap(([set, inside]) => [...inside.values()].map((element) => `${set}: ${textOf(element)}`)),
    ...[...chains.values()].map(({ name, base }) => `chain ${name}${base === undefined ? '' : `: ${base}`}`),
    ...[...chains.values()].flatMap(({ name, rules }) => rules.map((rule, i) => `${name} ${i}: ${rule.text}`)),
  ].toSorted()
}

const textOf = ({ key, value, comment }: Element): string =>
  `${key}${value === undefined ? '' : ` -> ${value}`}${comment === undefined ? '' : ` "${comment}"`}`

/** The table made anew, whatever was there before. */
export function fresh(family: Family, operations: readonly Operation[]): Transaction {
  return { family, operations: [addTable, deleteTable, ...operations] }
}

// ── the words of the table ───────────────────────────────────────────────────

const addTable: Operation = { kind: 'add-table' }
const deleteTable: Operation = { kind: 'delete-table' }
const addSet = (set: SetDeclaration): Operation => ({ kind: 'add-set', set })
const deleteSet = (set: SetDeclaration): Operation => ({ kind: 'delete-set', set })
const addChain = (chain: string, base?: string): Operation => ({ kind: 'add-chain', chain, ...(base !== undefined && { base }) })
const flushChain = (chain: string): Operation => ({ kind: 'flush-chain', chain })
const deleteChain = (chain: string): Operation => ({ kind: 'delete-chain', chain })
const addRule = (chain: string, text: string): Operation => ({ kind: 'add-rule', chain, rule: { text } satisfies Rule })
const add = (set: SetDeclaration, ...elements: readonly Element[]): Operation => ({
  kind: 'add-elements',
  set: set.name,
  elements,
})
const remove = (set: SetDeclaration, ...keys: readonly string[]): Operation => ({ kind: 'delete-elements', set: set.name, keys })

export const services: SetDeclaration = {
  name: 'services',
  kind: 'map',
  type: 'type ipv4_addr . inet_proto . inet_service : verdict;',
}
export const endpoints: SetDeclaration = {
  name: 'endpoints-2',
  kind: 'map',
  type: 'typeof ip daddr . meta l4proto . th dport . numgen random mod 2 : ip daddr . th dport;',
}
export const hairpin: SetDeclaration = { name: 'hairpin', kind: 'set', type: 'type ipv4_addr . ipv4_addr;' }
export const ranges: SetDeclaration = { name: 'cluster-cidrs', kind: 'set', type: 'type ipv4_addr; flags interval;' }
const spare: SetDeclaration = { name: 'spare', kind: 'set', type: 'type ipv4_addr;' }
const spareRoutes: SetDeclaration = { name: 'spare-routes', kind: 'map', type: 'type ipv4_addr : verdict;' }

export const prerouting = 'type nat hook prerouting priority -100; policy accept;'
export const lookup = 'ip daddr . meta l4proto . th dport vmap @services'
const translate = 'dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 2 map @endpoints-2'

const web = '10.96.0.1 . tcp . 80'
const dns = '10.96.0.10 . udp . 53'

/** A small table of the real layout: one service with two endpoints. `idle` is a chain that nothing leads to. */
export const ground: readonly Operation[] = [
  addTable,
  ...[services, endpoints, hairpin, ranges].map(addSet),
  addChain('nat-prerouting', prerouting),
  addChain('endpoints-2'),
  addChain('idle'),
  addRule('nat-prerouting', lookup),
  addRule('endpoints-2', translate),
  add(ranges, { key: '10.244.0.0/16' }),
  add(hairpin, { key: '10.244.0.2 . 10.244.0.2' }),
  add(endpoints, { key: `${web} . 0`, value: '10.244.0.2 . 8080' }, { key: `${web} . 1`, value: '10.244.1.2 . 8080' }),
  add(services, { key: web, value: 'goto endpoints-2', comment: 'shop/web:http' }),
]

const groundLines = [
  `chain endpoints-2`,
  `chain idle`,
  `chain nat-prerouting: ${prerouting}`,
  'cluster-cidrs: 10.244.0.0/16',
  `endpoints-2 0: ${translate}`,
  `endpoints-2: ${web} . 0 -> 10.244.0.2 . 8080`,
  `endpoints-2: ${web} . 1 -> 10.244.1.2 . 8080`,
  'hairpin: 10.244.0.2 . 10.244.0.2',
  ...[services, endpoints].map(({ name, type }) => `map ${name}: ${type}`),
  ...[hairpin, ranges].map(({ name, type }) => `set ${name}: ${type}`),
  `nat-prerouting 0: ${lookup}`,
  `services: ${web} -> goto endpoints-2 "shop/web:http"`,
]

// ── the table ────────────────────────────────────────────────────────────────

const tables: readonly KernelCase[] = [
  {
    name: 'a table is made of nothing',
    given: [deleteTable],
    when: [addTable, ...ground],
    outcome: 'ok',
    gains: groundLines,
    loses: ['no table'],
  },
  { name: 'a table that is there is left as it is', when: [addTable], outcome: 'ok' },
  { name: 'a table goes with all it holds', when: [deleteTable], outcome: 'ok', loses: groundLines, gains: ['no table'] },
  { name: 'a table goes and an empty one comes', when: [deleteTable, addTable], outcome: 'ok', loses: groundLines },
  { name: 'a table that is not there cannot go', given: [deleteTable], when: [deleteTable], outcome: 'KERNEL_NOT_FOUND' },
  {
    name: 'without a table there is no chain to make',
    given: [deleteTable],
    when: [addChain('idle')],
    outcome: 'KERNEL_NOT_FOUND',
  },
  { name: 'without a table there is no set to make', given: [deleteTable], when: [addSet(spare)], outcome: 'KERNEL_NOT_FOUND' },
  {
    name: 'a table that went earlier in the transaction is gone',
    when: [deleteTable, flushChain('idle')],
    outcome: 'KERNEL_NOT_FOUND',
  },
]

const sets: readonly KernelCase[] = [
  { name: 'a set is made', when: [addSet(spare)], outcome: 'ok', gains: ['set spare: type ipv4_addr;'] },
  { name: 'a set that is there is left as it is', when: [addSet(hairpin)], outcome: 'ok' },
  {
    name: 'a set of that name but another type is there',
    when: [addSet({ ...hairpin, type: 'type ipv4_addr;' })],
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'a set of that name but other flags is there',
    when: [addSet({ ...ranges, type: 'type ipv4_addr;' })],
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'a set of that name is there and no map',
    when: [addSet({ ...spareRoutes, name: 'hairpin' })],
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'a set goes with its elements',
    when: [deleteSet(hairpin)],
    outcome: 'ok',
    loses: [`set hairpin: ${hairpin.type}`, 'hairpin: 10.244.0.2 . 10.244.0.2'],
  },
  { name: 'a set that is not there cannot go', when: [deleteSet(spare)], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'a map that a rule looks into cannot go', when: [deleteSet(services)], outcome: 'KERNEL_BUSY' },
  {
    name: 'a map goes once no rule looks into it',
    when: [flushChain('endpoints-2'), deleteSet(endpoints)],
    outcome: 'ok',
    loses: groundLines.filter(
      (line) => line.includes('endpoints-2') && !line.startsWith('chain') && !line.startsWith('services'),
    ),
  },
  {
    name: 'a set changes its type by going and coming',
    when: [deleteSet(hairpin), addSet({ ...hairpin, type: 'type ipv4_addr;' }), add(hairpin, { key: '10.244.0.9' })],
    outcome: 'ok',
    loses: [`set hairpin: ${hairpin.type}`, 'hairpin: 10.244.0.2 . 10.244.0.2'],
    gains: ['set hairpin: type ipv4_addr;', 'hairpin: 10.244.0.9'],
  },
]

const chains: readonly KernelCase[] = [
  { name: 'a chain is made', when: [addChain('new')], outcome: 'ok', gains: ['chain new'] },
  { name: 'a chain that is there keeps its rules', when: [addChain('endpoints-2')], outcome: 'ok' },
  { name: 'a base chain that is there keeps its rules', when: [addChain('nat-prerouting', prerouting)], outcome: 'ok' },
  { name: 'a base chain named without its hook stays one', when: [addChain('nat-prerouting')], outcome: 'ok' },
  {
    name: 'a base chain changes its policy',
    when: [addChain('nat-prerouting', prerouting.replace('policy accept', 'policy drop'))],
    outcome: 'ok',
    loses: [`chain nat-prerouting: ${prerouting}`],
    gains: [`chain nat-prerouting: ${prerouting.replace('policy accept', 'policy drop')}`],
  },
  {
    name: 'a base chain does not change its priority',
    when: [addChain('nat-prerouting', prerouting.replace('-100', '-99'))],
    outcome: 'KERNEL_REFUSED',
  },
  { name: 'a chain does not become a base chain', when: [addChain('idle', prerouting)], outcome: 'KERNEL_REFUSED' },
  {
    name: 'a flushed chain stays, its rules go',
    when: [flushChain('endpoints-2')],
    outcome: 'ok',
    loses: [`endpoints-2 0: ${translate}`],
  },
  { name: 'a chain that is not there cannot be flushed', when: [flushChain('nowhere')], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'a chain that nothing leads to goes', when: [deleteChain('idle')], outcome: 'ok', loses: ['chain idle'] },
  {
    name: 'a chain goes with its rules',
    when: [addRule('idle', 'accept'), deleteChain('idle')],
    outcome: 'ok',
    loses: ['chain idle'],
  },
  {
    name: 'a base chain goes with its rules',
    when: [deleteChain('nat-prerouting')],
    outcome: 'ok',
    loses: [`chain nat-prerouting: ${prerouting}`, `nat-prerouting 0: ${lookup}`],
  },
  { name: 'a chain that is not there cannot go', when: [deleteChain('nowhere')], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'a chain that an element leads to cannot go', when: [deleteChain('endpoints-2')], outcome: 'KERNEL_BUSY' },
  {
    name: 'a chain that an element of an unused map leads to cannot go',
    when: [addSet(spareRoutes), add(spareRoutes, { key: '10.96.0.9', value: 'jump idle' }), deleteChain('idle')],
    outcome: 'KERNEL_BUSY',
  },
  {
    name: 'a chain goes after the element that led to it',
    when: [remove(services, web), deleteChain('endpoints-2')],
    outcome: 'ok',
    loses: [`services: ${web} -> goto endpoints-2 "shop/web:http"`, 'chain endpoints-2', `endpoints-2 0: ${translate}`],
  },
  {
    name: 'a chain goes after the map whose element led to it',
    when: [flushChain('nat-prerouting'), deleteSet(services), deleteChain('endpoints-2')],
    outcome: 'ok',
    loses: groundLines.filter((line) => /^(map services|services|nat-prerouting 0|chain endpoints-2|endpoints-2 0)/.test(line)),
  },
  {
    name: 'a chain that a rule leads to cannot go',
    when: [addRule('nat-prerouting', 'goto idle'), deleteChain('idle')],
    outcome: 'KERNEL_BUSY',
  },
  {
    name: 'a chain goes after the rule that led to it',
    when: [addRule('nat-prerouting', 'goto idle'), flushChain('nat-prerouting'), deleteChain('idle')],
    outcome: 'ok',
    loses: ['chain idle', `nat-prerouting 0: ${lookup}`],
  },
  { name: 'a chain goes and comes back empty', when: [deleteChain('idle'), addChain('idle')], outcome: 'ok' },
]

const rules: readonly KernelCase[] = [
  {
    name: 'rules are appended in order, equal ones too',
    when: [addRule('endpoints-2', 'accept'), addRule('endpoints-2', 'accept'), addRule('endpoints-2', 'drop')],
    outcome: 'ok',
    gains: ['endpoints-2 1: accept', 'endpoints-2 2: accept', 'endpoints-2 3: drop'],
  },
  {
    name: 'a chain is rewritten by flushing and appending',
    when: [flushChain('nat-prerouting'), addRule('nat-prerouting', 'drop'), addRule('nat-prerouting', lookup)],
    outcome: 'ok',
    loses: [`nat-prerouting 0: ${lookup}`],
    gains: ['nat-prerouting 0: drop', `nat-prerouting 1: ${lookup}`],
  },
  {
    name: 'a rule translates through a map of an earlier transaction',
    when: [addRule('idle', translate)],
    outcome: 'KERNEL_REFUSED',
    unless: 'nft is newer than 1.0.6, which cannot compile it ("conflicting protocols specified: ip vs. th")',
  },
  {
    name: 'a rule translates through a map declared twice',
    when: [addSet(endpoints), addRule('idle', translate)],
    outcome: 'KERNEL_REFUSED',
    unless: 'nft is newer than 1.0.6, as above',
  },
  {
    name: 'a rule that translates is replaced together with its map',
    when: [
      flushChain('endpoints-2'),
      deleteSet(endpoints),
      addSet(endpoints),
      addRule('endpoints-2', 'ip saddr 10.0.0.1 drop'),
      addRule('endpoints-2', translate),
      add(endpoints, { key: `${web} . 0`, value: '10.244.0.2 . 8080' }, { key: `${web} . 1`, value: '10.244.1.2 . 8080' }),
    ],
    outcome: 'ok',
    loses: [`endpoints-2 0: ${translate}`],
    gains: ['endpoints-2 0: ip saddr 10.0.0.1 drop', `endpoints-2 1: ${translate}`],
  },
  { name: 'a rule has no chain to go to', when: [addRule('nowhere', 'accept')], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'a rule leads to no chain', when: [addRule('idle', 'goto nowhere')], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'a rule looks into no set', when: [addRule('idle', 'ip saddr @nothing drop')], outcome: 'KERNEL_NOT_FOUND' },
  {
    name: 'a rule looks into a set made before it',
    when: [addSet(spare), addRule('idle', 'ip saddr @spare drop')],
    outcome: 'ok',
    gains: ['set spare: type ipv4_addr;', 'idle 0: ip saddr @spare drop'],
  },
  {
    name: 'a rule takes verdicts from a set',
    when: [addRule('idle', 'ip saddr . ip daddr vmap @hairpin')],
    outcome: 'KERNEL_REFUSED',
  },
  { name: 'a rule leads to a base chain', when: [addRule('idle', 'jump nat-prerouting')], outcome: 'KERNEL_REFUSED' },
  { name: 'a rule leads to its own chain', when: [addRule('endpoints-2', 'goto endpoints-2')], outcome: 'KERNEL_REFUSED' },
  {
    name: 'a rule closes a loop over two chains',
    when: [addRule('endpoints-2', 'goto idle'), addRule('idle', 'goto endpoints-2')],
    outcome: 'KERNEL_REFUSED',
  },
  { name: 'a rule closes a loop over a map', when: [addRule('endpoints-2', lookup)], outcome: 'KERNEL_REFUSED' },
  {
    name: 'a loop that no base chain leads to is let be',
    when: [addChain('far'), addRule('far', 'goto idle'), addRule('idle', 'jump far')],
    outcome: 'ok',
    gains: ['chain far', 'far 0: goto idle', 'idle 0: jump far'],
  },
  {
    name: 'a loop that is opened within the transaction is let be',
    when: [addRule('endpoints-2', 'goto idle'), addRule('idle', 'goto endpoints-2'), flushChain('endpoints-2')],
    outcome: 'ok',
    loses: [`endpoints-2 0: ${translate}`],
    gains: ['idle 0: goto endpoints-2'],
  },
  {
    name: 'a way of fifteen chains below a base chain is short enough',
    when: longWay(15),
    outcome: 'ok',
    gains: longWayLines(15),
  },
  { name: 'a way of sixteen chains below a base chain is too long', when: longWay(16), outcome: 'KERNEL_REFUSED' },
]

/** The last operation ties the way to the base chain. */
function longWay(length: number): readonly Operation[] {
  const names = Array.from({ length }, (_, i) => `way-${i}`)
  return [
    ...names.map((name) => addChain(name)),
    ...names.slice(1).map((name, i) => addRule(names[i]!, `jump ${name}`)),
    addRule('nat-prerouting', `jump ${names[0]}`),
  ]
}

function longWayLines(length: number): readonly string[] {
  const numbers = Array.from({ length }, (_, i) => i)
  return [
    'nat-prerouting 1: jump way-0',
    ...numbers.map((i) => `chain way-${i}`),
    ...numbers.slice(1).map((i) => `way-${i - 1} 0: jump way-${i}`),
  ]
}

const elements: readonly KernelCase[] = [
  {
    name: 'elements are added to a map and to a set',
    when: [
      add(services, { key: dns, value: 'drop', comment: 'kube-system/dns:udp' }),
      add(hairpin, { key: '10.244.0.3 . 10.244.0.3' }),
    ],
    outcome: 'ok',
    gains: [`services: ${dns} -> drop "kube-system/dns:udp"`, 'hairpin: 10.244.0.3 . 10.244.0.3'],
  },
  {
    name: 'an element that is there with the same value is no error',
    when: [add(services, { key: web, value: 'goto endpoints-2' })],
    outcome: 'ok',
  },
  {
    name: 'an element that is there keeps its comment',
    when: [add(services, { key: web, value: 'goto endpoints-2', comment: 'other' })],
    outcome: 'ok',
  },
  {
    name: 'an element is there with another value',
    when: [add(services, { key: web, value: 'drop' })],
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'two values for one key in one transaction',
    when: [add(services, { key: dns, value: 'drop' }), add(services, { key: dns, value: 'accept' })],
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'a value is replaced by deleting and adding',
    when: [remove(endpoints, `${web} . 1`), add(endpoints, { key: `${web} . 1`, value: '10.244.1.9 . 8080' })],
    outcome: 'ok',
    loses: [`endpoints-2: ${web} . 1 -> 10.244.1.2 . 8080`],
    gains: [`endpoints-2: ${web} . 1 -> 10.244.1.9 . 8080`],
  },
  {
    name: 'a set of that name is not there to be added to',
    when: [add(spare, { key: '10.0.0.1' })],
    outcome: 'KERNEL_NOT_FOUND',
  },
  {
    name: 'an element leads to no chain',
    when: [add(services, { key: dns, value: 'goto nowhere' })],
    outcome: 'KERNEL_NOT_FOUND',
  },
  {
    name: 'an element leads to a base chain',
    when: [add(services, { key: dns, value: 'goto nat-prerouting' })],
    outcome: 'KERNEL_REFUSED',
  },
  {
    name: 'an element leads to a chain made before it',
    when: [addChain('new'), add(services, { key: dns, value: 'goto new' })],
    outcome: 'ok',
    gains: ['chain new', `services: ${dns} -> goto new`],
  },
  {
    name: 'an element closes a loop',
    when: [addRule('idle', lookup), add(services, { key: dns, value: 'goto idle' })],
    outcome: 'KERNEL_REFUSED',
  },
  { name: 'an element of a map has no value', when: [add(endpoints, { key: `${dns} . 0` })], outcome: 'KERNEL_REFUSED' },
  {
    name: 'an element of a set has a value',
    when: [add(hairpin, { key: '10.0.0.1 . 10.0.0.1', value: 'drop' })],
    outcome: 'KERNEL_REFUSED',
  },
  { name: 'a key has too few parts', when: [add(services, { key: '10.0.0.1 . tcp', value: 'drop' })], outcome: 'KERNEL_REFUSED' },
  {
    name: 'a key has too many parts',
    when: [add(hairpin, { key: '10.0.0.1 . 10.0.0.1 . 10.0.0.1' })],
    outcome: 'KERNEL_REFUSED',
  },
  {
    name: 'a value has too few parts',
    when: [add(endpoints, { key: `${dns} . 0`, value: '10.0.0.1' })],
    outcome: 'KERNEL_REFUSED',
  },
  { name: 'no element is no list', when: [add(hairpin)], outcome: 'KERNEL_REFUSED' },
  {
    name: 'elements go',
    when: [remove(endpoints, `${web} . 0`, `${web} . 1`)],
    outcome: 'ok',
    loses: [`endpoints-2: ${web} . 0 -> 10.244.0.2 . 8080`, `endpoints-2: ${web} . 1 -> 10.244.1.2 . 8080`],
  },
  { name: 'an element that is not there cannot go', when: [remove(services, dns)], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'an element cannot go twice', when: [remove(services, web), remove(services, web)], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'an element cannot go out of a set that is not there', when: [remove(spare, '10.0.0.1')], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'no key is no list', when: [remove(hairpin)], outcome: 'KERNEL_REFUSED' },
  {
    name: 'ranges stand side by side',
    when: [add(ranges, { key: '10.245.0.0/16' }, { key: '192.168.0.1' })],
    outcome: 'ok',
    gains: ['cluster-cidrs: 10.245.0.0/16', 'cluster-cidrs: 192.168.0.1'],
  },
  { name: 'a range that is there is no error', when: [add(ranges, { key: '10.244.0.0/16' })], outcome: 'ok' },
  { name: 'a range lies inside another one', when: [add(ranges, { key: '10.244.7.0/24' })], outcome: 'KERNEL_EXISTS' },
  { name: 'a range encloses another one', when: [add(ranges, { key: '10.0.0.0/8' })], outcome: 'KERNEL_EXISTS' },
  { name: 'a part of a range cannot go', when: [remove(ranges, '10.244.7.0/24')], outcome: 'KERNEL_NOT_FOUND' },
  {
    name: 'a range is replaced by a part of it',
    when: [remove(ranges, '10.244.0.0/16'), add(ranges, { key: '10.244.7.0/24' })],
    outcome: 'ok',
    loses: ['cluster-cidrs: 10.244.0.0/16'],
    gains: ['cluster-cidrs: 10.244.7.0/24'],
  },
]

const transactions: readonly KernelCase[] = [
  { name: 'a transaction of nothing changes nothing', when: [], outcome: 'ok' },
  {
    name: 'nothing of a transaction stays when its last operation fails',
    when: [
      addChain('new'),
      addSet(spare),
      addRule('idle', 'drop'),
      remove(hairpin, '10.244.0.2 . 10.244.0.2'),
      deleteChain('nowhere'),
    ],
    outcome: 'KERNEL_NOT_FOUND',
  },
  {
    name: 'a service moves between counts in one step',
    when: [
      addSet({ ...endpoints, name: 'endpoints-1' }),
      addChain('endpoints-1'),
      addRule('endpoints-1', translate.replace('endpoints-2', 'endpoints-1')),
      remove(services, web),
      remove(endpoints, `${web} . 0`, `${web} . 1`),
      add({ ...endpoints, name: 'endpoints-1' }, { key: `${web} . 0`, value: '10.244.0.2 . 8080' }),
      add(services, { key: web, value: 'goto endpoints-1', comment: 'shop/web:http' }),
      deleteChain('endpoints-2'),
      deleteSet(endpoints),
    ],
    outcome: 'ok',
    loses: groundLines.filter((line) => line.includes('endpoints-2')),
    gains: [
      'chain endpoints-1',
      `endpoints-1 0: ${translate.replace('endpoints-2', 'endpoints-1')}`,
      `endpoints-1: ${web} . 0 -> 10.244.0.2 . 8080`,
      `map endpoints-1: ${endpoints.type}`,
      `services: ${web} -> goto endpoints-1 "shop/web:http"`,
    ],
  },
]

export const kernelCases: readonly KernelCase[] = [...tables, ...sets, ...chains, ...rules, ...elements, ...transactions]
