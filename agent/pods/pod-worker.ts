/**
 * One pod's life on this node: look, tell the status, take one step, again.
 *
 * Invariants:
 * - One step at a time, and never on a listing that is older than the step before.
 * - A pod that is to end aborts what is being started for it; nothing is started for it any more.
 * - Closing the worker leaves everything as it is: containers go on without us.
 */
import { join } from 'node:path'
import { errorKeys, type Log } from '../../api/log.ts'
import { keyOf, type Pod } from '../../api/objects.ts'
import { defaultGraceSeconds, identityOf, type Attempts } from './attempts.ts'
import { dropCgroup } from './cgroup.ts'
import type { ContainerView } from './container-view.ts'
import { decide, type Doom, type NetworkState, type PodSight, type Step } from './decide.ts'
import { podCgroup, podIPs, type Act, type Steps, type StepTools } from './steps.ts'
import type { Teller } from './teller.ts'
import { createTrials, type Trials } from './trials.ts'
import { createWaker } from './waker.ts'

export interface WorkerOptions extends StepTools {
  readonly steps: Steps
  readonly view: ContainerView
  readonly teller: Teller
  readonly log: Log
}

export interface PodWorker {
  readonly pod: Pod
  /** The newest object. */
  set(pod: Pod): void
  /** The pod is to end, as one does whose object is gone. */
  doom(): void
  /** Something may have changed. */
  wake(): void
  /** Tells the status again, although it has not changed. */
  repeat(): void
  /** Whether an attempt has ended, as of the last look. One that is only about to run has not. */
  hasEnded(container: string, attempt: number): boolean
  /** Containers that ran at the last look, and their cgroups. */
  running(): readonly RunningContainer[]
  /** What the container waits for, for people; undefined where it does not wait. */
  waitsFor(container: string): string | undefined
  /** Nothing of the pod is left, or the worker was closed. */
  readonly ended: Promise<'gone' | 'closed'>
}

export interface RunningContainer {
  readonly name: string
  readonly id: string
  /** Absolute cgroup path. */
  readonly cgroup: string
}

/** After a step that should have worked: once more after so many ms. */
const againMs = 2_000

/** What changes in a worker's life. */
interface Life {
  pod: Pod
  doomed: boolean
  gone: boolean
  attempts: Attempts
  /** Whether the network that stands was asked for by this worker or found whole; `broken` is to be made anew. */
  network: 'unproven' | 'proven' | 'broken'
  /** As of the last look that found them, or the step that made them. */
  volumes: 'none' | 'there'
  /** Aborts what is being started. */
  starting?: AbortController
}

export function createPodWorker(first: Pod, options: WorkerOptions, closing: AbortSignal): PodWorker {
  const { clock, network, view, teller } = options
  const { uid } = first.metadata
  const log = options.log.with({ pod: keyOf(first), uid })
  const trials = createTrials()
  const waker = createWaker(clock, closing)
  const doomed = first.metadata.deletionTimestamp !== undefined
  const life: Life = { pod: first, doomed, gone: false, attempts: new Map(), network: 'unproven', volumes: 'none' }
  const arrived = clock.now()

  async function look(): Promise<PodSight> {
    life.attempts = await view.of(uid)
    if (life.network === 'unproven') await proveNetwork(life, options, closing)
    if (life.volumes === 'none' && !life.doomed && options.volumes.stand(life.pod)) life.volumes = 'there'
    const { pod, attempts, doomed, volumes } = life
    const now = clock.now()
    const { holds, events } = trials.holds(pod, attempts, now)
    teller.events(pod, events)
    const doom = doomed && { doom: doomOf(pod, trials.termSince) }
    return { pod, attempts, holds, now, network: networkState(life, options), networkReady: network.ready, volumes, ...doom }
  }

  async function turn(): Promise<void> {
    waker.clear()
    const sight = await look()
    teller.status(sight, { hostIPs: options.hostIPs(), podIPs: podIPs(life.pod, options) })
    const step: Step = decide(sight)
    if (step.kind === 'finish') return finish(life, { ...options, log }, closing)
    if (step.kind === 'rest') return waker.rest(step.until)
    const pause = await act(step, life, { ...options, log, trials, arrived }, closing)
    if (pause !== undefined) await waker.rest(pause)
  }

  async function live(): Promise<'gone' | 'closed'> {
    while (!closing.aborted && !life.gone) {
      try {
        await turn()
      } catch (e) {
        if (closing.aborted) break
        log.warn('a pod could not be looked at', errorKeys(e))
        await waker.rest(clock.now() + againMs)
      }
    }
    waker.close()
    return life.gone ? 'gone' : 'closed'
  }

  function doom(): void {
    if (!life.doomed) {
      life.doomed = true
      trials.doom()
      life.starting?.abort(new DOMException('the pod is to end', 'AbortError'))
    }
    waker.wake()
  }

  return {
    get pod() {
      return life.pod
    },
    set(next) {
      if (next === life.pod) return
      life.pod = next
      if (next.metadata.deletionTimestamp === undefined) waker.wake()
      else doom()
    },
    doom,
    wake: () => waker.wake(),
    repeat() {
      teller.repeat()
      waker.wake()
    },
    hasEnded: (container, attempt) => hasEnded(life, container, attempt),
    running: () => runningOf(life.attempts, podCgroup(options.cgroupRoot, uid)),
    waitsFor: (container) => teller.last?.containerStatuses?.find((c) => c.name === container)?.state?.waiting?.reason,
    ended: live(),
  }
}

function hasEnded({ attempts, gone }: Life, container: string, attempt: number): boolean {
  const known = attempts.get(container) ?? []
  return gone || known.some((a) => a.attempt > attempt || (a.attempt === attempt && a.state.phase === 'exited'))
}

function runningOf(attempts: Attempts, cgroup: string): readonly RunningContainer[] {
  const all = [...attempts.values()].flat().filter((a) => a.state.phase === 'running')
  return all.map(({ container, state }) => ({ name: container, id: state.id, cgroup: join(cgroup, state.id) }))
}

/** Takes the rest away. */
async function finish(life: Life, { volumes, files, teller, log, cgroupRoot }: WorkerOptions, closing: AbortSignal): Promise<void> {
  const { uid } = life.pod.metadata
  await volumes.drop(uid, closing)
  files.drop(identityOf(life.pod))
  dropCgroup(podCgroup(cgroupRoot, uid))
  teller.gone(life.pod)
  log.info('a pod has ended')
  life.gone = true
}

/** @returns until when to pause before the next look (ms since 1970); undefined for not at all */
async function act(
  step: Act,
  life: Life,
  tools: Pick<WorkerOptions, 'steps' | 'teller' | 'clock' | 'log'> & { readonly trials: Trials; readonly arrived: number },
  closing: AbortSignal,
): Promise<number | undefined> {
  const { steps, teller, clock, log, trials, arrived } = tools
  const abortable = step.kind === 'start' || step.kind === 'raise-network' || step.kind === 'provide-volumes'
  life.starting = abortable ? new AbortController() : undefined
  const signal = life.starting ? AbortSignal.any([closing, life.starting.signal]) : closing
  try {
    await steps.perform(step, { pod: life.pod, arrived, event: (part, path) => teller.event(life.pod, part, path) }, signal)
    trials.succeeded(step, clock.now())
    if (step.kind === 'raise-network') life.network = 'proven'
    if (step.kind === 'provide-volumes') life.volumes = 'there'
    return undefined
  } catch (e) {
    if (signal.aborted) return undefined
    log.warn('a step of a pod failed', { step: step.kind, ...errorKeys(e) })
    teller.events(life.pod, trials.failed(step, e, clock.now()))
    return abortable ? undefined : clock.now() + againMs
  } finally {
    life.starting = undefined
  }
}

function doomOf(pod: Pod, since: number | undefined): Doom {
  const seconds = pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? defaultGraceSeconds
  return { graceMs: seconds * 1000, ...(since !== undefined && { since }) }
}

/**
 * A network that was found is looked at once. Where containers live in it, it stays as it is, whatever the plugins say,
 * unless no link leads to the pod any more: then nobody is served by leaving it.
 */
async function proveNetwork(life: Life, options: Pick<WorkerOptions, 'network' | 'log'>, signal: AbortSignal): Promise<void> {
  const { network, log } = options
  const { uid } = life.pod.metadata
  const inUse = [...life.attempts.values()].flat().some((a) => a.state.phase === 'running')
  const isUp = network.find(uid).kind === 'up'
  const cut = isUp && (await network.isCut(uid, signal))
  const whole = !isUp || (!cut && (await network.check(uid, signal)))
  if (!whole) log.warn('the network of a pod is not as it was made', { uid, inUse, cut })
  life.network = whole || (inUse && !cut) ? 'proven' : 'broken'
}

function networkState({ pod, network: proof }: Life, { network }: Pick<StepTools, 'network'>): NetworkState {
  if (pod.spec?.hostNetwork) return 'up'
  const { kind } = network.find(pod.metadata.uid)
  return kind === 'half' || (kind === 'up' && proof === 'broken') ? 'lost' : kind
}
