/** The columns of volumes, claims and storage classes. */
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../../api/objects.ts'
import { ageColumn, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'

const shortModes: Readonly<Record<string, string>> = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' }

const modesText = (modes: readonly string[] | undefined): string =>
  Object.entries(shortModes)
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',')

const unset = '<unset>'

export const persistentVolumeColumns: readonly Column<PersistentVolume>[] = [
  nameColumn,
  { name: 'Capacity', description: 'How much fits into it.', cell: (v) => v.spec?.capacity?.['storage'] ?? '' },
  { name: 'Access Modes', description: 'By how many nodes it can be used, and how.', cell: (v) => modesText(v.spec?.accessModes) },
  { name: 'Reclaim Policy', description: 'What becomes of it after its claim.', cell: (v) => v.spec?.persistentVolumeReclaimPolicy ?? '' },
  {
    name: 'Status',
    description: 'Available, Bound, Released or Failed.',
    cell: (v) => (v.metadata.deletionTimestamp ? 'Terminating' : (v.status?.phase ?? '')),
  },
  { name: 'Claim', description: 'Who has it.', cell: ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '') },
  { name: 'StorageClass', description: 'The class it is of.', cell: (v) => v.spec?.storageClassName ?? '' },
  { name: 'VolumeAttributesClass', description: 'The class of its attributes.', cell: (v) => v.spec?.volumeAttributesClassName ?? unset },
  { name: 'Reason', description: 'Why it is in this state.', cell: (v) => v.status?.reason ?? '' },
  ageColumn,
  { name: 'VolumeMode', priority: 1, description: 'Filesystem or Block.', cell: (v) => v.spec?.volumeMode ?? unset },
]

export const persistentVolumeClaimColumns: readonly Column<PersistentVolumeClaim>[] = [
  nameColumn,
  {
    name: 'Status',
    description: 'Pending, Bound or Lost.',
    cell: (c) => (c.metadata.deletionTimestamp ? 'Terminating' : (c.status?.phase ?? '')),
  },
  { name: 'Volume', description: 'What it has.', cell: (c) => c.spec?.volumeName ?? '' },
  { name: 'Capacity', description: 'How much fits into that.', cell: (c) => (c.spec?.volumeName ? (c.status?.capacity?.['storage'] ?? '') : '') },
  {
    name: 'Access Modes',
    description: 'By how many nodes it can be used, and how.',
    cell: (c) => (c.spec?.volumeName ? modesText(c.status?.accessModes) : ''),
  },
  { name: 'StorageClass', description: 'The class that it asks for.', cell: (c) => c.spec?.storageClassName ?? '' },
  { name: 'VolumeAttributesClass', description: 'The class of attributes that it asks for.', cell: (c) => c.spec?.volumeAttributesClassName ?? unset },
  ageColumn,
  { name: 'VolumeMode', priority: 1, description: 'Filesystem or Block.', cell: (c) => c.spec?.volumeMode ?? unset },
]

/** By which a class says that it is for all who name none; the second one is older. */
export const defaultClass = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'] as const

export const storageClassColumns: readonly Column<StorageClass>[] = [
  {
    ...nameColumn,
    cell: ({ metadata }) => (defaultClass.some((a) => metadata.annotations?.[a] === 'true') ? `${metadata.name} (default)` : metadata.name),
  },
  { name: 'Provisioner', description: 'Who makes volumes of this class.', cell: (s) => s.provisioner },
  { name: 'ReclaimPolicy', description: 'What becomes of them after their claims.', cell: (s) => s.reclaimPolicy ?? 'Delete' },
  { name: 'VolumeBindingMode', description: 'When they are made.', cell: (s) => s.volumeBindingMode ?? 'Immediate' },
  { name: 'AllowVolumeExpansion', type: 'boolean', description: 'Whether they can grow.', cell: (s) => s.allowVolumeExpansion ?? false },
  ageColumn,
]
