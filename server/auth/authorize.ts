/** What each user may do. Few kinds of users make a policy language superfluous. */
import { hubPaths } from '../../api/hub.ts'
import { groups, proxyName, type User, type Wish } from './auth.ts'
import { nodeUserPrefix } from './node-certificate.ts'

export interface Verdict {
  readonly allowed: boolean
  /** For the log. */
  readonly why: string
}

const openPaths: readonly string[] = ['/version', '/healthz', '/livez', '/readyz']
const reading: readonly string[] = ['get', 'head']
const posting: readonly string[] = ['create', 'post']

/** What a service proxy may do, as in Kubernetes' role `system:node-proxier`: follow what it programs, and say how it goes. */
const proxying: ReadonlyMap<string, readonly string[]> = new Map([
  ['services', ['get', 'list', 'watch']],
  ['endpoints', ['get', 'list', 'watch']],
  ['endpointslices.discovery.k8s.io', ['get', 'list', 'watch']],
  ['nodes', ['get', 'list', 'watch']],
  ['events', ['create', 'patch', 'update']],
])
/** Where clients ask what there is. */
const discovery = /^\/(api|apis|openapi)(\/|$)/

export function mayDo(user: User, wish: Wish): Verdict {
  if (user.groups.includes(groups.admins)) return yes('an administrator may do everything')
  if (wish.resource === undefined) {
    if (openPaths.includes(wish.path) && reading.includes(wish.verb)) return yes('everybody may ask for version and health')
    if (wish.path === hubPaths.join && posting.includes(wish.verb)) return yes('everybody may ask to join; the token decides')
    if (wish.path === hubPaths.agent) return mayConnect(user, wish)
  }
  if (isProxy(user)) return mayProxy(wish)
  return no(`only members of ${groups.admins} may use the API`)
}

/** Whether a user is a service proxy that follows this hub from outside. */
function isProxy({ name, groups: of }: User): boolean {
  return name === proxyName || of.includes(proxyName) || of.includes(groups.proxies)
}

function mayProxy({ verb, path, resource, subresource }: Wish): Verdict {
  if (resource === undefined)
    return discovery.test(path) && reading.includes(verb) ? yes('a proxy may ask what is served') : no('a proxy may only ask what is served')
  if (subresource === undefined && proxying.get(resource)?.includes(verb)) return yes('a proxy may follow what it programs')
  return no(`a proxy may read ${[...proxying.keys()].filter((r) => r !== 'events').join(', ')} and write events`)
}

/** The agent's socket, each node its own. */
function mayConnect(user: User, { verb, name }: Wish): Verdict {
  const node = nodeOf(user)
  if (node === undefined) return no(`only nodes may use the agents' socket`)
  if (!reading.includes(verb)) return no(`the agents' socket is opened with GET`)
  if (name !== undefined && name !== node) return no(`node ${node} may not speak for node ${name}`)
  return yes('a node may speak for itself')
}

/** The name of the node that this user is, or undefined for people. */
export function nodeOf(user: User): string | undefined {
  if (!user.groups.includes(groups.nodes) || !user.name.startsWith(nodeUserPrefix)) return undefined
  return user.name.slice(nodeUserPrefix.length) || undefined
}

const yes = (why: string): Verdict => ({ allowed: true, why })
const no = (why: string): Verdict => ({ allowed: false, why })
