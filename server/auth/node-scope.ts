/** What a node may see: the objects that the pods bound to it speak of (core/v1 PodSpec). */
import type { Pod, PodSpec } from '../../api/objects.ts'
import type { Store } from '../store/store.ts'

/** Kinds that a node reads one by one, because a pod of its own names them. */
export type Named = 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'serviceaccounts'

export const namedKinds: readonly string[] = ['secrets', 'configmaps', 'persistentvolumeclaims', 'serviceaccounts'] satisfies readonly Named[]

/** Whether a pod that is bound to the node names the object. */
export function podNames(store: Pick<Store, 'list'>, node: string, object: { readonly kind: Named; readonly namespace: string; readonly name: string }): boolean {
  const pods = store.list('pods', object.namespace) as readonly Pod[]
  return pods.some((pod) => pod.spec?.nodeName === node && namesIn(object.kind, pod.spec).includes(object.name))
}

function namesIn(kind: Named, spec: PodSpec): readonly (string | undefined)[] {
  switch (kind) {
    case 'secrets':
      return secretsIn(spec)
    case 'configmaps':
      return configMapsIn(spec)
    case 'persistentvolumeclaims':
      return (spec.volumes ?? []).map((v) => v.persistentVolumeClaim?.claimName)
    case 'serviceaccounts':
      return [spec.serviceAccountName ?? 'default']
  }
}

const containersIn = (spec: PodSpec) => [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])]

function secretsIn(spec: PodSpec): readonly (string | undefined)[] {
  return [
    ...(spec.imagePullSecrets ?? []).map((s) => s.name),
    ...(spec.volumes ?? []).flatMap((v) => [v.secret?.secretName, v.csi?.nodePublishSecretRef?.name, ...(v.projected?.sources ?? []).map((s) => s.secret?.name)]),
    ...containersIn(spec).flatMap((c) => [...(c.envFrom ?? []).map((e) => e.secretRef?.name), ...(c.env ?? []).map((e) => e.valueFrom?.secretKeyRef?.name)]),
  ]
}

function configMapsIn(spec: PodSpec): readonly (string | undefined)[] {
  return [
    ...(spec.volumes ?? []).flatMap((v) => [v.configMap?.name, ...(v.projected?.sources ?? []).map((s) => s.configMap?.name)]),
    ...containersIn(spec).flatMap((c) => [...(c.envFrom ?? []).map((e) => e.configMapRef?.name), ...(c.env ?? []).map((e) => e.valueFrom?.configMapKeyRef?.name)]),
  ]
}
