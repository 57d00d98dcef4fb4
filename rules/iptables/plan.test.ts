import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeCourses } from '../../test/kit/courses.ts'
import { verdictsOf } from '../../test/kit/oracle.ts'
import {
  arbitraryChange, endpointView, nodeConfigOf, nodeView, portView, serviceView, type ViewChange,
} from '../../test/kit/views.ts'
import type { Packet } from '../packet.ts'
import { adopt, commit, iptablesMode, outcomes, plan, render, rulesetOf } from './index.ts'
import { tableNames, type Listing, type Operation, type Rule, type Table, type TableName, type Transaction } from './model.ts'

// ── tables that obey iptables' laws ─────────────────────────────────────────

interface OpenTable extends Table {
  readonly chains: Map<string, readonly Rule[]>
  readonly jumps: Map<string, readonly Rule[]> & Table['jumps']
}
type Tables = Readonly<Record<TableName, OpenTable>>

function law(holds: boolean, broken: string): asserts holds {
  if (!holds) throw new Error(broken)
}

function opened(held: Listing | undefined): Tables {
  const table = (name: TableName): OpenTable => ({ chains: new Map(held?.[name].chains), jumps: new Map(held?.[name].jumps) as OpenTable['jumps'] })
  return { filter: table('filter'), nat: table('nat') }
}

/** Applies one transaction or throws. Targets and references are looked at when a table is whole, as at COMMIT. */
function applied(held: Listing | undefined, { operations }: Transaction): Tables {
  const tables = opened(held)
  for (const name of tableNames) {
    for (const operation of operations[name]) step(tables[name], operation)
    const { chains, jumps } = tables[name]
    for (const rule of [...[...chains.values()].flat(), ...[...jumps.values()].flat()]) {
      const to = / ?-[jg] (WHERRY-\S+)$/.exec(rule)?.[1]
      law(to === undefined || chains.has(to), `${name}: ${rule} leads to no chain`)
    }
  }
  return tables
}

function step({ chains, jumps }: OpenTable, operation: Operation): void {
  switch (operation.kind) {
    case 'set-chain':
      law(operation.chain.length <= 28, `${operation.chain} is too long`)
      return void chains.set(operation.chain, operation.rules)
    case 'edit-chain': {
      const rules = [...(chains.get(operation.chain) ?? [])]
      law(chains.has(operation.chain), `no chain ${operation.chain}`)
      for (const rule of operation.deleted) {
        law(rules.includes(rule), `no ${rule} in ${operation.chain}`)
        rules.splice(rules.indexOf(rule), 1)
      }
      for (const { at, rule } of operation.inserted) {
        law(at >= 1 && at <= rules.length + 1, `${operation.chain} has no place ${at}`)
        rules.splice(at - 1, 0, rule)
      }
      return void chains.set(operation.chain, rules)
    }
    case 'delete-chain':
      return law(chains.delete(operation.chain), `no chain ${operation.chain}`)
    case 'add-jump':
      return void jumps.set(operation.hook, [operation.rule, ...(jumps.get(operation.hook) ?? [])])
    case 'delete-jump': {
      const rules = [...(jumps.get(operation.hook) ?? [])]
      law(rules.includes(operation.rule), `no ${operation.rule} in ${operation.hook}`)
      rules.splice(rules.indexOf(operation.rule), 1)
      if (rules.length > 0) jumps.set(operation.hook, rules)
      else jumps.delete(operation.hook)
    }
  }
}

function plain(listing: Listing) {
  const sorted = (map: ReadonlyMap<string, readonly Rule[]>) => Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return Object.fromEntries(tableNames.map((name) => [name, { chains: sorted(listing[name].chains), jumps: sorted(listing[name].jumps) }]))
}

const changes: fc.Arbitrary<ViewChange> = fc.tuple(arbitraryChange, fc.constantFrom(undefined, 0, 32_001, 32_002, 32_040)).map(([change, port]) =>
  change.kind === 'set' && port !== undefined ? { kind: 'set', service: Object.freeze({ ...change.service, healthCheckNodePort: port }) } : change,
)

describeCourses({ mode: iptablesMode, apply: applied, fresh: (view) => rulesetOf('ip', view), form: plain, outcomes, changes })

describe('what is found in the kernel', () => {
  const view = nodeView([
    serviceView({
      externalPolicy: 'Local', externalIPs: ['198.18.0.1'], loadBalancerIPs: ['203.0.113.1'], sourceRanges: ['198.51.100.0/24'], affinitySeconds: 90,
      ports: [portView({ nodePort: 30_080, endpoints: [endpointView('10.244.0.2', { node: 'here' }), endpointView('10.244.1.2')] })],
    }),
  ])
  const held = rulesetOf('ip', view)
  const altered = (table: TableName, part: Partial<Table>): Listing => ({ ...held, [table]: { ...held[table], ...part } })
  const chains = (table: TableName, name: string, rules: readonly Rule[] | undefined): Partial<Table> =>
    ({ chains: new Map([...held[table].chains].filter(([other]) => other !== name).concat(rules ? [[name, rules]] : [])) })
  const services = held.nat.chains.get('WHERRY-SERVICES')!
  const jump = held.nat.jumps.get('PREROUTING')![0]!

  test.each<[string, Listing, readonly string[]]>([
    ['a rule is missing', altered('nat', chains('nat', 'WHERRY-SERVICES', services.slice(1))), ['edit-chain WHERRY-SERVICES']],
    ['a rule stands in front', altered('nat', chains('nat', 'WHERRY-SERVICES', ['-j ACCEPT', ...services])), ['edit-chain WHERRY-SERVICES']],
    ['a rule is doubled', altered('nat', chains('nat', 'WHERRY-SERVICES', [...services, services[0]!])), ['set-chain WHERRY-SERVICES']],
    ['rules changed places', altered('nat', chains('nat', 'WHERRY-SERVICES', services.toReversed())), ['edit-chain WHERRY-SERVICES']],
    ['a chain is missing', altered('filter', chains('filter', 'WHERRY-REFUSE-NODEPORTS', undefined)), ['set-chain WHERRY-REFUSE-NODEPORTS']],
    ['a chain is too many', altered('nat', chains('nat', 'WHERRY-SVC-OLD', ['-j RETURN'])), ['delete-chain WHERRY-SVC-OLD']],
    ['a jump is missing', altered('nat', { jumps: new Map([...held.nat.jumps].slice(1)) }), ['add-jump PREROUTING']],
    ['a jump is doubled', altered('nat', { jumps: new Map([...held.nat.jumps, ['PREROUTING', [jump, jump]]]) }), ['delete-jump PREROUTING']],
    ['a jump is another one', altered('nat', { jumps: new Map([...held.nat.jumps, ['PREROUTING', ['-j WHERRY-SERVICES']]]) }), ['delete-jump PREROUTING', 'add-jump PREROUTING']],
    ['all chains are empty', altered('nat', { chains: new Map([['WHERRY-SERVICES', []]]) }), Array.from({ length: held.nat.chains.size }, () => expect.stringMatching(/^set-chain/) as string)],
  ])('is repaired chain by chain where %s', (_, broken, expected) => {
    const { transaction } = plan(adopt('ip', broken), view, 'all')
    expect(plain(applied(broken, transaction!))).toEqual(plain(held))
    const done = tableNames.flatMap((name) => transaction!.operations[name].map((o) => `${o.kind} ${'chain' in o ? o.chain : o.hook}`))
    expect(done).toEqual(expected)
  })
})

test('a change writes its own rules alone, comments and all, also among more than a thousand endpoints (U11)', () => {
  const many = Array.from({ length: 600 }, (_, i) => serviceView({ key: `default/s${i}`, clusterIPs: [`10.96.1.${i % 250}`], ports: [portView({ port: 1000 + i, endpoints: [endpointView('10.244.1.2'), endpointView('10.244.1.3')] })] }))
  const accepted = commit(adopt('ip', undefined), plan(adopt('ip', undefined), nodeView(many), 'all'))
  const other = serviceView({ ...many[57]!, ports: [portView({ port: 1057, endpoints: [endpointView('10.244.1.2'), endpointView('10.244.1.4')] })] })
  const made = plan(accepted, nodeView([...many.filter(({ key }) => key !== other.key), other]), new Set([other.key]))
  expect(made.elements).toEqual({ added: 1, deleted: 1 })
  const front = '-d 10.96.1.57/32 -p tcp -m tcp --dport 1057 -m comment --comment "default/s57:http" '
  expect(render(made.transaction!)).toBe(
    `*nat
-D WHERRY-A-19-09 ${front}-j DNAT --to-destination 10.244.1.3:8080
-I WHERRY-A-19-09 3 ${front}-j DNAT --to-destination 10.244.1.4:8080
COMMIT\n`,
  )
})

test('neighbours in a chain keep their rules, and with them their counters', () => {
  const at = (address: string, count: number) =>
    serviceView({ key: `default/${address}`, clusterIPs: [address], ports: [portView({ endpoints: Array.from({ length: count }, (_, i) => endpointView(`10.244.1.${i + 1}`)) })] })
  const [first, second] = [at('10.96.0.1', 3), at('10.96.4.1', 3)]
  const accepted = commit(adopt('ip', undefined), plan(adopt('ip', undefined), nodeView([first, second]), 'all'))
  for (const [count, kind] of [[2, 'edit-chain'], [200, 'set-chain']] as const) {
    const { transaction } = plan(accepted, nodeView([first, at('10.96.4.1', count)]), new Set([second.key]))
    const [operation, ...more] = transaction!.operations.nat
    expect(more).toEqual([])
    expect(operation).toMatchObject({ kind, chain: 'WHERRY-A-01-00' })
    if (operation?.kind === 'edit-chain') for (const rule of [...operation.deleted, ...operation.inserted.map((placed) => placed.rule)]) expect(rule).toContain('-d 10.96.4.1/32')
  }
})

test('health check ports are let in, whatever other rules the input has', () => {
  const { filter } = rulesetOf('ip', nodeView([serviceView({ healthCheckNodePort: 32_001 })]))
  expect(filter.chains.get('WHERRY-INPUT')![0]).toBe('-p tcp -j WHERRY-HEALTH-CHECKS')
  expect(filter.chains.get('WHERRY-HEALTH-CHECKS')).toEqual(['-p tcp -m tcp --dport 32000:32031 -j WHERRY-C-tcp-32000'])
  expect(filter.chains.get('WHERRY-C-tcp-32000')).toEqual(['-p tcp -m tcp --dport 32001 -m comment --comment "default/web" -j ACCEPT'])
})

test('what an address of the node refuses does not come to a NodePort of the same number', () => {
  const services = [
    serviceView({ externalIPs: ['192.0.2.1'], ports: [portView({ port: 30_001 })] }),
    serviceView({ key: 'default/other', clusterIPs: ['10.96.0.2'], ports: [portView({ nodePort: 30_001, endpoints: [endpointView('10.244.1.2')] })] }),
  ]
  const host = { addresses: ['192.0.2.1'] }
  const packet: Packet = { hook: 'prerouting', inputInterface: 'eth0', source: '198.51.100.9', destination: '192.0.2.1', protocol: 'tcp', destinationPort: 30_001 }
  expect(verdictsOf(outcomes(rulesetOf('ip', nodeView(services)), host, packet))).toEqual(['refused'])
  expect(verdictsOf(outcomes(rulesetOf('ip', nodeView(services.slice(1))), host, packet))).toEqual(['to 10.244.1.2:8080 hidden'])
})

test('no packet meets more than some dozens of dispatching rules, and services have no chains of their own', () => {
  const services = Array.from({ length: 10_000 }, (_, i) => serviceView({ key: `default/s${i}`, clusterIPs: [`10.96.${i >> 8}.${i & 255}`], ports: [portView({ nodePort: 30_000 + (i % 2_768), endpoints: [endpointView('10.244.1.2')] })] }))
  const { nat } = rulesetOf('ip', nodeView(services.slice(0, 2_700)))
  expect(nat.chains.size).toBeLessThan(1_200)
  expect(nat.chains.get('WHERRY-SERVICES')!.length).toBeLessThanOrEqual(33)
  expect(nat.chains.get('WHERRY-NODEPORTS')!.length).toBeLessThanOrEqual(88)
})

test('a plan is committed once, and only where it was made', () => {
  const accepted = adopt('ip', undefined)
  const made = plan(accepted, nodeView([serviceView()]), 'all')
  commit(accepted, made)
  expect(() => commit(accepted, made)).toThrow(expect.objectContaining({ code: 'RULES_MISUSED' }))
})

test('a configuration writes only the chains that speak of it', () => {
  const services = [serviceView({ ports: [portView({ endpoints: [endpointView('10.244.1.2')] })] })]
  const accepted = commit(adopt('ip', undefined), plan(adopt('ip', undefined), nodeView(services), 'all'))
  const { transaction } = plan(accepted, nodeView(services, nodeConfigOf({ pods: { kind: 'cidrs', cidrs: ['10.250.0.0/16'] } })), new Set())
  expect(transaction?.operations).toEqual({ filter: [], nat: [
    { kind: 'edit-chain', chain: 'WHERRY-STRANGERS', deleted: ['-s 10.244.0.0/16 -j RETURN'], inserted: [{ at: 1, rule: '-s 10.250.0.0/16 -j RETURN' }] },
  ] })
})
