import { describe, expect, test } from 'vitest'
import type { EndpointSlice, Node, Service } from '../api/objects.ts'
import { type Cluster, describeCluster, isReady, liveOn, marksOf, revisionOf } from './cluster.ts'

const meta = (name: string, revision: number, namespace?: string) => ({
  name,
  uid: name,
  resourceVersion: String(revision),
  creationTimestamp: '2026-01-01T00:00:00Z',
  ...(namespace && { namespace }),
})
const node = (name: string, ready: boolean, address: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: meta(name, 5),
  status: { addresses: [{ type: 'InternalIP', address }], conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
})
const web: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta('web', 20, 'default'),
  spec: {
    clusterIP: '10.97.3.4',
    ports: [
      { name: 'http', port: 80, nodePort: 30080 },
      { name: 'echo', port: 80, nodePort: 30081, protocol: 'UDP' },
    ],
  },
}
const slice: EndpointSlice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  addressType: 'IPv4',
  metadata: { ...meta('web-x', 31, 'default'), labels: { 'kubernetes.io/service-name': 'web' } },
  endpoints: [
    { addresses: ['10.244.0.2'], conditions: { ready: true } },
    { addresses: ['10.244.1.2'], conditions: { ready: false } },
  ],
}
const cluster: Cluster = {
  status: {
    version: '0.1.0',
    revision: 40,
    nodes: [
      {
        name: 'node1',
        connected: true,
        received: 40,
        applied: 31,
        usage: {
          cpuMillis: 123,
          memoryBytes: 64 * 1024 * 1024,
          cpuCapacityMillis: 2000,
          memoryCapacityBytes: 1024 * 1024 * 1024,
        },
      },
      { name: 'node2', connected: true, received: 40, applied: 30 },
      { name: 'node3', connected: false, received: 40, applied: 40 },
      { name: 'node4', connected: true, received: 40, applied: 40, failed: { code: 'KERNEL_REFUSED', message: 'no space' } },
      { name: 'node5', connected: false, aside: true, received: 0, applied: 0 },
    ],
  },
  nodes: [
    node('node1', true, '198.18.0.11'),
    node('node2', true, '198.18.0.12'),
    node('node3', false, '198.18.0.13'),
    node('node4', true, '198.18.0.14'),
    node('node5', true, '198.18.0.15'),
  ],
  services: [web],
  slices: [slice, { ...slice, metadata: { ...slice.metadata, namespace: 'other', resourceVersion: '99' } }],
  pods: [],
}

describe('the cluster in words', () => {
  test('a service is as new as its newest slice, and live where a connected kernel accepted that', () => {
    expect(revisionOf(cluster, web)).toBe(31)
    expect(liveOn(cluster, web).map((link) => link.name)).toEqual(['node1'])
    expect(cluster.nodes.filter(isReady).map((n) => n.metadata.name)).toEqual(['node1', 'node2', 'node4', 'node5'])
  })

  test('status shows nodes, services and refusals', () => {
    expect(describeCluster(cluster, 'https://127.0.0.1:6443')).toBe(
      [
        'Hub https://127.0.0.1:6443, version 0.1.0, revision 40',
        '',
        'NODE   READY  ADDRESS      CPU        MEMORY          LINK   RECEIVED  APPLIED  RULES',
        'node1  yes    198.18.0.11  0.12 of 2  64 of 1024 MiB  up     40        31       live',
        'node2  yes    198.18.0.12  -          -               up     40        30       behind',
        'node3  no     198.18.0.13  -          -               down   40        40       unknown',
        'node4  yes    198.18.0.14  -          -               up     40        40       failed',
        'node5  yes    198.18.0.15  -          -               aside  0         0        unknown',
        '',
        'SERVICE      CLUSTER-IP  PORTS                      ENDPOINTS  LIVE',
        'default/web  10.97.3.4   80:30080/TCP,80:30081/UDP  1/2 ready  1 of 5 nodes',
        '',
        'node4: kernel refused, KERNEL_REFUSED: no space',
        '',
      ].join('\n'),
    )
  })

  test('a service is known in the rules by name, addresses and node ports', () => {
    expect(marksOf(cluster, web)).toEqual({
      key: 'default/web',
      addresses: ['10.97.3.4', '10.244.0.2', '10.244.1.2'],
      nodePorts: [30080, 30081],
    })
  })
})
