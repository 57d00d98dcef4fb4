import { describe, expect, test } from 'vitest'
import { describeCourses } from '../../test/kit/courses.ts'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import type { NodeView } from '../model.ts'
import { adopt, commit, nftMode, outcomes, plan, render, rulesetOf } from './index.ts'
import type { Chain, Element, Listing, Operation, SetDeclaration } from './model.ts'
import { extensionOf } from './names.ts'

// ── a table that obeys nft's laws ───────────────────────────────────────────

interface Table extends Listing {
  readonly chains: Map<string, Chain>
  readonly sets: Map<string, SetDeclaration>
  readonly elements: Map<string, Map<string, Element>>
}

function law(holds: boolean, broken: string): asserts holds {
  if (!holds) throw new Error(broken)
}

/** Applies one transaction or throws; stricter than nft where it forgives repetition. */
function applied(held: Listing | undefined, operations: readonly Operation[]): Table {
  let table: Table | undefined = held && {
    chains: new Map(held.chains),
    sets: new Map(held.sets),
    elements: new Map([...held.elements].map(([set, inside]) => [set, new Map(inside)])),
  }
  const made = new Set<string>()
  for (const operation of operations) {
    if (operation.kind === 'add-table') {
      law(!table, 'the table exists')
      table = { chains: new Map(), sets: new Map(), elements: new Map() }
      continue
    }
    law(table !== undefined, 'no table')
    if (operation.kind === 'delete-table') table = undefined
    else step(table, operation, made)
  }
  return table ?? { chains: new Map(), sets: new Map(), elements: new Map() }
}

function step({ chains, sets, elements }: Table, operation: Exclude<Operation, { kind: 'add-table' | 'delete-table' }>, made: Set<string>): void {
  switch (operation.kind) {
    case 'add-set':
      law(!sets.has(operation.set.name), `set ${operation.set.name} exists`)
      made.add(operation.set.name)
      sets.set(operation.set.name, operation.set)
      return void elements.set(operation.set.name, new Map())
    case 'add-chain':
      law(!chains.has(operation.chain), `chain ${operation.chain} exists`)
      return void chains.set(operation.chain, { name: operation.chain, ...(operation.base && { base: operation.base }), rules: [] })
    case 'add-rule': {
      const chain = chains.get(operation.chain)
      law(chain !== undefined, `no chain ${operation.chain}`)
      for (const [, set] of operation.rule.matchAll(/@([\w-]+)/g)) law(sets.has(set!), `no set ${set}`)
      for (const [, to] of operation.rule.matchAll(/(?:goto|jump) (\S+)/g)) law(chains.has(to!), `no chain ${to}`)
      const typed = /dnat .* map @(\S+)/.exec(operation.rule)?.[1]
      law(typed === undefined || made.has(typed), `the type of ${typed} is not known in this transaction`)
      return void chains.set(operation.chain, { ...chain, rules: [...chain.rules, operation.rule] })
    }
    case 'add-elements': {
      const inside = elements.get(operation.set)
      law(inside !== undefined && operation.elements.length > 0, `no set ${operation.set}, or nothing for it`)
      for (const element of operation.elements) {
        law(!inside.has(element.key), `${element.key} exists in ${operation.set}`)
        inside.set(element.key, element)
      }
      return
    }
    case 'delete-elements':
      law(operation.keys.length > 0, 'an empty list of keys')
      for (const key of operation.keys) law(elements.get(operation.set)?.delete(key) === true, `no ${key} in ${operation.set}`)
  }
}

function plain({ chains, sets, elements }: Listing) {
  const sorted = <V>(map: ReadonlyMap<string, V>) => Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return { chains: sorted(chains), sets: sorted(sets), elements: sorted(new Map([...elements].map(([set, inside]) => [set, sorted(inside)]))) }
}

/** Without extensions that nothing uses any more, and without the order in which extensions came. */
function settledForm(listing: Listing) {
  const idle = [...listing.sets.keys()].filter((name) => extensionOf(name) && listing.elements.get(name)!.size === 0)
  const chains = new Map([...listing.chains].map(([name, chain]) => {
    const rules = chain.rules.filter((rule) => !idle.some((set) => rule.includes(`@${set} `) || rule.endsWith(`@${set}`)))
    return [name, { ...chain, rules: rules.toSorted() }]
  }))
  const keep = <V>(map: ReadonlyMap<string, V>) => new Map([...map].filter(([name]) => !idle.includes(name)))
  return plain({ chains, sets: keep(listing.sets), elements: keep(listing.elements) })
}

describeCourses({
  mode: nftMode,
  apply: (held, { operations }) => applied(held, operations),
  fresh: (view) => rulesetOf('ip', view),
  form: settledForm,
  outcomes,
})

describe('what is found in the kernel', () => {
  const view = nodeView([
    serviceView({ externalPolicy: 'Local', externalIPs: ['198.18.0.1'], affinitySeconds: 90, ports: [portView({ nodePort: 30_080, endpoints: [endpointView('10.244.0.2', { node: 'here' }), endpointView('10.244.1.2')] })] }),
  ])
  const held = rulesetOf('ip', view)
  const repaired = (broken: Listing): { readonly table: Table; readonly operations: readonly Operation[] } => {
    const { operations } = plan(adopt('ip', broken), view, 'all').transaction!
    return { table: applied(broken, operations), operations }
  }
  const altered = (part: Partial<Listing>): Listing => ({ ...held, ...part })

  test('is repaired element by element where only elements are wrong', () => {
    const elements = new Map([...held.elements].map(([set, inside]) => [set, new Map(inside)]))
    elements.get('cluster-ips')!.set('10.9.9.9', { key: '10.9.9.9' })
    elements.get('endpoints-2')!.delete('10.96.0.1 . tcp . 80 . 1')
    elements.get('endpoints-2')!.set('10.96.0.1 . tcp . 80 . 0', { key: '10.96.0.1 . tcp . 80 . 0', value: '10.6.6.6 . 6' })
    const { table, operations } = repaired(altered({ elements }))
    expect(plain(table)).toEqual(plain(held))
    expect(operations.map(({ kind }) => kind)).toEqual(['delete-elements', 'delete-elements', 'add-elements'])
  })

  test.each([
    ['a rule is missing', { chains: new Map([...held.chains, ['refuse', { name: 'refuse', rules: [] }]]) }],
    ['a rule stands in front', { chains: new Map([...held.chains, ['endpoints', { name: 'endpoints', rules: ['accept', ...held.chains.get('endpoints')!.rules] }]]) }],
    ['a rule of an endpoint map is doubled', { chains: new Map([...held.chains, ['learn', { name: 'learn', rules: [...held.chains.get('learn')!.rules, held.chains.get('learn')!.rules[0]!] }]]) }],
    ['a chain is missing', { chains: new Map([...held.chains].filter(([name]) => name !== 'learn-output')) }],
    ['a chain is not ours', { chains: new Map([...held.chains, ['theirs', { name: 'theirs', rules: [] }]]) }],
    ['a base chain hangs elsewhere', { chains: new Map([...held.chains, ['nat-output', { ...held.chains.get('nat-output')!, base: 'type nat hook output priority -5; policy accept;' }]]) }],
    ['a set is missing', { sets: new Map([...held.sets].filter(([name]) => name !== 'dropped')), elements: new Map([...held.elements].filter(([name]) => name !== 'dropped')) }],
    ['a set has another type', { sets: new Map([...held.sets, ['hairpin', { name: 'hairpin', kind: 'set', type: 'type ipv4_addr;' } as const]]) }],
    ['a set is not ours', { sets: new Map([...held.sets, ['theirs', { name: 'theirs', kind: 'set', type: 'type ipv4_addr;' } as const]]), elements: new Map<string, ReadonlyMap<string, Element>>([...held.elements, ['theirs', new Map()]]) }],
  ])('is made anew in one transaction where %s', (_, part) => {
    const { table, operations } = repaired(altered(part))
    expect(plain(table)).toEqual(plain(held))
    expect(operations.slice(0, 2).map(({ kind }) => kind)).toEqual(['delete-table', 'add-table'])
  })
})

test('a change costs its own elements, whatever else there is', () => {
  const many = Array.from({ length: 300 }, (_, i) => serviceView({ key: `default/s${i}`, clusterIPs: [`10.96.1.${i % 250}`], ports: [portView({ port: 1000 + i, endpoints: [endpointView('10.244.1.2'), endpointView('10.244.1.3')] })] }))
  const accepted = commit(adopt('ip', undefined), plan(adopt('ip', undefined), nodeView(many), 'all'))
  const other = serviceView({ ...many[7]!, ports: [portView({ port: 1007, endpoints: [endpointView('10.244.1.2'), endpointView('10.244.1.4')] })] })
  const made = plan(accepted, nodeView([...many.filter(({ key }) => key !== other.key), other]), new Set([other.key]))
  expect(made.elements).toEqual({ added: 1, deleted: 1 })
  expect(render(made.transaction!)).toBe(
    'delete element ip wherry endpoints-2 { 10.96.1.7 . tcp . 1007 . 1 }\nadd element ip wherry endpoints-2 { 10.96.1.7 . tcp . 1007 . 1 : 10.244.1.4 . 8080 }\n',
  )
})

test('the number of rules and sets does not grow with the services', () => {
  const services = (count: number): NodeView => nodeView(Array.from({ length: count }, (_, i) => serviceView({ key: `default/s${i}`, clusterIPs: [`10.97.${i >> 8}.${i & 255}`], ports: [portView({ endpoints: [endpointView('10.244.1.2')] })] })))
  const size = (count: number) => ({ chains: rulesetOf('ip', services(count)).chains.size, sets: rulesetOf('ip', services(count)).sets.size })
  expect(size(500)).toEqual(size(1))
})

test('a plan is committed once, and only where it was made', () => {
  const accepted = adopt('ip', undefined)
  const made = plan(accepted, nodeView([serviceView()]), 'all')
  commit(accepted, made)
  expect(() => commit(accepted, made)).toThrow(expect.objectContaining({ code: 'RULES_MISUSED' }))
})

test('another detector of pods makes the table anew; another range does not', () => {
  const services = [serviceView()]
  const accepted = commit(adopt('ip', undefined), plan(adopt('ip', undefined), nodeView(services), 'all'))
  const kinds = (config: Parameters<typeof nodeConfigOf>[0]) => plan(accepted, nodeView(services, nodeConfigOf(config)), new Set()).transaction?.operations.map(({ kind }) => kind)
  expect(kinds({ pods: { kind: 'interface', name: 'cni', match: 'prefix' } })?.[0]).toBe('delete-table')
  expect(kinds({ pods: { kind: 'cidrs', cidrs: ['10.250.0.0/16'] } })).toEqual(['delete-elements', 'add-elements'])
})
