import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Namespace, Pod, Service } from '../../api/objects.ts'
import { kindByType, type Resource } from '../../api/resources.ts'
import * as kinds from '../../test/kit/kinds.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refOf, refusalOf, type Inside } from '../../test/kit/registry.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside()
})
afterEach(() => inside.close())

/** Every kind with a draft of it. */
const drafts: readonly (readonly [Resource, { readonly metadata: { readonly name: string; readonly namespace?: string } }])[] = [
  ['namespaces', kit.namespace({ metadata: { name: 'extra' } })],
  ['nodes', kit.node()],
  ['pods', kit.pod()],
  ['services', kit.service()],
  ['endpoints', kit.endpoints()],
  ['configmaps', kit.configMap()],
  ['secrets', kit.secret()],
  ['serviceaccounts', kit.serviceAccount()],
  ['events', kit.event()],
  ['deployments.apps', kit.deployment()],
  ['replicasets.apps', kit.replicaSet()],
  ['endpointslices.discovery.k8s.io', kit.endpointSlice()],
  ['leases.coordination.k8s.io', kit.lease()],
  ['certificatesigningrequests.certificates.k8s.io', kit.certificateSigningRequest()],
  ['roles.rbac.authorization.k8s.io', kit.role()],
  ['clusterroles.rbac.authorization.k8s.io', kit.clusterRole()],
  ['rolebindings.rbac.authorization.k8s.io', kit.roleBinding()],
  ['clusterrolebindings.rbac.authorization.k8s.io', kit.clusterRoleBinding()],
  ...kinds.drafts.map((draft) => [kindByType(draft.apiVersion, draft.kind)!.resource, draft] as const),
]

describe('every kind', () => {
  test.each(drafts)('%s is created with what the server says of it, and deleted', async (resource, draft) => {
    const made = await inside.make(resource, draft)
    expect(made.metadata).toMatchObject({
      name: draft.metadata.name,
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      resourceVersion: String(inside.store.revision),
      creationTimestamp: '2026-01-01T00:00:00Z',
    })
    expect(made.metadata.namespace).toBe(draft.metadata.namespace)
    expect(inside.store.get(refOf(resource, draft))).toEqual(made)
    expect(await refusalOf(inside.make(resource, draft))).toMatchObject({ reason: 'AlreadyExists', code: 409 })
    const { gone } = await inside.registry.remove(refOf(resource, draft))
    expect(gone).toBe(resource !== 'namespaces')
  })

  test('a draft that is read back and written again is no change', async () => {
    for (const [resource, draft] of drafts) {
      const made = await inside.make(resource, draft)
      const again = await inside.registry.update(refOf(resource, draft), (current) => JSON.parse(JSON.stringify(current)))
      expect(again, resource).toEqual(made)
    }
  })
})

describe('generation counts for kinds with wishes', () => {
  test.each(drafts)('%s', async (resource, draft) => {
    const counted = [
      'namespaces',
      'nodes',
      'pods',
      'services',
      'deployments.apps',
      'replicasets.apps',
      'endpointslices.discovery.k8s.io',
      'replicationcontrollers',
      'podtemplates',
      'daemonsets.apps',
      'statefulsets.apps',
      'jobs.batch',
      'cronjobs.batch',
      'poddisruptionbudgets.policy',
      'priorityclasses.scheduling.k8s.io',
      'ingresses.networking.k8s.io',
      'ingressclasses.networking.k8s.io',
      'networkpolicies.networking.k8s.io',
    ]
    expect((await inside.make(resource, draft)).metadata.generation).toBe(counted.includes(resource) ? 1 : undefined)
  })
})

describe('names', () => {
  test('are generated from five safe characters', async () => {
    const draft = { ...kit.pod(), metadata: { generateName: 'web-', namespace: 'default' } }
    const { metadata } = await inside.make('pods', draft)
    expect(metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    expect(metadata.generateName).toBe('web-')
  })
  test('are cut so that they fit a label', async () => {
    const draft = { ...kit.pod(), metadata: { generateName: 'x'.repeat(80), namespace: 'default' } }
    expect((await refusalOf(inside.make('services', { ...kit.service(), metadata: draft.metadata }))).message).toContain(
      'metadata.generateName',
    )
    expect((await inside.make('pods', draft)).metadata.name).toHaveLength(63)
  })
  test('are tried again where they are taken, not for ever', async () => {
    let drawn = 0
    // The same name for ever, but for one draw.
    const other = await openInside({ random: () => (++drawn === 18 ? 0.5 : 0) })
    const draft = { ...kit.configMap(), metadata: { generateName: 'a-', namespace: 'default' } }
    drawn = 0
    expect((await other.make('configmaps', draft)).metadata.name).toBe('a-bbbbb')
    expect((await other.make('configmaps', draft)).metadata.name).toBe('a-bbrbb')
    expect(drawn).toBe(20)
    expect(await refusalOf(other.make('configmaps', draft))).toMatchObject({ reason: 'AlreadyExists' })
    expect(drawn).toBe(20 + 8 * 5)
    await other.close()
  })
  test('or are required', async () => {
    const status = await refusalOf(inside.make('pods', { ...kit.pod(), metadata: { namespace: 'default' } }))
    expect(status).toMatchObject({
      reason: 'Invalid',
      code: 422,
      details: { causes: [{ reason: 'FieldValueRequired', field: 'metadata.name' }] },
    })
    expect(status.message).toBe('Pod "" is invalid: metadata.name: Required value: name or generateName is required')
  })
  test('of path and object agree', async () => {
    const status = await refusalOf(inside.registry.create({ resource: 'pods', namespace: 'default', name: 'a' }, kit.pod()))
    expect(status.message).toBe('the name of the object (web-1) does not match the name of the request (a)')
    const other = await refusalOf(
      inside.registry.create({ resource: 'pods', namespace: 'kube-node-lease', name: 'web-1' }, kit.pod()),
    )
    expect(other.message).toContain('the namespace of the provided object does not match')
  })
})

describe('the namespace', () => {
  test('must be there', async () => {
    const status = await refusalOf(inside.make('pods', kit.pod({ metadata: { namespace: 'elsewhere' } })))
    expect(status).toMatchObject({
      reason: 'NotFound',
      message: 'namespaces "elsewhere" not found',
      details: { kind: 'namespaces' },
    })
  })
  test('must not be going away', async () => {
    await inside.make('namespaces', kit.namespace({ metadata: { name: 'old' } }))
    await inside.registry.remove({ resource: 'namespaces', namespace: '', name: 'old' })
    const status = await refusalOf(inside.make('pods', kit.pod({ metadata: { namespace: 'old' } })))
    expect(status).toMatchObject({
      reason: 'Forbidden',
      code: 403,
      message: 'pods "web-1" is forbidden: unable to create new content in namespace old because it is being terminated',
      details: {
        causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace', message: 'namespace old is being terminated' }],
      },
    })
  })
  test('has no place on a kind of the whole cluster', async () => {
    const status = await refusalOf(
      inside.registry.create({ resource: 'nodes', namespace: 'default', name: 'n' }, { metadata: { name: 'n' } }),
    )
    expect(status.message).toBe(
      'Node "n" is invalid: metadata.namespace: Forbidden: not allowed on this type: a Node belongs to the whole cluster',
    )
  })
})

describe('what a client cannot say', () => {
  test('resourceVersion is refused', async () => {
    const status = await refusalOf(inside.make('pods', kit.pod({ metadata: { resourceVersion: '5' } })))
    expect(status).toMatchObject({ reason: 'BadRequest', message: 'resourceVersion should not be set on objects to be created' })
  })
  test("uid, times, generation and status are the server's", async () => {
    const mine = {
      uid: 'mine',
      creationTimestamp: '1999-01-01T00:00:00Z',
      deletionTimestamp: '1999-01-01T00:00:00Z',
      generation: 9,
      selfLink: '/x',
    }
    const pod = (await inside.make('pods', kit.pod({ metadata: mine, status: { phase: 'Running', podIP: '10.0.0.1' } }))) as Pod
    expect(pod.metadata.uid).not.toBe('mine')
    expect(pod.metadata).toMatchObject({ creationTimestamp: '2026-01-01T00:00:00Z', generation: 1 })
    expect(Object.keys(pod.metadata)).not.toContain('deletionTimestamp')
    expect(Object.keys(pod.metadata)).not.toContain('selfLink')
    expect(pod.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' })
  })
  test('unknown fields and nulls are not stored', async () => {
    const draft = {
      ...kit.configMap(),
      metadata: { name: 'a', namespace: 'default', creationTimestamp: null, colour: 'red' },
      data: { a: 'x', b: null },
      more: 1,
    }
    const { metadata, ...rest } = await inside.make('configmaps', draft as never)
    expect(rest).toEqual({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'x' } })
    expect(metadata).not.toHaveProperty('colour')
    expect(metadata.creationTimestamp).toBe('2026-01-01T00:00:00Z')
  })
  test('another kind is refused', async () => {
    const status = await refusalOf(inside.make('pods', { ...kit.pod(), kind: 'Service' } as never))
    expect(status.message).toBe('the kind in the data ("Service") does not match the expected one (Pod)')
  })
})

describe('the first status', () => {
  test('of a node is what it says itself', async () => {
    const node = await inside.make('nodes', kit.node({ status: { capacity: { cpu: 2, memory: '1Gi' } } }))
    expect(node.status).toEqual({ capacity: { cpu: '2', memory: '1Gi' }, allocatable: { cpu: '2', memory: '1Gi' } })
  })
  test("of the others is the server's", async () => {
    const ns = (await inside.make(
      'namespaces',
      kit.namespace({ metadata: { name: 'n' }, status: { phase: 'Terminating' } }),
    )) as Namespace
    expect(ns.status).toEqual({ phase: 'Active' })
    expect(ns.spec).toEqual({ finalizers: ['kubernetes'] })
    expect(ns.metadata.labels).toEqual({ 'kubernetes.io/metadata.name': 'n' })
    expect((await inside.make('services', kit.service())).status).toEqual({ loadBalancer: {} })
    expect((await inside.make('deployments.apps', kit.deployment({ status: { replicas: 7 } }))).status).toEqual({})
    expect((await inside.make('replicasets.apps', kit.replicaSet())).status).toEqual({ replicas: 0 })
  })
})

describe('a dry run', () => {
  test('answers as the real one and leaves nothing', async () => {
    const before = inside.store.revision
    const object = (await inside.registry.create(refOf('services', kit.service()), kit.service(), { dryRun: true })) as Service
    expect(object.spec?.clusterIP).toMatch(/^10\./)
    expect(object.metadata).not.toHaveProperty('resourceVersion')
    expect(inside.store.revision).toBe(before)
    expect(inside.get('services', 'web', 'default')).toBeUndefined()
    const real = (await inside.make('services', kit.service({ spec: { clusterIP: object.spec!.clusterIP } }))) as Service
    expect(real.spec?.clusterIP).toBe(object.spec?.clusterIP)
  })
  test('fails as the real one', async () => {
    await inside.make('pods', kit.pod())
    expect(await refusalOf(inside.registry.create(refOf('pods', kit.pod()), kit.pod(), { dryRun: true }))).toMatchObject({
      reason: 'AlreadyExists',
    })
  })
})

test('what is wrong is told all at once, with paths', async () => {
  const draft = kit.pod({ metadata: { labels: { 'a b': 'x' } }, spec: { containers: [{ name: 'A', image: '' }] } })
  const status = await refusalOf(inside.make('pods', draft))
  expect(status.details).toMatchObject({ name: 'web-1', kind: 'Pod' })
  expect(status.details?.causes?.map((c) => [c.reason, c.field])).toEqual([
    ['FieldValueInvalid', 'metadata.labels'],
    ['FieldValueInvalid', 'spec.containers[0].name'],
    ['FieldValueRequired', 'spec.containers[0].image'],
  ])
})

test('a closed store is a service that is not available', async () => {
  await inside.store.close()
  expect(await refusalOf(inside.make('pods', kit.pod()))).toMatchObject({ reason: 'ServiceUnavailable', code: 503 })
})
