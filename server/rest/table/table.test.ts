import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../api/objects.ts'
import { kindOf, resourceKinds } from '../../../api/resources.ts'
import type { BuiltInResource } from '../../../api/resources.ts'
import { columnDefinitions, rowOf } from './table.ts'

const now = Date.parse('2030-01-01T01:00:00Z')
const metadata = { name: 'x', namespace: 'default', uid: 'u', resourceVersion: '7', creationTimestamp: '2030-01-01T00:55:00Z' }

/** The cells of an object by the name of their column. */
function cells(resource: BuiltInResource, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const object = { apiVersion: 'v1', kind: 'K', metadata, ...fields } as KubeObject
  const { cells: values } = rowOf(object, { of: kindOf(resource), include: 'None', now })
  return Object.fromEntries(columnDefinitions(kindOf(resource)).map(({ name }, at) => [name, values[at]]))
}

const running = { state: { running: {} }, ready: true, restartCount: 0 }
const waiting = (reason: string) => ({ state: { waiting: { reason } }, ready: false, restartCount: 0 })
const ended = (reason: string, exitCode = 0) => ({ state: { terminated: { reason, exitCode } }, ready: false, restartCount: 0 })
const spec = { containers: [{ name: 'a' }, { name: 'b' }] }
const inits = { ...spec, initContainers: [{ name: 'i' }, { name: 'j' }] }

describe('pods', () => {
  const status = (fields: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}) =>
    cells('pods', { spec, status: { phase: 'Running', ...fields }, ...more }).Status

  test.each([
    ['Running', { containerStatuses: [running, running] }, 'Running'],
    ['not seen by a node yet', { phase: 'Pending' }, 'Pending'],
    ['being created', { phase: 'Pending', containerStatuses: [waiting('ContainerCreating')] }, 'ContainerCreating'],
    ['crashing', { containerStatuses: [running, waiting('CrashLoopBackOff')] }, 'CrashLoopBackOff'],
    ['without image', { phase: 'Pending', containerStatuses: [waiting('ImagePullBackOff')] }, 'ImagePullBackOff'],
    ['done', { phase: 'Succeeded', containerStatuses: [ended('Completed')] }, 'Completed'],
    ['half done and ready', { conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [ended('Completed'), running] }, 'Running'],
    ['half done and not ready', { containerStatuses: [ended('Completed'), running] }, 'NotReady'],
    ['failed', { phase: 'Failed', containerStatuses: [ended('Error', 1)] }, 'Error'],
    ['ended without a word', { containerStatuses: [ended('', 3)] }, 'ExitCode:3'],
    ['killed', { containerStatuses: [{ state: { terminated: { signal: 9, exitCode: 137 } }, restartCount: 0 }] }, 'Signal:9'],
    ['evicted', { phase: 'Failed', reason: 'Evicted' }, 'Evicted'],
    ['gated', { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }, 'SchedulingGated'],
  ])('%s', (_, fields, text) => {
    expect(status(fields)).toBe(text)
  })

  test.each([
    ['first init container runs', [{ name: 'i', ...running }, { name: 'j', ...waiting('PodInitializing') }], 'Init:0/2'],
    ['second init container runs', [{ name: 'i', ...ended('Completed') }, { name: 'j', ...running }], 'Init:1/2'],
    ['an init container crashes', [{ name: 'i', ...waiting('CrashLoopBackOff') }], 'Init:CrashLoopBackOff'],
    ['an init container failed', [{ name: 'i', ...ended('Error', 1) }], 'Init:Error'],
    ['all are done', [{ name: 'i', ...ended('Completed') }, { name: 'j', ...ended('Completed') }], 'Running'],
  ])('%s', (_, initContainerStatuses, text) => {
    expect(cells('pods', { spec: inits, status: { phase: 'Running', initContainerStatuses } }).Status).toBe(text)
  })

  test('a sidecar counts as a container and does not hold up the pod', () => {
    const sidecar = { ...spec, initContainers: [{ name: 'i', restartPolicy: 'Always' }] }
    const initContainerStatuses = [{ name: 'i', ...running, started: true }]
    const pod = cells('pods', { spec: sidecar, status: { phase: 'Running', initContainerStatuses, containerStatuses: [running, running] } })
    expect(pod).toMatchObject({ Ready: '3/3', Status: 'Running' })
  })

  test('a pod that is being deleted is Terminating until it has ended', () => {
    const leaving = { metadata: { ...metadata, deletionTimestamp: '2030-01-01T00:59:00Z' } }
    expect(status({ containerStatuses: [running] }, leaving)).toBe('Terminating')
    expect(status({ phase: 'Succeeded', containerStatuses: [ended('Completed')] }, leaving)).toBe('Completed')
  })

  test('all columns', () => {
    const lastState = { terminated: { exitCode: 1, finishedAt: '2030-01-01T00:58:00Z' } }
    const pod = cells('pods', {
      spec: { ...spec, nodeName: 'n1', readinessGates: [{ conditionType: 'g' }, { conditionType: 'h' }] },
      status: {
        phase: 'Running',
        podIPs: [{ ip: '10.0.0.1' }],
        nominatedNodeName: 'n2',
        conditions: [{ type: 'g', status: 'True' }],
        containerStatuses: [running, { ...running, ready: false, restartCount: 3, lastState }],
      },
    })
    expect(pod).toEqual({
      Name: 'x',
      Ready: '1/2',
      Status: 'Running',
      Restarts: '3 (2m ago)',
      Age: '5m',
      IP: '10.0.0.1',
      Node: 'n1',
      'Nominated Node': 'n2',
      'Readiness Gates': '1/2',
    })
  })
})

describe('other kinds', () => {
  test('nodes', () => {
    const node = {
      metadata: { ...metadata, labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/edge': '' } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'False' }],
        addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
        nodeInfo: { kubeletVersion: 'v1', osImage: 'Debian', kernelVersion: '6.1', containerRuntimeVersion: 'containerd://1' },
      },
    }
    expect(cells('nodes', node)).toEqual({
      Name: 'x',
      Status: 'NotReady,SchedulingDisabled',
      Roles: 'edge,worker',
      Age: '5m',
      Version: 'v1',
      'Internal-IP': '192.0.2.1',
      'External-IP': '<none>',
      'OS-Image': 'Debian',
      'Kernel-Version': '6.1',
      'Container-Runtime': 'containerd://1',
    })
    expect(cells('nodes', {})).toMatchObject({ Status: 'Unknown', Roles: '<none>', Version: '<unknown>' })
  })

  test('services', () => {
    const ports = [{ port: 80, nodePort: 30080, protocol: 'TCP' }, { port: 53, protocol: 'UDP' }]
    const service = cells('services', { spec: { type: 'NodePort', clusterIP: '10.96.0.9', ports, selector: { a: '1', b: '2' } } })
    expect(service).toMatchObject({
      Type: 'NodePort',
      'Cluster-IP': '10.96.0.9',
      'External-IP': '<none>',
      'Port(s)': '80:30080/TCP,53/UDP',
      Selector: 'a=1,b=2',
    })
    expect(cells('services', { spec: { type: 'LoadBalancer' } })['External-IP']).toBe('<pending>')
    const balanced = { spec: { type: 'LoadBalancer', externalIPs: ['192.0.2.2'] }, status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }
    expect(cells('services', balanced)['External-IP']).toBe('192.0.2.1,192.0.2.2')
    expect(cells('services', { spec: { type: 'ExternalName', externalName: 'example.test' } })['External-IP']).toBe('example.test')
  })

  test('endpoints and slices name three and count the rest', () => {
    const addresses = ['1', '2', '3', '4', '5'].map((n) => ({ ip: `10.0.0.${n}` }))
    expect(cells('endpoints', { subsets: [{ addresses, ports: [{ port: 80 }] }] }).Endpoints).toBe(
      '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...',
    )
    expect(cells('endpoints', { subsets: [{ addresses: [{ ip: 'fd00::1' }], ports: [{ port: 80 }] }] }).Endpoints).toBe('[fd00::1]:80')
    expect(cells('endpoints', {}).Endpoints).toBe('<none>')
    const slice = { addressType: 'IPv4', ports: [{ port: 80 }, { port: 81 }], endpoints: addresses.map(({ ip }) => ({ addresses: [ip] })) }
    expect(cells('endpointslices.discovery.k8s.io', slice)).toEqual({
      Name: 'x',
      AddressType: 'IPv4',
      Ports: '80,81',
      Endpoints: '10.0.0.1,10.0.0.2,10.0.0.3 + 2 more...',
      Age: '5m',
    })
    expect(cells('endpointslices.discovery.k8s.io', { addressType: 'IPv4' })).toMatchObject({ Ports: '<unset>', Endpoints: '<unset>' })
  })

  test('deployments and replica sets', () => {
    const template = { spec: { containers: [{ name: 'a', image: 'a:1' }, { name: 'b', image: 'b:1' }] } }
    const selector = { matchLabels: { a: '1' }, matchExpressions: [{ key: 't', operator: 'In', values: ['x', 'y'] }, { key: 'u', operator: 'Exists' }] }
    const wide = { Containers: 'a,b', Images: 'a:1,b:1', Selector: 'a=1,t in (x,y),u' }
    expect(
      cells('deployments.apps', { spec: { replicas: 3, template, selector }, status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 } }),
    ).toEqual({ Name: 'x', Ready: '1/3', 'Up-to-date': 2, Available: 1, Age: '5m', ...wide })
    expect(cells('replicasets.apps', { spec: { replicas: 3, template, selector }, status: { replicas: 2, readyReplicas: 1 } })).toEqual({
      Name: 'x',
      Desired: 3,
      Current: 2,
      Ready: 1,
      Age: '5m',
      ...wide,
    })
  })

  test('events', () => {
    const event = {
      type: 'Warning',
      reason: 'BackOff',
      message: 'no luck\n',
      count: 5,
      firstTimestamp: '2030-01-01T00:50:00Z',
      lastTimestamp: '2030-01-01T00:57:00Z',
      involvedObject: { kind: 'Pod', name: 'web', fieldPath: 'spec.containers{a}' },
      source: { component: 'agent', host: 'n1' },
    }
    expect(cells('events', event)).toEqual({
      'Last Seen': '3m (x5 over 10m)',
      Type: 'Warning',
      Reason: 'BackOff',
      Object: 'pod/web',
      Subobject: 'spec.containers{a}',
      Source: 'agent, n1',
      Message: 'no luck',
      'First Seen': '10m',
      Count: 5,
      Name: 'x',
    })
    const once = { involvedObject: { kind: 'Node', name: 'n1' }, eventTime: '2030-01-01T00:59:30.000000Z' }
    expect(cells('events', once)['Last Seen']).toBe('30s')
  })

  test.each([
    ['namespaces', { status: { phase: 'Terminating' } }, { Status: 'Terminating' }],
    ['configmaps', { data: { a: '1' }, binaryData: { b: '' } }, { Data: 2 }],
    ['secrets', { type: 'Opaque', data: { a: '' } }, { Type: 'Opaque', Data: 1 }],
    ['serviceaccounts', { secrets: [{ name: 's' }] }, { Secrets: 1 }],
    ['leases.coordination.k8s.io', { spec: { holderIdentity: 'n1' } }, { Holder: 'n1' }],
  ] as const)('%s', (resource, fields, expected) => {
    expect(cells(resource, fields)).toMatchObject({ Name: 'x', Age: '5m', ...expected })
  })
})

test('every kind has a row for an object that has nothing but metadata', () => {
  for (const of of resourceKinds) {
    const row = rowOf({ apiVersion: 'v1', kind: 'K', metadata }, { of, include: 'Metadata', now })
    expect(row.cells).toHaveLength(columnDefinitions(of).length)
    expect(row.object).toEqual({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata })
  }
})

test('a cell that cannot be read does not take the row away', () => {
  const broken = { apiVersion: 'v1', kind: 'Pod', metadata, spec, status: { containerStatuses: 7 } }
  const { cells: values, object } = rowOf(broken, { of: kindOf('pods'), include: 'Object', now })
  expect(values.slice(0, 5)).toEqual(['x', '<invalid>', '<invalid>', '<invalid>', '5m'])
  expect(object).toEqual(broken)
})
