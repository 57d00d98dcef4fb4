/** What the holder of a node's certificate may do to a real hub, and what not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Api } from '../kit/api.ts'
import { startHubProcess, type HubProcess } from '../kit/hub-process.ts'

let hub: HubProcess
let node1: Api
beforeAll(async () => {
  hub = await startHubProcess()
  node1 = hub.as('system:node:node1', 'system:nodes')
  for (const name of ['used', 'mounted', 'projected', 'pulled', 'other', 'far']) {
    await hub.api.create('/api/v1/namespaces/default/secrets', { metadata: { name }, data: {} })
    await hub.api.create('/api/v1/namespaces/default/configmaps', { metadata: { name } })
  }
  // Pods of nodes that are not there are taken away.
  for (const name of ['node1', 'node2']) await hub.api.create('/api/v1/nodes', { metadata: { name, labels: { mine: 'yes' } } })
  const env = [{ name: 'A', valueFrom: { secretKeyRef: { name: 'used', key: 'a' } } }, { name: 'B', valueFrom: { configMapKeyRef: { name: 'used', key: 'a' } } }]
  const volumes = [
    { name: 'a', secret: { secretName: 'mounted' } },
    { name: 'b', projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'projected' } }] } },
    { name: 'c', configMap: { name: 'mounted' } },
  ]
  const pod = (name: string, spec: object) => hub.api.create('/api/v1/namespaces/default/pods', { metadata: { name }, spec })
  await pod('mine', { nodeName: 'node1', containers: [{ name: 'c', image: 'i' }], initContainers: [{ name: 'd', image: 'i', env }], volumes, imagePullSecrets: [{ name: 'pulled' }] })
  await pod('theirs', { nodeName: 'node2', containers: [{ name: 'c', image: 'i', envFrom: [{ secretRef: { name: 'far' } }, { configMapRef: { name: 'far' } }] }] })
})
afterAll(() => hub?.close())

const code = async (method: string, path: string, body?: unknown): Promise<number> => (await node1.send(method, path, body === undefined ? {} : { body })).code
const merge = async (path: string, body: unknown): Promise<number> =>
  (await node1.send('PATCH', path, { body, headers: { 'content-type': 'application/merge-patch+json' } })).code
const core = '/api/v1/namespaces/default'
const selector = (text: string) => `fieldSelector=${encodeURIComponent(text)}`

describe('a node reads', () => {
  test('the secrets and config maps of its own pods, by name', async () => {
    for (const name of ['used', 'mounted', 'projected', 'pulled']) expect([name, await code('GET', `${core}/secrets/${name}`)]).toEqual([name, 200])
    for (const name of ['used', 'mounted', 'projected']) expect([name, await code('GET', `${core}/configmaps/${name}`)]).toEqual([name, 200])
    expect(await code('GET', `${core}/secrets?${selector('metadata.name=used')}`)).toBe(200)
    for (const path of ['secrets/other', 'secrets/far', 'configmaps/far', 'configmaps/pulled', 'secrets', 'configmaps', `secrets?${selector('metadata.name=far')}`, `secrets?${selector('metadata.name!=far')}`])
      expect([path, await code('GET', `${core}/${path}`)]).toEqual([path, 403])
    expect(await code('GET', '/api/v1/secrets')).toBe(403)
    expect(await code('DELETE', `${core}/secrets/used`)).toBe(403)
    expect(await merge(`${core}/secrets/used`, { data: {} })).toBe(403)
  })

  test('its own pods and itself, and the services of all', async () => {
    const listed = [
      ['/api/v1/pods', 403],
      [`/api/v1/pods?${selector('spec.nodeName=node1')}`, 200],
      [`/api/v1/pods?${selector('spec.nodeName=node2')}`, 403],
      [`/api/v1/pods?${selector('spec.nodeName!=node1')}`, 403],
      [`${core}/pods/mine`, 200],
      [`${core}/pods/theirs`, 403],
      ['/api/v1/nodes', 403],
      ['/api/v1/services', 200],
      ['/apis/discovery.k8s.io/v1/endpointslices', 200],
      ['/apis/rbac.authorization.k8s.io/v1/clusterroles', 403],
      ['/wherry/v1/status', 403],
    ] as const
    for (const [path, expected] of listed) expect([path, await code('GET', path)]).toEqual([path, expected])
  })

  test('nothing any more of a pod that is gone', async () => {
    await hub.api.create(`${core}/pods`, { metadata: { name: 'brief' }, spec: { nodeName: 'node1', containers: [{ name: 'c', image: 'i', envFrom: [{ secretRef: { name: 'other' } }] }] } })
    expect(await code('GET', `${core}/secrets/other`)).toBe(200)
    await hub.api.delete(`${core}/pods/brief?gracePeriodSeconds=0`)
    expect(await code('GET', `${core}/secrets/other`)).toBe(403)
  })
})

describe('a node writes', () => {
  const nodes = '/api/v1/nodes'
  test('itself, without labels and taints by which it could draw work to itself', async () => {
    const draft = (name: string, labels: object = {}) => ({ metadata: { name, labels } })
    const node3 = hub.as('system:node:node3', 'system:nodes')
    const post = async (body: object) => (await node3.send('POST', nodes, { body })).code
    expect(await post(draft('node4'))).toBe(403)
    expect(await post(draft('node3', { 'node-restriction.kubernetes.io/pci': 'yes' }))).toBe(403)
    expect(await post(draft('node3', { 'node-role.kubernetes.io/control-plane': '' }))).toBe(403)
    expect(await post(draft('node3', { 'kubernetes.io/hostname': 'node3', mine: 'yes' }))).toBe(201)
    await hub.api.patch(`${nodes}/node1`, 'merge', { metadata: { labels: { 'node-restriction.kubernetes.io/pci': 'no' } }, spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } })
    expect(await merge(`${nodes}/node1`, { metadata: { labels: { mine: 'no', 'topology.kubernetes.io/zone': 'a' } } })).toBe(200)
    expect(await merge(`${nodes}/node1`, { metadata: { labels: { 'node-restriction.kubernetes.io/pci': null } } })).toBe(403)
    expect(await merge(`${nodes}/node1`, { spec: { taints: null } })).toBe(403)
    expect(await merge(`${nodes}/node1/status`, { status: { conditions: [] } })).toBe(200)
    expect(await merge(`${nodes}/node2/status`, { status: { conditions: [] } })).toBe(403)
    expect(await merge(`${nodes}/node2`, { metadata: { labels: { a: 'b' } } })).toBe(403)
    expect(await code('DELETE', `${nodes}/node1`)).toBe(403)
  })

  test("its pods' status and end, its Lease, and events", async () => {
    expect(await merge(`${core}/pods/mine/status`, { status: { message: 'x' } })).toBe(200)
    expect(await merge(`${core}/pods/theirs/status`, { status: { message: 'x' } })).toBe(403)
    expect(await merge(`${core}/pods/mine`, { metadata: { labels: { a: 'b' } } })).toBe(403)
    expect(await code('POST', `${core}/pods`, { metadata: { name: 'new' }, spec: { containers: [{ name: 'c', image: 'i' }] } })).toBe(403)
    expect(await code('DELETE', `${core}/pods/theirs`)).toBe(403)
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
    expect(await code('POST', leases, { metadata: { name: 'node2' }, spec: {} })).toBe(403)
    expect(await code('POST', leases, { metadata: { name: 'node1' }, spec: { holderIdentity: 'node1' } })).toBe(201)
    expect(await code('POST', '/apis/coordination.k8s.io/v1/namespaces/default/leases', { metadata: { name: 'node1' }, spec: {} })).toBe(403)
    expect(await merge(`${leases}/node1`, { spec: { leaseDurationSeconds: 10 } })).toBe(200)
    expect(await code('POST', `${core}/events`, { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', name: 'mine', namespace: 'default' } })).toBe(201)
    expect(await code('GET', `${core}/events`)).toBe(403)
    expect(await code('DELETE', `${core}/pods/mine`)).toBe(200)
  })
})
