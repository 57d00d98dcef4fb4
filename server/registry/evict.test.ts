import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PodDisruptionBudget } from '../../api/objects.ts'
import * as kinds from '../../test/kit/kinds.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refusalOf, type Inside } from '../../test/kit/registry.ts'
import { statusOf } from './budget.ts'
import { evict } from './evict.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside()
})
afterEach(() => inside.close())

const labels = { app: 'web' }
const ref = (name: string) => ({ resource: 'pods', namespace: 'default', name }) as const
const asked = (name: string, options = {}): Promise<void> => evict(inside, ref(name), options)
const budget = () => inside.get('poddisruptionbudgets.policy', 'x', 'default') as PodDisruptionBudget

/** Pods that run on a node, so that a deletion leaves them there for their time. */
async function pods(names: readonly string[], { isReady = true, owner = {} } = {}): Promise<void> {
  for (const name of names) {
    await inside.make('pods', kit.pod({ metadata: { name, labels, ...owner }, spec: { nodeName: 'node1' } }))
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] }
    await inside.registry.update(ref(name), (c) => ({ ...c, status }), { subresource: 'status' })
  }
}
const going = (): readonly string[] => inside.store.list('pods').filter((p) => p.metadata.deletionTimestamp).map((p) => p.metadata.name)

describe('an eviction', () => {
  test('is a deletion where there is no budget, or none for this pod', async () => {
    await pods(['a'])
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { selector: { matchLabels: { app: 'db' } } } }))
    await asked('a')
    expect(going()).toEqual(['a'])
    expect((await refusalOf(asked('none'))).code).toBe(404)
  })

  test('is refused when no more may go, and told to come again', async () => {
    await pods(['a', 'b'])
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: 1 } }))
    await asked('a')
    const refused = await refusalOf(asked('b'))
    expect(refused).toMatchObject({ code: 429, reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } })
    expect(refused.details?.causes).toEqual([{ reason: 'DisruptionBudget', field: '', message: 'The disruption budget x needs 1 healthy pods and has 1 currently' }])
    expect(going()).toEqual(['a'])
    expect(budget().status).toMatchObject({ disruptionsAllowed: 0, desiredHealthy: 1, expectedPods: 2, disruptedPods: { a: '2026-01-01T00:00:00Z' } })
  })

  test('of all at once takes no more than may go', async () => {
    await pods(['a', 'b', 'c', 'd'])
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: 3 } }))
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map((name) => asked(name)))
    expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1)
    expect(going()).toHaveLength(1)
  })

  test('of a pod that serves nobody takes nothing away', async () => {
    await pods(['a'])
    await pods(['b'], { isReady: false })
    await inside.make('pods', kit.pod({ metadata: { name: 'c', labels } }))
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: 1 } }))
    await asked('b')
    await asked('c')
    expect(going()).toEqual(['b'])
    expect((await refusalOf(asked('a'))).code).toBe(429)
  })

  test('of an unready pod is refused where too few are ready, unless the budget allows it always', async () => {
    await pods(['a', 'b'], { isReady: false })
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: 1 } }))
    expect((await refusalOf(asked('a'))).code).toBe(429)
    await inside.registry.update({ resource: 'poddisruptionbudgets.policy', namespace: 'default', name: 'x' }, (c) => ({ ...c, spec: { ...(c.spec as object), unhealthyPodEvictionPolicy: 'AlwaysAllow' } }))
    await asked('a')
    expect(going()).toEqual(['a'])
  })

  test('that is tried changes nothing', async () => {
    await pods(['a', 'b'])
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: 1 } }))
    const { revision } = inside.store
    await asked('a', { dryRun: true })
    expect(inside.store.revision).toBe(revision)
  })
})

describe('a share of pods', () => {
  const owned = async (replicas: number): Promise<object> => {
    const { metadata } = await inside.make('replicasets.apps', kit.replicaSet({ metadata: { name: 'r' }, spec: { replicas } }))
    return { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: metadata.uid, controller: true }] }
  }
  test.each([
    [{ maxUnavailable: 1 }, 2, 1],
    [{ maxUnavailable: '50%' }, 1, 2],
    [{ maxUnavailable: 0 }, 3, 0],
    [{ minAvailable: '34%' }, 2, 1],
    [{ minAvailable: '100%' }, 3, 0],
  ])('%j of three is %i that stay and %i that may go', async (spec, desiredHealthy, disruptionsAllowed) => {
    await pods(['a', 'b', 'c'], { owner: await owned(3) })
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: undefined, ...spec } }))
    expect(statusOf(inside.store, budget(), 0)).toMatchObject({ desiredHealthy, disruptionsAllowed, currentHealthy: 3, expectedPods: 3 })
  })

  test('is of what is wished for, not of what is there', async () => {
    await pods(['a', 'b'], { owner: await owned(4) })
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: undefined, maxUnavailable: 2 } }))
    expect(statusOf(inside.store, budget(), 0)).toMatchObject({ desiredHealthy: 2, disruptionsAllowed: 0, expectedPods: 4 })
  })

  test('of pods that nobody counts is none', async () => {
    await pods(['a', 'b'])
    await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: undefined, maxUnavailable: 1 } }))
    expect(statusOf(inside.store, budget(), 0)).toMatchObject({ disruptionsAllowed: 0, conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed' }] })
  })

  test('an eviction that did not come to be is forgotten', async () => {
    await pods(['a', 'b'])
    const noted = { ...kinds.budget({ spec: { minAvailable: 1 } }), status: { disruptedPods: { a: new Date(0).toISOString() } } } as never
    expect(statusOf(inside.store, noted, 119_000)).toMatchObject({ currentHealthy: 1, disruptionsAllowed: 0 })
    const later = statusOf(inside.store, noted, 121_000)
    expect([later.currentHealthy, later.disruptedPods]).toEqual([2, {}])
  })
})
