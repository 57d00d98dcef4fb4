/** Writes the default roles and bindings at every start: what is missing is added, what somebody added stays. */
import { isDeepStrictEqual } from 'node:util'
import type { ClusterRole, ClusterRoleBinding, KubeObject, Subject } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import type { Draft, Registry } from '../registry/registry.ts'
import { writingAs } from '../registry/writing.ts'
import type { Ref, Store } from '../store/store.ts'
import { defaultBindings, defaultRoles, type DefaultBinding, type DefaultRole } from './default-roles.ts'
import { beyond } from './rules.ts'

/** Whoever sets it to `false` on a role or binding keeps the hub from mending that one. */
export const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate'

const marks = { annotations: { [autoupdate]: 'true' }, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } }
const apiVersion = 'rbac.authorization.k8s.io/v1'

/** Any number of hubs may do so at once over one store: nothing is ever taken away, so they end at the same. */
export async function bootstrapPolicy(store: Store, given: Registry): Promise<void> {
  const registry = writingAs(given, 'wherry-bootstrap')
  await Promise.all(defaultRoles.map((role) => put(store, registry, roleRef(role.name), { fresh: newRole(role), mend: (c) => mendRole(role, c) })))
  await Promise.all(
    defaultBindings.map((b) => put(store, registry, bindingRef(b.role), { fresh: newBinding(b), mend: (c) => mendBinding(b, c) })),
  )
}

const roleRef = (name: string): Ref => ({ resource: 'clusterroles.rbac.authorization.k8s.io', namespace: '', name })
const bindingRef = (name: string): Ref => ({ resource: 'clusterrolebindings.rbac.authorization.k8s.io', namespace: '', name })

interface Forms {
  readonly fresh: Draft
  readonly mend: (current: KubeObject) => KubeObject
}

async function put(store: Store, registry: Registry, ref: Ref, { fresh, mend }: Forms): Promise<void> {
  const current = store.get(ref)
  if (!current) {
    try {
      await registry.create(ref, fresh)
      return
    } catch (e) {
      // Another hub over the same store was faster.
      if (!(e instanceof StatusError && e.status.reason === 'AlreadyExists')) throw e
    }
  }
  if (current && isDeepStrictEqual(mend(current), current)) return
  await registry.update(ref, (now) => ({ ...mend(now) }))
}

function newRole({ name, rules, labels, aggregates }: DefaultRole): Draft {
  const metadata = { name, annotations: marks.annotations, labels: { ...marks.labels, ...labels } }
  const aggregationRule = aggregates && { clusterRoleSelectors: [{ matchLabels: { [aggregates]: 'true' } }] }
  return { apiVersion, kind: 'ClusterRole', metadata, ...(aggregationRule ? { aggregationRule } : { rules }) }
}

function mendRole({ rules, aggregates }: DefaultRole, current: KubeObject): KubeObject {
  const role = current as unknown as ClusterRole
  // The rules of an aggregated role are its controller's to write.
  if (aggregates || isKept(current)) return current
  const missing = beyond(role.rules ?? [], rules)
  return missing.length === 0 ? current : ({ ...role, rules: [...(role.rules ?? []), ...missing] } as unknown as KubeObject)
}

function newBinding({ role, subjects }: DefaultBinding): Draft {
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role }
  return { apiVersion, kind: 'ClusterRoleBinding', metadata: { name: role, ...marks }, roleRef, subjects }
}

function mendBinding({ subjects }: DefaultBinding, current: KubeObject): KubeObject {
  const binding = current as unknown as ClusterRoleBinding
  if (isKept(current)) return current
  const held = binding.subjects ?? []
  const same = (a: Subject, b: Subject): boolean => a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '')
  const missing = subjects.filter((s) => !held.some((h) => same(s, h)))
  return missing.length === 0 ? current : ({ ...binding, subjects: [...held, ...missing] } as unknown as KubeObject)
}

const isKept = (object: KubeObject): boolean => object.metadata.annotations?.[autoupdate] === 'false'
