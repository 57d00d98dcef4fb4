import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import type { Deployment } from '../../api/objects.ts'
import { nextScale, type Scale } from './rollout.ts'

const deployment = (replicas: number, strategy?: object, paused = false): Deployment =>
  ({ metadata: { name: 'web' }, spec: { replicas, paused, strategy, selector: {}, template: {} } }) as Deployment
const rolling = (maxSurge: string | number, maxUnavailable: string | number) => ({ type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } })
const rs = (uid: string, replicas: number, available = replicas, running = replicas): Scale => ({ uid, replicas, available, running, created: uid })
const steps = (d: Deployment, fresh: Scale | undefined, ...old: Scale[]) => Object.fromEntries(nextScale(d, fresh, old).map((s) => [s.uid, s.replicas]))

describe('a rollout', () => {
  test.each([
    ['starts a first ReplicaSet at full size', deployment(3), rs('new', 0), [], { new: 3 }],
    ['does nothing when it is done', deployment(3), rs('new', 3), [rs('old', 0)], {}],
    ['scales up at once', deployment(5), rs('new', 3), [], { new: 5 }],
    ['scales down at once', deployment(1), rs('new', 3), [], { new: 1 }],
    ['scales to nothing', deployment(0), rs('new', 3), [], { new: 0 }],
    ['adds the surge first and keeps what serves', deployment(4, rolling(1, 0)), rs('new', 0), [rs('old', 4)], { new: 1 }],
    ['gives an old pod for each new one that is up', deployment(4, rolling(1, 0)), rs('new', 1), [rs('old', 4)], { old: 3 }],
    ['waits for the new pod', deployment(4, rolling(1, 0)), rs('new', 1, 0), [rs('old', 4)], {}],
    ['may go below the wish by maxUnavailable', deployment(4, rolling(0, 1)), rs('new', 0), [rs('old', 4)], { old: 3 }],
    ['never has both bounds at nothing', deployment(4, rolling(0, 0)), rs('new', 0), [rs('old', 4)], { old: 3 }],
    ['takes percentages: surge up, unavailable down', deployment(3, rolling('25%', '25%')), rs('new', 0), [rs('old', 3)], { new: 1 }],
    ['gives up old pods that do not work', deployment(4, rolling(1, 0)), rs('new', 1, 1), [rs('old', 4, 3)], { old: 3 }],
    ['gives up dead old pods though the new one is not up', deployment(4, rolling(1, 1)), rs('new', 1, 0), [rs('old', 4, 2)], { old: 3 }],
    ['stops the old before the new with Recreate', deployment(3, { type: 'Recreate' }), rs('new', 0), [rs('old', 3)], { old: 0 }],
    ['waits until the old are gone with Recreate', deployment(3, { type: 'Recreate' }), rs('new', 0), [rs('old', 0, 0, 2)], {}],
    ['starts the new then', deployment(3, { type: 'Recreate' }), rs('new', 0), [rs('old', 0)], { new: 3 }],
    ['that is paused changes size only', deployment(5, undefined, true), undefined, [rs('old', 3)], { old: 5 }],
  ] as const)('%s', (_what, d, fresh, old, expected) => {
    expect(steps(d, fresh, ...old)).toEqual(expected)
  })

  test('always ends, and never breaks its bounds on the way', () => {
    const sizes = fc.record({ wanted: fc.integer({ min: 1, max: 12 }), had: fc.integer({ min: 0, max: 12 }), surge: fc.integer({ min: 0, max: 4 }), unavailable: fc.integer({ min: 0, max: 4 }) })
    fc.assert(
      fc.property(sizes, ({ wanted, had, surge, unavailable }) => {
        const d = deployment(wanted, rolling(surge, unavailable))
        const floor = wanted - Math.max(Math.min(unavailable, wanted), surge === 0 ? 1 : 0)
        const at: Record<string, number> = { new: 0, old: had }
        for (let turn = 0; turn < 60; turn++) {
          const next = steps(d, rs('new', at['new']!), rs('old', at['old']!))
          if (Object.keys(next).length === 0) break
          Object.assign(at, next)
          // Pods that the step takes are gone at once, pods that it adds are not up yet: the worst moment.
          const upNow = Math.min(at['new']!, rs('new', at['new']!).available) + at['old']!
          expect(at['new']! + at['old']!).toBeLessThanOrEqual(Math.max(wanted + surge, had))
          expect(upNow).toBeGreaterThanOrEqual(Math.min(floor, had))
        }
        expect(at).toEqual({ new: wanted, old: 0 })
      }),
      { numRuns: 300 },
    )
  })
})
