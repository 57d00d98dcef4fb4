/** Checks of core/v1 PodSpec, in pods and in templates. */
import ipaddr from 'ipaddr.js'
import { labelKeyProblem } from '../../../api/labels.ts'
import type { Pod, PodSpec } from '../../../api/objects.ts'
import { forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { validateContainer, validateHostPorts } from './container.ts'
import { text, unique, validateLabels } from './meta.ts'
import { dnsLabel, dnsSubdomain } from './names.ts'

type Toleration = NonNullable<PodSpec['tolerations']>[number]
type Volume = NonNullable<PodSpec['volumes']>[number]
type NodeTerms = NonNullable<
  NonNullable<
    NonNullable<NonNullable<PodSpec['affinity']>['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
  >['nodeSelectorTerms']
>

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const

export function* validatePod(pod: Pod): Causes {
  if (pod.spec) yield* validatePodSpec('spec', pod.spec)
  else yield required('spec')
}

export function* validatePodSpec(field: string, spec: PodSpec): Causes {
  const volumes = new Set((spec.volumes ?? []).map((v) => v.name))
  const around = { volumes, hostNetwork: spec.hostNetwork === true }
  const lists = [
    [`${field}.initContainers`, spec.initContainers ?? []] as const,
    [`${field}.containers`, spec.containers] as const,
  ]
  if (spec.containers.length === 0) yield required(`${field}.containers`, 'a pod has at least one container')
  for (const [at, containers] of lists) {
    for (const [i, container] of containers.entries()) yield* validateContainer(`${at}[${i}]`, container, around)
  }
  yield* validateContainerNames(lists)
  // Init containers run one after the other, before the others: only these share the host at one time.
  yield* validateHostPorts([lists[1]!])
  if (spec.ephemeralContainers?.length)
    yield forbidden(`${field}.ephemeralContainers`, 'ephemeral containers cannot be given with a pod')
  yield* validateVolumes(`${field}.volumes`, spec.volumes ?? [])
  yield* validatePlacement(field, spec)
  yield* validateLimits(field, spec)
  yield* validateNetwork(field, spec)
}

function* validateContainerNames(lists: readonly (readonly [string, PodSpec['containers']])[]): Causes {
  const places = lists.flatMap(([at, containers]) => containers.map((c, i) => ({ name: c.name, field: `${at}[${i}].name` })))
  yield* unique(
    places.map((p) => p.name),
    (i) => places[i]!.field,
  )
}

function* validateVolumes(field: string, volumes: readonly Volume[]): Causes {
  for (const [i, volume] of volumes.entries()) {
    yield* text(`${field}[${i}].name`, volume.name, dnsLabel)
    const sources = Object.keys(volume).filter((key) => key !== 'name')
    if (sources.length > 1)
      yield forbidden(`${field}[${i}].${sources[1]}`, `may not have more than one source; it has ${sources.join(', ')}`)
    if (volume.hostPath && volume.hostPath.path === '') yield required(`${field}[${i}].hostPath.path`)
    if (volume.secret && !volume.secret.secretName) yield required(`${field}[${i}].secret.secretName`)
    if (volume.configMap && !volume.configMap.name) yield required(`${field}[${i}].configMap.name`)
  }
  yield* unique(
    volumes.map((v) => v.name),
    (i) => `${field}[${i}].name`,
  )
}

function* validatePlacement(field: string, spec: PodSpec): Causes {
  if (spec.nodeName) yield* text(`${field}.nodeName`, spec.nodeName, dnsSubdomain)
  yield* validateLabels(`${field}.nodeSelector`, spec.nodeSelector)
  yield* validateTolerations(`${field}.tolerations`, spec.tolerations ?? [])
  const node = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const at = `${field}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`
  if (node && node.nodeSelectorTerms.length === 0) yield required(at, 'must have at least one term')
  if (node) yield* validateTerms(at, node.nodeSelectorTerms)
}

function* validateTerms(field: string, terms: NodeTerms): Causes {
  for (const [i, term] of terms.entries()) {
    for (const list of ['matchExpressions', 'matchFields'] as const) {
      for (const [j, { key, operator, values = [] }] of (term[list] ?? []).entries()) {
        const at = `${field}[${i}].${list}[${j}]`
        yield* text(`${at}.key`, key, labelKeyProblem)
        const bare = operator === 'Exists' || operator === 'DoesNotExist'
        if (bare && values.length > 0)
          yield forbidden(`${at}.values`, "may not be given where `operator` is 'Exists' or 'DoesNotExist'")
        else if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1)
          yield required(`${at}.values`, "must be one value where `operator` is 'Gt' or 'Lt'")
        else if (!bare && values.length === 0) yield required(`${at}.values`, "must be given where `operator` is 'In' or 'NotIn'")
      }
    }
  }
}

export function* validateTolerations(field: string, tolerations: readonly Toleration[]): Causes {
  for (const [i, { key = '', operator = 'Equal', value, effect, tolerationSeconds }] of tolerations.entries()) {
    const at = `${field}[${i}]`
    if (key !== '') yield* text(`${at}.key`, key, labelKeyProblem)
    else if (operator !== 'Exists')
      yield wrong(`${at}.operator`, operator, "must be 'Exists' where `key` is empty, which means all keys and values")
    if (operator !== 'Equal' && operator !== 'Exists') yield unsupported(`${at}.operator`, operator, ['Equal', 'Exists'])
    if (operator === 'Exists' && value) yield wrong(`${at}.value`, value, "must be empty where `operator` is 'Exists'")
    if (effect && !(taintEffects as readonly string[]).includes(effect)) yield unsupported(`${at}.effect`, effect, taintEffects)
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      yield wrong(`${at}.effect`, effect ?? '', "must be 'NoExecute' where `tolerationSeconds` is given")
    }
  }
}

function* validateLimits(field: string, spec: PodSpec): Causes {
  const { terminationGracePeriodSeconds: grace = 30, activeDeadlineSeconds: deadline } = spec
  if (grace < 0) yield wrong(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0')
  if (deadline !== undefined && deadline < 1) yield wrong(`${field}.activeDeadlineSeconds`, deadline, 'must be greater than 0')
}

function* validateNetwork(field: string, spec: PodSpec): Causes {
  if (spec.hostname) yield* text(`${field}.hostname`, spec.hostname, dnsLabel)
  if (spec.subdomain) yield* text(`${field}.subdomain`, spec.subdomain, dnsLabel)
  if (spec.serviceAccountName) yield* text(`${field}.serviceAccountName`, spec.serviceAccountName, dnsSubdomain)
  const { nameservers = [] } = spec.dnsConfig ?? {}
  if (spec.dnsPolicy === 'None' && nameservers.length === 0) {
    yield required(`${field}.dnsConfig.nameservers`, "must have at least one where `dnsPolicy` is 'None'")
  }
  if (nameservers.length > 3) yield wrong(`${field}.dnsConfig.nameservers`, nameservers, 'must not have more than 3')
  for (const [i, address] of nameservers.entries()) yield* validateAddress(`${field}.dnsConfig.nameservers[${i}]`, address)
  for (const [i, { ip }] of (spec.hostAliases ?? []).entries()) yield* validateAddress(`${field}.hostAliases[${i}].ip`, ip ?? '')
}

function* validateAddress(field: string, address: string): Causes {
  if (!isAddress(address)) yield wrong(field, address, 'must be an IP address (such as 10.9.8.7 or 2001:db8::ffff)')
}

const fourDecimals = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** An IPv4 address of four decimal parts. A slice has a thousand of them, which is why this is one look. */
export const isFourDecimals = (text: string): boolean => fourDecimals.test(text)

/** An IPv4 address of four decimal parts, or an IPv6 address; not the older short and octal forms. */
export function isAddress(text: string): boolean {
  return isFourDecimals(text) || (ipaddr.IPv6.isValid(text) && !text.includes('%'))
}
