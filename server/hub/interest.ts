/** Which changes an agent is sent. Pure. */
import { agentResources, type AgentResource } from '../../api/frames.ts'
import type { KubeObject, Pod } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'
import type { Change } from '../store/store.ts'

const kinds: ReadonlySet<Resource> = new Set(agentResources)

/** A change of a kind that agents are sent. */
export type AgentChange = Change & { readonly resource: AgentResource }

export function isAgentChange(change: Change): change is AgentChange {
  return kinds.has(change.resource)
}

/**
 * What a change is for the agent of this node. Everybody gets nodes, services and EndpointSlices; a pod goes to its own node
 * alone, so one that is bound is new there, and one that leaves is gone.
 */
export function wanted(node: string, change: Omit<Change, 'revision'>): 'set' | 'delete' | 'none' {
  if (!kinds.has(change.resource)) return 'none'
  const gone = change.type === 'DELETED'
  if (change.resource !== 'pods') return gone ? 'delete' : 'set'
  const here = isOn(node, change.object)
  if (here && !gone) return 'set'
  return here || (change.previous && isOn(node, change.previous)) ? 'delete' : 'none'
}

const isOn = (node: string, object: KubeObject): boolean => (object as Pod).spec?.nodeName === node
