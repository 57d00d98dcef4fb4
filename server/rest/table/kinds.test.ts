import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../api/objects.ts'
import { kindOf, type BuiltInResource } from '../../../api/resources.ts'
import { columnDefinitions, rowOf } from './table.ts'

const now = Date.parse('2030-01-01T01:00:00Z')
const metadata = { name: 'x', namespace: 'default', uid: 'u', resourceVersion: '7', creationTimestamp: '2030-01-01T00:55:00Z' }
const at = (minutes: number): string => new Date(now - minutes * 60_000).toISOString()

function cells(resource: BuiltInResource, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const object = { apiVersion: 'v1', kind: 'K', metadata, ...fields } as KubeObject
  const { cells: values } = rowOf(object, { of: kindOf(resource), include: 'None', now })
  return Object.fromEntries(columnDefinitions(kindOf(resource)).map(({ name }, i) => [name, values[i]]))
}

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'a:1' }, { name: 'b', image: 'b:1' }], nodeSelector: { disk: 'ssd' } } }
const inside = { Containers: 'a,b', Images: 'a:1,b:1' }

describe('workloads', () => {
  test.each<[BuiltInResource, Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>]>([
    ['replicationcontrollers', { spec: { replicas: 2, selector: { app: 'web' }, template }, status: { replicas: 1, readyReplicas: 1 } }, { Desired: 2, Current: 1, Ready: 1, Selector: 'app=web', ...inside }],
    ['statefulsets.apps', { spec: { replicas: 3, template }, status: { readyReplicas: 2 } }, { Ready: '2/3', ...inside }],
    [
      'daemonsets.apps',
      { spec: { selector: { matchLabels: { app: 'web' } }, template }, status: { desiredNumberScheduled: 5, currentNumberScheduled: 4, numberReady: 3, updatedNumberScheduled: 2, numberAvailable: 1 } },
      { Desired: 5, Current: 4, Ready: 3, 'Up-to-date': 2, Available: 1, 'Node Selector': 'disk=ssd', Selector: 'app=web', ...inside },
    ],
    ['podtemplates', { template }, { 'Pod Labels': 'app=web', ...inside }],
    [
      'controllerrevisions.apps',
      { revision: 4, metadata: { ...metadata, ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', controller: true }] } },
      { Controller: 'daemonset.apps/d', Revision: 4 },
    ],
  ])('%s', (resource, fields, expected) => {
    expect(cells(resource, fields)).toMatchObject({ Name: 'x', ...expected })
  })
})

describe('jobs', () => {
  const done = (type: string) => ({ conditions: [{ type, status: 'True' }] })
  test.each([
    ['that runs', { spec: { completions: 3 }, status: { succeeded: 1, startTime: at(2) } }, { Status: 'Running', Completions: '1/3', Duration: '2m' }],
    ['that did not begin', { spec: { parallelism: 4 } }, { Status: 'Running', Completions: '0/1 of 4', Duration: '' }],
    ['that is done', { spec: { completions: 1 }, status: { ...done('Complete'), succeeded: 1, startTime: at(9), completionTime: at(8) } }, { Status: 'Complete', Completions: '1/1', Duration: '60s' }],
    ['that failed', { spec: { completions: 1 }, status: done('Failed') }, { Status: 'Failed' }],
    ['that waits', { spec: { completions: 1, suspend: true } }, { Status: 'Suspended' }],
  ])('one %s', (_what, fields, expected) => {
    expect(cells('jobs.batch', fields)).toMatchObject(expected)
  })
  test('cron jobs', () => {
    const spec = { schedule: '@daily', timeZone: 'Europe/Berlin', jobTemplate: { spec: { template } } }
    expect(cells('cronjobs.batch', { spec, status: { active: [{}, {}], lastScheduleTime: at(3) } })).toMatchObject({
      Schedule: '@daily',
      Timezone: 'Europe/Berlin',
      Suspend: false,
      Active: 2,
      'Last Schedule': '3m',
      ...inside,
    })
    expect(cells('cronjobs.batch', { spec: { ...spec, timeZone: undefined } })).toMatchObject({ Timezone: '<none>', 'Last Schedule': '<none>' })
  })
})

describe('volumes', () => {
  test('and claims', () => {
    const spec = { capacity: { storage: '5Gi' }, accessModes: ['ReadOnlyMany', 'ReadWriteOnce'], claimRef: { namespace: 'a', name: 'c' }, storageClassName: 'fast' }
    expect(cells('persistentvolumes', { spec, status: { phase: 'Bound' } })).toMatchObject({ Capacity: '5Gi', 'Access Modes': 'RWO,ROX', Status: 'Bound', Claim: 'a/c', StorageClass: 'fast', VolumeAttributesClass: '<unset>' })
    const bound = { phase: 'Bound', capacity: { storage: '5Gi' }, accessModes: ['ReadWriteOncePod'] }
    expect(cells('persistentvolumeclaims', { spec: { volumeName: 'v' }, status: bound })).toMatchObject({ Status: 'Bound', Volume: 'v', Capacity: '5Gi', 'Access Modes': 'RWOP' })
    expect(cells('persistentvolumeclaims', { spec: {}, status: { phase: 'Pending' } })).toMatchObject({ Status: 'Pending', Volume: '', Capacity: '', 'Access Modes': '' })
    expect(cells('persistentvolumeclaims', { metadata: { ...metadata, deletionTimestamp: at(1) }, spec: {} })).toMatchObject({ Status: 'Terminating' })
  })
  test('the default class says so', () => {
    const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' }
    expect(cells('storageclasses.storage.k8s.io', { provisioner: 'p', metadata: { ...metadata, annotations } })).toMatchObject({ Name: 'x (default)', Provisioner: 'p', AllowVolumeExpansion: false })
  })
})

describe('networking', () => {
  test('ingresses', () => {
    const rules = ['a', 'b', 'c', 'd'].map((host) => ({ host }))
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.test' }] } }
    expect(cells('ingresses.networking.k8s.io', { spec: { rules, tls: [{}], ingressClassName: 'front' }, status })).toMatchObject({ Class: 'front', Hosts: 'a,b,c + 1 more...', Address: '192.0.2.1,lb.test', Ports: '80, 443' })
    expect(cells('ingresses.networking.k8s.io', { spec: { rules: [{}] } })).toMatchObject({ Class: '<none>', Hosts: '*', Address: '', Ports: '80' })
  })
  test('classes and policies', () => {
    expect(cells('ingressclasses.networking.k8s.io', { spec: { controller: 'a/b', parameters: { apiGroup: 'g', kind: 'K', name: 'n' } } })).toMatchObject({ Controller: 'a/b', Parameters: 'K.g/n' })
    expect(cells('networkpolicies.networking.k8s.io', { spec: { podSelector: {} } })).toMatchObject({ 'Pod-Selector': '<none>' })
  })
})

describe('policies', () => {
  test('quotas tell requests and limits apart', () => {
    const hard = { pods: '2', 'requests.cpu': '1', 'limits.memory': '1Gi' }
    expect(cells('resourcequotas', { spec: { hard } })).toMatchObject({ Request: 'pods: 0/2, requests.cpu: 0/1', Limit: 'limits.memory: 0/1Gi' })
    expect(cells('resourcequotas', { spec: { hard }, status: { hard, used: { pods: '1' } } })).toMatchObject({ Request: 'pods: 1/2, requests.cpu: 0/1' })
  })
  test('budgets and classes', () => {
    expect(cells('poddisruptionbudgets.policy', { spec: { maxUnavailable: '10%' }, status: { disruptionsAllowed: 1 } })).toMatchObject({ 'Min Available': 'N/A', 'Max Unavailable': '10%', 'Allowed Disruptions': 1 })
    expect(cells('priorityclasses.scheduling.k8s.io', { value: 7, globalDefault: true })).toMatchObject({ Value: 7, 'Global-Default': true })
    expect(cells('limitranges', {})).toMatchObject({ 'Created At': '2030-01-01T00:55:00Z' })
  })

  const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }
  const pods = { type: 'Pods', pods: { metric: { name: 'hits' }, target: { type: 'AverageValue', averageValue: '5' } } }
  const external = { type: 'External', external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '9' } } }
  test.each([
    [[], undefined, '<none>'],
    [[cpu], undefined, 'cpu: <unknown>/50%'],
    [[cpu], [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 20 } } }], 'cpu: 20%/50%'],
    [[pods], [{ type: 'Pods', pods: { current: { averageValue: '3' } } }], '3/5'],
    [[external], undefined, '<unknown>/9 (avg)'],
    [[cpu, pods, external], undefined, 'cpu: <unknown>/50%, <unknown>/5 + 1 more...'],
  ])('an autoscaler by %j', (metrics, currentMetrics, expected) => {
    const spec = { scaleTargetRef: { kind: 'Deployment', name: 'web' }, maxReplicas: 4, minReplicas: 1, metrics }
    expect(cells('horizontalpodautoscalers.autoscaling', { spec, status: { currentMetrics, currentReplicas: 2 } })).toMatchObject({ Reference: 'Deployment/web', Targets: expected, MinPods: '1', MaxPods: 4, Replicas: 2 })
  })
})
