/** What each user may do before any role is looked at: the hub's own doors, and the administrators. Roles are in `server/rbac`. */
import { hubPaths } from '../../api/hub.ts'
import { groups, type User, type Wish } from './auth.ts'
import { nodeUserPrefix } from './node-certificate.ts'

export interface Verdict {
  readonly allowed: boolean
  /** For the log. */
  readonly why: string
}

const openPaths: readonly string[] = ['/version', '/healthz', '/livez', '/readyz']
const reading: readonly string[] = ['get', 'head']
const posting: readonly string[] = ['create', 'post']

/** What holds whatever roles say. A refusal has a reason only where no role could help. */
export function mayDo(user: User, wish: Wish): Verdict {
  if (user.groups.includes(groups.admins)) return yes('an administrator may do everything')
  if (wish.resource === undefined) {
    if (openPaths.includes(wish.path) && reading.includes(wish.verb)) return yes('everybody may ask for version and health')
    if (wish.path === hubPaths.join && posting.includes(wish.verb)) return yes('everybody may ask to join; the token decides')
    if (wish.path === hubPaths.agent) return mayConnect(user, wish)
  }
  return no('')
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
