/**
 * What every Kernel does, as a table: the laws of nf_tables that the agent lives by. Found out on Linux 6.18 with nft 1.0.6.
 * kernel.test.ts holds the kernel in memory and the real one, through both doors, against it.
 */
import type { Family } from '../../rules/model.ts'
import type { Element, Listing, Operation, SetDeclaration, Transaction } from '../../rules/nft/model.ts'
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
    ...[...chains.values()].flatMap(({ name, rules }) => rules.map((rule, i) => `${name} ${i}: ${rule}`)),
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
const addChain = (chain: string, base?: string): Operation => ({ kind: 'add-chain', chain, ...(base !== undefined && { base }) })
const addRule = (chain: string, text: string): Operation => ({ kind: 'add-rule', chain, rule: text })
const add = (set: SetDeclaration, ...elements: readonly Element[]): Operation => ({
  kind: 'add-elements',
  set: set.name,
  elements,
})
const remove = (set: SetDeclaration, ...keys: readonly string[]): Operation => ({ kind: 'delete-elements', set: set.name, keys })

export const external: SetDeclaration = { name: 'external', kind: 'set', type: 'type ipv4_addr . inet_proto . inet_service;' }
export const endpoints: SetDeclaration = {
  name: 'endpoints-2',
  kind: 'map',
  type: 'typeof ip daddr . meta l4proto . th dport . numgen random mod 2 : ip daddr . th dport; counter;',
}
export const ids: SetDeclaration = {
  name: 'affinity-ids',
  kind: 'map',
  type: 'type ipv4_addr . inet_proto . inet_service : classid;',
}
export const affinity: SetDeclaration = {
  name: 'affinity',
  kind: 'map',
  type: 'typeof meta priority . ip saddr : meta priority; size 1048576; flags dynamic,timeout;',
}
export const hairpin: SetDeclaration = { name: 'hairpin', kind: 'set', type: 'type ipv4_addr . ipv4_addr;' }
export const ranges: SetDeclaration = { name: 'pod-ranges', kind: 'set', type: 'type ipv4_addr; flags interval;' }
export const sources: SetDeclaration = {
  name: 'source-ranges',
  kind: 'set',
  type: 'type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval;',
}
const spare: SetDeclaration = { name: 'spare', kind: 'set', type: 'type ipv4_addr;' }

export const prerouting = 'type nat hook prerouting priority -100; policy accept;'
export const lookup = 'ip daddr . meta l4proto . th dport @external goto endpoints'
const translate = 'dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 2 map @endpoints-2'
export const identify = 'meta priority set ip daddr . meta l4proto . th dport map @affinity-ids'
export const learn = 'update @affinity { meta priority & ffff:f000 . ip saddr timeout 3h : meta priority } meta priority set none'
export const unlearn = 'delete @affinity { meta priority . ip saddr : meta priority }'

const web = '10.96.0.1 . tcp . 80'
const dns = '10.96.0.10 . udp . 53'

/** A small table of the real layout: one service with two endpoints. `idle` is a chain that nothing leads to. */
export const ground: readonly Operation[] = [
  addTable,
  ...[external, endpoints, ids, affinity, hairpin, ranges, sources].map(addSet),
  addChain('nat-prerouting', prerouting),
  addChain('endpoints'),
  addChain('idle'),
  addRule('nat-prerouting', lookup),
  addRule('endpoints', translate),
  add(ranges, { key: '10.244.0.0/16' }),
  add(sources, { key: `${web} . 192.0.2.0/24` }),
  add(hairpin, { key: '10.244.0.2 . 10.244.0.2' }),
  add(
    endpoints,
    { key: `${web} . 0`, value: '10.244.0.2 . 8080', comment: 'shop/web:http' },
    { key: `${web} . 1`, value: '10.244.1.2 . 8080' },
  ),
  add(ids, { key: web, value: '1234:5000' }),
  add(external, { key: web, comment: 'shop/web:http' }),
]

const groundLines = [
  `affinity-ids: ${web} -> 1234:5000`,
  `chain endpoints`,
  `chain idle`,
  `chain nat-prerouting: ${prerouting}`,
  `endpoints 0: ${translate}`,
  `endpoints-2: ${web} . 0 -> 10.244.0.2 . 8080 "shop/web:http"`,
  `endpoints-2: ${web} . 1 -> 10.244.1.2 . 8080`,
  `external: ${web} "shop/web:http"`,
  'hairpin: 10.244.0.2 . 10.244.0.2',
  ...[endpoints, ids, affinity].map(({ name, type }) => `map ${name}: ${type}`),
  ...[external, hairpin, ranges, sources].map(({ name, type }) => `set ${name}: ${type}`),
  `nat-prerouting 0: ${lookup}`,
  'pod-ranges: 10.244.0.0/16',
  `source-ranges: ${web} . 192.0.2.0/24`,
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
  { name: 'a table is made anew in one step', when: [deleteTable, ...ground], outcome: 'ok' },
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
    when: [deleteTable, addChain('idle')],
    outcome: 'KERNEL_NOT_FOUND',
  },
]

const sets: readonly KernelCase[] = [
  { name: 'a set is made', when: [addSet(spare)], outcome: 'ok', gains: ['set spare: type ipv4_addr;'] },
  ...[endpoints, ids, affinity, hairpin, ranges, sources].map((set): KernelCase => ({
    name: `a ${set.kind} that is there is left as it is: ${set.name}`,
    when: [addSet(set)],
    outcome: 'ok',
  })),
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
    name: 'a map of that name but without counters is there',
    when: [addSet({ ...endpoints, type: endpoints.type.replace(' counter;', '') })],
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'a map of that name but not for packets to write to is there',
    when: [addSet({ ...affinity, type: affinity.type.replace('dynamic,', '') })],
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'a set of that name is there and no map',
    when: [addSet({ ...ids, name: 'hairpin' })],
    outcome: 'KERNEL_EXISTS',
  },
]

const chains: readonly KernelCase[] = [
  { name: 'a chain is made', when: [addChain('new')], outcome: 'ok', gains: ['chain new'] },
  { name: 'a chain that is there keeps its rules', when: [addChain('endpoints')], outcome: 'ok' },
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
]

const endpoints3: SetDeclaration = { ...endpoints, name: 'endpoints-3', type: endpoints.type.replace('mod 2', 'mod 3') }
const translate3 = translate.replace('mod 2', 'mod 3').replace('endpoints-2', 'endpoints-3')
const translateNodePort3 = translate3.replace('ip daddr', 'ip daddr & 0.0.0.0')

const rules: readonly KernelCase[] = [
  {
    name: 'rules are appended in order, equal ones too',
    when: [addRule('endpoints', 'accept'), addRule('endpoints', 'accept'), addRule('endpoints', 'drop')],
    outcome: 'ok',
    gains: ['endpoints 1: accept', 'endpoints 2: accept', 'endpoints 3: drop'],
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
    name: 'a service gets one more endpoint, and with it a new map and its rules',
    when: [
      addSet(endpoints3),
      addRule('endpoints', translate3),
      addRule('idle', translateNodePort3),
      remove(endpoints, `${web} . 0`, `${web} . 1`),
      add(endpoints3, ...[0, 1, 2].map((node) => ({ key: `${web} . ${node}`, value: `10.244.${node}.2 . 8080` }))),
    ],
    outcome: 'ok',
    loses: groundLines.filter((line) => line.startsWith('endpoints-2:')),
    gains: [
      `endpoints 1: ${translate3}`,
      `endpoints-3: ${web} . 0 -> 10.244.0.2 . 8080`,
      `endpoints-3: ${web} . 1 -> 10.244.1.2 . 8080`,
      `endpoints-3: ${web} . 2 -> 10.244.2.2 . 8080`,
      `idle 0: ${translateNodePort3}`,
      `map endpoints-3: ${endpoints3.type}`,
    ],
  },
  {
    name: 'a rule looks into a map of an earlier transaction for a number',
    when: [addRule('idle', identify)],
    outcome: 'ok',
    gains: [`idle 0: ${identify}`],
  },
  {
    name: 'packets write to a dynamic map of an earlier transaction',
    when: [addRule('idle', learn), addRule('idle', unlearn)],
    outcome: 'ok',
    gains: [`idle 0: ${learn}`, `idle 1: ${unlearn}`],
  },
  {
    name: 'packets cannot set a time in a set without times',
    when: [
      addSet({ ...spare, type: 'type ipv4_addr; flags dynamic;' }),
      addRule('idle', 'update @spare { ip saddr timeout 3h }'),
    ],
    outcome: 'KERNEL_REFUSED',
  },
  {
    name: 'packets cannot write to ranges',
    when: [addRule('idle', 'update @pod-ranges { ip saddr }')],
    outcome: 'KERNEL_REFUSED',
  },
  {
    name: 'packets cannot write to a set that is not there',
    when: [addRule('idle', 'update @nothing { ip saddr timeout 3h }')],
    outcome: 'KERNEL_NOT_FOUND',
  },
  {
    name: 'a rule takes a number from a set',
    when: [addRule('idle', identify.replace('affinity-ids', 'external'))],
    outcome: 'KERNEL_REFUSED',
  },
  { name: 'a rule has no chain to go to', when: [addRule('nowhere', 'accept')], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'a rule leads to no chain', when: [addRule('idle', 'goto nowhere')], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'a rule looks into no set', when: [addRule('idle', 'ip saddr @nothing drop')], outcome: 'KERNEL_NOT_FOUND' },
  {
    name: 'a rule looks into no map',
    when: [addRule('idle', translate.replace('endpoints-2', 'endpoints-9'))],
    outcome: 'KERNEL_NOT_FOUND',
  },
  {
    name: 'a rule looks into a set made before it',
    when: [addSet(spare), addRule('idle', 'ip saddr @spare drop')],
    outcome: 'ok',
    gains: ['set spare: type ipv4_addr;', 'idle 0: ip saddr @spare drop'],
  },
  { name: 'a rule leads to a base chain', when: [addRule('idle', 'jump nat-prerouting')], outcome: 'KERNEL_REFUSED' },
  { name: 'a rule leads to its own chain', when: [addRule('endpoints', 'goto endpoints')], outcome: 'KERNEL_REFUSED' },
  {
    name: 'a rule closes a loop over two chains',
    when: [addRule('endpoints', 'goto idle'), addRule('idle', 'goto endpoints')],
    outcome: 'KERNEL_REFUSED',
  },
  {
    name: 'a loop that no base chain leads to is let be',
    when: [addChain('far'), addRule('far', 'goto idle'), addRule('idle', 'jump far')],
    outcome: 'ok',
    gains: ['chain far', 'far 0: goto idle', 'idle 0: jump far'],
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

const besides = [`${dns} . 0.0.0.0/0`, `${web} . 198.51.100.0/24`, `${web} . 203.0.113.7`]

const elements: readonly KernelCase[] = [
  {
    name: 'elements are added to maps and to a set',
    when: [
      add(external, { key: dns, comment: 'kube-system/dns:udp' }),
      add(ids, { key: dns, value: 'abcd:f000', comment: 'kube-system/dns:udp' }),
      add(endpoints, { key: `${dns} . 0`, value: '10.244.0.3 . 53', comment: 'kube-system/dns:udp' }),
    ],
    outcome: 'ok',
    gains: [
      `affinity-ids: ${dns} -> abcd:f000 "kube-system/dns:udp"`,
      `endpoints-2: ${dns} . 0 -> 10.244.0.3 . 53 "kube-system/dns:udp"`,
      `external: ${dns} "kube-system/dns:udp"`,
    ],
  },
  {
    name: 'an element for the node ports of all addresses',
    when: [add(endpoints, { key: '0.0.0.0 . tcp . 30080 . 0', value: '10.244.0.2 . 8080' })],
    outcome: 'ok',
    gains: ['endpoints-2: 0.0.0.0 . tcp . 30080 . 0 -> 10.244.0.2 . 8080'],
  },
  {
    name: 'an element that is there with the same value is no error',
    when: [add(ids, { key: web, value: '1234:5000' })],
    outcome: 'ok',
  },
  {
    name: 'an element that is there keeps its comment',
    when: [add(external, { key: web, comment: 'other' })],
    outcome: 'ok',
  },
  {
    name: 'an element is there with another value',
    when: [add(ids, { key: web, value: '1234:6000' })],
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'two values for one key in one transaction',
    when: [add(ids, { key: dns, value: '1:0' }), add(ids, { key: dns, value: '2:0' })],
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
  { name: 'an element of a map has no value', when: [add(endpoints, { key: `${dns} . 0` })], outcome: 'KERNEL_REFUSED' },
  {
    name: 'an element of a set has a value',
    when: [add(hairpin, { key: '10.0.0.1 . 10.0.0.1', value: '10.0.0.1' })],
    outcome: 'KERNEL_REFUSED',
  },
  { name: 'a key has too few parts', when: [add(ids, { key: '10.0.0.1 . tcp', value: '1:0' })], outcome: 'KERNEL_REFUSED' },
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
    loses: groundLines.filter((line) => line.startsWith('endpoints-2:')),
  },
  { name: 'an element that is not there cannot go', when: [remove(external, dns)], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'an element cannot go twice', when: [remove(external, web), remove(external, web)], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'an element cannot go out of a set that is not there', when: [remove(spare, '10.0.0.1')], outcome: 'KERNEL_NOT_FOUND' },
  { name: 'no key is no list', when: [remove(hairpin)], outcome: 'KERNEL_REFUSED' },
  {
    name: 'what is in a map for packets to write to is not listed',
    when: [add(affinity, { key: '1234:5000 . 10.0.0.1', value: '1234:5001' })],
    outcome: 'ok',
  },
  {
    name: 'what is in a map for packets to write to has one value as well',
    when: ['1234:5001', '1234:5002'].map((value) => add(affinity, { key: '1234:5000 . 10.0.0.1', value })),
    outcome: 'KERNEL_EXISTS',
  },
  {
    name: 'ranges stand side by side',
    when: [add(ranges, { key: '10.245.0.0/16' }, { key: '192.168.0.1' })],
    outcome: 'ok',
    gains: ['pod-ranges: 10.245.0.0/16', 'pod-ranges: 192.168.0.1'],
  },
  { name: 'a range that is there is no error', when: [add(ranges, { key: '10.244.0.0/16' })], outcome: 'ok' },
  { name: 'a range lies inside another one', when: [add(ranges, { key: '10.244.7.0/24' })], outcome: 'KERNEL_EXISTS' },
  { name: 'a range encloses another one', when: [add(ranges, { key: '10.0.0.0/8' })], outcome: 'KERNEL_EXISTS' },
  { name: 'a part of a range cannot go', when: [remove(ranges, '10.244.7.0/24')], outcome: 'KERNEL_NOT_FOUND' },
  {
    name: 'a range is replaced by a part of it',
    when: [remove(ranges, '10.244.0.0/16'), add(ranges, { key: '10.244.7.0/24' })],
    outcome: 'ok',
    loses: ['pod-ranges: 10.244.0.0/16'],
    gains: ['pod-ranges: 10.244.7.0/24'],
  },
  {
    name: 'several ranges at one front stand side by side',
    when: [add(sources, ...besides.map((key) => ({ key })))],
    outcome: 'ok',
    gains: besides.map((key) => `source-ranges: ${key}`),
  },
  {
    name: 'a range at a front lies inside another one',
    when: [add(sources, { key: `${web} . 192.0.2.128/25` })],
    outcome: 'KERNEL_EXISTS',
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
      remove(external, dns),
    ],
    outcome: 'KERNEL_NOT_FOUND',
  },
]

export const kernelCases: readonly KernelCase[] = [...tables, ...sets, ...chains, ...rules, ...elements, ...transactions]
