/** What of the kinds that others act on may not change, and what may. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import { kindByType, type Resource } from '../../api/resources.ts'
import * as kit from '../../test/kit/kinds.ts'
import { openInside, refOf, refusalOf, type Drafted, type Inside } from '../../test/kit/registry.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside()
})
afterEach(() => inside.close())

type Given = Drafted & { readonly apiVersion: string; readonly kind: string }
const resourceOf = (draft: Given): Resource => kindByType(draft.apiVersion, draft.kind)!.resource
const withSpec = (part: object) => (c: KubeObject) => ({ ...c, spec: { ...(c.spec as object), ...part } })
const withTop = (part: object) => (c: KubeObject) => ({ ...c, ...part })
const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }]

describe('it stays', () => {
  test.each<[string, Given, (c: KubeObject) => object, string]>([
    ['whom a daemon set selects', kit.daemonSet(), withSpec({ selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }), 'spec.selector'],
    ['which service a stateful set has', kit.statefulSet(), withSpec({ serviceName: 'other' }), 'spec'],
    ['which claims a stateful set makes', kit.statefulSet(), withSpec({ volumeClaimTemplates: claims }), 'spec'],
    ['what a revision was', kit.controllerRevision(), withTop({ data: {} }), 'data'],
    ['how many a job is', kit.job(), withSpec({ completions: 2 }), 'spec.completions'],
    ['whether a job has indexes', kit.job(), withSpec({ completionMode: 'Indexed' }), 'spec.completionMode'],
    ['what the pods of a job are', kit.job(), withSpec({ template: { spec: { restartPolicy: 'Never', containers: [{ name: 'web', image: 'x' }] } } }), 'spec.template'],
    ['where a volume is', kit.persistentVolume(), withSpec({ hostPath: { path: '/other' } }), 'spec.persistentvolumesource'],
    ['what a volume is', kit.persistentVolume(), withSpec({ volumeMode: 'Block' }), 'spec.volumeMode'],
    ['how much a claim asks for', kit.persistentVolumeClaim(), withSpec({ resources: { requests: { storage: '2Gi' } } }), 'spec'],
    ['what a priority is', kit.priorityClass(), withTop({ value: 11 }), 'value'],
    ['who serves a class of ingresses', kit.ingressClass(), withSpec({ controller: 'b.test/c' }), 'spec.controller'],
    ['who makes volumes', kit.storageClass(), withTop({ provisioner: 'b.test/c' }), 'provisioner'],
    ['with which parameters', kit.storageClass(), withTop({ parameters: { a: 'b' } }), 'parameters'],
    ['what a quota is about', kit.resourceQuota(), withSpec({ scopes: ['Terminating'] }), 'spec.scopes'],
  ])('%s', async (_what, draft, change, field) => {
    const resource = resourceOf(draft)
    await inside.make(resource, draft)
    const refusal = await refusalOf(inside.registry.update(refOf(resource, draft), (c) => ({ ...change(c) })))
    expect(refusal).toMatchObject({ code: 422, reason: 'Invalid' })
    expect(refusal.details?.causes?.map((c) => c.field)).toContain(field)
  })
})

describe('it may change', () => {
  test.each<[string, Given, (c: KubeObject) => object]>([
    ['how many a stateful set has', kit.statefulSet(), withSpec({ replicas: 3, minReadySeconds: 5 })],
    ['how many pods of a job run at a time', kit.job(), withSpec({ parallelism: 4, suspend: true })],
    ['when a cron job starts jobs', kit.cronJob(), withSpec({ schedule: '@daily' })],
    ['which volume a claim has, once', kit.persistentVolumeClaim(), withSpec({ volumeName: 'v' })],
    ['the class of a claim that had none', kit.persistentVolumeClaim(), withSpec({ storageClassName: 'fast' })],
    ['what a quota allows', kit.resourceQuota(), withSpec({ hard: { pods: '99' } })],
    ['whether volumes can grow', kit.storageClass(), withTop({ allowVolumeExpansion: true })],
    ['what a budget is', kit.budget(), withSpec({ minAvailable: '10%' })],
    ['what happens to a volume after its claim', kit.persistentVolume(), withSpec({ persistentVolumeReclaimPolicy: 'Delete' })],
  ])('%s', async (_what, draft, change) => {
    const resource = resourceOf(draft)
    const before = await inside.make(resource, draft)
    const after = await inside.registry.update(refOf(resource, draft), (c) => ({ ...change(c) }))
    expect(after.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion)
  })

  test('a bound claim may ask for more, not for less', async () => {
    const ref = refOf('persistentvolumeclaims', kit.persistentVolumeClaim())
    const asking = (storage: string) => (c: KubeObject) => ({ ...c, spec: { ...(c.spec as object), resources: { requests: { storage } } } })
    await inside.make('persistentvolumeclaims', kit.persistentVolumeClaim())
    await inside.registry.update(ref, (c) => ({ ...c, status: { phase: 'Bound' } }), { subresource: 'status' })
    await inside.registry.update(ref, asking('2Gi'))
    expect((await refusalOf(inside.registry.update(ref, asking('1Gi')))).message).toContain('field can not be less than previous value')
  })

  test('where the pods of a suspended job will be, until it starts', async () => {
    const draft = kit.job({ spec: { suspend: true } })
    const ref = refOf('jobs.batch', draft)
    const placed = (zone: string) => (c: KubeObject) => {
      const spec = c.spec as { readonly template: { readonly spec: object } }
      return { ...c, spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, nodeSelector: { zone } } } } }
    }
    await inside.make('jobs.batch', draft)
    await inside.registry.update(ref, placed('a'))
    await inside.registry.update(ref, (c) => ({ ...c, status: { startTime: '2026-01-01T00:00:00Z' } }), { subresource: 'status' })
    expect((await refusalOf(inside.registry.update(ref, placed('b')))).details?.causes?.[0]).toMatchObject({ field: 'spec.template' })
  })
})
