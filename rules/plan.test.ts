import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arbitraryChange, changedView, endpointView, nodeConfig, nodeView, portView, serviceView, type ViewChange } from '../test/kit/views.ts'
import { fragmentOf } from './fragment.ts'
import { adopt, commit, outcomes, plan, render, rulesetOf, type Accepted } from './index.ts'
import type { Chain, ChainName, Element, Listing, NodeView, Operation, ServiceKey, SetName } from './model.ts'
import { shapeName, shapeOf, verdictTarget } from './names.ts'
import { retireAfter } from './plan.ts'
import { shapeParts, skeletonOf } from './skeleton.ts'

// ── a table that obeys nft's laws ───────────────────────────────────────────

type Elements = Map<SetName, Map<string, Element>>
interface Table {
  readonly chains: Map<ChainName, Chain>
  readonly sets: Map<SetName, Listing['sets'] extends ReadonlyMap<string, infer S> ? S : never>
  readonly elements: Elements
}

const emptyTable = (): Table => ({ chains: new Map(), sets: new Map(), elements: new Map() })
const copy = (t: Listing): Table => ({ chains: new Map(t.chains), sets: new Map(t.sets), elements: new Map([...t.elements].map(([set, inside]) => [set, new Map(inside)])) })

function law(holds: boolean, broken: string): asserts holds {
  if (!holds) throw new Error(broken)
}

/** Chains that rules and elements lead to. */
function references(table: Listing): Set<ChainName> {
  const rules = [...table.chains.values()].flatMap((chain) => chain.rules.flatMap(({ text }) => [...text.matchAll(/(?:goto|jump) (\S+)/g)].map((m) => m[1]!)))
  const elements = [...table.elements.values()].flatMap((inside) => [...inside.values()].flatMap((e) => verdictTarget(e.value ?? '') ?? []))
  return new Set([...rules, ...elements])
}

const setsOf = (chain: Chain): readonly SetName[] => chain.rules.flatMap(({ text }) => [...text.matchAll(/@([\w-]+)/g)].map((m) => m[1]!))

/** Applies one transaction or throws; stricter than the kernel where kernels differ, and where nft forgives repetition. */
function applied(held: Listing | undefined, operations: readonly Operation[]): Table {
  let table = held && copy(held)
  const busy = held ? references(held) : new Set<ChainName>()
  for (const operation of operations) {
    if (operation.kind === 'add-table') {
      law(!table, 'the table exists')
      table = emptyTable()
      continue
    }
    law(table !== undefined, 'no table')
    if (operation.kind === 'delete-table') {
      table = undefined
      busy.clear()
    } else step(table, operation, busy)
  }
  return table ?? emptyTable()
}

function step(table: Table, operation: Exclude<Operation, { kind: 'add-table' | 'delete-table' }>, busy: ReadonlySet<ChainName>): void {
  const { chains, sets, elements } = table
  switch (operation.kind) {
    case 'add-set':
      law(!sets.has(operation.set.name), `set ${operation.set.name} exists`)
      sets.set(operation.set.name, operation.set)
      return void elements.set(operation.set.name, new Map())
    case 'delete-set':
      law(sets.delete(operation.set.name), `no set ${operation.set.name}`)
      law(![...chains.values()].some((chain) => setsOf(chain).includes(operation.set.name)), `set ${operation.set.name} is referenced`)
      return void elements.delete(operation.set.name)
    case 'add-chain':
      law(!chains.has(operation.chain), `chain ${operation.chain} exists`)
      return void chains.set(operation.chain, { name: operation.chain, ...(operation.base && { base: operation.base }), rules: [] })
    case 'flush-chain':
      law(chains.has(operation.chain), `no chain ${operation.chain}`)
      return void chains.set(operation.chain, { ...chains.get(operation.chain)!, rules: [] })
    case 'delete-chain':
      law(chains.get(operation.chain)?.rules.length === 0, `chain ${operation.chain} is missing or has rules`)
      law(!busy.has(operation.chain), `chain ${operation.chain} was referenced when the transaction began`)
      law(!references(table).has(operation.chain), `chain ${operation.chain} is referenced`)
      return void chains.delete(operation.chain)
    case 'add-rule': {
      const chain = chains.get(operation.chain)
      law(chain !== undefined, `no chain ${operation.chain}`)
      const next = { ...chain, rules: [...chain.rules, operation.rule] }
      for (const set of setsOf(next)) law(sets.has(set), `no set ${set}`)
      for (const target of references({ ...table, chains: new Map([['', next]]), elements: new Map() })) law(chains.has(target), `no chain ${target}`)
      return void chains.set(operation.chain, next)
    }
    case 'add-elements': {
      const inside = elements.get(operation.set)
      law(inside !== undefined, `no set ${operation.set}`)
      law(operation.elements.length > 0, 'an empty list of elements')
      for (const element of operation.elements) {
        law(!inside.has(element.key), `${element.key} exists in ${operation.set}`)
        const target = verdictTarget(element.value ?? '')
        law(target === undefined || chains.has(target), `no chain ${target}`)
        inside.set(element.key, element)
      }
      return
    }
    case 'delete-elements':
      law(operation.keys.length > 0, 'an empty list of keys')
      for (const key of operation.keys) law(elements.get(operation.set)?.delete(key) === true, `no ${key} in ${operation.set}`)
  }
}

// ── the slow, obvious twin ──────────────────────────────────────────────────

/** The whole table for a view, by walking services from the oldest and giving each claim to who comes first. */
function twin(view: NodeView): Listing {
  const skeleton = skeletonOf('ip', view.config)
  const table: Table = { chains: new Map(skeleton.chains), sets: new Map(skeleton.sets), elements: new Map() }
  for (const set of table.sets.keys()) table.elements.set(set, new Map(skeleton.elements.get(set)))
  const age = (created: string): number => (created === '' ? Infinity : Date.parse(created))
  const taken = new Set<string>()
  const services = [...view.services.values()].toSorted((a, b) => {
    if (age(a.created) !== age(b.created)) return age(a.created) < age(b.created) ? -1 : 1
    return a.key < b.key ? -1 : 1
  })
  for (const service of services) {
    for (const [claim, placed] of fragmentOf(service).claims) {
      if (taken.has(claim)) continue
      taken.add(claim)
      for (const { set, element } of placed) {
        const shape = shapeOf(set)
        if (shape && !table.sets.has(set)) {
          const parts = shapeParts('ip', skeleton, shape)
          table.chains.set(set, parts.chain)
          table.sets.set(set, parts.set)
          table.elements.set(set, new Map())
        }
        table.elements.get(set)!.set(element.key, element)
      }
    }
  }
  return table
}

function plain({ chains, sets, elements }: Listing) {
  const sorted = <V>(map: ReadonlyMap<string, V>) => Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return { chains: sorted(chains), sets: sorted(sets), elements: sorted(new Map([...elements].map(([set, inside]) => [set, sorted(inside)]))) }
}

/** Without shapes that nothing leads to; their maps must be empty. */
function withoutIdle(table: Listing): Listing {
  const used = references(table)
  const result = copy(table)
  for (const name of table.chains.keys()) {
    if (!shapeOf(name) || used.has(name)) continue
    expect(table.elements.get(name)?.size ?? 0, `elements of the idle map ${name}`).toBe(0)
    result.chains.delete(name)
    result.sets.delete(name)
    result.elements.delete(name)
  }
  return result
}

// ── a node: a kernel and what is remembered of it ───────────────────────────

function createNode(held?: Listing) {
  let kernel = held
  let accepted: Accepted = adopt('ip', held)
  const sync = (view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>) => {
    const made = plan(accepted, view, changed)
    if (made.transaction) kernel = applied(kernel, made.transaction.operations)
    accepted = commit(accepted, made)
    return made
  }
  return {
    sync,
    kernel: (): Listing => kernel!,
    plan: (view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>) => plan(accepted, view, changed),
    accepted: () => accepted,
    /** After a failure, or when others may have been at work. */
    readBack(listing: Listing | undefined = kernel) {
      kernel = listing
      accepted = adopt('ip', kernel)
    },
  }
}

const runs = { numRuns: 300 }

/** How a pass over some changes goes. */
type Course = 'part' | 'all' | 'lost' | 'refused' | 'meddled'
const passes = fc.array(
  fc.record({
    changes: fc.array(arbitraryChange, { minLength: 1, maxLength: 3 }),
    course: fc.oneof({ weight: 6, arbitrary: fc.constant<Course>('part') }, { arbitrary: fc.constantFrom<Course>('all', 'lost', 'refused', 'meddled'), weight: 2 }),
    seed: fc.nat(1000),
  }),
  { minLength: 1, maxLength: 14 },
)

/** Somebody else's hands: elements go, come and change; chains, rules and sets too. */
function meddle(listing: Listing, seed: number): Listing {
  const table = copy(listing)
  const pick = <T>(list: readonly T[], n: number): T | undefined => list[(seed + n) % Math.max(1, list.length)]
  table.chains.set('deep', { name: 'deep', rules: [{ text: 'ip daddr @theirs drop' }] })
  table.chains.set('foreign', { name: 'foreign', rules: [{ text: 'jump deep' }] })
  table.sets.set('theirs', { name: 'theirs', kind: 'set', type: 'type ipv4_addr;' })
  table.elements.set('theirs', new Map([['10.0.0.1', { key: '10.0.0.1' }]]))
  table.elements.get('services')!.set('10.96.0.9 . tcp . 9', { key: '10.96.0.9 . tcp . 9', value: 'jump foreign' })
  const set = pick([...table.elements.keys()].filter((name) => name !== 'theirs'), 1)!
  const key = pick([...table.elements.get(set)!.keys()], 2)
  if (key !== undefined) table.elements.get(set)!.delete(key)
  const chain = table.chains.get(pick([...table.chains.keys()].filter((name) => name !== 'deep'), 3)!)!
  table.chains.set(chain.name, { ...chain, rules: seed % 2 ? [] : [{ text: 'jump foreign' }, ...chain.rules] })
  if (chain.name === 'foreign') table.chains.set('foreign', { name: 'foreign', rules: [] })
  if (seed % 7 === 0) table.sets.set('hairpin', { name: 'hairpin', kind: 'set', type: 'type ipv4_addr;' })
  return table
}

describe('for every course of changes', () => {
  test('the kernel takes each transaction, and holds what a fresh build gives', () => {
    fc.assert(
      fc.property(passes, (list) => {
        const node = createNode()
        let view = nodeView([])
        let pending = new Set<ServiceKey>()
        node.sync(view, 'all')
        for (const { changes, course, seed } of list) {
          const next = changedView(view, changes)
          view = next.view
          pending = pending.union(next.changed)
          if (course === 'refused') {
            // The kernel said no: nothing is committed, and the same wishes come again with the next pass.
            node.plan(view, pending)
            continue
          }
          if (course === 'lost') node.readBack()
          if (course === 'meddled') node.readBack(meddle(node.kernel(), seed))
          node.sync(view, course === 'all' ? 'all' : pending)
          pending = new Set()
          if (course === 'meddled') for (let i = 0; i < 2; i++) node.sync(view, 'all')
          expect(plain(withoutIdle(node.kernel()))).toEqual(plain(twin(view)))
          expect(node.plan(view, next.changed).transaction, 'the same view again').toBeUndefined()
        }
        node.sync(view, 'all')
        node.sync(view, 'all')
        expect(plain(node.kernel())).toEqual(plain(twin(view)))
        expect(plain(rulesetOf('ip', view))).toEqual(plain(twin(view)))
        expect(node.plan(view, 'all').transaction).toBeUndefined()
        node.readBack()
        expect(node.plan(view, 'all').transaction, 'after a read-back').toBeUndefined()
      }),
      runs,
    )
  })

  test('a plan does not alter what it was made from', () => {
    fc.assert(
      fc.property(fc.array(arbitraryChange), fc.array(arbitraryChange), (first, second) => {
        const node = createNode()
        const before = changedView(nodeView([]), first).view
        const { view, changed } = changedView(before, second)
        node.sync(before, 'all')
        const once = structuredClone(node.accepted())
        const text = (p: ReturnType<typeof plan>): string => (p.transaction ? render(p.transaction) : '')
        const given = text(node.plan(view, changed))
        expect(node.accepted()).toEqual(once)
        expect(text(node.plan(view, changed))).toBe(given)
      }),
      { numRuns: 50 },
    )
  })

  test('no element ever leads to a chain that cannot give an endpoint', () => {
    fc.assert(
      fc.property(fc.array(arbitraryChange, { maxLength: 12 }), (changes: readonly ViewChange[]) => {
        const { view } = changedView(nodeView([]), changes)
        const listing = rulesetOf('ip', view)
        for (const key of listing.elements.get('services')!.keys()) {
          const [destination, protocol, port] = key.split(' . ') as [string, 'tcp', string]
          const packet = { hook: 'prerouting', source: '203.0.113.1', destination, protocol, sourcePort: 1, destinationPort: Number(port) } as const
          for (const { fate } of outcomes(listing, packet)) expect(fate.kind).toBe('translated')
        }
      }),
      { numRuns: 100 },
    )
  })
})

// ── single cases ────────────────────────────────────────────────────────────

const pods = (count: number) => Array.from({ length: count }, (_, i) => endpointView(`10.244.0.${i + 1}`))
const web = (count: number) => serviceView({ ports: [portView({ endpoints: pods(count) })] })
const one: ReadonlySet<ServiceKey> = new Set(['default/web'])

function linesOf(made: ReturnType<typeof plan>): readonly string[] {
  return made.transaction ? render(made.transaction).trimEnd().split('\n') : []
}

test('first installation is one transaction: table, sets, chains, rules, elements', () => {
  const made = createNode().sync(nodeView([web(2)]), 'all')
  const kinds = made.transaction!.operations.map((operation) => operation.kind)
  expect(kinds.filter((kind, i) => kind !== kinds[i - 1])).toEqual(['add-table', 'add-set', 'add-chain', 'add-rule', 'add-elements'])
  expect(made).toMatchObject({ services: 1, elements: { added: 6, deleted: 0 }, problems: [] })
})

test('an empty cluster still gets its chains, and a second pass has nothing to do', () => {
  const node = createNode()
  expect(linesOf(node.sync(nodeView([]), 'all'))).toContain('add chain ip wherry refuse')
  expect(node.sync(nodeView([]), 'all').transaction).toBeUndefined()
})

test('a new number of endpoints moves the service in one transaction', () => {
  const node = createNode()
  node.sync(nodeView([web(3), serviceView({ key: 'x/y', clusterIPs: ['10.96.0.2'], ports: [portView({ endpoints: pods(4) })] })]), 'all')
  const lines = linesOf(node.sync(nodeView([web(4)]), one))
  expect(lines).toEqual([
    'delete element ip wherry services { 10.96.0.1 . tcp . 80 }',
    'delete element ip wherry endpoints-3 { 10.96.0.1 . tcp . 80 . 0, 10.96.0.1 . tcp . 80 . 1, 10.96.0.1 . tcp . 80 . 2 }',
    'add element ip wherry services { 10.96.0.1 . tcp . 80 comment "default/web:http" : goto endpoints-4 }',
    'add element ip wherry endpoints-4 { 10.96.0.1 . tcp . 80 . 0 : 10.244.0.1 . 8080, 10.96.0.1 . tcp . 80 . 1 : 10.244.0.2 . 8080, ' +
      '10.96.0.1 . tcp . 80 . 2 : 10.244.0.3 . 8080, 10.96.0.1 . tcp . 80 . 3 : 10.244.0.4 . 8080 }',
  ])
})

test('one endpoint for another replaces one element', () => {
  const node = createNode()
  node.sync(nodeView([web(3)]), 'all')
  const ports = [portView({ endpoints: [...pods(2), endpointView('10.244.0.9')] })]
  expect(linesOf(node.sync(nodeView([serviceView({ ports })]), one))).toEqual([
    'delete element ip wherry endpoints-3 { 10.96.0.1 . tcp . 80 . 2 }',
    'add element ip wherry endpoints-3 { 10.96.0.1 . tcp . 80 . 2 : 10.244.0.9 . 8080 }',
  ])
})

test('a change that makes no difference to the kernel is remembered without a transaction', () => {
  const node = createNode()
  node.sync(nodeView([web(1)]), 'all')
  const unready = serviceView({ ports: [portView({ endpoints: [...pods(1), endpointView('10.244.0.9', { ready: false })] })] })
  expect(node.sync(nodeView([unready]), one)).toMatchObject({ services: 1, elements: { added: 0, deleted: 0 } })
  expect(node.accepted().entries.get('default/web')?.view).toBe(unready)
})

describe('two services want the same', () => {
  const service = (key: string, created: string, count = 1) =>
    serviceView({ key, created, ports: [portView({ nodePort: 30_080, endpoints: pods(count).map((e) => ({ ...e, local: true })) })] })
  const older = service('z/older', '2026-01-01T00:00:00Z', 2)
  const younger = service('a/younger', '2026-01-01T00:00:01Z')
  const holder = (node: ReturnType<typeof createNode>) =>
    ['services', 'node-ports', 'cluster-ips'].map((set) => [...node.kernel().elements.get(set)!.values()].map((e) => e.comment).join())

  test('the older has it, whoever came first; the other is named', () => {
    for (const order of [[older, younger], [younger, older]]) {
      const node = createNode()
      let problems: unknown
      order.forEach((_, i) => ({ problems } = node.sync(nodeView(order.slice(0, i + 1)), new Set([order[i]!.key]))))
      expect(holder(node)).toEqual(['z/older:http', 'z/older:http', 'z/older'])
      expect(problems).toEqual([
        { service: 'a/younger', what: 'cluster IP and port already taken by the older service z/older', value: '10.96.0.1 . tcp . 80' },
        { service: 'a/younger', what: 'node port already taken by the older service z/older', value: 'tcp . 30080' },
      ])
    }
  })

  test('the survivor takes over, and what both had stays until the last goes', () => {
    const node = createNode()
    node.sync(nodeView([older, younger]), 'all')
    expect([...node.kernel().elements.get('hairpin')!.keys()]).toEqual(['10.244.0.1 . 10.244.0.1', '10.244.0.2 . 10.244.0.2'])
    node.sync(nodeView([younger]), new Set(['z/older']))
    expect(holder(node)).toEqual(['a/younger:http', 'a/younger:http', 'a/younger'])
    expect([...node.kernel().elements.get('hairpin')!.keys()]).toEqual(['10.244.0.1 . 10.244.0.1'])
    node.sync(nodeView([]), new Set(['a/younger']))
    expect(holder(node)).toEqual(['', '', ''])
    expect(node.kernel().elements.get('hairpin')!.size).toBe(0)
  })

  test('an owner without endpoints keeps the address: the packets are refused, not sent to the other', () => {
    const node = createNode()
    node.sync(nodeView([serviceView({ key: 'z/older' }), service('a/younger', '2026-02-01T00:00:00Z')]), 'all')
    expect(node.kernel().elements.get('services')!.size).toBe(0)
  })

  test('of equal age, the key decides', () => {
    const node = createNode()
    node.sync(nodeView([service('b/b', ''), service('a/a', '')]), 'all')
    expect(holder(node)[0]).toBe('a/a:http')
  })
})

describe('shapes that nothing leads to', () => {
  const name = shapeName({ kind: 'cluster-ip', count: 3 })

  test('stay for a while, and leave with another change', () => {
    const node = createNode()
    node.sync(nodeView([web(3)]), 'all')
    for (let pass = 1; pass <= retireAfter + 1; pass++) {
      node.sync(nodeView([web(1 + (pass % 2))]), one)
      expect(node.kernel().chains.has(name), `after pass ${pass}`).toBe(true)
    }
    const view = nodeView([web(5)])
    const lines = linesOf(node.sync(view, one))
    expect(lines.slice(-3)).toEqual([`flush chain ip wherry ${name}`, `delete chain ip wherry ${name}`, `delete map ip wherry ${name}`])
    expect(node.sync(view, one).transaction).toBeUndefined()
  })

  test('leave in the next pass over everything, not in the one that emptied them', () => {
    const node = createNode()
    node.sync(nodeView([web(3)]), 'all')
    node.sync(nodeView([web(2)]), 'all')
    expect(node.kernel().chains.has(name)).toBe(true)
    node.sync(nodeView([web(2)]), 'all')
    expect(node.kernel().chains.has(name)).toBe(false)
    expect(node.kernel().sets.has(name)).toBe(false)
  })

  test('are taken up again as they are', () => {
    const node = createNode()
    for (const count of [3, 2, 3]) node.sync(nodeView([web(count)]), one)
    const lines = linesOf(node.sync(nodeView([web(2)]), one))
    expect(lines.filter((line) => !/^(add|delete) element /.test(line))).toEqual([])
  })

  test('get the rules of a configuration that came while they were idle', () => {
    const node = createNode()
    for (const count of [3, 2]) node.sync(nodeView([web(count)]), one)
    const blind = { ...nodeConfig, clusterCIDRs: [] }
    node.sync(nodeView([web(2)], blind), new Set())
    node.sync(nodeView([web(3)], blind), one)
    expect(node.kernel().chains.get(name)?.rules).toHaveLength(1)
  })
})

test('another configuration needs no change of a service, and its faults are named', () => {
  const node = createNode()
  node.sync(nodeView([web(1)]), 'all')
  const made = node.sync(nodeView([web(1)], { clusterCIDRs: ['10.244.0.0/15', '10.244.0.0/99'], nodePortAddresses: ['192.0.2.1', 'eth0'] }), new Set())
  expect(linesOf(made)).toEqual(['delete element ip wherry cluster-cidrs { 10.244.0.0/16 }', 'add element ip wherry cluster-cidrs { 10.244.0.0/15 }'])
  expect(made.problems).toEqual([
    { what: 'cluster CIDR is not an IPv4 range', value: '10.244.0.0/99' },
    { what: 'node port address is not an IPv4 address', value: 'eth0' },
  ])
})

test('a pass over everything names all problems, a pass over some only theirs', () => {
  const bad = (key: string, address: string) => serviceView({ key, clusterIPs: [], ports: [portView({ endpoints: [endpointView(address)] })] })
  const view = nodeView([bad('a/a', '127.0.0.1'), bad('b/b', '127.0.0.2')])
  const node = createNode()
  expect(node.sync(view, 'all').problems.map((p) => p.value)).toEqual(['127.0.0.1', '127.0.0.2'])
  expect(node.sync(view, 'all').problems.map((p) => p.value)).toEqual(['127.0.0.1', '127.0.0.2'])
  const next = nodeView([bad('a/a', '127.0.0.3'), view.services.get('b/b')!])
  expect(node.sync(next, new Set(['a/a'])).problems.map((p) => p.value)).toEqual(['127.0.0.3'])
})

describe('a table that others changed', () => {
  const view = nodeView([web(2)])
  const good = twin(view)
  const changed = (change: (table: Table) => void): Listing => {
    const table = copy(good)
    change(table)
    return table
  }

  test('a chain whose rules differ is flushed and refilled in one transaction', () => {
    const node = createNode(changed((t) => t.chains.set('refuse', { name: 'refuse', rules: [{ text: 'drop' }] })))
    expect(linesOf(node.sync(view, 'all'))).toEqual([
      'flush chain ip wherry refuse', 'add rule ip wherry refuse reject with tcp reset', 'add rule ip wherry refuse reject',
    ])
  })

  test('a declaration that differs cannot be mended: the table is replaced in one transaction', () => {
    const cases = [
      changed((t) => t.sets.set('hairpin', { name: 'hairpin', kind: 'set', type: 'type ipv4_addr;' })),
      changed((t) => t.chains.set('nat-output', { ...t.chains.get('nat-output')!, base: 'type nat hook output priority 0; policy accept;' })),
      changed((t) => t.chains.set('refuse', { ...t.chains.get('refuse')!, base: 'type filter hook input priority 0; policy accept;' })),
    ]
    for (const listing of cases) {
      const node = createNode(listing)
      expect(linesOf(node.sync(view, 'all')).slice(0, 2)).toEqual(['delete table ip wherry', 'add table ip wherry'])
      expect(plain(node.kernel())).toEqual(plain(good))
      expect(node.sync(view, 'all').transaction).toBeUndefined()
    }
  })

  test('a chain of theirs that is referenced leaves one pass later', () => {
    const node = createNode(changed((t) => {
      t.chains.set('theirs', { name: 'theirs', rules: [{ text: 'drop' }] })
      t.chains.set('refuse', { name: 'refuse', rules: [{ text: 'goto theirs' }] })
    }))
    node.sync(view, 'all')
    expect(node.kernel().chains.get('theirs')).toEqual({ name: 'theirs', rules: [] })
    node.sync(view, 'all')
    expect(plain(node.kernel())).toEqual(plain(good))
  })
})

describe('misuse', () => {
  test('a plan is committed once, and only to the state that it was made from', () => {
    const accepted = adopt('ip', undefined)
    const made = plan(accepted, nodeView([]), 'all')
    commit(accepted, made)
    expect(() => commit(accepted, made)).toThrow(expect.objectContaining({ code: 'RULES_MISUSED' }))
  })

  test('a family that is not served', () => {
    expect(() => adopt('ip6', undefined)).toThrow(expect.objectContaining({ code: 'RULES_MISUSED' }))
  })
})
