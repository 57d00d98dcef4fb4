/**
 * The node authorizer: a node reads what its pods need, and writes what it alone knows: its Node, its Lease, its pods' status
 * and events. Whoever stole one node's key has that node, and not the cluster.
 */
import type { Pod } from '../../api/objects.ts'
import type { Store } from '../store/store.ts'
import type { User, Wish } from './auth.ts'
import { nodeOf, type Verdict } from './authorize.ts'
import { namedKinds, podNames, type Named } from './node-scope.ts'

/** Where the Leases of nodes are. */
export const leaseNamespace = 'kube-node-lease'

const reads: readonly string[] = ['get', 'list', 'watch']
const changes: readonly string[] = ['update', 'patch']

/** What every node may do with a whole kind. */
const free: ReadonlyMap<string, readonly string[]> = new Map([
  ['services', reads],
  ['endpointslices.discovery.k8s.io', reads],
  ['events', ['create', ...changes]],
  ['events.events.k8s.io', ['create', ...changes]],
  ['certificatesigningrequests.certificates.k8s.io', ['create', ...reads]],
  ['tokenreviews.authentication.k8s.io', ['create']],
  ['subjectaccessreviews.authorization.k8s.io', ['create']],
])

/** @returns the verdict on a node's wish, or undefined where the user is no node */
export function createNodeAuthorizer(store: Pick<Store, 'get' | 'list'>): (user: User, wish: Wish) => Verdict | undefined {
  return (user, wish) => {
    const node = nodeOf(user)
    if (node === undefined || wish.resource === undefined) return undefined
    if (!wish.subresource && free.get(wish.resource)?.includes(wish.verb)) return yes
    if (namedKinds.includes(wish.resource)) return named(store, node, wish)
    if (wish.resource === 'nodes') return ownNode(node, wish)
    if (wish.resource === 'pods') return ownPods(store, node, wish)
    if (wish.resource === 'leases.coordination.k8s.io') return ownLease(node, wish)
    return undefined
  }
}

const yes: Verdict = { allowed: true, why: 'a node may do this' }
const no = (why: string): Verdict => ({ allowed: false, why })

/** One object at a time, by its name; of service accounts, tokens for its pods as well. */
function named(store: Pick<Store, 'list'>, node: string, { verb, resource, subresource, namespace, name }: Wish): Verdict {
  const token = resource === 'serviceaccounts' && subresource === 'token' && verb === 'create'
  const reading = !subresource && reads.includes(verb) && (verb === 'get' || (resource !== 'persistentvolumeclaims' && resource !== 'serviceaccounts'))
  if (!token && !reading) return no(`a node may only read ${resource}`)
  if (!namespace || !name) return no(`a node may read ${resource} one by one, by their names`)
  if (podNames(store, node, { kind: resource as Named, namespace, name })) return yes
  return no(`no relationship found between node '${node}' and this object`)
}

function ownNode(node: string, { verb, subresource, name }: Wish): Verdict {
  if (verb === 'create' && !subresource) return yes
  const known = (reads.includes(verb) && !subresource) || (changes.includes(verb) && (!subresource || subresource === 'status'))
  if (!known) return no('a node may not do this to nodes')
  return name === node ? yes : no(`node '${node}' may only speak of itself`)
}

function ownPods(store: Pick<Store, 'get'>, node: string, { verb, subresource, namespace, name, fieldSelector }: Wish): Verdict {
  const collection = !subresource && (verb === 'list' || verb === 'watch')
  const own = collection && (fieldSelector ?? '').split(',').some((term) => term === `spec.nodeName=${node}` || term === `spec.nodeName==${node}`)
  if (own) return yes
  const single =
    (!subresource && (reads.includes(verb) || verb === 'delete')) ||
    (subresource === 'status' && changes.includes(verb)) ||
    (subresource === 'eviction' && verb === 'create')
  if (!single) return no('a node may not do this to pods')
  if (!namespace || !name) return no(`a node may list and watch the pods that are bound to it: fieldSelector spec.nodeName=${node}`)
  const pod = store.get({ resource: 'pods', namespace, name }) as Pod | undefined
  return pod?.spec?.nodeName === node ? yes : no(`no relationship found between node '${node}' and this object`)
}

function ownLease(node: string, { verb, subresource, namespace, name }: Wish): Verdict {
  if (subresource || namespace !== leaseNamespace) return no(`a node has its Lease in the namespace ${leaseNamespace}`)
  if (verb === 'create') return yes
  const known = verb === 'get' || verb === 'delete' || changes.includes(verb)
  return known && name === node ? yes : no(`node '${node}' may only keep its own Lease`)
}
