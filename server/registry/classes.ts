/**
 * What an object gets from a class at its creation: a pod its priority, a claim and an ingress the class that is for all who name
 * none. The classes are read from the store; a class that comes later changes nothing that is there.
 */
import type { Ingress, KubeObject, PersistentVolumeClaim, Pod, PriorityClass } from '../../api/objects.ts'
import { kindOf, type BuiltInResource, type Resource } from '../../api/resources.ts'
import { StatusError } from '../../api/status.ts'
import { fill } from '../admit/defaults/fill.ts'
import type { Ref, Store } from '../store/store.ts'

type Classes = Pick<Store, 'get' | 'list'>

/** The object with what it gets from classes. @throws StatusError Forbidden */
export function withClasses(store: Classes, ref: Ref, object: KubeObject): KubeObject {
  return table[ref.resource]?.(store, object) ?? object
}

const table: { readonly [R in Resource]?: (store: Classes, object: KubeObject) => KubeObject } = {
  pods: (store, pod) => withPriority(store, pod as Pod) as KubeObject,
  persistentvolumeclaims: (store, claim) => withStorageClass(store, claim as PersistentVolumeClaim) as KubeObject,
  'ingresses.networking.k8s.io': (store, ingress) => withIngressClass(store, ingress as Ingress) as KubeObject,
}

function withPriority(store: Classes, pod: Pod): Pod {
  const { spec } = pod
  if (!spec) return pod
  const found = spec.priorityClassName ? classOf(store, pod, spec.priorityClassName) : defaultPriority(store)
  const value = found?.value ?? 0
  if (spec.priority !== undefined && spec.priority !== value) {
    const why = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`
    throw refused('pods', pod.metadata.name, why)
  }
  const preemptionPolicy = found?.preemptionPolicy ?? 'PreemptLowerPriority'
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== preemptionPolicy) {
    const why = `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${preemptionPolicy} from the given PriorityClass name`
    throw refused('pods', pod.metadata.name, why)
  }
  const named = spec.priorityClassName ? {} : found && { priorityClassName: found.metadata.name }
  return { ...pod, spec: { ...spec, ...named, priority: value, preemptionPolicy } }
}

function classOf(store: Classes, pod: Pod, name: string): PriorityClass {
  const found = store.get({ resource: 'priorityclasses.scheduling.k8s.io', namespace: '', name }) as PriorityClass | undefined
  if (!found) throw refused('pods', pod.metadata.name, `no PriorityClass with name ${name} was found`)
  return found
}

const priorityClasses = (store: Classes): readonly PriorityClass[] => store.list('priorityclasses.scheduling.k8s.io') as readonly object[] as readonly PriorityClass[]

/** Of several, which nobody can make on purpose, the one with the lowest value. */
function defaultPriority(store: Classes): PriorityClass | undefined {
  return priorityClasses(store)
    .filter((of) => of.globalDefault)
    .toSorted((a, b) => (a.value ?? 0) - (b.value ?? 0))[0]
}

/** One class of priority is for all pods that name none. @throws StatusError Forbidden */
export function soleDefault(store: Classes, ref: Ref, object: KubeObject): void {
  if (ref.resource !== 'priorityclasses.scheduling.k8s.io' || !(object as unknown as PriorityClass).globalDefault) return
  const other = priorityClasses(store).find((of) => of.globalDefault && of.metadata.name !== object.metadata.name)
  if (other) throw refused('priorityclasses.scheduling.k8s.io', object.metadata.name, `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`)
}

/** What a pod's class gave it stays, where an update does not speak of it. */
export function withSamePriority(before: Pod, after: Pod): Pod {
  const { priority, preemptionPolicy } = before.spec ?? {}
  return after.spec ? { ...after, spec: fill(after.spec, { ...(priority !== undefined && { priority }), ...(preemptionPolicy && { preemptionPolicy }) }) } : after
}

const defaultStorage = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']
const namedStorage = 'volume.beta.kubernetes.io/storage-class'
const defaultIngress = ['ingressclass.kubernetes.io/is-default-class']
const namedIngress = 'kubernetes.io/ingress.class'

function withStorageClass(store: Classes, claim: PersistentVolumeClaim): PersistentVolumeClaim {
  const { spec, metadata } = claim
  if (!spec || spec.storageClassName !== undefined || metadata.annotations?.[namedStorage] !== undefined) return claim
  const name = newest(store, 'storageclasses.storage.k8s.io', defaultStorage)
  return name === undefined ? claim : { ...claim, spec: { ...spec, storageClassName: name } }
}

function withIngressClass(store: Classes, ingress: Ingress): Ingress {
  const { spec, metadata } = ingress
  if (!spec || spec.ingressClassName !== undefined || metadata.annotations?.[namedIngress] !== undefined) return ingress
  const name = newest(store, 'ingressclasses.networking.k8s.io', defaultIngress)
  return name === undefined ? ingress : { ...ingress, spec: { ...spec, ingressClassName: name } }
}

/** The class that says to be the default; the newest of several, and of these the first by name. */
function newest(store: Classes, resource: Resource, annotations: readonly string[]): string | undefined {
  const found = store.list(resource).filter(({ metadata }) => annotations.some((a) => metadata.annotations?.[a] === 'true'))
  const order = (a: KubeObject, b: KubeObject): number =>
    Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp) || (a.metadata.name < b.metadata.name ? -1 : 1)
  return found.toSorted(order)[0]?.metadata.name
}

function refused(resource: BuiltInResource, name: string, why: string): StatusError {
  const { plural, group } = kindOf(resource)
  const shown = group ? `${plural}.${group}` : plural
  return new StatusError('Forbidden', `${shown} ${JSON.stringify(name)} is forbidden: ${why}`, { name, ...(group && { group }), kind: plural })
}
