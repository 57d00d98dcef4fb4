/**
 * The volumes of pods that the agent makes: files from ConfigMaps, Secrets, tokens and the pod itself, in one tmpfs for each pod, and
 * emptyDirs in memory. What is there is known from the kernel's mounts and the files, so an agent that was killed has lost nothing.
 *
 * Invariants:
 * - No value of a Secret and no token comes to a disk: files are written where a tmpfs is mounted, and nowhere else.
 * - A file that has not changed is not written again. A token is replaced in time, and only then.
 */
import { join } from 'node:path'
import { isWherryError } from '../../../api/errors.ts'
import type { Pod } from '../../../api/objects.ts'
import type { ObjectName, Objects } from '../../objects/objects.ts'
import type { Downward } from '../downward.ts'
import { parseQuantity } from '../quantity.ts'
import { volumeFiles, type Supply } from './contents.ts'
import { isComplete, readFile, writeFolder } from './folder.ts'
import type { Mounts } from './mounts.ts'
import { memoryVolumes, objectsOfVolume, writtenVolumes, type FoundObjects, type Placed, type TokenSource } from './named.ts'
import { isLasting } from './token-file.ts'

export interface PodVolumes {
  /** Whether all that the pod mounts is there. */
  stand(pod: Pod): boolean
  /**
   * Makes what is missing.
   * @param since objects count as they are from then on, ms since 1970
   * @throws PodError OBJECT_ABSENT, CONTAINER_CONFIG; LinkError; ExecError
   */
  provide(pod: Pod, since: number, signal: AbortSignal): Promise<void>
  /** Brings the files of volumes that stand up to date; those of one that cannot be made any more stay. @throws as `provide` */
  refresh(pod: Pod, since: number, signal: AbortSignal): Promise<void>
  /** Takes the mounts of a pod away. @throws ExecError */
  drop(uid: string, signal: AbortSignal): Promise<void>
  /** Takes the mounts of all other pods away. @throws ExecError */
  keepOnly(uids: ReadonlySet<string>, signal: AbortSignal): Promise<void>
}

export interface PodVolumesDeps {
  /** Where pods have their folders, by uid. */
  readonly podsDir: string
  readonly objects: Objects
  readonly mounts: Mounts
  readonly now: () => number
  /** What files say of the pod. */
  readonly downward: (pod: Pod) => Downward
}

/** Below the pod's folder: where its written volumes are, and its emptyDirs. */
export const writtenDir = (podDir: string, volume = ''): string => join(podDir, 'written', volume)
export const emptyDir = (podDir: string, volume: string): string => join(podDir, 'volumes', volume)

export function createPodVolumes(deps: PodVolumesDeps): PodVolumes {
  const { podsDir, mounts, now } = deps
  const dirOf = (pod: Pod): string => join(podsDir, pod.metadata.uid)
  const leaving = new Set<string>()

  const write = async (pod: Pod, since: number, signal: AbortSignal): Promise<void> => {
    const dir = dirOf(pod)
    const volumes = writtenVolumes(pod)
    const supply = await gather({ pod, dir, volumes, since }, deps, signal)
    const all = volumes.map((placed) => ({ name: placed.volume.name, files: volumeFiles(placed, supply) }))
    // From here on nothing is waited for, so the mount cannot go in between.
    if (leaving.has(pod.metadata.uid) || !mounts.below(dir).includes(writtenDir(dir))) return
    for (const { name, files } of all) writeFolder(writtenDir(dir, name), files, now())
  }
  const unmount = async (points: readonly string[], signal: AbortSignal): Promise<void> => {
    for (const point of points) await mounts.unmount(point, signal)
  }
  const stand = (pod: Pod): boolean => {
    const [dir, written, memory] = [dirOf(pod), writtenVolumes(pod), memoryVolumes(pod)]
    if (written.length + memory.length === 0) return true
    const held = new Set(mounts.below(dir))
    const complete = written.length === 0 || (held.has(writtenDir(dir)) && written.every(({ volume }) => isComplete(writtenDir(dir, volume.name))))
    return complete && memory.every(({ volume }) => held.has(emptyDir(dir, volume.name)))
  }
  return {
    stand,
    async provide(pod, since, signal) {
      const dir = dirOf(pod)
      leaving.delete(pod.metadata.uid)
      const held = new Set(mounts.below(dir))
      for (const { volume } of memoryVolumes(pod)) {
        const at = emptyDir(dir, volume.name)
        if (!held.has(at)) await mounts.mountMemory(at, { mode: 0o777, ...sizeOf(volume.emptyDir?.sizeLimit) }, signal)
      }
      if (writtenVolumes(pod).length === 0) return
      if (!held.has(writtenDir(dir))) await mounts.mountMemory(writtenDir(dir), { mode: 0o755 }, signal)
      await write(pod, since, signal)
    },
    async refresh(pod, since, signal) {
      if (writtenVolumes(pod).length > 0 && stand(pod)) await write(pod, since, signal)
    },
    async drop(uid, signal) {
      leaving.add(uid)
      await unmount(mounts.below(join(podsDir, uid)), signal)
      leaving.delete(uid)
    },
    async keepOnly(uids, signal) {
      const uidOf = (point: string): string => point.slice(podsDir.length + 1).split('/')[0]!
      await unmount(mounts.below(podsDir).filter((point) => point !== podsDir && !uids.has(uidOf(point))), signal)
    },
  }
}

const sizeOf = (limit: string | number | undefined): { readonly bytes?: number } => {
  const bytes = limit === undefined ? 0 : Math.ceil(parseQuantity(limit))
  return bytes > 0 ? { bytes } : {}
}

interface Wanted {
  readonly pod: Pod
  readonly dir: string
  readonly volumes: readonly Placed[]
  readonly since: number
}

/** Reads and asks for all that the files are made of. */
async function gather({ pod, dir, volumes, since }: Wanted, deps: PodVolumesDeps, signal: AbortSignal): Promise<Supply> {
  const names = volumes.flatMap(({ volume }) => objectsOfVolume(pod, volume))
  const object = await findAll(names, deps.objects, since, signal)
  const tokens = new Map<TokenSource, string>()
  for (const { volume } of volumes) {
    for (const { serviceAccountToken: source } of volume.projected?.sources ?? []) {
      if (source) tokens.set(source, await tokenFor(pod, { source, dir: writtenDir(dir, volume.name) }, deps, signal))
    }
  }
  return {
    object,
    token: (source) => tokens.get(source)!,
    downward: deps.downward(pod),
  }
}

/** @param names of one namespace. @throws LinkError */
export async function findAll(names: readonly ObjectName[], objects: Objects, since: number, signal: AbortSignal): Promise<FoundObjects> {
  const keyOf = (kind: ObjectName['kind'], name: string): string => `${kind} ${name}`
  const unique = new Map(names.map((of) => [keyOf(of.kind, of.name), of]))
  const found = new Map(await Promise.all([...unique].map(async ([key, of]) => [key, await objects.find(of, since, signal)] as const)))
  return (kind, name) => found.get(keyOf(kind, name))
}

interface TokenSpot {
  readonly source: TokenSource
  readonly dir: string
}

/** API default of `expirationSeconds`. */
const usualSeconds = 3_600

/** The token that is in its file as long as it lasts, then another one. Where no hub gives one, an old one is better than none. */
async function tokenFor(pod: Pod, { source, dir }: TokenSpot, { objects, now }: PodVolumesDeps, signal: AbortSignal): Promise<string> {
  const held = readFile(dir, source.path)?.toString()
  if (held !== undefined && isLasting(held, now())) return held
  const { name, uid, namespace = 'default' } = pod.metadata
  const account = pod.spec?.serviceAccountName || 'default'
  const wish = { namespace, account, pod: { name, uid }, seconds: source.expirationSeconds ?? usualSeconds }
  try {
    return await objects.token({ ...wish, ...(source.audience && { audience: source.audience }) }, signal)
  } catch (e) {
    if (held !== undefined && isWherryError(e, 'LINK_LOST')) return held
    throw e
  }
}
