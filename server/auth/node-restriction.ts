/** What a node may write into the objects that it may write: nothing by which it could draw other nodes' work to itself. */
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import type { Check, Intent } from '../rbac/guard.ts'
import { nodeOf } from './authorize.ts'
import { splitResource } from '../rbac/rules.ts'
import { leaseNamespace } from './node-authorize.ts'

type Labels = Readonly<Record<string, string>>

/** Labels in Kubernetes' own domains that a node may give itself, as kubelet's. */
const ownLabels: ReadonlySet<string> = new Set([
  ...['hostname', 'arch', 'os'].map((word) => `kubernetes.io/${word}`),
  ...['arch', 'os', 'instance-type'].map((word) => `beta.kubernetes.io/${word}`),
  ...['zone', 'region'].flatMap((word) => [`topology.kubernetes.io/${word}`, `failure-domain.beta.kubernetes.io/${word}`, `failure-domain.kubernetes.io/${word}`]),
  'node.kubernetes.io/instance-type',
])
const ownPrefixes: readonly string[] = ['kubelet.kubernetes.io/', 'node.kubernetes.io/']

/** Of labels that a node wants to give itself, those that only others may give it. */
export function foreignLabels(labels: Labels): readonly string[] {
  return Object.keys(labels).filter((key) => {
    const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : ''
    const reserved = ['kubernetes.io', 'k8s.io'].some((of) => domain === of || domain.endsWith(`.${of}`))
    return reserved && !ownLabels.has(key) && !ownPrefixes.some((prefix) => key.startsWith(prefix))
  })
}

/** Refuses with Forbidden what a node may not write. Others are not looked at. */
export const nodeRestriction: Check = (user, intent) => {
  const node = nodeOf(user)
  if (node === undefined || !intent.draft) return undefined
  const { resource } = intent.ref
  if (resource === 'nodes') checkNode(node, intent)
  if (resource === 'leases.coordination.k8s.io' && (nameOf(intent) !== node || intent.ref.namespace !== leaseNamespace))
    throw refusal(intent, `node '${node}' can only keep the Lease of its own name`)
  return undefined
}

function checkNode(node: string, intent: Intent): void {
  const { draft = {}, current } = intent
  if (nameOf(intent) !== node) throw refusal(intent, `node '${node}' cannot write another node`)
  if (intent.subresource) return
  const labels = labelsIn(draft['metadata'])
  const held = labelsIn(current?.metadata)
  const changed = [...new Set([...Object.keys(labels), ...Object.keys(held)])].filter((key) => labels[key] !== held[key])
  const foreign = foreignLabels(Object.fromEntries(changed.map((key) => [key, ''])))
  if (foreign.length > 0) throw refusal(intent, `a node cannot change these labels of itself: ${foreign.join(', ')}`)
  // When it is made, a node may say that it is not ready for work; later others decide.
  if (current && !isDeepStrictEqual(taintsOf(current.spec), taintsOf(draft['spec']))) throw refusal(intent, 'a node cannot change its own taints')
}

const nameOf = ({ ref, draft }: Intent): unknown => ref.name || (draft?.['metadata'] as { readonly name?: unknown } | undefined)?.name
const labelsIn = (metadata: unknown): Labels => ((metadata ?? {}) as { readonly labels?: Labels }).labels ?? {}
const taintsOf = (spec: KubeObject['spec']): unknown => ((spec ?? {}) as { readonly taints?: unknown }).taints ?? []

function refusal({ ref }: Intent, why: string): StatusError {
  const { plural, group } = splitResource(ref.resource)
  return new StatusError('Forbidden', `${ref.resource} ${JSON.stringify(ref.name)} is forbidden: ${why}`, { name: ref.name, ...(group && { group }), kind: plural })
}
