/** What a Deployment does to its ReplicaSets (apps/v1): makes, scales, numbers and forgets them, and tells how they are. */
import type { Deployment, KubeObject, PodTemplateSpec, ReplicaSet } from '../../api/objects.ts'
import type { Draft } from '../registry/registry.ts'
import { controllerOf, ownedBy, type ControllerDeps } from './controller.ts'
import { conditionsOf } from './deployment-status.ts'
import { fingerprint, recordEvent } from './event.ts'

const hashLabel = 'pod-template-hash'
const revisionAnnotation = 'deployment.kubernetes.io/revision'

export interface ReplicaSets {
  replicaSetsOf(d: Deployment): ReplicaSet[]
  /** The ReplicaSet of the present template, made if it is missing (unless the rollout is paused) and numbered the highest. */
  current(d: Deployment, all: readonly ReplicaSet[]): Promise<ReplicaSet | undefined>
  scale(d: Deployment, rs: ReplicaSet, replicas: number): Promise<void>
  /** Deletes the oldest empty ones beyond `revisionHistoryLimit`. */
  dropHistory(d: Deployment, old: readonly ReplicaSet[]): Promise<void>
  /** @returns ms after which the progress deadline may strike */
  writeStatus(d: Deployment, fresh: ReplicaSet | undefined, all: readonly ReplicaSet[]): Promise<number | undefined>
}

export function createReplicaSets(deps: ControllerDeps): ReplicaSets {
  const { store, registry, clock } = deps

  const replicaSetsOf = (d: Deployment): ReplicaSet[] =>
    (store.list('replicasets.apps', d.metadata.namespace) as ReplicaSet[]).filter((rs) => controllerOf(rs as KubeObject)?.uid === d.metadata.uid)

  const createReplicaSet = async (d: Deployment, hash: string, revision: number): Promise<ReplicaSet> => {
    const draft = draftOf(d, hash, revision)
    return (await registry.create({ resource: 'replicasets.apps', namespace: d.metadata.namespace!, name: draft.metadata.name }, draft)) as ReplicaSet
  }

  const scale = async (d: Deployment, rs: ReplicaSet, replicas: number): Promise<void> => {
    const from = rs.spec!.replicas ?? 0
    if (from === replicas) return
    const ref = { resource: 'replicasets.apps', namespace: rs.metadata.namespace!, name: rs.metadata.name } as const
    await registry.update(ref, (current) => ({ ...current, spec: { ...(current.spec as object), replicas } }))
    await recordEvent(deps, d as KubeObject, {
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message: `Scaled ${replicas > from ? 'up' : 'down'} replica set ${rs.metadata.name} from ${from} to ${replicas}`,
      source: 'deployment-controller',
    })
  }

  const current = async (d: Deployment, all: readonly ReplicaSet[]): Promise<ReplicaSet | undefined> => {
    const hash = templateHash(d.spec!.template)
    const found = all.find((rs) => rs.metadata.labels?.[hashLabel] === hash)
    const highest = Math.max(0, ...all.filter((rs) => rs !== found).map(revisionOf))
    if (!found) return d.spec!.paused ? undefined : createReplicaSet(d, hash, highest + 1)
    if (revisionOf(found) > highest) return found
    const ref = { resource: 'replicasets.apps', namespace: found.metadata.namespace!, name: found.metadata.name } as const
    return (await registry.update(ref, (c) => ({
      ...c,
      metadata: { ...c.metadata, annotations: { ...c.metadata.annotations, [revisionAnnotation]: String(highest + 1) } },
    }))) as ReplicaSet
  }

  const dropHistory = async (d: Deployment, old: readonly ReplicaSet[]): Promise<void> => {
    const empty = old.filter((rs) => (rs.spec!.replicas ?? 0) === 0 && (rs.status?.replicas ?? 0) === 0)
    const excess = empty.length - (d.spec!.revisionHistoryLimit ?? 10)
    for (const rs of empty.toSorted((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, excess))) {
      await registry.remove({ resource: 'replicasets.apps', namespace: rs.metadata.namespace!, name: rs.metadata.name })
    }
  }

  const writeStatus = async (d: Deployment, fresh: ReplicaSet | undefined, all: readonly ReplicaSet[]): Promise<number | undefined> => {
    const counts = countsOf(d, fresh, all)
    const { conditions, againMs } = conditionsOf(d, counts, fresh, clock.now())
    const ref = { resource: 'deployments.apps', namespace: d.metadata.namespace!, name: d.metadata.name } as const
    await registry.update(ref, (c) => ({ ...c, status: { ...(c.status as object), ...counts, conditions } }), { subresource: 'status' })
    const revision = fresh && String(revisionOf(fresh))
    if (revision && d.metadata.annotations?.[revisionAnnotation] !== revision) {
      await registry.update(ref, (c) => ({
        ...c,
        metadata: { ...c.metadata, annotations: { ...c.metadata.annotations, [revisionAnnotation]: revision } },
      }))
    }
    return againMs
  }

  return { replicaSetsOf, current, scale, dropHistory, writeStatus }
}

/** The ReplicaSet of a template, empty: scaling is a step of its own. */
function draftOf(d: Deployment, hash: string, revision: number) {
  const { namespace, name } = d.metadata
  const spec = d.spec!
  const labels = { ...spec.template.metadata?.labels, [hashLabel]: hash }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations: { [revisionAnnotation]: String(revision) },
      ownerReferences: [ownedBy(d as KubeObject)],
    },
    spec: {
      replicas: 0,
      ...(spec.minReadySeconds && { minReadySeconds: spec.minReadySeconds }),
      selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, [hashLabel]: hash } },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  } satisfies Draft
}

function countsOf(d: Deployment, fresh: ReplicaSet | undefined, all: readonly ReplicaSet[]) {
  const sum = (f: (rs: ReplicaSet) => number | undefined): number => all.reduce((n, rs) => n + (f(rs) ?? 0), 0)
  const available = sum((rs) => rs.status?.availableReplicas)
  return {
    observedGeneration: d.metadata.generation,
    replicas: sum((rs) => rs.status?.replicas),
    updatedReplicas: fresh?.status?.replicas ?? 0,
    readyReplicas: sum((rs) => rs.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum((rs) => rs.spec?.replicas) - available, (d.spec!.replicas ?? 1) - available),
  }
}

const revisionOf = (rs: ReplicaSet): number => Number(rs.metadata.annotations?.[revisionAnnotation] ?? 0)

/** The same template gives the same hash, in whatever order its fields stand. Ten characters that are safe in a name. */
export function templateHash(template: PodTemplateSpec): string {
  return fingerprint(stable(template)).slice(0, 10)
}

function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  return `{${entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}:${stable(v)}`).join()}}`
}
