/** Checks of core/v1 PersistentVolume and PersistentVolumeClaim, and of storage.k8s.io/v1 StorageClass. */
import { labelKeyProblem } from '../../../api/labels.ts'
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../../api/objects.ts'
import { duplicate, forbidden, required, wrong, type Causes } from '../causes.ts'
import { readAmount, validateAmounts } from './amounts.ts'
import { text, validateSelector } from './meta.ts'
import { dnsSubdomain } from './names.ts'

type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>
type VolumeSpec = NonNullable<PersistentVolume['spec']>

/** What a volume says beside where it is. */
const plainFields: ReadonlySet<string> = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
])

/** The fields of a volume that say where it is; there is one. */
export const sourcesOf = (spec: VolumeSpec): readonly string[] => Object.keys(spec).filter((field) => !plainFields.has(field))

export function* validatePersistentVolume({ spec }: PersistentVolume): Causes {
  if (!spec) return yield required('spec')
  yield* validateModes('spec.accessModes', spec.accessModes)
  if (spec.capacity?.['storage'] === undefined) yield required('spec.capacity[storage]')
  yield* validateAmounts('spec.capacity', spec.capacity)
  const storage = spec.capacity?.['storage']
  if (storage !== undefined && readAmount(storage) === 0n) yield wrong('spec.capacity[storage]', storage, 'must be greater than 0')
  const sources = sourcesOf(spec)
  if (sources.length === 0) yield required('spec', 'must specify a volume type (such as `hostPath`, `nfs` or `csi`)')
  for (const other of sources.slice(1)) yield forbidden(`spec.${other}`, `may not specify more than 1 volume type; it has ${sources.join(', ')}`)
  if (spec.hostPath) {
    if (spec.hostPath.path === '') yield required('spec.hostPath.path')
    if (spec.hostPath.path.split('/').includes('..')) yield wrong('spec.hostPath.path', spec.hostPath.path, "must not contain '..'")
    if (spec.hostPath.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle')
      yield forbidden('spec.persistentVolumeReclaimPolicy', "may not be 'Recycle' for the host path '/'")
  }
  if (spec.nfs && !spec.nfs.path.startsWith('/')) yield wrong('spec.nfs.path', spec.nfs.path, 'must be an absolute path')
  if (spec.csi?.driver === '') yield required('spec.csi.driver')
  if (spec.csi?.volumeHandle === '') yield required('spec.csi.volumeHandle')
  if (spec.local) {
    if (spec.local.path === '') yield required('spec.local.path')
    if (!spec.nodeAffinity?.required) yield required('spec.nodeAffinity', 'a local volume must say on which nodes it is')
  }
  if (spec.storageClassName) yield* text('spec.storageClassName', spec.storageClassName, dnsSubdomain)
}

export function* validatePersistentVolumeClaim({ spec }: PersistentVolumeClaim): Causes {
  if (spec) yield* validateClaimSpec('spec', spec)
  else yield required('spec')
}

export function* validateClaimSpec(field: string, spec: ClaimSpec): Causes {
  yield* validateModes(`${field}.accessModes`, spec.accessModes)
  const { requests, limits } = spec.resources ?? {}
  const storage = requests?.['storage']
  if (storage === undefined) yield required(`${field}.resources[storage]`, 'must say how much is requested, in `resources.requests.storage`')
  else if (readAmount(storage) === 0n) yield wrong(`${field}.resources[storage]`, storage, 'must be greater than 0')
  yield* validateAmounts(`${field}.resources.requests`, requests)
  yield* validateAmounts(`${field}.resources.limits`, limits)
  if (spec.selector) yield* validateSelector(`${field}.selector`, spec.selector)
  if (spec.storageClassName) yield* text(`${field}.storageClassName`, spec.storageClassName, dnsSubdomain)
}

function* validateModes(field: string, modes: readonly string[] | undefined): Causes {
  if (!modes?.length) yield required(field, 'at least 1 access mode is required')
  if (modes && modes.length > 1 && modes.includes('ReadWriteOncePod'))
    yield forbidden(field, 'may not use ReadWriteOncePod with other access modes')
}

/** As many, and as long, as Kubernetes keeps. */
const bounds = { parameters: 512, bytes: 256 * 1024 } as const

export function* validateStorageClass({ provisioner, parameters = {}, volumeBindingMode, allowedTopologies }: StorageClass): Causes {
  if (provisioner === '') yield required('provisioner')
  else yield* text('provisioner', provisioner.toLowerCase(), labelKeyProblem)
  const entries = Object.entries(parameters)
  if (entries.length > bounds.parameters) yield wrong('parameters', entries.length, `must have at most ${bounds.parameters} entries`)
  if (entries.some(([key]) => key === '')) yield wrong('parameters', '', 'names of parameters must not be empty')
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  if (size > bounds.bytes) yield wrong('parameters', '...', `may not be more than ${bounds.bytes} bytes, names and values together`)
  if (!volumeBindingMode) yield required('volumeBindingMode')
  for (const [i, term] of (allowedTopologies ?? []).entries()) {
    for (const [j, { key, values }] of (term.matchLabelExpressions ?? []).entries()) {
      const at = `allowedTopologies[${i}].matchLabelExpressions[${j}]`
      yield* text(`${at}.key`, key, labelKeyProblem)
      if (values.length === 0) yield required(`${at}.values`)
      for (const [k, value] of values.entries()) if (values.indexOf(value) !== k) yield duplicate(`${at}.values[${k}]`, value)
    }
  }
}
