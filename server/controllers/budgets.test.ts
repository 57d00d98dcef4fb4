import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import type { PodDisruptionBudget } from '../../api/objects.ts'
import * as kinds from '../../test/kit/kinds.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, type Inside } from '../../test/kit/registry.ts'
import { evict } from '../registry/evict.ts'
import { createBudgetController } from './budgets.ts'

let inside: Inside
let stop: () => Promise<void>
beforeEach(async () => {
  inside = await openInside()
  stop = createBudgetController({ ...inside, random: () => 0.5, log: silentLog }).start()
})
afterEach(async () => {
  await stop()
  await inside.close()
})

const status = () => (inside.get('poddisruptionbudgets.policy', 'x', 'default') as PodDisruptionBudget).status
const ref = (name: string) => ({ resource: 'pods', namespace: 'default', name }) as const

async function pod(name: string): Promise<void> {
  await inside.make('pods', kit.pod({ metadata: { name, labels: { app: 'web' } }, spec: { nodeName: 'node1' } }))
  await inside.registry.update(ref(name), (c) => ({ ...c, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } }), { subresource: 'status' })
}

test('the status of a budget follows its pods, and an eviction that was noted and did not happen', async () => {
  await inside.make('poddisruptionbudgets.policy', kinds.budget({ spec: { minAvailable: 1 } }))
  await inside.calm()
  expect(status()).toMatchObject({ currentHealthy: 0, disruptionsAllowed: 0, observedGeneration: 1, conditions: [{ reason: 'InsufficientPods' }] })
  await pod('a')
  await pod('b')
  await pod('c')
  await inside.calm()
  expect(status()).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 2, conditions: [{ status: 'True', reason: 'SufficientPods' }] })
  await evict(inside, ref('a'), {})
  await inside.calm()
  expect(status()).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1, disruptedPods: {} })
  const noted = { b: '2026-01-01T00:00:00Z' }
  const budget = { resource: 'poddisruptionbudgets.policy', namespace: 'default', name: 'x' } as const
  await inside.registry.update(budget, (c) => ({ ...c, status: { ...(c.status as object), disruptedPods: noted } }), { subresource: 'status' })
  await inside.calm()
  expect(status()).toMatchObject({ currentHealthy: 1, disruptionsAllowed: 0, disruptedPods: noted })
  await inside.clock.advance(120_000)
  await inside.calm()
  expect(status()).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1, disruptedPods: {} })
})
