import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import type { Lease } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import { settled } from '../../test/kit/clock.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, type Inside } from '../../test/kit/registry.ts'
import { fenced } from '../store/store.ts'
import { createElection, leaderFence, leaseRef } from './election.ts'

let inside: Inside
const ends: (() => Promise<void>)[] = []
beforeEach(async () => {
  inside = await openInside()
  await inside.make('namespaces', kit.namespace({ metadata: { name: 'kube-system' } }))
  // What is known of leases is read from disk at the first one, which takes real time.
  await inside.make('leases.coordination.k8s.io', kit.lease({}))
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await inside.close()
})

const lease = () => inside.store.get(leaseRef) as Lease | undefined

/** A hub in the election, which can be cut off from the store's writing side, and what it ran. */
function join(identity: string) {
  const { store, clock, registry } = inside
  const story: string[] = []
  const line = { cut: false }
  const refuse = (): never => {
    throw new StatusError('ServiceUnavailable', 'planted')
  }
  const election = createElection({
    store,
    clock,
    identity,
    random: () => 0.5,
    log: silentLog,
    registry: {
      ...registry,
      create: (...args) => (line.cut ? Promise.reject(new StatusError('ServiceUnavailable', 'planted')) : registry.create(...args)),
      update: (ref, change, options) => registry.update(ref, (c) => (line.cut ? refuse() : change(c)), options),
    },
    lead() {
      story.push('begins')
      return () => {
        story.push('ends')
        return Promise.resolve()
      }
    },
  })
  const leaving = new AbortController()
  const running = election.run(leaving.signal)
  const leave = async (): Promise<void> => {
    leaving.abort()
    await running
  }
  ends.push(leave)
  return { election, story, line, leave }
}

test('the first one leads and goes on leading; the second waits', async () => {
  const a = join('a')
  await settled(20)
  const b = join('b')
  await inside.clock.advance(120_000)
  expect([a.story, b.story]).toEqual([['begins'], []])
  expect(lease()?.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 })
  expect(Date.parse(String(lease()?.spec?.renewTime))).toBeGreaterThan(inside.clock.now() - 5_000)
})

test('of two that begin together one leads', async () => {
  const hubs = [join('a'), join('b')]
  await inside.clock.advance(5_000)
  expect(hubs.flatMap((h) => h.story)).toEqual(['begins'])
})

test('a leader that cannot renew stops before another begins', async () => {
  const a = join('a')
  await settled(20)
  const b = join('b')
  await inside.clock.advance(4_000)
  a.line.cut = true
  await inside.clock.advance(11_000)
  expect([a.story, b.story]).toEqual([['begins', 'ends'], []])
  await inside.clock.advance(10_000)
  expect([a.story, b.story]).toEqual([['begins', 'ends'], ['begins']])
  expect([a.election.leading, b.election.leading]).toEqual([false, true])
  expect(lease()?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
  a.line.cut = false
  await inside.clock.advance(60_000)
  expect([a.story, b.story]).toEqual([['begins', 'ends'], ['begins']])
})

test('a leader that stops gives the lease back, and the next one begins at once', async () => {
  const a = join('a')
  await settled(20)
  const b = join('b')
  await inside.clock.advance(3_000)
  await a.leave()
  await settled(20)
  expect([a.story, b.story]).toEqual([['begins', 'ends'], ['begins']])
})

test('a leader that sees another holder stops in the same moment', async () => {
  const a = join('a')
  await settled(20)
  await inside.registry.update(leaseRef, (c) => ({ ...c, spec: { ...(c as Lease).spec, holderIdentity: 'thief' } }))
  await settled()
  expect(a.story).toEqual(['begins', 'ends'])
})

test('what a leader writes is refused once another holds the lease', async () => {
  join('a')
  await settled(20)
  const ref = { resource: 'configmaps', namespace: 'default', name: 'x' } as const
  const write = (identity: string) =>
    fenced(inside.store, leaderFence(identity)).write(ref, () => ({ put: { ...kit.configMap({ metadata: { name: 'x', namespace: 'default' } }) } as never }))
  await expect(write('b')).rejects.toMatchObject({ code: 'STORE_FENCED' })
  await write('a')
  expect(inside.get('configmaps', 'x', 'default')).toBeDefined()
})
