/**
 * The Kubernetes API as a source of the hub's frames: services, EndpointSlices and this node, followed side by side. The
 * first `sync` comes when all three were listed; from then on one after each piece of news.
 */
import type { Clock } from '../../../api/clock.ts'
import type { DeleteFrame, SetFrame, SyncFrame } from '../../../api/frames.ts'
import type { Log } from '../../../api/log.ts'
import type { ApiClient } from './client.ts'
import { createReflector, type Followed, type ReflectorBounds } from './reflector.ts'

export type SourceFrame = SetFrame | DeleteFrame | SyncFrame

export interface SourceDeps {
  readonly client: ApiClient
  /** The name of this node. */
  readonly node: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** May throw for a `set` whose object it cannot read; that object is left out. */
  readonly onFrame: (frame: SourceFrame) => void
  readonly bounds?: ReflectorBounds
}

export interface Source {
  /** Runs until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>
}

/** Headless services, and those that asked for another proxy, are none of ours; their slices carry the same labels. */
const labelSelector = '!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name'

export const followed = (node: string): readonly Followed[] => [
  { resource: 'services', path: '/api/v1/services', selectors: { labelSelector } },
  { resource: 'endpointslices.discovery.k8s.io', path: '/apis/discovery.k8s.io/v1/endpointslices', selectors: { labelSelector } },
  { resource: 'nodes', path: '/api/v1/nodes', selectors: { fieldSelector: `metadata.name=${node}` } },
]

export function createSource(deps: SourceDeps): Source {
  const { onFrame } = deps
  const revisions = createRevisions()
  const unlisted = new Set<string>()
  /** Something was told since the last `sync`. */
  let news = true

  const reflectors = followed(deps.node).map((one) => {
    const { resource } = one
    unlisted.add(resource)
    return createReflector({
      ...deps,
      followed: one,
      log: deps.log.with({ resource }),
      onChange(told) {
        news = true
        if (told.kind === 'set') onFrame({ kind: 'set', resource, revision: revisions.at(told.object.metadata.resourceVersion), object: told.object })
        else onFrame({ kind: 'delete', resource, revision: revisions.at(told.resourceVersion), key: told.key })
      },
      onSettled(resourceVersion) {
        const revision = revisions.at(resourceVersion)
        unlisted.delete(resource)
        if (unlisted.size > 0 || !news) return
        news = false
        onFrame({ kind: 'sync', revision })
      },
    })
  })
  return {
    async run(signal) {
      await Promise.all(reflectors.map((reflector) => reflector.run(signal)))
    },
  }
}

/**
 * Revisions as numbers that only go forward. A resourceVersion is opaque by the letter of the API; where it is a number, as
 * it is everywhere, people find it again in the log.
 */
function createRevisions(): { at(resourceVersion: string): number } {
  let last = 0
  return {
    at(resourceVersion) {
      const number = /^\d+$/.test(resourceVersion) ? Number(resourceVersion) : undefined
      last = number === undefined ? last + 1 : Math.max(last, number)
      return Number.isSafeInteger(last) ? last : (last = 1)
    },
  }
}
