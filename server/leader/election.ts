/** Takes part in the election of the hub that runs the controllers. */
import { sleep, type Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { KubeObject, Lease } from '../../api/objects.ts'
import { conflict } from '../../api/status.ts'
import { kindOf } from '../../api/resources.ts'
import type { Registry } from '../registry/registry.ts'
import type { Fence, Ref, Store } from '../store/store.ts'

export interface ElectionDeps {
  readonly store: Store
  readonly registry: Registry
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly log: Log
  /** This hub's, different for each start of each hub. */
  readonly identity: string
  /** Starts what the leader runs; returns the way to stop it, which resolves when nothing is under way any more. */
  readonly lead: () => () => Promise<void>
}

export interface Election {
  /** Takes part until the signal aborts; resolves when everything has stopped and the Lease is given back. To be called once. */
  run(signal: AbortSignal): Promise<void>
  readonly leading: boolean
}

export const leaseRef: Ref = { resource: 'leases.coordination.k8s.io', namespace: 'kube-system', name: 'wherry-controllers' }

/** As kube-controller-manager has them. */
const times = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 } as const

const holderOf = (lease: KubeObject | undefined): string => (lease as Lease | undefined)?.spec?.holderIdentity ?? ''

/** What keeps a hub from writing as the leader when it is not. */
export function leaderFence(identity: string): Fence {
  return { ref: leaseRef, holds: (lease) => holderOf(lease) === identity }
}

/** coordination/v1 MicroTime. */
const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z')

export function createElection(deps: ElectionDeps): Election {
  const { store, clock, random, identity } = deps
  const log = deps.log.with({ room: 'leader', identity })
  /** The Lease as it was seen last, and when that was by our own clock. */
  let seen: { readonly version: string | undefined; readonly at: number } | undefined
  let reign: { readonly stop: () => Promise<void>; deadline: () => void } | undefined
  let stopping: Promise<void> = Promise.resolve()

  const abdicate = (why: string): void => {
    if (!reign) return
    log.warn('this hub leads no more', { why })
    reign.deadline()
    stopping = reign.stop()
    reign = undefined
  }
  const armed = (askedAt: number): (() => void) =>
    clock.after(Math.max(0, askedAt + times.renewMs - clock.now()), () => abdicate('the lease could not be renewed in time'))

  /** Takes or renews the Lease. @returns whether it is ours now */
  const claim = async (current: KubeObject | undefined): Promise<boolean> => {
    const askedAt = clock.now()
    const renewed = reign !== undefined
    await writeLease(deps, current, askedAt)
    if (renewed !== (reign !== undefined)) return false
    if (!reign) {
      await stopping
      log.info('this hub leads')
      reign = { stop: deps.lead(), deadline: () => {} }
    }
    reign.deadline()
    reign.deadline = armed(askedAt)
    return true
  }

  const turn = async (): Promise<void> => {
    const lease = store.get(leaseRef)
    const version = lease?.metadata.resourceVersion
    if (!seen || seen.version !== version) seen = { version, at: clock.now() }
    const holder = holderOf(lease)
    if (reign && holder !== identity) return abdicate(`the lease is held by ${holder || 'nobody'}`)
    const free = holder === '' || holder === identity || clock.now() >= seen.at + times.leaseMs
    if (!free) return
    try {
      await claim(lease)
    } catch (e) {
      log.debug('the lease was not to be had', errorKeys(e))
    }
  }

  return {
    get leading() {
      return reign !== undefined
    },
    async run(signal) {
      const news = createWaker()
      const unwatch = store.watch(store.revision, ({ resource, object }) => {
        if (resource !== leaseRef.resource || object.metadata.name !== leaseRef.name || object.metadata.namespace !== leaseRef.namespace) return
        const holder = holderOf(store.get(leaseRef))
        if (reign && holder !== identity) abdicate(`the lease is held by ${holder || 'nobody'}`)
        if (holder === '') news.wake()
      })
      while (!signal.aborted) {
        await turn()
        await news.wait(clock, times.retryMs * (0.9 + random() / 5), signal)
      }
      unwatch()
      const led = reign !== undefined
      abdicate('the hub stops')
      await stopping
      if (led) await release(deps).catch((e: unknown) => log.warn('the lease could not be given back', errorKeys(e)))
    },
  }
}

/** @throws StatusError Conflict where the Lease is not `current` any more */
async function writeLease({ registry, identity }: ElectionDeps, current: KubeObject | undefined, now: number): Promise<void> {
  const before = (current as Lease | undefined)?.spec ?? {}
  const own = before.holderIdentity === identity
  const spec = {
    holderIdentity: identity,
    leaseDurationSeconds: times.leaseMs / 1000,
    acquireTime: own ? before.acquireTime : microTime(now),
    renewTime: microTime(now),
    leaseTransitions: (before.leaseTransitions ?? 0) + (current && !own ? 1 : 0),
  }
  if (!current) {
    const { namespace, name } = leaseRef
    await registry.create(leaseRef, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name }, spec })
    return
  }
  await registry.update(leaseRef, (newest) => {
    if (newest.metadata.resourceVersion === current.metadata.resourceVersion) return { ...newest, spec }
    throw conflict(kindOf('leases.coordination.k8s.io'), leaseRef.name, 'another hub was faster')
  })
}

/** Nobody holds it any more, so that the next one need not wait until it has run out. */
async function release({ registry, identity }: ElectionDeps): Promise<void> {
  await registry.update(leaseRef, (lease) => {
    if (holderOf(lease) !== identity) return { ...lease }
    const { holderIdentity: _released, ...spec } = (lease as Lease).spec ?? {}
    return { ...lease, spec }
  })
}

/** A pause that can be cut short. */
function createWaker() {
  let wake = (): void => {}
  return {
    wake: () => wake(),
    async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
      const early = new AbortController()
      wake = () => early.abort()
      await sleep(clock, ms, AbortSignal.any([signal, early.signal])).catch(() => undefined)
    },
  }
}
