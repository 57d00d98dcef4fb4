/** Lets the files in volumes follow what they are made of: once a minute, one pod after the other. */
import { sleep, type Clock } from '../../../api/clock.ts'
import { isWherryError } from '../../../api/errors.ts'
import type { NodeEvent } from '../../../api/frames.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { keyOf, type Pod } from '../../../api/objects.ts'
import type { Objects } from '../../objects/objects.ts'
import { objectsOf } from './named.ts'
import type { PodVolumes } from './pod-volumes.ts'

export interface RefresherDeps {
  /** Those that may use their volumes. */
  readonly pods: () => readonly Pod[]
  readonly volumes: Pick<PodVolumes, 'refresh'>
  readonly objects: Pick<Objects, 'keepOnly'>
  readonly clock: Clock
  /** In [0, 1): nodes that begin together do not ask together. */
  readonly random: () => number
  readonly log: Log
  event(pod: Pod, event: Pick<NodeEvent, 'type' | 'reason' | 'message'>): void
}

const everyMs = 60_000

/** Runs until the signal aborts. Never rejects. */
export async function refreshVolumes(deps: RefresherDeps, signal: AbortSignal): Promise<void> {
  const { pods, volumes, objects, clock, random, log } = deps
  /** What went wrong with a pod last, so that it is told once. */
  const told = new Map<string, string>()

  const failed = (pod: Pod, e: unknown): void => {
    const message = e instanceof Error ? e.message : String(e)
    if (told.get(pod.metadata.uid) === message) return
    told.set(pod.metadata.uid, message)
    log.warn('the volumes of a pod could not be brought up to date; they stay as they are', { pod: keyOf(pod), ...errorKeys(e) })
    deps.event(pod, { type: 'Warning', reason: 'FailedMount', message })
  }
  const pass = async (): Promise<void> => {
    const began = clock.now()
    const all = pods()
    objects.keepOnly(all.flatMap(objectsOf))
    const uids = new Set(all.map((pod) => pod.metadata.uid))
    for (const uid of told.keys()) if (!uids.has(uid)) told.delete(uid)
    for (const pod of all) {
      if (signal.aborted) return
      try {
        await volumes.refresh(pod, began, signal)
        told.delete(pod.metadata.uid)
      } catch (e) {
        if (signal.aborted) return
        if (isWherryError(e, 'LINK_LOST')) return log.debug('no hub answers; volumes stay as they are', errorKeys(e))
        failed(pod, e)
      }
    }
  }
  for (let wait = everyMs * random(); !signal.aborted; wait = everyMs) {
    await sleep(clock, wait, signal).catch(() => undefined)
    if (!signal.aborted) await pass()
  }
}
