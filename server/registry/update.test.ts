import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject, Node, Pod, Service } from '../../api/objects.ts'
import type { Resource, Subresource } from '../../api/resources.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refOf, refusalOf, type Drafted, type Inside } from '../../test/kit/registry.ts'
import type { Draft } from './registry.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside()
})
afterEach(() => inside.close())

type Wish = (current: KubeObject) => unknown
const update = (resource: Resource, draft: Drafted, wish: Wish, subresource?: Subresource): Promise<KubeObject> =>
  inside.registry.update(refOf(resource, draft), (c) => wish(c) as Draft, subresource ? { subresource } : {})
const spec =
  (more: object): Wish =>
  (c) => ({ ...c, spec: { ...(c.spec as object), ...more } })
const meta =
  (more: object): Wish =>
  (c) => ({ ...c, metadata: { ...c.metadata, ...more } })

describe('optimistic locking', () => {
  test('an older revision is a conflict', async () => {
    await inside.make('configmaps', kit.configMap())
    expect(await refusalOf(update('configmaps', kit.configMap(), meta({ resourceVersion: '1' })))).toMatchObject({
      reason: 'Conflict',
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; please apply your changes to the latest version and try again',
    })
  })
  test('the current revision and none are not', async () => {
    await inside.make('configmaps', kit.configMap())
    const one = await update('configmaps', kit.configMap(), (c) => ({ ...c, data: { a: '1' } }))
    expect(one).toMatchObject({ data: { a: '1' } })
    const two = await update('configmaps', kit.configMap(), () => kit.configMap({ data: { a: '2' } }))
    expect(two).toMatchObject({ data: { a: '2' } })
    expect(Number(two.metadata.resourceVersion)).toBe(Number(one.metadata.resourceVersion) + 1)
  })
  test('another object of that name is a conflict', async () => {
    await inside.make('configmaps', kit.configMap())
    expect((await refusalOf(update('configmaps', kit.configMap(), meta({ uid: 'other' })))).message).toContain(
      'Precondition failed: UID in precondition: other',
    )
  })
  test('of writers at the same time one after the other is right', async () => {
    await inside.make('configmaps', kit.configMap({ data: { n: '0' } }))
    const add: Wish = (c) => ({ ...c, data: { n: String(Number((c as { data?: { n: string } }).data!.n) + 1) } })
    await Promise.all(Array.from({ length: 20 }, () => update('configmaps', kit.configMap(), add)))
    expect(inside.get('configmaps', 'settings', 'default')).toMatchObject({ data: { n: '20' } })
  })
  test('nothing there is not found', async () => {
    expect(await refusalOf(update('configmaps', kit.configMap(), (c) => c))).toMatchObject({
      reason: 'NotFound',
      message: 'configmaps "settings" not found',
    })
  })
})

describe('metadata', () => {
  test('what the server says stays when a client leaves it out', async () => {
    const made = await inside.make('configmaps', kit.configMap())
    const { metadata } = await update('configmaps', kit.configMap(), () => kit.configMap({ metadata: { labels: { a: 'b' } } }))
    expect(metadata).toMatchObject({
      uid: made.metadata.uid,
      creationTimestamp: made.metadata.creationTimestamp,
      labels: { a: 'b' },
    })
  })
  test('labels that are left out go', async () => {
    await inside.make('configmaps', kit.configMap({ metadata: { labels: { a: 'b' }, annotations: { c: 'd' } } }))
    const { metadata } = await update('configmaps', kit.configMap(), () => kit.configMap())
    expect([metadata.labels, metadata.annotations]).toEqual([undefined, undefined])
  })
  test.each([
    ['creationTimestamp', '2020-01-01T00:00:00Z'],
    ['deletionTimestamp', '2020-01-01T00:00:00Z'],
    ['deletionGracePeriodSeconds', 5],
  ])('%s cannot be changed', async (field, value) => {
    await inside.make('configmaps', kit.configMap())
    expect((await refusalOf(update('configmaps', kit.configMap(), meta({ [field]: value })))).details?.causes).toEqual([
      {
        reason: 'FieldValueInvalid',
        field: `metadata.${field}`,
        message: `Invalid value: ${JSON.stringify(value)}: field is immutable`,
      },
    ])
  })
  test('times with milliseconds, as some libraries write them, are the times that they are, and no change', async () => {
    const made = await inside.registry.create(refOf('configmaps', kit.configMap()), kit.configMap({ data: { a: '1' } }), { manager: 'me' })
    const long = (time: string): string => time.replace('Z', '.000Z')
    const managedFields = made.metadata.managedFields!.map((m) => ({ ...(m as { time: string }), time: long((m as { time: string }).time) }))
    const same = await update('configmaps', kit.configMap(), (c) => ({ ...c, metadata: { ...c.metadata, creationTimestamp: long(c.metadata.creationTimestamp), managedFields } }))
    expect(same.metadata).toEqual(made.metadata)
  })
  test('no finalizer is added to what is being deleted', async () => {
    await inside.make('configmaps', kit.configMap({ metadata: { finalizers: ['a.example/x'] } }))
    await inside.registry.remove(refOf('configmaps', kit.configMap()))
    const status = await refusalOf(update('configmaps', kit.configMap(), meta({ finalizers: ['a.example/x', 'b.example/y'] })))
    expect(status.message).toContain(
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted',
    )
  })
  test('the last finalizer of what is being deleted ends it', async () => {
    await inside.make('configmaps', kit.configMap({ metadata: { finalizers: ['a.example/x', 'b.example/y'] } }))
    await inside.registry.remove(refOf('configmaps', kit.configMap()))
    await update('configmaps', kit.configMap(), meta({ finalizers: ['b.example/y'] }))
    expect(inside.get('configmaps', 'settings', 'default')).toBeDefined()
    const last = await update('configmaps', kit.configMap(), meta({ finalizers: [] }))
    expect(inside.get('configmaps', 'settings', 'default')).toBeUndefined()
    expect(last.metadata.resourceVersion).toBe(String(inside.store.revision))
  })
})

describe('generation', () => {
  test('counts changes of the spec, not of labels or status', async () => {
    await inside.make('deployments.apps', kit.deployment())
    const generation = async (wish: Wish, subresource?: Subresource) =>
      (await update('deployments.apps', kit.deployment(), wish, subresource)).metadata.generation
    expect(await generation(meta({ labels: { a: 'b' } }))).toBe(1)
    expect(await generation(spec({ replicas: 3 }))).toBe(2)
    expect(await generation((c) => ({ ...c, status: { observedGeneration: 2 } }), 'status')).toBe(2)
    expect(await generation(spec({ replicas: 3 }))).toBe(2)
    expect(await generation(meta({ generation: 40 }))).toBe(2)
  })
  test('of an EndpointSlice counts changes of its endpoints', async () => {
    await inside.make('endpointslices.discovery.k8s.io', kit.endpointSlice())
    const after = await update('endpointslices.discovery.k8s.io', kit.endpointSlice(), (c) => ({ ...c, endpoints: [] }))
    expect(after.metadata.generation).toBe(2)
  })
})

describe('status', () => {
  test('is changed alone by its subresource', async () => {
    await inside.make('pods', kit.pod({ metadata: { labels: { a: 'b' } } }))
    const wish: Wish = (c) => ({
      ...c,
      metadata: { ...c.metadata, labels: {} },
      spec: { nodeName: 'x' },
      status: { phase: 'Running' },
    })
    const after = (await update('pods', kit.pod(), wish, 'status')) as Pod
    expect(after.status).toEqual({ phase: 'Running', qosClass: 'BestEffort' })
    expect(after.metadata.labels).toEqual({ a: 'b' })
    expect(after.spec?.nodeName).toBeUndefined()
  })
  test('stays as it is without the subresource', async () => {
    await inside.make('pods', kit.pod())
    const after = (await update('pods', kit.pod(), (c) => ({ ...c, status: { phase: 'Failed' } }))) as Pod
    expect(after.status?.phase).toBe('Pending')
  })
  test('has a structure and a revision too', async () => {
    await inside.make('pods', kit.pod())
    const bad = await refusalOf(
      update('pods', kit.pod(), (c) => ({ ...c, status: { conditions: [{ type: 'Ready' }] } }), 'status'),
    )
    expect(bad.details?.causes).toEqual([
      { reason: 'FieldValueRequired', field: 'status.conditions[0].status', message: 'Required value' },
    ])
    const old = await refusalOf(update('pods', kit.pod(), meta({ resourceVersion: '1' }), 'status'))
    expect(old.reason).toBe('Conflict')
  })
  test('of a node is validated, and quantities are texts', async () => {
    await inside.make('nodes', kit.node())
    const after = (await update('nodes', kit.node(), (c) => ({ ...c, status: { capacity: { cpu: 4 } } }), 'status')) as Node
    expect(after.status?.capacity).toEqual({ cpu: '4' })
    const bad = await refusalOf(update('nodes', kit.node(), (c) => ({ ...c, status: { capacity: { cpu: 'many' } } }), 'status'))
    expect(bad.details?.causes?.[0]?.field).toBe('status.capacity[cpu]')
  })
})

describe('subresources', () => {
  test('scale changes the whole', async () => {
    await inside.make('deployments.apps', kit.deployment())
    expect((await update('deployments.apps', kit.deployment(), spec({ replicas: 5 }), 'scale')).spec).toMatchObject({
      replicas: 5,
    })
  })
  test.each([
    ['configmaps', 'status'],
    ['pods', 'log'],
    ['pods', 'eviction'],
    ['services', 'finalize'],
  ] as const)('%s have none to update named %s', async (resource, subresource) => {
    const status = await refusalOf(
      inside.registry.update({ resource, namespace: 'default', name: 'x' }, (c) => ({ ...c }), { subresource }),
    )
    expect(status).toMatchObject({ reason: 'MethodNotAllowed', code: 405 })
  })
  test('finalize empties a namespace that goes, and lets it go', async () => {
    const ns = kit.namespace({ metadata: { name: 'old' } })
    await inside.make('namespaces', ns)
    await update('namespaces', ns, spec({ finalizers: [] }))
    expect(inside.get('namespaces', 'old')?.spec).toEqual({ finalizers: ['kubernetes'] })
    await inside.registry.remove(refOf('namespaces', ns))
    await update('namespaces', ns, spec({ finalizers: [] }), 'finalize')
    expect(inside.get('namespaces', 'old')).toBeUndefined()
  })
})

describe('binding', () => {
  const bind = (node: string) => inside.registry.bind(refOf('pods', kit.pod()), node)
  test('gives a node once', async () => {
    await inside.make('pods', kit.pod())
    const pod = (await bind('node1')) as Pod
    expect(pod.spec?.nodeName).toBe('node1')
    expect(pod.status?.conditions).toEqual([{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }])
    expect((await refusalOf(bind('node2'))).message).toBe(
      'Operation cannot be fulfilled on pods "web-1": pod web-1 is already assigned to node "node1"',
    )
  })
  test('by two at the same time lets one of them win', async () => {
    await inside.make('pods', kit.pod())
    const outcomes = await Promise.allSettled([bind('node1'), bind('node2')])
    expect(outcomes.map((o) => o.status)).toEqual(['fulfilled', 'rejected'])
  })
  test('as a subresource is the same', async () => {
    await inside.make('pods', kit.pod())
    expect(((await update('pods', kit.pod(), spec({ nodeName: 'node1' }), 'binding')) as Pod).spec?.nodeName).toBe('node1')
  })
  test('wants a name, and a pod that stays', async () => {
    await inside.make('pods', kit.pod({ metadata: { finalizers: ['a.example/x'] } }))
    expect((await refusalOf(bind(''))).details?.causes?.[0]?.field).toBe('target.name')
    await inside.registry.remove(refOf('pods', kit.pod()))
    expect((await refusalOf(bind('node1'))).message).toContain('is being deleted, cannot be assigned to a host')
  })
})

describe('what cannot change', () => {
  const refused: readonly (readonly [string, Resource, Drafted, Wish, string])[] = [
    ['node of a pod', 'pods', kit.pod(), spec({ nodeName: 'node2' }), 'spec.nodeName'],
    ['restart policy of a pod', 'pods', kit.pod(), spec({ restartPolicy: 'Never' }), 'spec.restartPolicy'],
    [
      'command of a container',
      'pods',
      kit.pod(),
      spec({ containers: [{ ...kit.pod().spec!.containers[0], command: ['x'] }] }),
      'spec.containers[0].command',
    ],
    [
      'number of containers',
      'pods',
      kit.pod(),
      spec({ containers: [1, 2].map((n) => ({ name: `c${n}`, image: 'x:1' })) }),
      'spec.containers',
    ],
    ['grace of a pod', 'pods', kit.pod(), spec({ terminationGracePeriodSeconds: 5 }), 'spec.terminationGracePeriodSeconds'],
    [
      'deadline of a pod, longer',
      'pods',
      kit.pod({ spec: { activeDeadlineSeconds: 5 } }),
      spec({ activeDeadlineSeconds: 6 }),
      'spec.activeDeadlineSeconds',
    ],
    [
      'toleration of a pod',
      'pods',
      kit.pod({ spec: { tolerations: [{ key: 'a', operator: 'Exists' }] } }),
      spec({ tolerations: [] }),
      'spec.tolerations',
    ],
    ['spec of a pod', 'pods', kit.pod(), (c) => ({ ...c, spec: undefined }), 'spec'],
    [
      'selector of a deployment',
      'deployments.apps',
      kit.deployment(),
      spec({ selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }),
      'spec.selector',
    ],
    [
      'selector of a replica set',
      'replicasets.apps',
      kit.replicaSet(),
      spec({ selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }),
      'spec.selector',
    ],
    [
      'address of a service',
      'services',
      kit.service(),
      spec({ clusterIP: '10.96.77.77', clusterIPs: ['10.96.77.77'] }),
      'spec.clusterIPs[0]',
    ],
    [
      'headlessness of a service',
      'services',
      kit.service({ spec: { clusterIP: 'None' } }),
      spec({ clusterIP: '10.96.77.77', clusterIPs: ['10.96.77.77'] }),
      'spec.clusterIPs[0]',
    ],
    [
      'immutable config',
      'configmaps',
      kit.configMap({ immutable: true, data: { a: '1' } }),
      (c) => ({ ...c, data: { a: '2' } }),
      'data',
    ],
    ['immutability', 'configmaps', kit.configMap({ immutable: true }), (c) => ({ ...c, immutable: false }), 'immutable'],
    ['immutable secret', 'secrets', kit.secret({ immutable: true }), (c) => ({ ...c, stringData: { a: '2' } }), 'data'],
    ['type of a secret', 'secrets', kit.secret(), (c) => ({ ...c, type: 'other' }), 'type'],
    [
      'family of a slice',
      'endpointslices.discovery.k8s.io',
      kit.endpointSlice({ endpoints: [] }),
      (c) => ({ ...c, addressType: 'IPv6' }),
      'addressType',
    ],
    [
      'pod range of a node',
      'nodes',
      kit.node({ spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] } }),
      spec({ podCIDR: '10.244.2.0/24', podCIDRs: ['10.244.2.0/24'] }),
      'spec.podCIDR',
    ],
  ]
  test.each(refused)('%s', async (_what, resource, draft, wish, field) => {
    await inside.make(resource, draft)
    const before = inside.store.revision
    const status = await refusalOf(update(resource, draft, wish))
    expect(status.reason).toBe('Invalid')
    expect(status.details?.causes?.map((c) => c.field)).toContain(field)
    expect(inside.store.revision).toBe(before)
  })

  const allowed: readonly (readonly [string, Resource, Drafted, Wish])[] = [
    [
      'image of a container',
      'pods',
      kit.pod(),
      (c) => ({ ...c, spec: { ...(c as Pod).spec, containers: [{ ...(c as Pod).spec!.containers[0], image: 'other:2' }] } }),
    ],
    ['deadline of a pod, shorter', 'pods', kit.pod({ spec: { activeDeadlineSeconds: 5 } }), spec({ activeDeadlineSeconds: 4 })],
    ['one more toleration', 'pods', kit.pod(), spec({ tolerations: [{ key: 'a', operator: 'Exists' }] })],
    [
      'template of a deployment',
      'deployments.apps',
      kit.deployment(),
      spec({ template: kit.pod({ metadata: { labels: { app: 'web' } } }) }),
    ],
    ['type of a service', 'services', kit.service(), spec({ type: 'NodePort' })],
    ['labels of immutable config', 'configmaps', kit.configMap({ immutable: true }), meta({ labels: { a: 'b' } })],
    ['pod range of a node that has none', 'nodes', kit.node(), spec({ podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] })],
  ]
  test.each(allowed)('but %s can', async (_what, resource, draft, wish) => {
    const made = await inside.make(resource, draft)
    const after = await update(resource, draft, wish)
    expect(after.metadata.resourceVersion).not.toBe(made.metadata.resourceVersion)
  })
})

describe('a service', () => {
  const specOf = (object: KubeObject) => (object as Service).spec!
  const replace = (part: Parameters<typeof kit.service>[0]) => update('services', kit.service(), () => kit.service(part))

  test('keeps address and node ports that a client leaves out', async () => {
    const made = specOf(await inside.make('services', kit.service({ spec: { type: 'NodePort' } })))
    const after = specOf(await replace({ spec: { type: 'NodePort', ports: [{ port: 80, targetPort: 9090 }] } }))
    expect(after.clusterIP).toBe(made.clusterIP)
    expect(after.ports).toEqual([{ port: 80, protocol: 'TCP', targetPort: 9090, nodePort: made.ports![0]!.nodePort }])
  })
  test('loses node ports with the type, and they are free again', async () => {
    await inside.make('services', kit.service({ spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 31000 }] } }))
    const other = kit.service({ metadata: { name: 'other' }, spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 31000 }] } })
    expect((await refusalOf(inside.make('services', other))).message).toBe(
      'Service "other" is invalid: spec.ports[0].nodePort: Invalid value: 31000: provided port is already allocated',
    )
    expect(specOf(await update('services', kit.service(), spec({ type: 'ClusterIP' }))).ports![0]).not.toHaveProperty('nodePort')
    await inside.make('services', other)
  })
  test('loses its address to ExternalName, and gets one back', async () => {
    const made = specOf(await inside.make('services', kit.service()))
    const named = specOf(await update('services', kit.service(), spec({ type: 'ExternalName', externalName: 'db.example.com' })))
    expect([named.clusterIP, named.clusterIPs, named.ipFamilies]).toEqual([undefined, undefined, undefined])
    await inside.make('services', kit.service({ metadata: { name: 'other' }, spec: { clusterIP: made.clusterIP } }))
    expect(specOf(await update('services', kit.service(), spec({ type: 'ClusterIP' }))).clusterIP).toMatch(/^10\./)
  })
  test('takes no node port that another one has', async () => {
    await inside.make(
      'services',
      kit.service({ metadata: { name: 'other' }, spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 31000 }] } }),
    )
    await inside.make('services', kit.service())
    const status = await refusalOf(
      update('services', kit.service(), spec({ type: 'NodePort', ports: [{ port: 80, nodePort: 31000 }] })),
    )
    expect(status.message).toContain('provided port is already allocated')
    // What the refused update had taken is free.
    await update('services', kit.service(), spec({ type: 'NodePort', ports: [{ port: 80, nodePort: 31001 }] }))
  })
  test('in a dry run takes nothing', async () => {
    await inside.make('services', kit.service())
    const ports = { ports: [{ port: 80, nodePort: 31000 }] }
    await inside.registry.update(
      refOf('services', kit.service()),
      (c) => ({ ...c, spec: { ...(c.spec as object), type: 'NodePort', ...ports } }),
      { dryRun: true },
    )
    await inside.make('services', kit.service({ metadata: { name: 'other' }, spec: { type: 'NodePort', ...ports } }))
  })
  test('with a balancer has a health port only while its traffic is local', async () => {
    const made = specOf(
      await inside.make('services', kit.service({ spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' } })),
    )
    expect(made.healthCheckNodePort).toBeGreaterThanOrEqual(30000)
    const cluster = specOf(await update('services', kit.service(), spec({ externalTrafficPolicy: 'Cluster' })))
    expect(cluster).not.toHaveProperty('healthCheckNodePort')
    expect(cluster.ports![0]!.nodePort).toBe(made.ports![0]!.nodePort)
  })
})

test('a dry run changes nothing', async () => {
  await inside.make('deployments.apps', kit.deployment())
  const before = inside.store.revision
  const after = await inside.registry.update(
    refOf('deployments.apps', kit.deployment()),
    (c) => ({ ...c, spec: { ...(c.spec as object), replicas: 9 } }),
    { dryRun: true },
  )
  expect(after.spec).toMatchObject({ replicas: 9 })
  expect(inside.store.revision).toBe(before)
  expect(inside.get('deployments.apps', 'web', 'default')?.spec).toMatchObject({ replicas: 1 })
})
