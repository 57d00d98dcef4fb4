import { describe, expect, test } from 'vitest'
import type { Node } from '../../api/objects.ts'
import { describeAsRoot, netnsLab, type Netns } from '../../test/kit/netns.ts'
import { createIp, readJson } from './ip.ts'
import { createRoutes, podRoutes, routeChange, type RouteWish } from './routes.ts'

function node(name: string, address: string | undefined, podCIDRs: string[]): Node {
  const addresses = address ? [{ type: 'Hostname', address: name }, { type: 'InternalIP', address }] : []
  return { metadata: { name }, spec: { podCIDRs }, status: { addresses } } as unknown as Node
}

describe('the routes that a node should have', () => {
  test('one for each range of each other node', () => {
    const nodes = [node('a', '192.0.2.1', ['10.244.0.0/24']), node('b', '192.0.2.2', ['10.244.1.0/24']), node('c', '192.0.2.3', [])]
    expect(podRoutes({ self: 'a', nodes })).toEqual([{ to: '10.244.1.0/24', via: '192.0.2.2' }])
  })

  test('none to a node whose address of that family is not known', () => {
    expect(podRoutes({ self: 'a', nodes: [node('b', undefined, ['10.244.1.0/24']), node('c', '192.0.2.3', ['fd00::/64'])] })).toEqual([])
  })

  test('ranges are in canonical form', () => {
    expect(podRoutes({ self: 'a', nodes: [node('b', '192.0.2.2', ['10.244.1.9/24'])] })[0]?.to).toBe('10.244.1.0/24')
  })
})

test('what differs is replaced, what nobody wishes is removed, the rest stays', () => {
  const stays = { to: '10.0.0.0/24', via: '192.0.2.1', device: 'eth0' }
  const change = routeChange(
    [{ to: '10.0.0.0/24', via: '192.0.2.1' }, { to: '10.0.1.0/24', via: '192.0.2.9' }, { to: '10.0.2.0/24', via: '192.0.2.2' }],
    [stays, { to: '10.0.1.0/24', via: '192.0.2.1' }, { to: '10.0.3.0/24', via: '192.0.2.3' }],
  )
  expect(change.replace.map((r) => r.to)).toEqual(['10.0.1.0/24', '10.0.2.0/24'])
  expect(change.remove.map((r) => r.to)).toEqual(['10.0.3.0/24'])
})

describeAsRoot('routes in a kernel', () => {
  const lab = netnsLab()
  const signal = (): AbortSignal => AbortSignal.timeout(10_000)
  const nodes = [node('a', '192.0.2.1', ['10.244.0.0/24']), node('b', '192.0.2.2', ['10.244.1.0/24'])]
  const wish = (more: Partial<RouteWish> = {}): RouteWish => ({ self: 'a', addresses: ['192.0.2.1'], nodes, serviceCIDRs: [], ...more })

  async function place(): Promise<{ readonly a: Netns; readonly show: () => Promise<readonly string[]> }> {
    const [a, b] = [await lab.create(), await lab.create()]
    await lab.cable({ netns: a, address: '192.0.2.1/24' }, { netns: b, address: '192.0.2.2/24' })
    const show = async (): Promise<readonly string[]> => {
      const text = await createIp(a.exec)(['-json', 'route', 'show'], signal())
      return readJson<{ dst: string; gateway?: string }>(text).map((r) => (r.gateway ? `${r.dst} via ${r.gateway}` : r.dst))
    }
    return { a, show }
  }

  test('are made, changed and removed with the nodes; what others made stays', async () => {
    const { a, show } = await place()
    const routes = createRoutes(createIp(a.exec))
    await lab.route(a, '198.51.100.0/24', '192.0.2.2')
    expect(await routes.sync(wish(), signal())).toEqual([])
    expect(await show()).toEqual(['10.244.1.0/24 via 192.0.2.2', '192.0.2.0/24', '198.51.100.0/24 via 192.0.2.2'])
    await routes.sync(wish({ nodes: [node('b', '192.0.2.3', ['10.244.1.0/24', '10.244.9.0/24'])] }), signal())
    expect(await show()).toEqual(expect.arrayContaining(['10.244.1.0/24 via 192.0.2.3', '10.244.9.0/24 via 192.0.2.3']))
    await routes.sync(wish({ nodes: [] }), signal())
    expect(await show()).toEqual(['192.0.2.0/24', '198.51.100.0/24 via 192.0.2.2'])
  })

  test('one that the kernel refuses is told, and the others are made', async () => {
    const { a, show } = await place()
    const far = [node('far', '203.0.113.9', ['10.244.7.0/24']), ...nodes]
    const failures = await createRoutes(createIp(a.exec)).sync(wish({ nodes: far }), signal())
    expect(failures.map((f) => f.route.to)).toEqual(['10.244.7.0/24'])
    expect(failures[0]!.message).toMatch(/unreachable|invalid gateway/i)
    expect(await show()).toContain('10.244.1.0/24 via 192.0.2.2')
  })

  test('virtual IPs have a route only while nothing else covers them', async () => {
    const { a, show } = await place()
    const routes = createRoutes(createIp(a.exec))
    const services = wish({ nodes: [], serviceCIDRs: ['10.96.0.0/12'] })
    await routes.sync(services, signal())
    expect(await show()).toContain('10.96.0.0/12')
    await routes.sync(services, signal())
    expect(await show()).toContain('10.96.0.0/12')
    await lab.route(a, 'default', '192.0.2.2')
    await routes.sync(services, signal())
    expect(await show()).not.toContain('10.96.0.0/12')
  })
})
