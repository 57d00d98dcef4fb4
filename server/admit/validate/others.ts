/** Checks of the smaller kinds: Node, Namespace, ConfigMap, Secret, Event, Lease. */
import { labelKeyProblem, labelValueProblem } from '../../../api/labels.ts'
import type { ConfigMap, Event, Lease, Namespace, Node, Secret } from '../../../api/objects.ts'
import { duplicate, required, tooLong, unsupported, wrong, type Causes } from '../causes.ts'
import { validateAmounts } from './amounts.ts'
import { text, unique } from './meta.ts'
import { fileKey } from './names.ts'
import { taintEffects } from './pod.ts'
import { isRange } from './service.ts'

/** Of a ConfigMap or Secret, all values together. */
const maxBytes = 1024 * 1024

export function* validateNode({ spec = {}, status }: Node): Causes {
  const taints = spec.taints ?? []
  for (const [i, { key, value, effect }] of taints.entries()) {
    const at = `spec.taints[${i}]`
    yield* text(`${at}.key`, key, labelKeyProblem)
    if (value) yield* text(`${at}.value`, value, labelValueProblem)
    if (!(taintEffects as readonly string[]).includes(effect)) yield unsupported(`${at}.effect`, effect, taintEffects)
  }
  yield* unique(
    taints.map((t) => `${t.key}:${t.effect}`),
    (i) => `spec.taints[${i}]`,
  )
  const ranges = spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : [])
  for (const [i, range] of ranges.entries()) {
    if (!isRange(range)) yield wrong(`spec.podCIDRs[${i}]`, range, 'must be a range of addresses (such as 10.244.1.0/24)')
  }
  if (spec.podCIDR && ranges[0] !== spec.podCIDR) yield wrong('spec.podCIDRs', ranges, 'first value must match `podCIDR`')
  yield* validateAmounts('status.capacity', status?.capacity)
  yield* validateAmounts('status.allocatable', status?.allocatable)
}

export function* validateNamespace({ spec }: Namespace): Causes {
  for (const [i, finalizer] of (spec?.finalizers ?? []).entries())
    yield* text(`spec.finalizers[${i}]`, finalizer, labelKeyProblem)
}

export function* validateConfigMap({ data = {}, binaryData = {} }: ConfigMap): Causes {
  for (const key of Object.keys(data)) yield* text(`data[${key}]`, key, fileKey)
  for (const [key, value] of Object.entries(binaryData)) {
    yield* text(`binaryData[${key}]`, key, fileKey)
    yield* validateBase64(`binaryData[${key}]`, value)
    if (Object.hasOwn(data, key)) yield duplicate(`binaryData[${key}]`, key)
  }
  const size = sum(Object.values(data).map((v) => Buffer.byteLength(v))) + sum(Object.values(binaryData).map(decodedBytes))
  if (size > maxBytes) yield tooLong('data', `may not be more than ${maxBytes} bytes, all values together`)
}

export function* validateSecret({ data = {}, type }: Secret): Causes {
  for (const [key, value] of Object.entries(data)) {
    yield* text(`data[${key}]`, key, fileKey)
    yield* validateBase64(`data[${key}]`, value)
  }
  for (const key of requiredKeys.get(type ?? '') ?? []) if (!Object.hasOwn(data, key)) yield required(`data[${key}]`)
  if (sum(Object.values(data).map(decodedBytes)) > maxBytes)
    yield tooLong('data', `may not be more than ${maxBytes} bytes, all values together`)
}

/** Types of secrets that say what is in them. */
const requiredKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
])

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
const decodedBytes = (base64: string): number => Math.floor((base64.length * 3) / 4)

function* validateBase64(field: string, value: string): Causes {
  if (value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
    yield wrong(field, '...', 'must be base64 with its padding; plain text of a Secret belongs into `stringData`')
  }
}

export function* validateEvent({ metadata, involvedObject, count }: Event): Causes {
  const { namespace = '' } = involvedObject
  if (namespace !== (metadata.namespace ?? '') && !(namespace === '' && metadata.namespace === 'default')) {
    yield wrong('involvedObject.namespace', namespace, 'does not match event.namespace')
  }
  if (count !== undefined && count < 0) yield wrong('count', count, 'must be greater than or equal to 0')
}

export function* validateLease({ spec = {} }: Lease): Causes {
  const { leaseDurationSeconds, leaseTransitions, holderIdentity } = spec
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0)
    yield wrong('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0')
  if (leaseTransitions !== undefined && leaseTransitions < 0)
    yield wrong('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0')
  if (holderIdentity === '') yield wrong('spec.holderIdentity', holderIdentity, 'must not be empty')
}
