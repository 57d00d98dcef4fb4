/** A container's mounts. Pure; `../pod-files.ts` makes what is asked, `pod-volumes.ts` has made the rest before. */
import { isAbsolute, join, normalize } from 'node:path'
import type { Container, Pod } from '../../../api/objects.ts'
import { PodError } from '../error.ts'
import type { ContainerSpec } from '../runtime/runtime.ts'
import { isWritten, type Volume } from './named.ts'
import { emptyDir, writtenDir } from './pod-volumes.ts'

type VolumeMount = NonNullable<Container['volumeMounts']>[number]

/** What has to be there before a container starts. */
export type Provision =
  /** Something that is in a volume already. `field` is named when it is not. */
  | { readonly kind: 'inside'; readonly path: string; readonly volume: string; readonly field: string }
  /** A folder that everybody may write to. No link leads out of the volume on the way to it. */
  | { readonly kind: 'folder'; readonly path: string; readonly volume: string; readonly field: string }
  /** A path of the node, by the rules of hostPath's `type`. `field` is named when it is not as it should be. */
  | { readonly kind: 'host'; readonly path: string; readonly type: string; readonly field: string }

export interface MountPlan {
  readonly mounts: ContainerSpec['mounts']
  readonly provisions: readonly Provision[]
}

/**
 * @param path of the container, e.g. `spec.containers[0]`
 * @param dir the pod's own folder on the node
 * @throws PodError CONTAINER_CONFIG naming the field
 */
export function mountPlan(pod: Pod, container: Container, path: string, dir: string): MountPlan {
  const volumes = pod.spec?.volumes ?? []
  const planned = (container.volumeMounts ?? []).map((mount, i) => {
    const at = `${path}.volumeMounts[${i}]`
    const index = volumes.findIndex((v) => v.name === mount.name)
    if (index < 0) throw refused(`${at}.name`, `the pod has no volume ${mount.name}`)
    if (mount.subPathExpr) throw refused(`${at}.subPathExpr`, 'not offered on this node; use subPath')
    if (mount.mountPropagation && mount.mountPropagation !== 'None') {
      throw refused(`${at}.mountPropagation`, 'not offered on this node; use None')
    }
    return plan(volumes[index]!, mount, { volume: `spec.volumes[${index}]`, mount: at }, dir)
  })
  return { mounts: planned.map((p) => p.mount), provisions: planned.flatMap((p) => p.provisions) }
}

function plan(
  volume: Volume,
  mount: VolumeMount,
  fields: { readonly volume: string; readonly mount: string },
  dir: string,
): { readonly mount: ContainerSpec['mounts'][number]; readonly provisions: readonly Provision[] } {
  const inner = subPath(mount, fields.mount)
  const at = (source: string): ContainerSpec['mounts'][number] => ({
    source: join(source, inner),
    target: mount.mountPath,
    readOnly: mount.readOnly ?? false,
  })
  const field = `${fields.mount}.subPath`
  if (volume.emptyDir) {
    const { medium } = volume.emptyDir
    if (medium && medium !== 'Memory') throw refused(`${fields.volume}.emptyDir.medium`, `${medium} is not offered on this node; use Memory, or leave it out`)
    const folder = emptyDir(dir, volume.name)
    const paths = [...(medium ? [] : [folder]), ...(inner === '' ? [] : [join(folder, inner)])]
    return { mount: at(folder), provisions: paths.map((path) => ({ kind: 'folder', path, volume: folder, field })) }
  }
  if (isWritten(volume)) {
    const folder = writtenDir(dir, volume.name)
    const path = join(folder, inner)
    return { mount: { ...at(folder), readOnly: true }, provisions: inner === '' ? [] : [{ kind: 'inside', path, volume: folder, field }] }
  }
  if (volume.hostPath) {
    const { path, type = '' } = volume.hostPath
    if (!isAbsolute(path)) throw refused(`${fields.volume}.hostPath.path`, 'a path on the node begins with /')
    return { mount: at(path), provisions: [{ kind: 'host', path, type, field: `${fields.volume}.hostPath` }] }
  }
  const kind = Object.keys(volume).find((name) => name !== 'name') ?? 'its source'
  throw refused(`${fields.volume}.${kind}`, 'this kind of volume is not offered on this node; use emptyDir, hostPath, configMap, secret, downwardAPI or projected')
}

function subPath(mount: VolumeMount, field: string): string {
  if (!mount.subPath) return ''
  if (isAbsolute(mount.subPath) || normalize(mount.subPath).split('/').includes('..')) {
    throw refused(`${field}.subPath`, 'it has to stay inside the volume')
  }
  return mount.subPath
}

function refused(field: string, why: string): PodError {
  return new PodError('CONTAINER_CONFIG', `${field}: ${why}`)
}
