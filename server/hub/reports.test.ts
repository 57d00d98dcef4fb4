import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NodeEvent, NodeReport } from '../../api/frames.ts'
import type { Event, KubeObject, Lease, Node, Pod, PodStatus } from '../../api/objects.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, type Inside } from '../../test/kit/registry.ts'
import { createLines, type Lines } from '../../test/scenarios/link-lines.ts'
import { createReports, type Reports } from './reports.ts'

let inside: Inside
let lines: Lines
let reports: Reports
let refusals: string[]
beforeEach(async () => {
  inside = await openInside()
  lines = createLines()
  refusals = []
  reports = createReports({ ...inside, log: lines.log })
})
afterEach(() => inside.close())

async function tell(node: string, ...told: readonly NodeReport[]): Promise<void> {
  const queue = reports.of(node, (reason) => refusals.push(`${node}: ${reason}`))
  for (const report of told) {
    queue.add(report)
    await queue.idle()
  }
}

const ready = (status: string) => ({ type: 'Ready', status, reason: 'r', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' })
const about = (address: string, status = 'True'): NodeReport => ({
  kind: 'node',
  labels: { 'kubernetes.io/os': 'linux' },
  status: { addresses: [{ type: 'InternalIP', address }], conditions: [ready(status)] },
})
const nodeOf = (name: string): Node => inside.get('nodes', name) as Node
const leaseOf = (name: string): Lease | undefined => inside.get('leases.coordination.k8s.io', name, 'kube-node-lease') as Lease | undefined
const complaints = () => lines.of('a report of a node was not kept')

describe('a node', () => {
  test('is made with its labels and status, and a lease that it owns', async () => {
    await tell('node1', about('10.0.0.1'))
    expect(nodeOf('node1').metadata.labels).toMatchObject({ 'kubernetes.io/os': 'linux' })
    expect(nodeOf('node1').status).toMatchObject({ conditions: [{ type: 'Ready', status: 'True' }] })
    expect(leaseOf('node1')).toMatchObject({
      metadata: { ownerReferences: [{ kind: 'Node', name: 'node1', uid: nodeOf('node1').metadata.uid }] },
      spec: { holderIdentity: 'node1', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' },
    })
    expect(complaints()).toEqual([])
  })

  test('that is there gets the new status, and keeps labels, spec and the conditions of others', async () => {
    const spec = { unschedulable: true }
    const status = { conditions: [ready('Unknown'), { ...ready('False'), type: 'NetworkUnavailable' }] }
    await inside.make('nodes', kit.node({ metadata: { labels: { zone: 'a' } }, spec, status }))
    await tell('node1', about('10.0.0.1'))
    expect(nodeOf('node1')).toMatchObject({ metadata: { labels: { zone: 'a' } }, spec })
    expect(nodeOf('node1').metadata.labels).not.toHaveProperty('kubernetes.io/os')
    expect(nodeOf('node1').status?.conditions?.map((c) => `${c.type}=${c.status}`)).toEqual(['Ready=True', 'NetworkUnavailable=False'])
  })

  test('is not told to be ready before its lease is renewed', async () => {
    await tell('node1', about('10.0.0.1'))
    const order: string[] = []
    inside.store.watch(inside.store.revision, (change) => order.push(change.resource))
    await inside.clock.advance(60_000)
    await tell('node1', about('10.0.0.1', 'False'))
    expect(order).toEqual(['leases.coordination.k8s.io', 'nodes'])
  })

  test('with the address of another is refused, with an event that names it', async () => {
    await tell('node1', about('10.0.0.1'))
    await tell('node2', about('10.0.0.1'))
    expect(refusals).toEqual([expect.stringMatching(/^node2: node node2 has the address 10\.0\.0\.1 of node node1: .*delete the Node node1/)])
    expect(nodeOf('node2')).toBeUndefined()
    expect(inside.store.list('events')).toMatchObject([
      {
        type: 'Warning',
        reason: 'AgentRefused',
        message: expect.stringContaining('node1'),
        involvedObject: { kind: 'Node', name: 'node2' },
        source: { component: 'wherry-agent', host: 'node2' },
      },
    ])
    await tell('node2', about('10.0.0.2'))
    expect(nodeOf('node2')).toBeDefined()
    await tell('node1', about('10.0.0.1', 'False'))
    expect(refusals).toHaveLength(1)
  })

  test('that is refused is not listened to any further', async () => {
    await tell('node1', about('10.0.0.1'))
    const queue = reports.of('node2', (reason) => refusals.push(reason))
    for (const report of [about('10.0.0.1'), { kind: 'lease' }] as const) queue.add(report)
    await queue.idle()
    expect(refusals).toHaveLength(1)
    expect(leaseOf('node2')).toBeUndefined()
  })

  test('of two with one address that come at the same moment, one is refused', async () => {
    await Promise.all([tell('node1', about('10.0.0.1')), tell('node2', about('10.0.0.1'))])
    expect(refusals).toHaveLength(1)
    expect(inside.store.list('nodes')).toHaveLength(1)
  })

  test('renews its lease, which is made again where it is absent', async () => {
    await tell('node1', about('10.0.0.1'))
    await inside.clock.advance(10_250)
    await tell('node1', { kind: 'lease' })
    expect(leaseOf('node1')?.spec?.renewTime).toBe('2026-01-01T00:00:10.250000Z')
    await inside.registry.remove({ resource: 'leases.coordination.k8s.io', namespace: 'kube-node-lease', name: 'node1' })
    await tell('node1', { kind: 'lease' })
    expect(leaseOf('node1')?.spec?.holderIdentity).toBe('node1')
    expect(complaints()).toEqual([])
  })
})

describe('a pod', () => {
  const key = 'default/web-1'
  const podNow = (): Pod => inside.get('pods', 'web-1', 'default') as Pod
  let made: KubeObject
  beforeEach(async () => {
    made = await inside.make('pods', kit.pod({ spec: { nodeName: 'node1' } }))
  })

  test('gets its status, and keeps the conditions of others', async () => {
    await inside.registry.update(
      { resource: 'pods', namespace: 'default', name: 'web-1' },
      (c) => ({ ...c, status: { conditions: [{ type: 'Other', status: 'True' }] } }),
      { subresource: 'status' },
    )
    const status: PodStatus = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
    await tell('node1', { kind: 'pod', key, uid: made.metadata.uid, status })
    expect(podNow().status).toMatchObject({ phase: 'Running' })
    expect(podNow().status?.conditions?.map((c) => c.type)).toEqual(['Ready', 'Other'])
    expect(podNow().spec).toEqual(made.spec)
  })

  test('that another one replaced, or another node runs, is left alone', async () => {
    const before = podNow()
    await tell('node1', { kind: 'pod', key, uid: 'another', status: { phase: 'Failed' } })
    await tell('node1', { kind: 'podGone', key, uid: 'another' })
    expect(complaints()).toMatchObject([{ level: 'debug', reason: 'Conflict' }, { level: 'debug', reason: 'Conflict' }])
    await tell('node2', { kind: 'pod', key, uid: made.metadata.uid, status: { phase: 'Failed' } })
    await tell('node2', { kind: 'podGone', key, uid: made.metadata.uid })
    expect(complaints().slice(2)).toMatchObject([{ level: 'warn', reason: 'Forbidden' }, { level: 'warn', reason: 'Forbidden' }])
    expect(podNow()).toEqual(before)
  })

  test('is removed when its containers have ended, and then it is no fault to tell it again', async () => {
    await inside.registry.remove({ resource: 'pods', namespace: 'default', name: 'web-1' })
    expect(podNow().metadata.deletionTimestamp).toBeDefined()
    const gone: NodeReport = { kind: 'podGone', key, uid: made.metadata.uid }
    await tell('node1', gone, gone)
    expect(podNow()).toBeUndefined()
    expect(complaints()).toMatchObject([{ level: 'debug', reason: 'NotFound' }])
  })

  test.each(['web-1', 'a/b/c', '/web-1', 'default/'])('with the key %j is named in the log', async (bad) => {
    await tell('node1', { kind: 'podGone', key: bad, uid: made.metadata.uid })
    expect(complaints()).toMatchObject([{ level: 'warn', error: expect.stringContaining(`NAMESPACE/NAME, not ${JSON.stringify(bad)}`) }])
  })
})

describe('an event', () => {
  const pulled: NodeEvent = {
    type: 'Normal',
    reason: 'Pulled',
    message: 'image is here',
    about: { kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'u1', fieldPath: 'spec.containers{web}' },
  }
  const events = (): readonly Event[] => inside.store.list('events') as readonly Event[]
  const told = (event: NodeEvent): NodeReport => ({ kind: 'event', event })

  test('is written where its object is', async () => {
    await tell('node1', told(pulled))
    expect(events()).toMatchObject([
      {
        metadata: { namespace: 'default' },
        involvedObject: { kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'u1', fieldPath: 'spec.containers{web}' },
        type: 'Normal',
        reason: 'Pulled',
        message: 'image is here',
        source: { component: 'wherry-agent', host: 'node1' },
        count: 1,
        firstTimestamp: '2026-01-01T00:00:00Z',
      },
    ])
  })

  test('is counted for ten minutes after its last time, and then is another one', async () => {
    await tell('node1', told(pulled))
    await inside.clock.advance(9 * 60_000)
    await tell('node1', told(pulled))
    await inside.clock.advance(9 * 60_000)
    await tell('node1', told(pulled))
    expect(events()).toMatchObject([{ count: 3, firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:18:00Z' }])
    await inside.clock.advance(11 * 60_000)
    await tell('node1', told(pulled))
    expect(new Set(events().map((e) => e.count))).toEqual(new Set([1, 3]))
    expect(events()).toHaveLength(2)
  })

  test('is another one where anything of it differs', async () => {
    await tell('node1', told(pulled), told({ ...pulled, message: 'other' }), told({ ...pulled, about: { ...pulled.about, uid: 'u2' } }))
    await tell('node2', told(pulled))
    expect(events().map((e) => e.count)).toEqual([1, 1, 1, 1])
  })

  test('that was deleted meanwhile is written anew', async () => {
    await tell('node1', told(pulled))
    await inside.registry.remove({ resource: 'events', namespace: 'default', name: events()[0]!.metadata.name })
    await tell('node1', told(pulled))
    expect(events()).toMatchObject([{ count: 1 }])
  })

  test('about the node itself stands in default; about another node it is refused', async () => {
    const about = { kind: 'Node', name: 'node1', uid: '' } as const
    await tell('node1', told({ ...pulled, about }))
    expect(events()).toMatchObject([{ metadata: { namespace: 'default' }, involvedObject: { kind: 'Node', name: 'node1' } }])
    await tell('node2', told({ ...pulled, about }))
    expect(events()).toHaveLength(1)
  })

  test('in a namespace that is gone is no fault', async () => {
    await tell('node1', told({ ...pulled, about: { ...pulled.about, namespace: 'gone' } }))
    expect(complaints()).toMatchObject([{ level: 'debug', reason: 'NotFound' }])
  })
})
