/**
 * Which hubs of one store are there: each renews a Lease (coordination.k8s.io/v1) in kube-system, and all of them see to it that the
 * service `kubernetes` leads to those that do. So pods reach the API as long as one hub is left.
 */
import { sleep, type Clock } from '../api/clock.ts'
import { errorKeys, type Log } from '../api/log.ts'
import type { Lease } from '../api/objects.ts'
import { isReachable, leadTo, type HubAddress } from './bootstrap.ts'
import type { Registry } from './registry/registry.ts'
import type { Ref, Store } from './store/store.ts'

export interface PresenceDeps {
  readonly store: Store
  readonly registry: Registry
  readonly clock: Clock
  readonly log: Log
  /** Where this hub is reached. */
  readonly own: HubAddress
}

const prefix = 'wherry-hub-'
const times = { renewMs: 10_000, goneMs: 30_000 } as const

const refOf = (name: string): Ref => ({ resource: 'leases.coordination.k8s.io', namespace: 'kube-system', name })
const urlOf = ({ address, port }: HubAddress): string => `https://${address.includes(':') ? `[${address}]` : address}:${port}`

/**
 * How a hub tells agents which of the hubs of one store it is: the URL to which the service `kubernetes` leads, so that agents who
 * find it there know it, or a name of its own where the service cannot lead to it.
 */
export function hubName(own: HubAddress, uuid: () => string): string {
  return isReachable(own) ? new URL(urlOf(own)).origin : `hub ${uuid()}`
}

const nameOf = ({ address, port }: HubAddress): string => `${prefix}${address.replaceAll(':', '-')}-${port}`

/** Runs until the signal aborts; resolves when the service leads to the others alone. */
export async function keepPresence(deps: PresenceDeps, signal: AbortSignal): Promise<void> {
  const { store, registry, clock, log, own } = deps
  /** Each Lease as it was seen last, and when that was by our own clock: those of other machines may differ. */
  const seen = new Map<string, { readonly version: string; readonly at: number }>()

  const leases = (): readonly Lease[] =>
    (store.list('leases.coordination.k8s.io', 'kube-system') as readonly Lease[]).filter((lease) => lease.metadata.name.startsWith(prefix))

  const isThere = ({ metadata: { name, resourceVersion } }: Lease): boolean => {
    const last = seen.get(name)
    if (last?.version !== resourceVersion) seen.set(name, { version: resourceVersion, at: clock.now() })
    return clock.now() - seen.get(name)!.at < times.goneMs
  }
  const turn = async (): Promise<void> => {
    await renew(deps)
    const there = leases().filter(isThere)
    for (const lease of leases()) if (!there.includes(lease)) await forget(lease.metadata.name)
    await leadTo(store, registry, there.flatMap(addressOf))
  }
  const forget = async (name: string): Promise<void> => {
    log.info('a hub is gone', { hub: name })
    seen.delete(name)
    if (store.get(refOf(name))) await registry.remove(refOf(name))
  }
  const attempt = (work: Promise<void>): Promise<void> => work.catch((e: unknown) => log.warn('the presence of hubs could not be written', errorKeys(e)))

  while (!signal.aborted) {
    await attempt(turn())
    await sleep(clock, times.renewMs, signal).catch(() => undefined)
  }
  const others = leases().filter((lease) => lease.metadata.name !== nameOf(own) && isThere(lease))
  await attempt(forget(nameOf(own)).then(() => leadTo(store, registry, others.flatMap(addressOf))))
}

async function renew({ store, registry, clock, own }: PresenceDeps): Promise<void> {
  const ref = refOf(nameOf(own))
  const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z')
  const spec = { holderIdentity: urlOf(own), leaseDurationSeconds: times.goneMs / 1000, renewTime }
  if (store.get(ref)) await registry.update(ref, (lease) => ({ ...lease, spec }))
  else await registry.create(ref, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace: ref.namespace, name: ref.name }, spec })
}

function addressOf({ spec }: Lease): readonly HubAddress[] {
  const text = spec?.holderIdentity ?? ''
  if (!URL.canParse(text)) return []
  const { hostname, port } = new URL(text)
  return [{ address: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443) }]
}
