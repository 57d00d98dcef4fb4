/**
 * The kubelet half of the agent: makes the pods of this node be what the hub wishes.
 *
 * Invariants:
 * - Before the first `setPods` nothing is started, ended or removed.
 * - Each pod (by uid) has one worker; what is found running and wished is kept as it is, also by an agent that has just started.
 * - Containers, networks and files that belong to no wished pod go, but only after the first `setPods`.
 */
import { sleep, type Clock } from '../../api/clock.ts'
import type { NodeReport } from '../../api/frames.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { keyOf, type Pod } from '../../api/objects.ts'
import type { PodNetwork } from '../net/pod-network.ts'
import type { Objects } from '../objects/objects.ts'
import { identityOf, type PodIdentity } from './attempts.ts'
import { createContainerView } from './container-view.ts'
import { isOver } from './decide.ts'
import type { Downward } from './downward.ts'
import type { Variable } from './env.ts'
import { createImages } from './images.ts'
import type { Forwards } from './forward/forwards.ts'
import { createPodCalls, type PodCalls } from './pod-calls.ts'
import { createPodFiles, podsDirOf, type PodFilesOptions } from './pod-files.ts'
import { createPodWorker, type PodWorker, type RunningContainer } from './pod-worker.ts'
import type { Runtime } from './runtime/runtime.ts'
import { createSlots } from './slots.ts'
import { createSteps, downwardOf, type StepTools } from './steps.ts'
import { createTeller, silentTeller, type Teller } from './teller.ts'
import type { Mounts } from './volumes/mounts.ts'
import { createPodVolumes } from './volumes/pod-volumes.ts'
import { refreshVolumes } from './volumes/refresher.ts'

export interface PodsOptions extends PodFilesOptions {
  readonly runtime: Runtime
  readonly network: PodNetwork
  readonly forwards: Forwards
  /** What ConfigMaps, Secrets and tokens come from. */
  readonly objects: Objects
  readonly mounts: Mounts
  /** In [0, 1). */
  readonly random: () => number
  readonly clock: Clock
  readonly log: Log
  /** See `StepTools`. */
  readonly nodeNetns?: string
  readonly cgroupRoot: string
  readonly capacity: Downward['capacity']
  /** The node's addresses, as soon as they are known. */
  hostIPs(): readonly string[]
  /** See `StepTools`. */
  serviceVariables(pod: Pod): readonly Variable[]
  /** Takes statuses, events and ends of pods to the hub. */
  report(report: NodeReport): void
}

export interface Pods {
  /** All pods that the hub wishes on this node; not before the hub's first `sync`. Those that are missing end. */
  setPods(pods: readonly Pod[]): void
  /** `spec.podCIDRs` of this node; pods that need a network wait until there is one. */
  setRanges(ranges: readonly string[]): void
  /** What the hub asks of pods while somebody waits. */
  readonly calls: PodCalls
  /** Pods of which a container ran at the last look. */
  running(): readonly RunningPod[]
  /** Tells every status and every end again, for a hub that may have missed some. */
  repeat(): void
  /** Stops working; containers go on. Resolves when nothing of ours is under way. */
  close(): Promise<void>
}

export interface RunningPod {
  /** `namespace/name` */
  readonly key: string
  readonly containers: readonly RunningContainer[]
}

/** How many containers and networks are made at once. */
const startsAtOnce = 4
/** Everything is looked at again after so many ms, whatever the runtime tells. */
const lookAgainMs = 30_000
const retryMs = 2_000

export function createPods(options: PodsOptions): Pods {
  const { runtime, network, log } = options
  const report = (told: NodeReport): void => options.report(told)
  const closing = new AbortController()
  const view = createContainerView(runtime, closing.signal)
  const tools = toolsOf(options, closing.signal)
  const { files, volumes } = tools
  const steps = createSteps(tools)
  const workers = new Map<string, PodWorker>()
  /** Pods that have ended here and that the hub still shows. */
  const gone = new Map<string, Pod>()
  const background: Promise<unknown>[] = []
  let adopted = false

  function add(pod: Pod, teller: Teller): PodWorker {
    const { uid } = pod.metadata
    const worker = createPodWorker(pod, { ...tools, steps, view, log, teller }, closing.signal)
    workers.set(uid, worker)
    void worker.ended.then((how) => {
      if (how !== 'gone') return
      workers.delete(uid)
      if (teller !== silentTeller) gone.set(uid, pod)
    })
    return worker
  }

  function setPods(pods: readonly Pod[]): void {
    const wished = new Set(pods.map((p) => p.metadata.uid))
    for (const pod of pods) {
      const worker = workers.get(pod.metadata.uid)
      if (worker) worker.set(pod)
      else if (!gone.has(pod.metadata.uid)) add(pod, createTeller(report))
    }
    for (const [uid, worker] of workers) if (!wished.has(uid)) worker.doom()
    for (const uid of gone.keys()) if (!wished.has(uid)) gone.delete(uid)
    if (!adopted) background.push(untilDone(takeIn, options, closing.signal))
    adopted = true
  }

  /** Takes in hand what earlier agents left. */
  async function takeIn(): Promise<void> {
    const found = await view.pods()
    const orphans = found.filter(({ uid }) => !workers.has(uid) && !gone.has(uid))
    for (const identity of orphans) add(orphan(identity), silentTeller).doom()
    for (const uid of network.uids()) if (!workers.has(uid)) await network.drop(uid, closing.signal)
    await volumes.keepOnly(new Set(workers.keys()), closing.signal)
    files.keepOnly([...workers.values()].map((w) => identityOf(w.pod)))
  }

  const find = (namespace: string, name: string): PodWorker | undefined => newest(workers.values(), namespace, name)
  const wakeAll = (): void => workers.forEach((worker) => worker.wake())
  const stopWatching = runtime.watch(wakeAll)
  background.push(everySoOften(wakeAll, options, closing.signal))
  const using = (): readonly Pod[] => [...workers.values()].map((worker) => worker.pod).filter((pod) => !isOver(pod, new Map()))
  const about = (pod: Pod, event: Parameters<Teller['event']>[1]): void => createTeller(report).event(pod, event)
  background.push(refreshVolumes({ ...options, volumes, pods: using, event: about }, closing.signal))

  return {
    setPods,
    setRanges(ranges) {
      network.setRanges(ranges)
      wakeAll()
    },
    calls: createPodCalls({ ...options, files, find }),
    running() {
      const all = [...workers.values()].map((worker) => ({ key: keyOf(worker.pod), containers: worker.running() }))
      return all.filter((pod) => pod.containers.length > 0)
    },
    repeat() {
      for (const { metadata } of gone.values()) {
        report({ kind: 'podGone', key: `${metadata.namespace ?? 'default'}/${metadata.name}`, uid: metadata.uid })
      }
      workers.forEach((worker) => worker.repeat())
    },
    async close() {
      closing.abort(new DOMException('the agent stops', 'AbortError'))
      stopWatching()
      await Promise.all([...background, options.forwards.close(), ...[...workers.values()].map((w) => w.ended)])
    },
  }
}

function toolsOf(options: PodsOptions, closing: AbortSignal): StepTools {
  const { clock, objects, mounts } = options
  const downward = (pod: Pod): Downward => downwardOf(pod, options)
  return {
    ...options,
    files: createPodFiles(options),
    volumes: createPodVolumes({ podsDir: podsDirOf(options.dir), objects, mounts, now: () => clock.now(), downward }),
    images: createImages(options.runtime, closing),
    slots: createSlots(startsAtOnce),
    hostIPs: () => options.hostIPs(),
    serviceVariables: (pod) => options.serviceVariables(pod),
  }
}

/** Tries until it works. */
async function untilDone(
  work: () => Promise<void>,
  { clock, log }: Pick<PodsOptions, 'clock' | 'log'>,
  closing: AbortSignal,
): Promise<void> {
  while (!closing.aborted) {
    try {
      return await work()
    } catch (e) {
      if (closing.aborted) return
      log.warn('what is left of earlier pods could not be looked at', errorKeys(e))
      await sleep(clock, retryMs, closing).catch(() => {})
    }
  }
}

async function everySoOften(call: () => void, { clock }: Pick<PodsOptions, 'clock'>, closing: AbortSignal): Promise<void> {
  while (!closing.aborted) {
    await sleep(clock, lookAgainMs, closing).catch(() => {})
    call()
  }
}

/** What labels tell of a pod that nobody wishes, as far as its worker asks. */
function orphan({ uid, namespace, name, graceSeconds }: PodIdentity): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { uid, namespace, name, resourceVersion: '0', creationTimestamp: '' },
    spec: { containers: [], terminationGracePeriodSeconds: graceSeconds },
  } as unknown as Pod
}

/** Of pods of one name, as while one ends and its successor begins, the younger. */
function newest(workers: Iterable<PodWorker>, namespace: string, name: string): PodWorker | undefined {
  return [...workers]
    .filter(({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name === name)
    .toSorted((a, b) => b.pod.metadata.creationTimestamp.localeCompare(a.pod.metadata.creationTimestamp))[0]
}
