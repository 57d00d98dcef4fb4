/** What the roles and bindings in the store say about a user. */
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from '../../api/objects.ts'
import type { User, Wish } from '../auth/auth.ts'
import type { Verdict } from '../auth/authorize.ts'
import type { Store } from '../store/store.ts'
import { allows } from './rules.ts'

export interface Policy {
  /** Whether a role that is bound to the user allows the wish. */
  allows(user: User, wish: Wish): Verdict
  /** All rules that hold for a user in a namespace, or for the whole cluster where it is ''. */
  rulesFor(user: User, namespace: string): Granted
  /** The rules of a role, or undefined where there is no such role. `namespace` is that of the binding. */
  rulesOf(role: RoleRef, namespace: string): readonly PolicyRule[] | undefined
}

export interface Granted {
  readonly rules: readonly PolicyRule[]
  /** Roles that are bound and are not there. */
  readonly missing: readonly string[]
}

const accountPrefix = 'system:serviceaccount:'

/** The user as whom a service account appears. */
export const accountUser = (namespace: string, name: string): string => `${accountPrefix}${namespace}:${name}`

type Binding = ClusterRoleBinding | RoleBinding
/** Bindings by whom they name: `u:NAME` or `g:NAME`. */
type Index = ReadonlyMap<string, readonly Binding[]>

/** Reads the store at each question; an index of the bindings lives as long as the store's own list does. */
export function createPolicy(store: Pick<Store, 'get' | 'list'>): Policy {
  const clusterIndex = createIndex()
  const namespaceIndexes = new Map<string, ReturnType<typeof createIndex>>()
  const inNamespace = (namespace: string): Index => {
    const list = store.list('rolebindings.rbac.authorization.k8s.io', namespace) as unknown as readonly RoleBinding[]
    if (list.length === 0) {
      namespaceIndexes.delete(namespace)
      return new Map()
    }
    const index = namespaceIndexes.get(namespace) ?? createIndex()
    namespaceIndexes.set(namespace, index)
    return index(list)
  }
  const bindingsOf = function* (user: User, namespace: string): Generator<Binding> {
    const keys = [`u:${user.name}`, ...user.groups.map((g) => `g:${g}`)]
    const indexes = [clusterIndex(store.list('clusterrolebindings.rbac.authorization.k8s.io') as unknown as readonly ClusterRoleBinding[])]
    if (namespace !== '') indexes.push(inNamespace(namespace))
    for (const index of indexes) for (const key of keys) yield* index.get(key) ?? []
  }
  const rulesOf: Policy['rulesOf'] = ({ kind, name }, namespace) => {
    const role =
      kind === 'Role'
        ? store.get({ resource: 'roles.rbac.authorization.k8s.io', namespace, name })
        : store.get({ resource: 'clusterroles.rbac.authorization.k8s.io', namespace: '', name })
    return role && ((role as unknown as Role | ClusterRole).rules ?? [])
  }
  return {
    rulesOf,
    allows(user, wish) {
      for (const binding of bindingsOf(user, wish.resource === undefined ? '' : (wish.namespace ?? ''))) {
        const rules = rulesOf(binding.roleRef, binding.metadata.namespace ?? '') ?? []
        if (rules.some((rule) => allows(rule, wish))) return { allowed: true, why: `RBAC: allowed by ${named(binding)} of ${binding.roleRef.kind} "${binding.roleRef.name}"` }
      }
      return { allowed: false, why: '' }
    },
    rulesFor(user, namespace) {
      const rules: PolicyRule[] = []
      const missing: string[] = []
      for (const binding of new Set(bindingsOf(user, namespace))) {
        const found = rulesOf(binding.roleRef, binding.metadata.namespace ?? '')
        if (found) rules.push(...found)
        else missing.push(`${binding.roleRef.kind} "${binding.roleRef.name}" of ${named(binding)} not found`)
      }
      return { rules, missing }
    },
  }
}

function named({ kind, metadata: { name, namespace } }: Binding): string {
  return `${kind} "${namespace ? `${name}/${namespace}` : name}"`
}

/** The store gives the same list out until something in it changes. */
function createIndex(): (bindings: readonly Binding[]) => Index {
  let last: readonly Binding[] | undefined
  let index = new Map<string, Binding[]>()
  return (bindings) => {
    if (bindings === last) return index
    index = new Map()
    for (const binding of bindings) {
      for (const subject of binding.subjects ?? []) {
        const key = keyOfSubject(subject, binding.metadata.namespace)
        if (key === undefined) continue
        const held = index.get(key)
        if (held) held.push(binding)
        else index.set(key, [binding])
      }
    }
    last = bindings
    return index
  }
}

/** A service account without a namespace is one of the binding's. */
function keyOfSubject({ kind, name, namespace }: Subject, home: string | undefined): string | undefined {
  if (kind === 'User') return `u:${name}`
  if (kind === 'Group') return `g:${name}`
  const of = namespace || home
  return kind === 'ServiceAccount' && of ? `u:${accountUser(of, name)}` : undefined
}
