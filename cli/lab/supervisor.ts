/**
 * Keeps the processes of a lab alive. It starts each one detached, restarts it when it ends, and knows again those that an
 * earlier supervisor started; so it may be killed at any moment and the cluster goes on.
 */
import { type Clock, sleep } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { type ChildSpec, endOrder } from './children.ts'
import type { Identity } from './process.ts'

/** A child that lives, whether we started it or found it. */
export interface Running {
  readonly identity: Identity
  /** How it ended, in words. Never rejects. */
  readonly ended: Promise<string>
}

export interface SupervisorDeps {
  readonly clock: Clock
  readonly log: Log
  /** Starts a child and records it. */
  readonly launch: (child: ChildSpec) => Promise<Running>
  /** A child of that name that lives already; it is watched until the signal. */
  readonly adopt: (child: ChildSpec, signal: AbortSignal) => Running | undefined
  /** Whether a file is there. */
  readonly exists: (file: string) => boolean
  /** Ends a child politely, then by force, and forgets its record. */
  readonly end: (child: ChildSpec, running: Running) => Promise<void>
}

/** How a supervisor is asked to finish: end the children in order, or leave them running. */
export type Farewell = 'end-children' | 'leave-children'

const firstDelayMs = 100
const longestDelayMs = 5_000
const soundLifeMs = 10_000
const needsPollMs = 100

/** How long to wait before the next start. A child that lived ten seconds starts again at once, as if it were the first time. */
export function nextDelay(previousMs: number | undefined, livedMs: number): number {
  if (previousMs === undefined || livedMs >= soundLifeMs) return firstDelayMs
  return Math.min(longestDelayMs, previousMs * 2)
}

/** Runs until `farewell` resolves. */
export async function supervise(
  children: readonly ChildSpec[],
  deps: SupervisorDeps,
  farewell: Promise<Farewell>,
): Promise<void> {
  const stop = new AbortController()
  const living = new Map<ChildSpec, Running>()
  const keepers = children.map((child) => keep(child, { ...deps, living, signal: stop.signal }))
  const how = await farewell
  stop.abort(new Error('the supervisor ends'))
  await Promise.all(keepers)
  if (how === 'leave-children') return deps.log.info('supervisor leaves its children running', { children: living.size })
  for (const kind of endOrder) {
    const group = [...living].filter(([child]) => child.kind === kind)
    await Promise.all(group.map(([child, running]) => deps.end(child, running)))
  }
  deps.log.info('supervisor has ended its children')
}

interface Keeping extends SupervisorDeps {
  readonly living: Map<ChildSpec, Running>
  readonly signal: AbortSignal
}

async function keep(child: ChildSpec, k: Keeping): Promise<void> {
  const log = k.log.with({ child: child.name })
  let delay: number | undefined
  let running = k.adopt(child, k.signal)
  if (running) log.info('child found running', { pid: running.identity.pid })
  while (!k.signal.aborted) {
    const begin = k.clock.now()
    try {
      running ??= await start(child, k, log)
      if (!running) return
      k.living.set(child, running)
      const how = await Promise.race([running.ended, aborted(k.signal)])
      if (how === undefined) return
      log.warn('child ended', { pid: running.identity.pid, how })
    } catch (error) {
      log.error('child could not be started', errorKeys(error))
    }
    k.living.delete(child)
    running = undefined
    delay = nextDelay(delay, k.clock.now() - begin)
    await sleep(k.clock, delay, k.signal).catch(() => undefined)
  }
}

/** Undefined if the supervisor was asked to end first. */
async function start(child: ChildSpec, k: Keeping, log: Log): Promise<Running | undefined> {
  while (!child.needs.every(k.exists)) {
    await sleep(k.clock, needsPollMs, k.signal).catch(() => undefined)
    if (k.signal.aborted) return undefined
  }
  const running = await k.launch(child)
  log.info('child started', { pid: running.identity.pid })
  return running
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
