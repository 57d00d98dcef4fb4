/** The controllers together, over a real registry, with a node's part played by the test. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { rfc3339 } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import type { Deployment, Endpoints, EndpointSlice, KubeObject, Node, Pod, ReplicaSet } from '../../api/objects.ts'
import { resourceKinds, type Resource } from '../../api/resources.ts'
import { deployment, event, lease, node, pod, service } from '../../test/kit/objects.ts'
import { openInside, type Inside } from '../../test/kit/registry.ts'
import { loadStructure } from '../admit/validate/structure.ts'
import { createScheduler } from '../scheduler/scheduler.ts'
import { createControllers } from './controllers.ts'

// Reading the validators takes real time, for which no test is to wait.
beforeAll(async () => void (await Promise.all(resourceKinds.map((k) => loadStructure(k)))))

let inside: Inside
let stops: (() => Promise<void>)[]

function start(): (() => Promise<void>)[] {
  const { store, kinds, registry, clock } = inside
  const deps = { store, kinds, registry, clock, random: () => 0.5, log: silentLog, clusterCIDR: '10.244.0.0/16', usage: () => undefined }
  return [...createControllers(deps), createScheduler(deps)].map((c) => c.start())
}

beforeEach(async () => {
  inside = await openInside()
  stops = start()
})
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()))
  await inside.close()
})

const calm = (): Promise<void> => inside.calm()
const list = <T>(resource: Resource): readonly T[] => inside.store.list(resource, 'default') as unknown as readonly T[]
const pods = (): readonly Pod[] => list<Pod>('pods')
const set = (resource: Resource, name: string, namespace: string, change: (o: KubeObject) => object, subresource?: 'status') =>
  inside.registry.update({ resource, namespace, name }, (o) => ({ ...o, ...change(o) }), subresource && { subresource })

async function addNode(name: string): Promise<void> {
  await inside.make('nodes', node({ metadata: { name } }))
  await renew(name)
  const now = rfc3339(inside.clock.now())
  await set('nodes', name, '', () => ({ status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now }] } }), 'status')
}

async function renew(name: string): Promise<void> {
  const renewTime = new Date(inside.clock.now()).toISOString()
  if (inside.get('leases.coordination.k8s.io', name, 'kube-node-lease')) {
    await set('leases.coordination.k8s.io', name, 'kube-node-lease', () => ({ spec: { holderIdentity: name, renewTime } }))
  } else {
    await inside.make('leases.coordination.k8s.io', lease({ metadata: { name, namespace: 'kube-node-lease' }, spec: { holderIdentity: name, renewTime } as never }))
  }
}

/** What agents do: bound pods run, pods that are being deleted end. */
async function agents(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) {
    await calm()
    for (const p of pods()) {
      const ref = { resource: 'pods', namespace: 'default', name: p.metadata.name } as const
      if (p.metadata.deletionTimestamp) await inside.registry.remove(ref, { gracePeriodSeconds: 0 }).catch(() => {})
      else if (p.spec?.nodeName && p.status?.phase !== 'Running') await run(p)
    }
  }
}

let lastIP = 1
async function run(p: Pod): Promise<void> {
  const status = { phase: 'Running', podIP: `10.244.1.${++lastIP}`, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: rfc3339(inside.clock.now()) }] }
  await set('pods', p.metadata.name, 'default', () => ({ status }), 'status')
}

const web = (replicas: number, image = 'web:1') =>
  deployment({
    metadata: { name: 'web' },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } } } as never,
  })
const status = (): Deployment['status'] => (inside.get('deployments.apps', 'web', 'default') as Deployment).status

describe('a Deployment', () => {
  test('gets a ReplicaSet and pods, placed on different nodes, and says that it is available', async () => {
    for (const name of ['node1', 'node2', 'node3']) await addNode(name)
    await inside.make('deployments.apps', web(3))
    await agents()
    expect(new Set(pods().map((p) => p.spec?.nodeName))).toEqual(new Set(['node1', 'node2', 'node3']))
    expect(status()).toMatchObject({ replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3, observedGeneration: 1 })
    expect(status()!.conditions!.map((c) => `${c.type}=${c.status} ${c.reason}`).toSorted()).toEqual([
      'Available=True MinimumReplicasAvailable',
      'Progressing=True NewReplicaSetAvailable',
    ])
  })

  test('scales up and down, and makes up for a pod that is gone', async () => {
    await addNode('node1')
    await inside.make('deployments.apps', web(2))
    await agents()
    const [victim] = pods()
    await inside.registry.remove({ resource: 'pods', namespace: 'default', name: victim!.metadata.name })
    await agents()
    expect(pods()).toHaveLength(2)
    expect(pods().map((p) => p.metadata.uid)).not.toContain(victim!.metadata.uid)
    await set('deployments.apps', 'web', 'default', (d) => ({ spec: { ...(d.spec as object), replicas: 5 } }))
    await agents()
    expect(pods()).toHaveLength(5)
    await set('deployments.apps', 'web', 'default', (d) => ({ spec: { ...(d.spec as object), replicas: 0 } }))
    await agents()
    expect(pods()).toHaveLength(0)
  })

  test('rolls to a new template without falling below what it may, and back to the old ReplicaSet', async () => {
    await addNode('node1')
    await inside.make('deployments.apps', web(4))
    await agents()
    let fewest = 4
    const unwatch = inside.store.watch(inside.store.revision, ({ resource }) => {
      if (resource === 'pods') fewest = Math.min(fewest, pods().filter((p) => p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') && !p.metadata.deletionTimestamp).length)
    })
    const image = (name: string) => set('deployments.apps', 'web', 'default', () => ({ spec: web(4, name).spec }))
    await image('web:2')
    await agents()
    await agents()
    unwatch()
    expect(pods().map((p) => p.spec?.containers[0]?.image)).toEqual(Array(4).fill('web:2'))
    expect(fewest).toBeGreaterThanOrEqual(3)
    const sets = (): string[] =>
      list<ReplicaSet>('replicasets.apps').map((rs) => `${rs.metadata.annotations?.['deployment.kubernetes.io/revision']}: ${rs.spec?.replicas}`)
    expect(sets().toSorted()).toEqual(['1: 0', '2: 4'])
    await image('web:1')
    await agents()
    await agents()
    expect(sets().toSorted(), 'the first ReplicaSet is taken again, as revision 3').toEqual(['2: 0', '3: 4'])
  })

  test('takes its ReplicaSets and pods with it, or lets them go free', async () => {
    await addNode('node1')
    await inside.make('deployments.apps', web(2))
    await agents()
    const ref = { resource: 'deployments.apps', namespace: 'default', name: 'web' } as const
    await inside.registry.remove(ref, { propagationPolicy: 'Orphan' })
    await agents()
    expect([inside.get('deployments.apps', 'web', 'default'), list('replicasets.apps').length, pods().length]).toEqual([undefined, 1, 2])
    await inside.make('deployments.apps', web(2))
    await agents()
    await inside.registry.remove(ref, { propagationPolicy: 'Foreground' })
    await agents()
    expect(inside.get('deployments.apps', 'web', 'default')).toBeUndefined()
  })
})

describe('endpoints of a service', () => {
  const targets = (): string[] =>
    list<EndpointSlice>('endpointslices.discovery.k8s.io').flatMap((s) => (s.endpoints ?? []).map((e) => `${e.addresses[0]}:${s.ports?.[0]?.port}${e.conditions?.ready ? '' : ' not ready'}`))

  test('follow its pods into slices and Endpoints, and go with the service', async () => {
    await addNode('node1')
    await inside.make('services', service({ metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] } as never }))
    await inside.make('deployments.apps', web(2))
    await agents()
    const addresses = pods().map((p) => p.status!.podIP!)
    expect(targets().toSorted()).toEqual(addresses.map((a) => `${a}:8080`).toSorted())
    expect((inside.get('endpoints', 'web', 'default') as Endpoints).subsets![0]!.addresses!.map((a) => a.ip).toSorted()).toEqual(addresses.toSorted())
    const slice = list<EndpointSlice>('endpointslices.discovery.k8s.io')[0]!.metadata.uid
    await set('pods', pods()[0]!.metadata.name, 'default', (p) => ({ status: { ...(p.status as object), conditions: [{ type: 'Ready', status: 'False' }] } }), 'status')
    await calm()
    expect(targets().filter((t) => t.endsWith('not ready'))).toHaveLength(1)
    expect(list<EndpointSlice>('endpointslices.discovery.k8s.io').map((s) => s.metadata.uid), 'in the slice that is there').toEqual([slice])
    await inside.registry.remove({ resource: 'services', namespace: 'default', name: 'web' })
    await agents()
    expect([list('endpointslices.discovery.k8s.io').length, list('endpoints').length]).toEqual([0, 0])
  })

  test('of more than a hundred pods fill several slices, and one change touches one of them', async () => {
    await addNode('node1')
    await inside.make('services', service({ metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } as never }))
    for (let i = 0; i < 120; i++) {
      await inside.make('pods', pod({ metadata: { name: `p${i}`, labels: { app: 'web' } }, spec: { nodeName: 'node1' } as never }))
      await set('pods', `p${i}`, 'default', () => ({ status: { phase: 'Running', podIP: `10.244.2.${i + 1}`, conditions: [{ type: 'Ready', status: 'True' }] } }), 'status')
    }
    await calm()
    const slices = () => list<EndpointSlice>('endpointslices.discovery.k8s.io')
    expect(slices().map((s) => s.endpoints!.length).toSorted((a, b) => a - b)).toEqual([20, 100])
    const before = slices().map((s) => s.metadata.resourceVersion)
    await set('pods', 'p5', 'default', (p) => ({ status: { ...(p.status as object), conditions: [{ type: 'Ready', status: 'False' }] } }), 'status')
    await calm()
    expect(slices().filter((s) => !before.includes(s.metadata.resourceVersion))).toHaveLength(1)
  })
})

describe('nodes', () => {
  test('are each given their own pod range', async () => {
    for (const name of ['node1', 'node2', 'node3']) await addNode(name)
    await calm()
    expect((inside.store.list('nodes') as Node[]).map((n) => n.spec?.podCIDR)).toEqual(['10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24'])
  })

  test('that fall silent are Unknown and tainted, their pods not ready, then moved; and are well again when they come back', async () => {
    await addNode('node1')
    await inside.make('deployments.apps', web(1))
    await agents()
    const [first] = pods()
    await addNode('node2')
    const beat = async (names: readonly string[], ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 10_000) {
        for (const name of names) await renew(name)
        await inside.clock.advance(10_000)
        await calm()
      }
    }
    await beat(['node2'], 60_000)
    const node1 = (): Node => inside.get('nodes', 'node1') as Node
    expect(node1().status!.conditions![0]).toMatchObject({ type: 'Ready', status: 'Unknown' })
    expect(node1().spec!.taints!.map((t) => `${t.key}:${t.effect}`).toSorted()).toEqual(['node.kubernetes.io/unreachable:NoExecute', 'node.kubernetes.io/unreachable:NoSchedule'])
    expect(pods()[0]!.status!.conditions!.find((c) => c.type === 'Ready')!.status).toBe('False')
    await beat(['node2'], 320_000)
    const moved = pods().find((p) => p.metadata.uid !== first!.metadata.uid)
    expect(moved?.spec?.nodeName).toBe('node2')
    await renew('node1')
    await set('nodes', 'node1', '', () => ({ status: { conditions: [{ type: 'Ready', status: 'True' }] } }), 'status')
    await calm()
    expect(node1().spec!.taints ?? []).toEqual([])
  })

  test('that could not be heard while no hub was there are lost only when they stay silent after it came back', async () => {
    await addNode('node1')
    await inside.make('deployments.apps', web(1))
    await agents()
    await addNode('lost')
    const state = (name: string): string | undefined => (inside.get('nodes', name) as Node).status!.conditions![0]!.status
    const isReady = (): string | undefined => pods()[0]!.status!.conditions!.find((c) => c.type === 'Ready')!.status
    for (let passed = 0; passed < 50_000; passed += 10_000) {
      await renew('node1')
      await inside.clock.advance(10_000)
      await calm()
    }
    expect([state('node1'), state('lost'), isReady()]).toEqual(['True', 'Unknown', 'True'])

    await Promise.all(stops.map((stop) => stop()))
    await inside.clock.advance(300_000)
    stops = start()
    await calm()
    expect([state('node1'), state('lost'), isReady()]).toEqual(['True', 'Unknown', 'True'])
    expect((inside.get('nodes', 'node1') as Node).spec!.taints ?? []).toEqual([])
    await inside.clock.advance(39_999)
    await calm()
    expect([state('node1'), isReady()]).toEqual(['True', 'True'])
    await inside.clock.advance(1)
    await calm()
    expect([state('node1'), isReady()]).toEqual(['Unknown', 'False'])
  })

  test('that are deleted lose their pods at once', async () => {
    await addNode('node1')
    await inside.make('deployments.apps', web(1))
    await agents()
    const uid = pods()[0]!.metadata.uid
    await inside.registry.remove({ resource: 'nodes', namespace: '', name: 'node1' })
    await calm()
    expect(pods().map((p) => p.metadata.uid)).not.toContain(uid)
  })
})

describe('a namespace', () => {
  test('gets a default ServiceAccount, and is emptied before it goes', async () => {
    await inside.make('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } } as never)
    await calm()
    expect(inside.get('serviceaccounts', 'default', 'team')).toBeDefined()
    await inside.make('pods', pod({ metadata: { name: 'p', namespace: 'team' } }))
    await inside.registry.remove({ resource: 'namespaces', namespace: '', name: 'team' })
    for (let i = 0; i < 5; i++) {
      await calm()
      await inside.clock.advance(2_000)
    }
    expect([inside.get('namespaces', 'team'), inside.get('pods', 'p', 'team')]).toEqual([undefined, undefined])
  })
})

describe('a pod that fits nowhere', () => {
  test('says why, and is placed when a node comes', async () => {
    await inside.make('pods', pod({ metadata: { name: 'p' }, spec: { nodeSelector: { disk: 'ssd' } } as never }))
    await calm()
    const scheduled = () => (inside.get('pods', 'p', 'default') as Pod).status!.conditions!.find((c) => c.type === 'PodScheduled')
    expect(scheduled()).toMatchObject({ status: 'False', reason: 'Unschedulable', message: '0/0 nodes are available.' })
    await addNode('node1')
    await calm()
    expect(scheduled()!.message).toBe("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")
    await set('nodes', 'node1', '', (n) => ({ metadata: { ...n.metadata, labels: { disk: 'ssd' } } }))
    await inside.clock.advance(6_000)
    await calm()
    expect((inside.get('pods', 'p', 'default') as Pod).spec!.nodeName).toBe('node1')
    expect(scheduled()).toMatchObject({ status: 'True' })
    const events = list<KubeObject & { reason: string; message: string }>('events')
    expect(events.find((e) => e.reason === 'Scheduled')!.message).toMatch(/^Successfully assigned default\/p to node1 \(cpu 0%, memory 0% requested\)$/)
  })
})

test('an event is forgotten after its hour', async () => {
  await inside.make('pods', pod({ metadata: { name: 'p' } }))
  await calm()
  expect(list('events').length).toBeGreaterThan(0)
  await inside.registry.remove({ resource: 'pods', namespace: 'default', name: 'p' })
  await calm()
  await inside.clock.advance(3_700_000)
  await calm()
  expect(list('events')).toEqual([])
})

test('an event that goes on is kept for an hour after it was last seen', async () => {
  await inside.make('events', event({ series: { count: 2, lastObservedTime: '2026-01-01T00:30:00.000000Z' } }))
  await inside.clock.advance(3_700_000)
  await calm()
  expect(list('events')).toHaveLength(1)
  await inside.clock.advance(1_800_000)
  await calm()
  expect(list('events')).toEqual([])
})
