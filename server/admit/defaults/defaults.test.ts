import { describe, expect, test } from 'vitest'
import type { KubeObject, PodSpec } from '../../../api/objects.ts'
import type { Resource } from '../../../api/resources.ts'
import * as kit from '../../../test/kit/objects.ts'
import { withDefaults } from './defaults.ts'
import { qosClass } from './pod.ts'

const filled = (resource: Resource, draft: object) =>
  withDefaults(resource, draft as KubeObject) as unknown as Record<string, Record<string, unknown>>
const podWith = (spec: object) => filled('pods', kit.pod({ spec: spec as never }))['spec'] as unknown as PodSpec
const containerWith = (part: object) => podWith({ containers: [{ name: 'c', image: 'x:1', ...part }] }).containers[0]!

test('a pod', () => {
  expect(filled('pods', kit.pod())['spec']).toEqual({
    containers: [
      {
        name: 'web',
        image: 'registry.test/web:1',
        imagePullPolicy: 'IfNotPresent',
        ports: [{ containerPort: 8080, protocol: 'TCP' }],
        resources: {},
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
      },
    ],
    dnsPolicy: 'ClusterFirst',
    enableServiceLinks: true,
    restartPolicy: 'Always',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  })
})

describe('the image is pulled', () => {
  test.each([
    ['web', 'Always'],
    ['web:latest', 'Always'],
    ['web:1', 'IfNotPresent'],
    ['registry.test:5000/web', 'Always'],
    ['registry.test:5000/web:1', 'IfNotPresent'],
    ['web@sha256:00', 'IfNotPresent'],
  ])('%s: %s', (image, policy) => {
    expect(containerWith({ image }).imagePullPolicy).toBe(policy)
  })
})

describe('in a container', () => {
  test.each([
    ['what is said stays', { imagePullPolicy: 'Never' }, { imagePullPolicy: 'Never' }],
    [
      'a probe gets its numbers',
      { readinessProbe: { httpGet: { port: 80 }, periodSeconds: 3 } },
      {
        readinessProbe: {
          httpGet: { port: 80, path: '/', scheme: 'HTTP' },
          periodSeconds: 3,
          timeoutSeconds: 1,
          successThreshold: 1,
          failureThreshold: 3,
        },
      },
    ],
    [
      'a hook gets its path',
      { lifecycle: { preStop: { httpGet: { port: 80 } } } },
      { lifecycle: { preStop: { httpGet: { port: 80, path: '/', scheme: 'HTTP' } } } },
    ],
    [
      'quantities are texts',
      { resources: { limits: { cpu: 1 }, requests: { cpu: 0.5 } } },
      { resources: { limits: { cpu: '1' }, requests: { cpu: '0.5' } } },
    ],
    [
      'limits are requested',
      { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1m' } } },
      { resources: { requests: { cpu: '1m', memory: '1Gi' } } },
    ],
    [
      'a field reference gets its version',
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }] },
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName', apiVersion: 'v1' } } }] },
    ],
  ])('%s', (_what, part, expected) => {
    expect(containerWith(part)).toMatchObject(expected)
  })
  test('ports of the host are the same on its network', () => {
    const spec = podWith({ hostNetwork: true })
    expect(spec.containers[0]?.ports).toEqual([{ containerPort: 8080, hostPort: 8080, protocol: 'TCP' }])
  })
})

test('volumes', () => {
  const volumes = [
    { name: 'a' },
    { name: 'b', secret: { secretName: 's' } },
    { name: 'c', configMap: { name: 'm', defaultMode: 0 } },
    { name: 'd', hostPath: { path: '/' } },
    { name: 'e', projected: { sources: [{ serviceAccountToken: { path: 't' } }, { downwardAPI: { items: [{ path: 'n', fieldRef: { fieldPath: 'metadata.name' } }] } }] } },
  ]
  expect(podWith({ volumes }).volumes).toEqual([
    { name: 'a', emptyDir: {} },
    { name: 'b', secret: { secretName: 's', defaultMode: 420 } },
    { name: 'c', configMap: { name: 'm', defaultMode: 0 } },
    { name: 'd', hostPath: { path: '/', type: '' } },
    {
      name: 'e',
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { path: 't', expirationSeconds: 3600 } },
          { downwardAPI: { items: [{ path: 'n', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } }] } },
        ],
      },
    },
  ])
})

test('the service account by both its names', () => {
  expect(podWith({ serviceAccountName: 'robot' })).toMatchObject({ serviceAccount: 'robot' })
  expect(podWith({ serviceAccount: 'robot' })).toMatchObject({ serviceAccountName: 'robot' })
  expect(podWith({})).not.toHaveProperty('serviceAccountName')
})

describe('quality of service', () => {
  const of = (...resources: object[]) => qosClass({ containers: resources.map((r, i) => ({ name: `c${i}`, resources: r })) })
  const full = { limits: { cpu: '1', memory: '1Gi' } }
  test.each([
    ['nothing asked for', [{}], 'BestEffort'],
    ['zero asked for', [{ requests: { cpu: '0' } }], 'BestEffort'],
    ['something requested', [{ requests: { cpu: '1m' } }], 'Burstable'],
    ['only cpu limited', [{ limits: { cpu: '1' }, requests: { cpu: '1' } }], 'Burstable'],
    ['everything limited', [full], 'Guaranteed'],
    ['the same in other words', [{ ...full, requests: { cpu: '1000m', memory: '1024Mi' } }], 'Guaranteed'],
    ['less requested', [{ ...full, requests: { cpu: '999m', memory: '1Gi' } }], 'Burstable'],
    ['one container without', [full, {}], 'Burstable'],
  ] as const)('%s: %s', (_what, resources, expected) => {
    expect(of(...resources)).toBe(expected)
  })
})

describe('a service', () => {
  test.each([
    [
      'plain',
      {},
      {
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
      },
    ],
    ['port by number', { ports: [{ port: 80 }] }, { ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }] }],
    ['sticky', { sessionAffinity: 'ClientIP' }, { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } }],
    ['seen from outside', { type: 'NodePort' }, { externalTrafficPolicy: 'Cluster' }],
    ['balanced', { type: 'LoadBalancer' }, { externalTrafficPolicy: 'Cluster', allocateLoadBalancerNodePorts: true }],
    ['external address', { externalIPs: ['192.0.2.1'] }, { externalTrafficPolicy: 'Cluster' }],
    ['headless', { clusterIP: 'None' }, { clusterIP: 'None', clusterIPs: ['None'] }],
    ['address by the list', { clusterIPs: ['10.96.0.9'] }, { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] }],
  ])('%s', (_what, spec, expected) => {
    expect(filled('services', kit.service({ spec: spec as never }))['spec']).toMatchObject(expected)
  })
  test.each([
    ['plain', {}, 'externalTrafficPolicy'],
    ['plain', {}, 'sessionAffinityConfig'],
    ['plain', {}, 'allocateLoadBalancerNodePorts'],
    ['a name elsewhere', { type: 'ExternalName' }, 'internalTrafficPolicy'],
    ['a name elsewhere', { type: 'ExternalName' }, 'ipFamilies'],
  ])('%s has no %3$s', (_what, spec, absent) => {
    expect(filled('services', kit.service({ spec: spec as never }))['spec']).not.toHaveProperty(absent)
  })
})

describe('the other kinds', () => {
  test('a deployment', () => {
    expect(filled('deployments.apps', kit.deployment())['spec']).toMatchObject({
      replicas: 1,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      template: { spec: { restartPolicy: 'Always', containers: [{ imagePullPolicy: 'IfNotPresent' }] } },
    })
  })
  test('a deployment that recreates has no rolling numbers', () => {
    expect(
      filled('deployments.apps', kit.deployment({ spec: { strategy: { type: 'Recreate' } } }))['spec']?.['strategy'],
    ).toEqual({ type: 'Recreate' })
  })
  test('a replica set', () => {
    expect(filled('replicasets.apps', kit.replicaSet())['spec']).toMatchObject({
      replicas: 1,
      template: { spec: { dnsPolicy: 'ClusterFirst' } },
    })
    expect(filled('replicasets.apps', kit.replicaSet({ spec: { replicas: 0 } }))['spec']).toMatchObject({ replicas: 0 })
  })
  test('a slice', () => {
    expect(filled('endpointslices.discovery.k8s.io', kit.endpointSlice())['ports']).toEqual([
      { name: '', port: 8080, protocol: 'TCP' },
    ])
    expect(filled('endpointslices.discovery.k8s.io', kit.endpointSlice({ endpoints: undefined as never }))['endpoints']).toEqual(
      [],
    )
  })
  test('a secret', () => {
    const secret = filled('secrets', kit.secret({ data: { a: 'eA==', b: 'eA==' }, stringData: { b: 'yes', __proto__x: 'ü' } }))
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: 'eA==', b: 'eWVz', __proto__x: 'w7w=' } })
    expect(secret).not.toHaveProperty('stringData')
  })
  test('a namespace carries its name', () => {
    expect(filled('namespaces', kit.namespace({ metadata: { labels: { a: 'b' } } }))['metadata']?.['labels']).toEqual({
      a: 'b',
      'kubernetes.io/metadata.name': 'default',
    })
  })
})

test('twice is once', () => {
  const drafts: readonly (readonly [Resource, object])[] = [
    ['pods', kit.pod({ spec: { volumes: [{ name: 'a' }] } })],
    ['services', kit.service({ spec: { type: 'LoadBalancer' } })],
    ['deployments.apps', kit.deployment()],
    ['secrets', kit.secret({ stringData: { a: 'b' } })],
    ['nodes', kit.node({ status: { capacity: { cpu: 1 } } })],
    ['endpoints', kit.endpoints()],
  ]
  for (const [resource, draft] of drafts) {
    const once = filled(resource, draft)
    expect(filled(resource, once)).toEqual(once)
  }
})
