import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { kindOf, servedKinds } from '../../api/resources.ts'
import { StatusError } from '../../api/status.ts'
import { servedForm, storedForm } from './forms.ts'

const second = kindOf('horizontalpodautoscalers.autoscaling')
const first = servedKinds.find((k) => k.resource === second.resource && k.version === 'v1')!
const kind = 'HorizontalPodAutoscaler'
const scaleTargetRef = { kind: 'Deployment', name: 'web' }
const cpu = (averageUtilization: number) => ({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } })
const metrics = [
  cpu(50),
  { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
  { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'app', target: { type: 'Utilization', averageUtilization: 70 } } },
  { type: 'Pods', pods: { metric: { name: 'hits', selector: { matchLabels: { a: 'b' } } }, target: { type: 'AverageValue', averageValue: '5' } } },
  { type: 'Object', object: { describedObject: { kind: 'Service', name: 's' }, metric: { name: 'x' }, target: { type: 'Value', value: '3' } } },
  { type: 'External', external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '9' } } },
]

describe('an autoscaler in its older version', () => {
  test('has one number, and the rest in annotations', () => {
    const stored = { apiVersion: 'autoscaling/v2', kind, metadata: { name: 'a' }, spec: { scaleTargetRef, maxReplicas: 3, metrics: metrics.slice(0, 2) }, status: { desiredReplicas: 0 } }
    expect(servedForm(first, stored)).toEqual({
      apiVersion: 'autoscaling/v1',
      kind,
      metadata: { name: 'a', annotations: { 'autoscaling.alpha.kubernetes.io/metrics': '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}}]' } },
      spec: { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 50 },
      status: { currentReplicas: 0, desiredReplicas: 0 },
    })
    expect(servedForm(second, stored)).toBe(stored)
  })

  test('whatever it is, written as it was read it is the same', () => {
    const behavior = { scaleDown: { policies: [{ type: 'Pods', value: 1, periodSeconds: 9 }] } }
    fc.assert(
      fc.property(fc.shuffledSubarray(metrics), fc.option(fc.constant(behavior), { nil: undefined }), fc.boolean(), (chosen, rules, noted) => {
        // The one number of the older version stands first.
        const ordered = [...chosen.filter((m) => m === metrics[0]), ...chosen.filter((m) => m !== metrics[0])]
        const spec = { scaleTargetRef, maxReplicas: 3, ...(ordered.length > 0 && { metrics: ordered }), ...(rules && { behavior: rules }) }
        const stored = { apiVersion: 'autoscaling/v2', kind, metadata: { name: 'a', ...(noted && { annotations: { note: 'x' } }) }, spec }
        expect(storedForm(first, servedForm(first, stored))).toEqual(stored)
      }),
    )
  })

  test('of any JSON is a draft, or refused', () => {
    const field = fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom('targetCPUUtilizationPercentage', 'annotations', 'minReplicas'), fc.jsonValue()))
    fc.assert(
      fc.property(fc.record({ metadata: field, spec: field, status: field }), fc.string(), (draft, text) => {
        const noted = { ...draft, metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/metrics': text } } }
        expect(storedForm(first, draft as never)).toMatchObject({ apiVersion: 'autoscaling/v2' })
        try {
          storedForm(first, noted as never)
        } catch (e) {
          expect(e).toBeInstanceOf(StatusError)
        }
      }),
    )
  })
})

test('metadata alone is the same in all words', () => {
  const partial = { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata: { name: 'a' } }
  for (const of of servedKinds) expect(servedForm(of, partial)).toBe(partial)
})
