import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arbitraryChange, changedView, endpointView, nodeConfigOf, nodeView, portView, serviceView, type ViewChange } from '../../test/kit/views.ts'
import type { NodeView, ServiceKey, ServiceView } from '../model.ts'
import { markOf } from './names.ts'
import { adopt, commit, createImage, ipvsMode, render, rulesetOf, type Image, type Listing } from './index.ts'

const hostAddresses = ['127.0.0.1', '192.0.2.1', '198.18.0.2']
const bare: Listing = { family: 'ip', servers: new Map(), device: false, addresses: new Set(), hostAddresses }

/** Carries a view to a kernel as the sync loop does: read, plan, apply, commit. */
function machine(from: Listing = bare) {
  const image = createImage(from)
  let accepted = adopt('ip', image.listing)
  const pass = (view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>) => {
    const plan = ipvsMode.plan(accepted, view, changed)
    for (const step of plan.transaction?.steps ?? []) expect({ step, faults: image.apply(step) }).toEqual({ step, faults: [] })
    accepted = commit(accepted, plan)
    return plan
  }
  return {
    image,
    pass,
    restart: () => void (accepted = adopt('ip', image.listing)),
    /** As after a while: no real server that gets no new connections has old ones. */
    idle: () => closeAll(image),
  }
}

function closeAll({ listing }: Image): void {
  for (const { reals } of listing.servers.values())
    for (const real of reals.values()) Object.assign(real, { connections: 0 })
}

/** Comparable, and without what depends on how it came about. */
function plain({ table, servers, addresses, device }: Listing) {
  const sorted = <V>(map: ReadonlyMap<string, V> | undefined): readonly (readonly [string, V])[] => [...(map ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    chains: sorted(table?.chains),
    sets: sorted(table?.sets),
    elements: sorted(table?.elements).map(([name, elements]) => [name, sorted(elements)]),
    servers: sorted(servers).map(([key, { settings, reals }]) => [key, settings, sorted(reals).map(([real, { weight }]) => `${real} ${weight}`)]),
    addresses: [...addresses].sort(),
    device,
  }
}

const courses = fc.array(fc.array(arbitraryChange, { maxLength: 3 }), { maxLength: 6 })
const empty = nodeView([])

describe('over any course of changes', () => {
  test('what was reached step by step is what is made from nothing', () => {
    fc.assert(
      fc.property(courses, (course) => {
        const { image, pass, restart, idle } = machine()
        let view = empty
        pass(view, 'all')
        for (const changes of course) {
          const next = changedView(view, changes)
          view = next.view
          pass(view, next.changed)
        }
        restart()
        idle()
        pass(view, 'all')
        expect(plain(image.listing)).toEqual(plain(rulesetOf('ip', view, hostAddresses)))
      }),
      { numRuns: 300 },
    )
  })

  test('without waiting for connections, too, but for what has weight 0', () => {
    fc.assert(
      fc.property(courses, (course) => {
        const { image, pass } = machine()
        let view = empty
        for (const changes of course) {
          const next = changedView(view, changes)
          view = next.view
          pass(view, next.changed)
        }
        pass(view, 'all')
        const reals = (listing: Listing) =>
          [...listing.servers].map(([key, server]) => `${key}: ${[...server.reals].filter(([, { weight }]) => weight > 0).map(([real]) => real).sort().join(' ')}`).sort()
        expect(reals(image.listing)).toEqual(reals(rulesetOf('ip', view, hostAddresses)))
      }),
      { numRuns: 200 },
    )
  })

  test('after a restart with nothing changed there is nothing to do', () => {
    fc.assert(
      fc.property(courses, (course) => {
        const { pass, restart } = machine()
        let view = empty
        for (const changes of course) ({ view } = changedView(view, changes))
        pass(view, 'all')
        restart()
        expect(pass(view, 'all').transaction).toBeUndefined()
      }),
      { numRuns: 200 },
    )
  })

  test('a kernel in any state of ours is brought to any other', () => {
    fc.assert(
      fc.property(courses, courses, (one, other) => {
        const viewOf = (course: readonly (readonly ViewChange[])[]) => course.reduce((view, changes) => changedView(view, changes).view, empty)
        const { image, pass, restart, idle } = machine()
        pass(viewOf(one), 'all')
        restart()
        idle()
        pass(viewOf(other), 'all')
        expect(plain(image.listing)).toEqual(plain(rulesetOf('ip', viewOf(other), hostAddresses)))
      }),
      { numRuns: 200 },
    )
  })

  test("other people's virtual servers are left alone", () => {
    const others = new Map([
      ['tcp 192.0.2.1:443', { settings: 'wlc', reals: new Map([['198.51.100.1:443', { weight: 5, translated: false, connections: 3 }]]) }],
      ['tcp 192.0.2.99:30001', { settings: 'rr', reals: new Map() }],
      ['mark 7', { settings: 'sh', reals: new Map() }],
    ])
    fc.assert(
      fc.property(courses, (course) => {
        const { image, pass, restart } = machine({ ...bare, servers: others })
        let view = empty
        for (const changes of course) {
          const next = changedView(view, changes)
          view = next.view
          pass(view, next.changed)
        }
        restart()
        pass(empty, 'all')
        expect(new Map([...image.listing.servers].map(([key, { settings, reals }]) => [key, { settings, reals }]))).toEqual(others)
        expect(image.listing.addresses).toEqual(new Set())
      }),
      { numRuns: 100 },
    )
  })
})

const text = (plan: { readonly transaction?: Parameters<typeof render>[0] }): string => (plan.transaction ? render(plan.transaction) : '')
const web = (addresses: readonly string[], part: Partial<ServiceView> = {}): ServiceView =>
  serviceView({ ports: [portView({ endpoints: addresses.map((address) => endpointView(address)) })], ...part })

describe('the order of a change', () => {
  test('a new service is guarded, then served, then reachable', () => {
    const { pass } = machine()
    pass(empty, 'all')
    expect(text(pass(nodeView([web(['10.244.1.2'])]), new Set(['default/web'])))).toBe(
      [
        '# nft -f -',
        'add element ip wherry-ipvs services { 10.96.0.1 . tcp . 80 comment "default/web:http" : goto cluster-ip }',
        'add element ip wherry-ipvs addresses { 10.96.0.1 }',
        '# ipvsadm -R',
        '-A -t 10.96.0.1:80 -s rr',
        '-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1',
        '# ip -batch -',
        'address add 10.96.0.1/32 dev wherry-ipvs0',
        '',
      ].join('\n'),
    )
  })

  test('an endpoint that replaces another comes before that one leaves, in one run; TCP connections are waited for', () => {
    const { image, pass, restart, idle } = machine()
    pass(nodeView([web(['10.244.1.2'])]), 'all')
    expect(text(pass(nodeView([web(['10.244.1.3'])]), new Set(['default/web'])))).toBe(
      '# ipvsadm -R\n-a -t 10.96.0.1:80 -r 10.244.1.3:8080 -m -w 1\n-e -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 0\n',
    )
    const reals = image.listing.servers.get('tcp 10.96.0.1:80')!.reals
    Object.assign(reals.get('10.244.1.2:8080')!, { connections: 1 })
    restart()
    expect(text(pass(nodeView([web(['10.244.1.3'])]), 'all'))).toBe('')
    restart()
    idle()
    expect(text(pass(nodeView([web(['10.244.1.3'])]), 'all'))).toBe('# ipvsadm -R\n-d -t 10.96.0.1:80 -r 10.244.1.2:8080\n')
  })

  test('an endpoint that comes back while it drains is taken up again', () => {
    const { pass } = machine()
    pass(nodeView([web(['10.244.1.2', '10.244.1.3'])]), 'all')
    pass(nodeView([web(['10.244.1.3'])]), new Set(['default/web']))
    expect(text(pass(nodeView([web(['10.244.1.2', '10.244.1.3'])]), new Set(['default/web'])))).toBe('# ipvsadm -R\n-e -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1\n')
  })

  test('UDP endpoints leave at once', () => {
    const dns = (addresses: readonly string[]) =>
      nodeView([serviceView({ ports: [portView({ name: 'dns', protocol: 'udp', port: 53, endpoints: addresses.map((a) => endpointView(a, { port: 53 })) })] })])
    const { pass } = machine()
    pass(dns(['10.244.1.2', '10.244.1.3']), 'all')
    expect(text(pass(dns(['10.244.1.3']), new Set(['default/web'])))).toBe('# ipvsadm -R\n-d -u 10.96.0.1:53 -r 10.244.1.2:53\n')
  })

  test('a service that goes: unreachable, then unserved, then off the record', () => {
    const { pass } = machine()
    pass(nodeView([web(['10.244.1.2'])]), 'all')
    expect(text(pass(empty, new Set(['default/web'])))).toBe(
      [
        '# ip -batch -',
        'address delete 10.96.0.1/32 dev wherry-ipvs0',
        '# ipvsadm -R',
        '-D -t 10.96.0.1:80',
        '# nft -f -',
        'delete element ip wherry-ipvs services { 10.96.0.1 . tcp . 80 }',
        'delete element ip wherry-ipvs addresses { 10.96.0.1 }',
        '',
      ].join('\n'),
    )
  })

  test('outsiders get their mark when its virtual server is there, and lose it before that goes', () => {
    const local = (node: 'here' | 'elsewhere') =>
      nodeView([
        serviceView({ loadBalancerIPs: ['203.0.113.1'], externalPolicy: 'Local', ports: [portView({ endpoints: [endpointView('10.244.0.2', { node })] })] }),
      ])
    const { pass } = machine()
    pass(local('elsewhere'), 'all')
    const mark = markOf('default/web', 'http', 'tcp')
    const steps = text(pass(local('here'), new Set(['default/web'])))
    expect(steps.indexOf(`-a -f ${mark} -r 10.244.0.2:8080 -m -w 1`)).toBeGreaterThan(0)
    expect(steps.indexOf('outsiders { 203.0.113.1 . tcp . 80 :')).toBeGreaterThan(steps.indexOf(`-a -f ${mark}`))
    const back = text(pass(local('elsewhere'), new Set(['default/web'])))
    expect(back.indexOf('delete element ip wherry-ipvs outsiders')).toBe('# nft -f -\n'.length)
    expect(back.indexOf(`-D -f ${mark}`)).toBeGreaterThan(0)
  })

  test('source ranges change in one piece', () => {
    const ranged = (sourceRanges: readonly string[]) => nodeView([web(['10.244.1.2'], { loadBalancerIPs: ['203.0.113.1'], sourceRanges })])
    const { pass } = machine()
    pass(ranged(['198.51.100.0/24']), 'all')
    const steps = pass(ranged(['198.51.100.0/25']), new Set(['default/web'])).transaction!.steps
    expect(steps.map(({ operations }) => operations.map(({ kind }) => kind))).toEqual([['delete-elements', 'add-elements']])
  })
})

describe('whose a virtual server is', () => {
  const nodePort = (key: string, part: Partial<ServiceView> = {}): ServiceView =>
    serviceView({ key, clusterIPs: [], ports: [portView({ nodePort: 30_001, endpoints: [endpointView('10.244.1.2')] })], ...part })

  test('a NodePort gives way to an external IP and port, and takes over when that goes', () => {
    const config = nodeConfigOf({ nodePortAddresses: ['0.0.0.0/0'] })
    const a = nodePort('default/a')
    const b = serviceView({ key: 'default/b', clusterIPs: [], externalIPs: ['192.0.2.1'], ports: [portView({ port: 30_001, endpoints: [endpointView('10.244.1.9')] })] })
    const { image, pass } = machine()
    const reals = () => [...image.listing.servers.get('tcp 192.0.2.1:30001')!.reals.entries()].filter(([, { weight }]) => weight > 0).map(([real]) => real)
    pass(nodeView([a], config), 'all')
    expect(reals()).toEqual(['10.244.1.2:8080'])
    const { problems } = pass(nodeView([a, b], config), new Set(['default/b']))
    expect(reals()).toEqual(['10.244.1.9:8080'])
    expect(problems).toEqual([{ service: 'default/a', what: 'the node port is an external address of service default/b here', value: 'tcp 192.0.2.1:30001' }])
    pass(nodeView([a], config), new Set(['default/b']))
    expect(reals()).toEqual(['10.244.1.2:8080'])
  })

  test('of two service ports with one mark, one has it; the outsiders of the other are dropped, not sent astray', () => {
    const [one, other] = twins()
    const service = (key: string, address: string, endpoint: string): ServiceView =>
      serviceView({
        key, clusterIPs: [], loadBalancerIPs: [address], externalPolicy: 'Local',
        ports: [portView({ endpoints: [endpointView(endpoint, { node: 'here' })] })],
      })
    const [a, b] = [service(one, '203.0.113.1', '10.244.0.2'), service(other, '203.0.113.2', '10.244.0.3')]
    const { image, pass } = machine()
    const marked = () => [...image.listing.table!.elements.get('outsiders')!.keys()]
    pass(nodeView([a, b]), 'all')
    expect(marked()).toHaveLength(1)
    const loser = marked()[0]!.startsWith('203.0.113.1 ') ? b : a
    const winner = loser === a ? b : a
    const { problems } = pass(nodeView([loser]), new Set([winner.key]))
    expect(problems).toEqual([])
    expect(marked()).toEqual([`${loser.loadBalancerIPs[0]} . tcp . 80`])
    const server = image.listing.servers.get(`mark ${markOf(loser.key, 'http', 'tcp')}`)!
    expect([...server.reals].filter(([, { weight }]) => weight > 0).map(([real]) => real)).toEqual([`${loser.ports[0]!.endpoints[0]!.address}:8080`])
  })

  test('a virtual server that a Service asks for is ours by right; the table that was flushed is made again', () => {
    const { image, pass, restart } = machine()
    const view = nodeView([nodePort('default/a')])
    pass(view, 'all')
    image.apply({ kind: 'rules', operations: [{ kind: 'delete-table' }] })
    restart()
    pass(view, 'all')
    expect(plain(image.listing)).toEqual(plain(rulesetOf('ip', view, hostAddresses)))
  })

  test('real servers of a virtual server that is taken over are as we make them', () => {
    const odd = { weight: 5, translated: false, connections: 0 }
    const servers = new Map([['tcp 10.96.0.1:80', { settings: 'rr', reals: new Map([['10.244.1.2:8080', odd]]) }]])
    const { pass } = machine({ ...bare, servers })
    expect(text(pass(nodeView([web(['10.244.1.2'])]), 'all'))).toContain('# ipvsadm -R\n-e -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1\n')
  })

  test('what nobody asks for at an address of our device goes, even if the record of it is lost', () => {
    const { image, pass, restart } = machine()
    pass(nodeView([web(['10.244.1.2'])]), 'all')
    image.apply({ kind: 'rules', operations: [{ kind: 'delete-table' }] })
    restart()
    pass(empty, 'all')
    expect([...image.listing.servers.keys()]).toEqual([])
  })

  test('a table that others have changed is made again; what goes is closed and on record until it is gone', () => {
    const { image, pass, restart } = machine()
    pass(nodeView([nodePort('default/a')]), 'all')
    const key = '192.0.2.1 . tcp . 30001'
    image.apply({ kind: 'rules', operations: [
      { kind: 'add-chain', chain: 'odd' },
      { kind: 'delete-elements', set: 'services', keys: [key] },
      { kind: 'add-elements', set: 'services', elements: [{ key, value: 'goto odd' }] },
    ] })
    restart()
    const steps = text(pass(empty, 'all'))
    expect(steps.indexOf(`add element ip wherry-ipvs services { ${key} : drop }`)).toBeGreaterThan(0)
    expect(steps.indexOf('-D -t 192.0.2.1:30001')).toBeGreaterThan(steps.indexOf(': drop'))
    expect(plain(image.listing)).toEqual(plain(rulesetOf('ip', empty, hostAddresses)))
  })

  test('only endpoints that may be here and are not the host are hairpinned', () => {
    const endpoints = [
      endpointView('10.244.0.2', { node: 'here' }), endpointView('10.244.0.3', { node: 'unknown' }),
      endpointView('10.244.1.2'), endpointView('192.0.2.1', { node: 'here' }),
    ]
    const { table } = rulesetOf('ip', nodeView([serviceView({ ports: [portView({ endpoints })] })]), hostAddresses)
    expect([...table!.elements.get('hairpin')!.keys()]).toEqual(['10.244.0.2 . 10.244.0.2', '10.244.0.3 . 10.244.0.3'])
  })

  test('affinity is persistence for each address, and a hash of the client by mark', () => {
    const service = serviceView({
      loadBalancerIPs: ['203.0.113.1'], externalPolicy: 'Local', affinitySeconds: 90,
      ports: [portView({ endpoints: [endpointView('10.244.0.2', { node: 'here' })] })],
    })
    const { servers } = rulesetOf('ip', nodeView([service]), hostAddresses)
    expect([...servers].map(([key, { settings }]) => [key, settings])).toEqual([
      ['tcp 10.96.0.1:80', 'rr persistent 90'],
      [`mark ${markOf('default/web', 'http', 'tcp')}`, 'mh'],
      ['tcp 203.0.113.1:80', 'rr persistent 90'],
    ])
  })

  test('an address of the host stays where it is', () => {
    const view = nodeView([web(['10.244.1.2'], { loadBalancerIPs: ['192.0.2.1'], externalIPs: ['198.18.0.1'] })])
    const { addresses, servers } = rulesetOf('ip', view, hostAddresses)
    expect([...addresses].sort()).toEqual(['10.96.0.1', '198.18.0.1'])
    expect([...servers.keys()].sort()).toEqual(['tcp 10.96.0.1:80', 'tcp 192.0.2.1:80', 'tcp 198.18.0.1:80'])
  })

  test('NodePorts on 127.0.0.1 are a problem that is named', () => {
    const { problems } = machine().pass(nodeView([], nodeConfigOf({ localhostNodePorts: true })), 'all')
    expect(problems.map(({ what }) => what)).toEqual([expect.stringContaining('127.0.0.0/8')])
  })
})

/** Two service keys whose port `http` over TCP has the same mark. */
function twins(): readonly [string, string] {
  const seen = new Map<number, string>()
  for (let n = 0; ; n++) {
    const key = `default/s${n}`
    const mark = markOf(key, 'http', 'tcp')
    const other = seen.get(mark)
    if (other !== undefined) return [other, key]
    seen.set(mark, key)
  }
}
