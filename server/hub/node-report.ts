/** A node's word about itself: its Node (core/v1) and its Lease (coordination/v1). */
import { rfc3339, type Clock } from '../../api/clock.ts'
import type { NodeReport } from '../../api/frames.ts'
import type { Lease, Node } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import { foreignLabels } from '../auth/node-restriction.ts'
import type { Draft, Registry } from '../registry/registry.ts'
import type { Ref, Store } from '../store/store.ts'
import { withConditions } from './conditions.ts'
import { HubError } from './error.ts'

export interface NodeKeeperDeps {
  readonly store: Store
  readonly registry: Registry
  readonly clock: Clock
}

type OwnReport = Extract<NodeReport, { kind: 'node' }>

export interface NodeKeeper {
  /**
   * Makes the Node with these labels, or updates the status of the one that is there.
   * @throws HubError LINK_REFUSED where another node has its address; StatusError
   */
  node(name: string, report: OwnReport): Promise<void>
  /** Renews the node's Lease, which is made if it is absent. @throws StatusError */
  lease(name: string): Promise<void>
}

/** As kubelet's. */
const leaseSeconds = 40

export function createNodeKeeper(deps: NodeKeeperDeps): NodeKeeper {
  const { store, registry } = deps
  // Who has which address is looked up and then written: one node at a time.
  let last: Promise<unknown> = Promise.resolve()

  const lease = (name: string): Promise<void> => renew(deps, name)
  const write = async (name: string, report: OwnReport): Promise<void> => {
    const conflict = sharedAddress(store, name, report.status)
    if (conflict) throw refusal(name, conflict)
    const ref = { resource: 'nodes', namespace: '', name } as const
    if (!store.get(ref)) {
      const { labels, status } = report
      const foreign = foreignLabels(labels)
      if (foreign.length > 0) throw new StatusError('Forbidden', `node ${name} may not give itself the labels ${foreign.join(', ')}`)
      await registry.create(ref, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, status })
      return lease(name)
    }
    // First the Lease: a node that is told to be ready while its Lease is old would be taken for lost again at once.
    await lease(name)
    const wish = (current: Node): Draft => ({ ...current, status: withConditions(report.status, current.status) })
    await registry.update(ref, (current) => wish(current as Node), { subresource: 'status' })
  }

  return {
    lease,
    node(name, report) {
      const done = last.then(() => write(name, report))
      last = done.catch(() => undefined)
      return done
    },
  }
}

interface SharedAddress {
  readonly address: string
  readonly other: string
}

/** Another Node with an InternalIP of this one. */
function sharedAddress(store: Store, name: string, status: Node['status']): SharedAddress | undefined {
  const own = new Set(internal(status))
  for (const other of store.list('nodes') as readonly Node[]) {
    if (other.metadata.name === name) continue
    const address = internal(other.status).find((a) => own.has(a))
    if (address !== undefined) return { address, other: other.metadata.name }
  }
  return undefined
}

const internal = (status: Node['status']): readonly string[] =>
  (status?.addresses ?? []).filter((a) => a.type === 'InternalIP').map((a) => a.address)

/** The short sentence comes first: what a close frame has no room for is the advice. */
function refusal(name: string, { address, other }: SharedAddress): HubError {
  const advice = `give one of them another address, or delete the Node ${other} if it is gone`
  return new HubError('LINK_REFUSED', `node ${name} has the address ${address} of node ${other}: ${advice}`)
}

async function renew({ store, registry, clock }: NodeKeeperDeps, name: string): Promise<void> {
  const ref: Ref = { resource: 'leases.coordination.k8s.io', namespace: 'kube-node-lease', name }
  const node = store.get({ resource: 'nodes', namespace: '', name })
  // With its owner, so that it goes when the Node goes.
  const owners = node && [{ apiVersion: 'v1', kind: 'Node', name, uid: node.metadata.uid }]
  const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime: microTime(clock.now()) }
  const metadata = { name, namespace: ref.namespace, ...(owners && { ownerReferences: owners }) }
  const renewed = (current: Lease): Draft => ({
    ...current,
    metadata: { ...current.metadata, ...(owners && { ownerReferences: owners }) },
    spec: { ...current.spec, ...spec },
  })
  try {
    await registry.update(ref, (current) => renewed(current as Lease))
  } catch (e) {
    if (!(e instanceof StatusError && e.status.reason === 'NotFound')) throw e
    await registry.create(ref, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec })
  }
}

/** meta/v1 MicroTime: RFC 3339 with six digits of a second. */
function microTime(ms: number): string {
  return rfc3339(ms).replace('Z', `.${String(Math.floor(ms) % 1000).padStart(3, '0')}000Z`)
}
