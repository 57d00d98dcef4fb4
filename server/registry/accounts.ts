/**
 * What a pod gets from its service account at its creation (core/v1 ServiceAccount; kube-apiserver's admission of that name): the
 * account itself, its pull secrets, and a volume with a token, the CA and the namespace, where clients in pods look for them.
 */
import { sleep, type Clock } from '../../api/clock.ts'
import type { Container, KubeObject, Pod, PodSpec, ServiceAccount } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import type { Ref, Store } from '../store/store.ts'
import { generateName } from './names.ts'

export interface AccountDeps {
  readonly store: Pick<Store, 'fresh' | 'get'>
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
}

/** @returns the object with what its account gives it. @throws StatusError Forbidden (there is no such account) */
export type Accounts = (ref: Ref, object: KubeObject) => Promise<KubeObject>

/** In each namespace, the CA of the hub's certificates. */
export const rootCa = { name: 'kube-root-ca.crt', key: 'ca.crt' } as const

type Volume = NonNullable<PodSpec['volumes']>[number]

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const volumePrefix = 'kube-api-access-'
/** Programs that read a token once an hour still hold one that counts. */
const tokenSeconds = 3607
/** A namespace's account `default` comes right after the namespace: so often and so long (ms) is looked for it. */
const patience = { looks: 10, ms: 100 } as const

export function createAccounts(deps: AccountDeps): Accounts {
  const { store } = deps
  return async (ref, object) => {
    if (ref.resource !== 'pods') return object
    const namespace = store.get({ resource: 'namespaces', namespace: '', name: ref.namespace })
    // That it may not be made there is said where it is written.
    if (!namespace || namespace.metadata.deletionTimestamp) return object
    const pod = object as unknown as Pod
    const name = pod.spec?.serviceAccountName || 'default'
    const account = await find(deps, { resource: 'serviceaccounts', namespace: ref.namespace, name })
    if (!account) throw unknown(ref, name)
    return withAccount(pod, account, deps.random) as unknown as KubeObject
  }
}

async function find({ store, clock }: AccountDeps, ref: Ref): Promise<ServiceAccount | undefined> {
  for (let look = 0; ; look++) {
    const found = store.get(ref)
    if (found) return found as unknown as ServiceAccount
    // Another hub may have made it a moment ago.
    if (look === 0) await store.fresh()
    else if (ref.name !== 'default' || look > patience.looks) return undefined
    else await sleep(clock, patience.ms, never)
  }
}

function unknown({ namespace, name }: Ref, account: string): StatusError {
  const why = `error looking up service account ${namespace}/${account}: serviceaccount ${JSON.stringify(account)} not found`
  return new StatusError('Forbidden', `pods ${JSON.stringify(name)} is forbidden: ${why}`, { name, kind: 'pods' })
}

const never = new AbortController().signal

function withAccount(pod: Pod, account: ServiceAccount, random: () => number): Pod {
  const spec = pod.spec!
  const { name } = account.metadata
  const secrets = account.imagePullSecrets ?? []
  const named = {
    ...spec,
    serviceAccountName: name,
    serviceAccount: name,
    ...(!spec.imagePullSecrets?.length && secrets.length > 0 && { imagePullSecrets: secrets.map(({ name: of }) => ({ name: of })) }),
  }
  const mounts = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true
  return { ...pod, spec: mounts ? withToken(named, random) : named }
}

/** A volume that the pod brings itself, by a name like ours, is used. */
function withToken(spec: PodSpec, random: () => number): PodSpec {
  const lacks = (c: Container): boolean => !(c.volumeMounts ?? []).some((m) => m.mountPath === mountPath)
  const containers = [...(spec.initContainers ?? []), ...spec.containers]
  if (!containers.some(lacks)) return spec
  const own = (spec.volumes ?? []).find((v) => v.projected && v.name.startsWith(volumePrefix))
  const volume = own ?? tokenVolume(generateName(volumePrefix, random))
  const mounted = (c: Container): Container =>
    lacks(c) ? { ...c, volumeMounts: [...(c.volumeMounts ?? []), { name: volume.name, readOnly: true, mountPath }] } : c
  return {
    ...spec,
    containers: spec.containers.map(mounted),
    ...(spec.initContainers && { initContainers: spec.initContainers.map(mounted) }),
    ...(!own && { volumes: [...(spec.volumes ?? []), volume] }),
  }
}

function tokenVolume(name: string): Volume {
  const sources = [
    { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
    { configMap: { name: rootCa.name, items: [{ key: rootCa.key, path: rootCa.key }] } },
    { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
  ]
  return { name, projected: { sources, defaultMode: 0o644 } } as Volume
}
