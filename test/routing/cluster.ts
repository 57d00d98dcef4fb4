/** What an API would hold: the objects of one behaviour, and the frames by which a node hears of their changes. */
import type { AgentResource, StreamFrame } from '../../api/frames.ts'
import type { KubeObject } from '../../api/objects.ts'
import { node } from './objects.ts'

const resources: Readonly<Record<string, AgentResource>> = { Service: 'services', EndpointSlice: 'endpointslices.discovery.k8s.io', Node: 'nodes' }

export interface Cluster {
  /** Frames of these changes, with a `sync` behind them. */
  change(objects: readonly object[], removed?: readonly string[]): readonly StreamFrame[]
  /** As `change`, for everything that was applied and not removed; the node is without a zone afterwards. */
  removeAll(): readonly StreamFrame[]
  /** Everything, as a node hears of it that has just started. */
  all(): readonly StreamFrame[]
  /** Of the last change. */
  revision(): number
}

export function createCluster(): Cluster {
  /** By resource and key. */
  const held = new Map<string, { readonly resource: AgentResource; readonly object: KubeObject }>()
  let revision = 0
  const sync = (): StreamFrame => ({ kind: 'sync', revision })
  const set = (given: object): StreamFrame => {
    const draft = given as KubeObject
    const resource = resources[draft.kind]!
    const object: KubeObject = { ...draft, metadata: { ...draft.metadata, resourceVersion: String(++revision) } }
    held.set(`${resource} ${keyOf(draft.metadata)}`, { resource, object })
    return { kind: 'set', resource, revision, object }
  }
  const remove = (text: string): StreamFrame => {
    const [kind = '', name = ''] = text.split(' ')
    const resource = resources[kind]!
    const key = name.includes('/') ? name : `default/${name}`
    if (!held.delete(`${resource} ${key}`)) throw new TypeError(`${text} was to be removed, but is not there`)
    return { kind: 'delete', resource, revision: ++revision, key }
  }
  const change: Cluster['change'] = (objects, removed = []) => [...removed.map(remove), ...objects.map(set), sync()]
  return {
    change,
    removeAll: () => change([node()], [...held.values()].flatMap(({ object: { kind, metadata } }) => (kind === 'Node' ? [] : `${kind} ${keyOf(metadata)}`))),
    all: () => [{ kind: 'reset' }, ...[...held.values()].map(({ resource, object }): StreamFrame => ({ kind: 'set', resource, revision, object })), sync()],
    revision: () => revision,
  }
}

function keyOf({ namespace, name }: { readonly namespace?: string | undefined; readonly name: string }): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}
