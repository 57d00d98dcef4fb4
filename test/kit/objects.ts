/**
 * Builders of drafts for tests: each takes the part that matters and gives a valid object of its kind, frozen. Maps are
 * merged with the builder's own, lists and everything else replace it; a field given as undefined is taken away.
 *
 * `pod({ metadata: { name: 'a' }, spec: { nodeName: 'node1' } })` keeps the builder's container.
 */
import { createHash } from 'node:crypto'
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment'
import type { IReplicaSet } from 'kubernetes-models/apps/v1/ReplicaSet'
import type { ILease } from 'kubernetes-models/coordination.k8s.io/v1/Lease'
import type { IEndpointSlice } from 'kubernetes-models/discovery.k8s.io/v1/EndpointSlice'
import type { ICertificateSigningRequest } from 'kubernetes-models/certificates.k8s.io/v1/CertificateSigningRequest'
import type { IClusterRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole'
import type { IClusterRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRoleBinding'
import type { IRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/Role'
import type { IRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding'
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IEndpoints } from 'kubernetes-models/v1/Endpoints'
import type { IEvent } from 'kubernetes-models/v1/Event'
import type { INamespace } from 'kubernetes-models/v1/Namespace'
import type { INode } from 'kubernetes-models/v1/Node'
import type { IPod } from 'kubernetes-models/v1/Pod'
import type { ISecret } from 'kubernetes-models/v1/Secret'
import type { IService } from 'kubernetes-models/v1/Service'
import type { IServiceAccount } from 'kubernetes-models/v1/ServiceAccount'
import type { KubeObject, ObjectMeta } from '../../api/objects.ts'

/** A part of an object, as deep as one likes; lists are given whole. */
export type Part<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: Part<T[K]> } : T

/** What a builder gives: a draft whose name is known. */
export type Built<T> = { readonly [K in keyof T]: T[K] } & {
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

type Builder<T> = (part?: Part<T>) => Built<T>

type Plain = Readonly<Record<string, unknown>>
const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value)

function merged(base: unknown, part: unknown): unknown {
  if (!isPlain(base) || !isPlain(part)) return frozen(part)
  const keys = [...new Set([...Object.keys(base), ...Object.keys(part)])]
  const fields = keys.map((key) => [key, Object.hasOwn(part, key) ? merged(base[key], part[key]) : frozen(base[key])] as const)
  return Object.freeze(Object.fromEntries(fields.filter(([, value]) => value !== undefined)))
}

function frozen(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(frozen))
  if (!isPlain(value)) return value
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([key, v]) => [key, frozen(v)])))
}

export function builder<T>(base: Plain): Builder<T> {
  return (part = {} as Part<T>) => merged(base, part) as Built<T>
}

const inDefault = (name: string) => ({ name, namespace: 'default' })
const labels = { app: 'web' }
const container = { name: 'web', image: 'registry.test/web:1', ports: [{ containerPort: 8080 }] }
const template = { metadata: { labels }, spec: { containers: [container] } }

export const namespace = builder<INamespace>({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } })
export const node = builder<INode>({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } })
export const pod = builder<IPod>({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: inDefault('web-1'),
  spec: { containers: [container] },
})
export const configMap = builder<IConfigMap>({ apiVersion: 'v1', kind: 'ConfigMap', metadata: inDefault('settings') })
export const secret = builder<ISecret>({ apiVersion: 'v1', kind: 'Secret', metadata: inDefault('password') })
export const serviceAccount = builder<IServiceAccount>({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: inDefault('robot') })
export const service = builder<IService>({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: inDefault('web'),
  spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
})
export const endpointSlice = builder<IEndpointSlice>({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { ...inDefault('web-1'), labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ port: 8080 }],
  endpoints: [{ addresses: ['10.244.1.2'], conditions: { ready: true } }],
})
export const endpoints = builder<IEndpoints>({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: inDefault('web'),
  subsets: [{ addresses: [{ ip: '10.244.1.2' }], ports: [{ port: 8080 }] }],
})
export const deployment = builder<IDeployment>({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: inDefault('web'),
  spec: { selector: { matchLabels: labels }, template },
})
export const replicaSet = builder<IReplicaSet>({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: inDefault('web'),
  spec: { selector: { matchLabels: labels }, template },
})
export const lease = builder<ILease>({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'node1', namespace: 'kube-node-lease' },
  spec: { holderIdentity: 'node1', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' },
})
/** Made once with: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /O=system:nodes/CN=system:node:node1 */
const certificateRequestPem = `-----BEGIN CERTIFICATE REQUEST-----
MIHtMIGVAgEAMDMxFTATBgNVBAoMDHN5c3RlbTpub2RlczEaMBgGA1UEAwwRc3lz
dGVtOm5vZGU6bm9kZTEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASyNtlBoI1Y
xD3ZxNi9rrYoci+Qzu+Z8YqBB3DGSPe1KMDuPKp0OS030j70iA3+t4goTJYPR0nk
hXuRvOEx/TI7oAAwCgYIKoZIzj0EAwIDRwAwRAIgV0Zo9iF4J5EPpJ+FVrGDIWcp
xmEBKEcyc5oi3vIHPBYCIDt43TLG2J6GFmnJ5DdamRnsxciPJfHMI1WhUmhSf7Wb
-----END CERTIFICATE REQUEST-----
`
export const certificateSigningRequest = builder<ICertificateSigningRequest>({
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  metadata: { name: 'node1' },
  spec: { request: Buffer.from(certificateRequestPem).toString('base64'), signerName: 'kubernetes.io/kube-apiserver-client-kubelet', usages: ['client auth', 'digital signature'] },
})
const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }]
const apiGroup = 'rbac.authorization.k8s.io'
const apiVersion = 'rbac.authorization.k8s.io/v1'
export const role = builder<IRole>({ apiVersion, kind: 'Role', metadata: inDefault('reader'), rules })
export const clusterRole = builder<IClusterRole>({ apiVersion, kind: 'ClusterRole', metadata: { name: 'system:reader' }, rules })
const subjects = [{ kind: 'User', apiGroup, name: 'jane' }]
export const roleBinding = builder<IRoleBinding>({
  apiVersion,
  kind: 'RoleBinding',
  metadata: inDefault('read'),
  roleRef: { apiGroup, kind: 'Role', name: 'reader' },
  subjects,
})
export const clusterRoleBinding = builder<IClusterRoleBinding>({
  apiVersion,
  kind: 'ClusterRoleBinding',
  metadata: { name: 'system:read' },
  roleRef: { apiGroup, kind: 'ClusterRole', name: 'system:reader' },
  subjects,
})
export const event = builder<IEvent>({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: inDefault('web-1.started'),
  involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web-1' },
  reason: 'Started',
  message: 'Started container web',
  type: 'Normal',
})

/**
 * A draft as the store would hold it, for tests that have no registry: uid (made from kind and name), creation time and
 * resourceVersion are added where the draft has none.
 */
export function stored(
  draft: { readonly metadata: { readonly name: string; readonly namespace?: string } },
  metadata: Partial<ObjectMeta> = {},
): KubeObject {
  const kind = String((draft as { kind?: unknown }).kind)
  const digest = createHash('sha256')
    .update(`${kind} ${draft.metadata.namespace ?? ''}/${draft.metadata.name}`)
    .digest('hex')
  const uid = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `4${digest.slice(13, 16)}`,
    `8${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ].join('-')
  const filled = { uid, creationTimestamp: '2026-01-01T00:00:00Z', resourceVersion: '1' }
  return merged({ ...draft, metadata: { ...filled, ...draft.metadata } }, { metadata }) as KubeObject
}
