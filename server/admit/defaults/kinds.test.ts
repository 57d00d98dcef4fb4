import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../api/objects.ts'
import { kindByType } from '../../../api/resources.ts'
import * as kit from '../../../test/kit/kinds.ts'
import { withDefaults } from './defaults.ts'

type Drafted = { readonly apiVersion?: string; readonly kind?: string }
const filled = (draft: Drafted) => withDefaults(kindByType(draft.apiVersion!, draft.kind!)!.resource, draft as KubeObject) as unknown as Record<string, Record<string, unknown>>
const specOf = (draft: Drafted) => filled(draft)['spec']!
const pods = { spec: { dnsPolicy: 'ClusterFirst', containers: [{ terminationMessagePath: '/dev/termination-log' }] } }

test('done twice is done once', () => {
  for (const draft of kit.drafts) {
    const once = filled(draft)
    expect(filled(once as Drafted), draft.kind).toEqual(once)
  }
})

describe('workloads', () => {
  test('a replication controller speaks as its template does', () => {
    const { metadata, spec } = filled(kit.replicationController({ spec: { selector: undefined } }))
    expect(metadata).toMatchObject({ labels: { app: 'web' } })
    expect(spec).toMatchObject({ replicas: 1, selector: { app: 'web' }, template: pods })
    expect(filled(kit.replicationController({ metadata: { labels: { own: 'x' } } }))['metadata']).toMatchObject({ labels: { own: 'x' } })
  })
  test('a daemon set', () => {
    expect(specOf(kit.daemonSet())).toMatchObject({
      revisionHistoryLimit: 10,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      template: pods,
    })
    expect(specOf(kit.daemonSet({ spec: { updateStrategy: { type: 'OnDelete' } } }))['updateStrategy']).toEqual({ type: 'OnDelete' })
  })
  test('a stateful set, with claims that say their kind', () => {
    const claim = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: 1024 } } } }
    expect(specOf(kit.statefulSet({ spec: { volumeClaimTemplates: [claim] as never } }))).toMatchObject({
      replicas: 1,
      podManagementPolicy: 'OrderedReady',
      revisionHistoryLimit: 10,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          spec: { volumeMode: 'Filesystem', resources: { requests: { storage: '1024' } } },
          status: { phase: 'Pending' },
        },
      ],
      template: pods,
    })
  })
})

describe('jobs', () => {
  test('a job is one pod once', () => {
    const spec = specOf(kit.job())
    expect(spec).toMatchObject({ completions: 1, parallelism: 1, backoffLimit: 6, completionMode: 'NonIndexed', suspend: false, podReplacementPolicy: 'TerminatingOrFailed' })
    expect(spec['template']).toMatchObject(pods)
  })
  test.each([
    ['work from a queue has no completions', { parallelism: 3 }, { parallelism: 3 }, ['completions']],
    ['completions alone are one after the other', { completions: 3 }, { completions: 3, parallelism: 1 }, []],
    ['limits for each index are no limit for all', { completionMode: 'Indexed', completions: 2, backoffLimitPerIndex: 1 }, { backoffLimit: 2147483647 }, []],
    ['with a failure policy, pods are replaced when they failed', { podFailurePolicy: { rules: [] } }, { podReplacementPolicy: 'Failed' }, []],
  ])('%s', (_what, given, expected, absent) => {
    const spec = specOf(kit.job({ spec: given as never }))
    expect(spec).toMatchObject(expected)
    for (const field of absent) expect(spec).not.toHaveProperty(field)
  })
  test('a job with a uid finds its pods by it, unless its user wants to say how', () => {
    const spec = specOf(kit.job({ metadata: { uid: 'u-1' } }))
    expect(spec['selector']).toEqual({ matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-1' } })
    expect(spec['template']).toMatchObject({
      metadata: { labels: { 'batch.kubernetes.io/controller-uid': 'u-1', 'controller-uid': 'u-1', 'batch.kubernetes.io/job-name': 'x', 'job-name': 'x' } },
    })
    expect(specOf(kit.job({ metadata: { uid: 'u-1' }, spec: { manualSelector: true } }))).not.toHaveProperty('selector')
  })
  test('a cron job leaves to its jobs what is theirs', () => {
    const spec = specOf(kit.cronJob())
    expect(spec).toMatchObject({ concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1, jobTemplate: { spec: { template: pods } } })
    expect((spec['jobTemplate'] as { spec: object }).spec).not.toHaveProperty('backoffLimit')
  })
})

describe('volumes', () => {
  test('a volume', () => {
    expect(specOf(kit.persistentVolume({ spec: { capacity: { storage: 5 as never } } }))).toMatchObject({
      persistentVolumeReclaimPolicy: 'Retain',
      volumeMode: 'Filesystem',
      capacity: { storage: '5' },
      hostPath: { path: '/data', type: '' },
    })
  })
  test('a claim requests what it limits, and names its source in both words', () => {
    const dataSource = { kind: 'PersistentVolumeClaim', name: 'old' }
    expect(specOf(kit.persistentVolumeClaim({ spec: { resources: { limits: { storage: '2Gi' }, requests: undefined }, dataSource } }))).toMatchObject({
      volumeMode: 'Filesystem',
      resources: { requests: { storage: '2Gi' } },
      dataSourceRef: dataSource,
    })
    const elsewhere = specOf(kit.persistentVolumeClaim({ spec: { dataSourceRef: { ...dataSource, namespace: 'other' } } }))
    expect(elsewhere).not.toHaveProperty('dataSource')
  })
  test('a class', () => {
    expect(filled(kit.storageClass())).toMatchObject({ reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' })
  })
})

describe('policies', () => {
  test('limits of containers are their defaults, and these are requested', () => {
    expect(specOf(kit.limitRange())['limits']).toEqual([
      { type: 'Container', max: { cpu: '2' }, min: { cpu: '100m' }, default: { cpu: '2' }, defaultRequest: { cpu: '2' } },
    ])
    expect(specOf(kit.limitRange({ spec: { limits: [{ type: 'Container', min: { memory: 1 as never } }] } }))['limits']).toEqual([
      { type: 'Container', min: { memory: '1' }, defaultRequest: { memory: '1' } },
    ])
    expect(specOf(kit.limitRange({ spec: { limits: [{ type: 'Pod', max: { cpu: '2' } }] } }))['limits']).toEqual([{ type: 'Pod', max: { cpu: '2' } }])
  })
  test('quantities of a quota are texts', () => {
    expect(specOf(kit.resourceQuota({ spec: { hard: { pods: 4 as never } } }))['hard']).toMatchObject({ pods: '4' })
  })
  test('a priority class preempts, and parameters are for the cluster', () => {
    expect(filled(kit.priorityClass({ value: undefined }))).toMatchObject({ value: 0, preemptionPolicy: 'PreemptLowerPriority' })
    expect(specOf(kit.ingressClass({ spec: { parameters: { kind: 'K', name: 'n' } } }))['parameters']).toMatchObject({ scope: 'Cluster' })
  })
  test('a network policy is about what comes in, and about what goes out where it says so', () => {
    expect(specOf(kit.networkPolicy())).toMatchObject({ policyTypes: ['Ingress'], ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }] })
    expect(specOf(kit.networkPolicy({ spec: { podSelector: undefined, egress: [{}] } }))).toMatchObject({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
  })
  test('an autoscaler keeps CPU at 80 percent, and fills in the behaviour that it speaks of', () => {
    const plain = specOf(kit.autoscaler({ spec: { metrics: undefined } }))
    expect(plain).toMatchObject({ minReplicas: 1, metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 80 } } }] })
    expect(plain).not.toHaveProperty('behavior')
    expect(specOf(kit.autoscaler({ spec: { behavior: { scaleDown: { stabilizationWindowSeconds: 5 } } } }))['behavior']).toEqual({
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [
          { type: 'Pods', value: 4, periodSeconds: 15 },
          { type: 'Percent', value: 100, periodSeconds: 15 },
        ],
      },
      scaleDown: { stabilizationWindowSeconds: 5, selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
    })
    const pods = { type: 'Pods', pods: { metric: { name: 'x' }, target: { type: 'AverageValue', averageValue: 5 } } }
    expect(specOf(kit.autoscaler({ spec: { metrics: [pods] as never } }))['metrics']).toMatchObject([{ pods: { target: { averageValue: '5' } } }])
  })
})
