/** The end of a definition: its objects go first. Pure. */
import type { CustomResourceDefinition, KubeObject } from '../../api/objects.ts'
import { withConditions } from './names.ts'

/** Holds a definition until no object of its kind is left. */
export const cleanup = 'customresourcecleanup.apiextensions.k8s.io'

/** A definition as it is when its deletion was asked for. @param now RFC 3339 */
export function markedDefinition(crd: CustomResourceDefinition, now: string): KubeObject {
  const { metadata, status } = crd
  const { generation } = metadata
  const conditions = withConditions(status?.conditions ?? [], [terminating('InstanceDeletionPending')], now)
  const finalizers = [...new Set([...(metadata.finalizers ?? []), cleanup])]
  const next = { ...metadata, finalizers, deletionTimestamp: now, deletionGracePeriodSeconds: 0, ...(generation !== undefined && { generation: generation + 1 }) }
  return { ...crd, metadata: next, status: { ...status, conditions } } as unknown as KubeObject
}

const words = {
  InstanceDeletionPending: ['True', 'CustomResourceDefinition marked for deletion; CustomResource deletion will occur as soon as possible'],
  InstanceDeletionInProgress: ['True', 'CustomResource deletion is in progress'],
  InstanceDeletionCompleted: ['False', 'removed all instances'],
} as const

/** The condition that tells how far it is. */
export function terminating(reason: keyof typeof words): { readonly type: 'Terminating'; readonly status: string; readonly reason: string; readonly message: string } {
  const [status, message] = words[reason]
  return { type: 'Terminating', status, reason, message }
}
