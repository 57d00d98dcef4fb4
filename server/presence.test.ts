import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../api/log.ts'
import type { EndpointSlice } from '../api/objects.ts'
import * as kit from '../test/kit/objects.ts'
import { openInside, type Inside } from '../test/kit/registry.ts'
import { bootstrap } from './bootstrap.ts'
import { keepPresence } from './presence.ts'
import type { Registry } from './registry/registry.ts'

let inside: Inside
const ends: (() => Promise<void>)[] = []
beforeEach(async () => {
  inside = await openInside()
  await bootstrap(inside.registry, { port: 6443, clusterIP: inside.allocators.firstIP })
  // What is known of these kinds is read from disk at the first one, which takes real time.
  await inside.make('leases.coordination.k8s.io', kit.lease({}))
  await inside.make('endpointslices.discovery.k8s.io', kit.endpointSlice({}))
  await inside.make('endpoints', kit.endpoints({}))
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await inside.close()
})

/** @returns the way to stop in order, and the way to die */
function start(address: string) {
  const { store, registry, clock } = inside
  const stopping = new AbortController()
  const line = { cut: false }
  const own = { address, port: 6443 }
  /** A dead hub does nothing any more. */
  const alive = <R>(act: () => Promise<R>): Promise<R> => (line.cut ? new Promise<R>(() => {}) : act())
  const limbs: Registry = {
    ...registry,
    create: (...args) => alive(() => registry.create(...args)),
    update: (...args) => alive(() => registry.update(...args)),
    remove: (...args) => alive(() => registry.remove(...args)),
  }
  const running = keepPresence({ store, registry: limbs, clock, log: silentLog, own }, stopping.signal)
  const stop = async (): Promise<void> => {
    stopping.abort()
    await running
  }
  ends.push(() => (line.cut ? Promise.resolve() : stop()))
  return { stop, die: () => void (line.cut = true) }
}

/** Time goes by in steps, in each of which whoever has something to write has written it. */
async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 1_000) {
    await inside.clock.advance(1_000)
    await inside.calm()
  }
}

const led = () =>
  (inside.get('endpointslices.discovery.k8s.io', 'kubernetes', 'default') as EndpointSlice | undefined)?.endpoints?.map((e) => e.addresses[0])

test('the service leads to the hubs that are there, and to one that died no longer than its lease', async () => {
  const a = start('198.18.0.10')
  await inside.calm()
  expect(led()).toEqual(['198.18.0.10'])
  start('198.18.0.11')
  await inside.calm()
  expect(led()).toEqual(['198.18.0.10', '198.18.0.11'])
  await pass(60_000)
  expect(led()).toEqual(['198.18.0.10', '198.18.0.11'])
  a.die()
  await pass(20_000)
  expect(led()).toEqual(['198.18.0.10', '198.18.0.11'])
  await pass(30_000)
  await inside.calm()
  expect(led()).toEqual(['198.18.0.11'])
})

test('a hub that stops in order is left out at once', async () => {
  start('198.18.0.10')
  await inside.calm()
  const b = start('198.18.0.11')
  await inside.calm()
  await b.stop()
  expect(led()).toEqual(['198.18.0.10'])
  expect(inside.get('leases.coordination.k8s.io', 'wherry-hub-198.18.0.11-6443', 'kube-system')).toBeUndefined()
})
