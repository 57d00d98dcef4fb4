/** The verb `remove`: finalizers and grace periods first, then the end. */
import { rfc3339 } from '../../api/clock.ts'
import type { CustomResourceDefinition, KubeObject, Namespace, Pod } from '../../api/objects.ts'
import type { Resource, ResourceKind } from '../../api/resources.ts'
import { badRequest, conflict, notFound, StatusError } from '../../api/status.ts'
import { definitions } from '../custom/kinds.ts'
import { markedDefinition } from '../custom/end.ts'
import { systemClasses } from '../admit/validate/priority.ts'
import type { Decision, Ref } from '../store/store.ts'
import { commit, kindFor, type RegistryDeps } from './deps.ts'
import { raised } from './generation.ts'
import type { Registry, RemoveOptions } from './registry.ts'

const finalizers = { Foreground: 'foregroundDeletion', Orphan: 'orphan' } as const
/** A cluster is not one without them. */
const lasting: { readonly [R in Resource]?: { readonly names: readonly string[]; readonly why: string } } = {
  namespaces: { names: ['default', 'kube-system', 'kube-public'], why: 'this namespace may not be deleted' },
  'priorityclasses.scheduling.k8s.io': { names: Object.keys(systemClasses), why: 'this is a system priority class and cannot be deleted' },
}
const defaultGraceSeconds = 30

export function removeVerb(deps: RegistryDeps): Registry['remove'] {
  return async (ref, options = {}) => {
    const of = kindFor(deps, ref)
    checkOptions(options)
    mayGo(of, ref)
    let gone: KubeObject | undefined
    const stored = await commit(
      deps,
      ref,
      (current) => {
        gone = undefined
        if (!current) throw notFound(of, ref.name)
        checkPreconditions(of, current, options)
        const next = marked(ref, current, { options, now: deps.clock.now() })
        if (isOver(next)) gone = next
        return decisionOf(current, next)
      },
      options,
    )
    deps.log.debug('an object was deleted', {
      resource: ref.resource,
      namespace: ref.namespace,
      name: ref.name,
      gone: gone !== undefined,
    })
    return gone ? { object: stored, gone: true } : { object: stored, gone: false }
  }
}

/** @throws StatusError Forbidden */
function mayGo({ plural, group }: ResourceKind, { resource, name }: Ref): void {
  const kept = lasting[resource]
  if (!kept?.names.includes(name)) return
  const shown = group ? `${plural}.${group}` : plural
  throw new StatusError('Forbidden', `${shown} ${JSON.stringify(name)} is forbidden: ${kept.why}`, { name, ...(group && { group }), kind: plural })
}

function checkOptions({ gracePeriodSeconds: grace }: RemoveOptions): void {
  if (grace !== undefined && (!Number.isSafeInteger(grace) || grace < 0))
    throw badRequest(`gracePeriodSeconds must be a whole number from 0 up, not ${grace}`)
}

function checkPreconditions(of: ResourceKind, { metadata }: KubeObject, { preconditions = {} }: RemoveOptions): void {
  const { uid, resourceVersion } = preconditions
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(of, metadata.name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`)
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      of,
      metadata.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ` +
        `ResourceVersion in object meta: ${metadata.resourceVersion}`,
    )
  }
}

/** Whether nothing holds an object back any more: it is marked for deletion and neither finalizer nor grace period is left. */
export function isOver({ kind, metadata, spec }: KubeObject): boolean {
  if (!metadata.deletionTimestamp || metadata.finalizers?.length || metadata.deletionGracePeriodSeconds) return false
  return kind !== 'Namespace' || !(spec as Namespace['spec'])?.finalizers?.length
}

function decisionOf(current: KubeObject, next: KubeObject): Decision {
  if (isOver(next)) return { remove: true }
  return next === current ? { keep: true } : { put: next }
}

interface Request {
  readonly options: RemoveOptions
  readonly now: number
}

/** The object as it is when its deletion was asked for; the same object where it was already asked for in this way. */
function marked(ref: Ref, current: KubeObject, { options, now }: Request): KubeObject {
  const kept = withPolicy(current, options)
  if (ref.resource === 'pods') return markedPod(kept, graceOf(kept as Pod, options), now)
  if (kept.metadata.deletionTimestamp) return kept
  if (ref.resource === definitions) return markedDefinition(kept as unknown as CustomResourceDefinition, rfc3339(now))
  const next = raised({ ...kept, metadata: { ...kept.metadata, deletionTimestamp: rfc3339(now), deletionGracePeriodSeconds: 0 } })
  if (ref.resource !== 'namespaces') return next
  const { deletionGracePeriodSeconds: _none, ...metadata } = next.metadata
  return { ...next, metadata, status: { ...(current as Namespace).status, phase: 'Terminating' } }
}

/** The propagation policy, written down as a finalizer for the garbage collector. */
function withPolicy(object: KubeObject, { propagationPolicy }: RemoveOptions): KubeObject {
  if (!propagationPolicy) return object
  const present = object.metadata.finalizers ?? []
  const wanted = propagationPolicy === 'Background' ? undefined : finalizers[propagationPolicy]
  const others = present.filter((f) => f === wanted || (f !== finalizers.Foreground && f !== finalizers.Orphan))
  const next = wanted && !others.includes(wanted) ? [...others, wanted] : others
  if (next.length === present.length && next.every((f) => present.includes(f))) return object
  const { finalizers: _old, ...metadata } = object.metadata
  return { ...object, metadata: { ...metadata, ...(next.length > 0 && { finalizers: next }) } }
}

/** Seconds. What runs nowhere, or not any more, needs no time to stop. */
function graceOf({ spec, status }: Pod, { gracePeriodSeconds }: RemoveOptions): number | undefined {
  if (!spec?.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0
  return gracePeriodSeconds
}

/** @param asked seconds, undefined for the pod's own */
function markedPod(pod: KubeObject, asked: number | undefined, now: number): KubeObject {
  const { deletionTimestamp, deletionGracePeriodSeconds: granted = 0 } = pod.metadata
  if (!deletionTimestamp) {
    const grace = asked ?? (pod as Pod).spec?.terminationGracePeriodSeconds ?? defaultGraceSeconds
    return raised(withDeadline(pod, now + grace * 1000, grace))
  }
  // Only shorter: what was promised the second time cannot take back what was asked for the first time.
  if (asked === undefined || asked >= granted) return pod
  return withDeadline(pod, Date.parse(deletionTimestamp) - granted * 1000 + asked * 1000, asked)
}

function withDeadline(pod: KubeObject, at: number, grace: number): KubeObject {
  return { ...pod, metadata: { ...pod.metadata, deletionTimestamp: rfc3339(at), deletionGracePeriodSeconds: grace } }
}
