/** What kube-apiserver fills into core/v1 PersistentVolume, PersistentVolumeClaim and storage.k8s.io/v1 StorageClass. */
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../../api/objects.ts'
import { fill } from './fill.ts'
import { amountsAsText } from './pod.ts'

type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>

export function persistentVolumeDefaults(volume: PersistentVolume): PersistentVolume {
  if (!volume.spec) return volume
  const { capacity, hostPath } = volume.spec
  const spec = {
    ...volume.spec,
    ...(capacity && { capacity: amountsAsText(capacity) }),
    ...(hostPath && { hostPath: fill(hostPath, { type: '' as never }) }),
  }
  return { ...volume, spec: fill(spec, { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' }) }
}

export function persistentVolumeClaimDefaults(claim: PersistentVolumeClaim): PersistentVolumeClaim {
  return claim.spec ? { ...claim, spec: claimDefaults(claim.spec) } : claim
}

/** The spec of a claim, wherever it stands. What is limited and not requested is requested up to the limit. */
export function claimDefaults(spec: ClaimSpec): ClaimSpec {
  const { resources, dataSource, dataSourceRef } = spec
  const limits = resources?.limits && amountsAsText(resources.limits)
  const requests = resources?.requests && amountsAsText(resources.requests)
  // Both name where the content comes from; the second can say more than the first.
  const local = dataSourceRef && !dataSourceRef.namespace ? dataSourceRef : undefined
  return fill(
    {
      ...spec,
      ...(resources && {
        resources: { ...resources, ...(limits && { limits }), ...((limits ?? requests) && { requests: { ...limits, ...requests } }) },
      }),
    },
    { volumeMode: 'Filesystem', ...(dataSource && { dataSourceRef: dataSource }), ...(local && { dataSource: local }) },
  )
}

export function storageClassDefaults(of: StorageClass): StorageClass {
  return fill(of, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' })
}
