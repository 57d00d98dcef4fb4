/**
 * What the agent knows of the cluster: the objects that the hub sent, by kind. Unknown is not empty: nothing is told to
 * anybody before the first `sync` marker, and a `reset` keeps the old objects until the `sync` that ends it.
 */
import { agentResources, type AgentResource, type StreamFrame } from '../../api/frames.ts'
import { keyOf, type EndpointSlice, type KubeObject, type Node, type Pod, type Service } from '../../api/objects.ts'
import { edited } from './edits.ts'
import { createTrim } from './trim.ts'

interface Kinds {
  nodes: Node
  services: Service
  'endpointslices.discovery.k8s.io': EndpointSlice
  pods: Pod
}

/** The objects that changed up to a `sync`, with their state before and after it. */
export interface Changed<R extends AgentResource = AgentResource> {
  readonly resource: R
  readonly key: string
  readonly before: Kinds[R] | undefined
  readonly after: Kinds[R] | undefined
}

/** What one `sync` marker completed. */
export interface Batch {
  readonly revision: number
  /** True for the first `sync` of this process: everything is news. */
  readonly first: boolean
  readonly changes: readonly Changed[]
}

export interface Tables {
  /** Takes one frame of the hub's stream; gives a batch when the frame was a `sync`. @throws StateError for edits of what is not held */
  take(frame: StreamFrame): Batch | undefined
  /** The last revision that is held in full: what `hello` resumes from. Undefined before the first sync and within a reset. */
  revision(): number | undefined
  get<R extends AgentResource>(resource: R, key: string): Kinds[R] | undefined
  all<R extends AgentResource>(resource: R): ReadonlyMap<string, Kinds[R]>
}

interface Table {
  readonly held: Map<string, KubeObject>
  /** State before the current batch of everything that the batch touched. */
  readonly touched: Map<string, KubeObject | undefined>
  /** During a reset: what has been named again. */
  readonly named: Set<string>
}

export function createTables(): Tables {
  const trim = createTrim()
  const tables = new Map(agentResources.map((resource): [AgentResource, Table] => [resource, { held: new Map(), touched: new Map(), named: new Set() }]))
  /** Some of what is held may be gone. */
  let isReset = false
  let revision: number | undefined
  let synced = false

  const put = (resource: AgentResource, key: string, after: KubeObject | undefined): void => {
    const { held, touched, named } = tables.get(resource)!
    // Before the first sync all is news.
    if (synced && !touched.has(key)) touched.set(key, held.get(key))
    if (after) held.set(key, after)
    else held.delete(key)
    if (!isReset) return
    if (after) named.add(key)
    else named.delete(key)
  }

  const finish = (at: number): Batch => {
    if (isReset) {
      for (const [resource, { held, named }] of tables) {
        for (const key of held.keys()) if (!named.has(key)) put(resource, key, undefined)
        named.clear()
      }
      isReset = false
    }
    const changes: Changed[] = []
    for (const [resource, { held, touched }] of tables) {
      if (!synced) for (const [key, after] of held) changes.push({ resource, key, before: undefined, after } as Changed)
      for (const [key, before] of touched) {
        const after = held.get(key)
        const same = before?.metadata.uid === after?.metadata.uid && before?.metadata.resourceVersion === after?.metadata.resourceVersion
        if (!same) changes.push({ resource, key, before, after } as Changed)
      }
      touched.clear()
    }
    const first = !synced
    synced = true
    revision = at
    return { revision: at, first, changes }
  }

  return {
    take(frame) {
      switch (frame.kind) {
        case 'set':
          put(frame.resource, keyOf(frame.object), trim(frame.resource, frame.object))
          return undefined
        case 'endpoints': {
          const resource = 'endpointslices.discovery.k8s.io'
          put(resource, frame.key, edited(tables.get(resource)!.held.get(frame.key), frame, trim))
          return undefined
        }
        case 'delete':
          put(frame.resource, frame.key, undefined)
          return undefined
        case 'reset':
          isReset = false
          for (const { held, named } of tables.values()) {
            named.clear()
            isReset ||= held.size > 0
          }
          revision = undefined
          return undefined
        case 'sync':
          return finish(frame.revision)
      }
    },
    revision: () => revision,
    get: <R extends AgentResource>(resource: R, key: string) => tables.get(resource)!.held.get(key) as Kinds[R] | undefined,
    all: <R extends AgentResource>(resource: R) => tables.get(resource)!.held as unknown as ReadonlyMap<string, Kinds[R]>,
  }
}
