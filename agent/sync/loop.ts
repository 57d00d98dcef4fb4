/**
 * Brings the kernel to what the view says: plan, apply, remember. One pass at a time; what changes meanwhile makes the
 * next one. There is one path: a pass over a few services and a pass over everything differ only in what is looked at.
 *
 * - What the kernel holds is remembered only after it said yes. After any failure it is unknown: the next pass reads it
 *   back and looks at everything.
 * - Before the first `wake` (the first sync marker) nothing is read or written.
 * - `audit` makes the next pass look at the kernel again, and so repairs what other hands changed.
 */
import type { Clock } from '../../api/clock.ts'
import { sleep } from '../../api/clock.ts'
import { isWherryError } from '../../api/errors.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { Plan } from '../../rules/mode.ts'
import type { NodeView, ServiceKey } from '../../rules/model.ts'
import { othersTurn } from '../kernel/pace.ts'
import type { Dataplane } from './dataplane.ts'

/** How far the kernel is; told after each pass, and when a pass fails. */
export interface Progress {
  readonly applied: number
  readonly failed?: { readonly code: string; readonly message: string }
  /** What failed: a pass over everything, or over what changed. Told with `failed`. */
  readonly pass?: PassKind
}

export type PassKind = 'full' | 'partial'

/** A pass that changed something, or found that nothing had to change after reading the kernel. */
export interface Pass {
  readonly revision: number
  readonly plan: Plan<unknown>
  readonly view: NodeView
  /** Services looked at; 'all' after a read-back. */
  readonly changed: 'all' | ReadonlySet<ServiceKey>
  readonly ms: number
}

export interface SyncLoopDeps {
  readonly dataplane: Dataplane
  /** The view to aim at, with the revision it stands for. Asked at the start of each pass. */
  readonly wish: () => { readonly view: NodeView; readonly revision: number }
  readonly onProgress: (progress: Progress) => void
  /** After the kernel accepted a pass: connection tracking follows the rules, never the other way round. */
  readonly onApplied: (pass: Pass) => void
  readonly log: Log
  readonly clock: Clock
  readonly random: () => number
}

export interface SyncLoop {
  /** Something changed: these services, or everything (the first sync, another node configuration). */
  wake(changed: 'all' | ReadonlySet<ServiceKey>): void
  /** Distrust what is remembered of the kernel; the next pass reads it. */
  audit(): void
  /** Runs until the signal aborts; resolves then, after the pass at hand. */
  run(signal: AbortSignal): Promise<void>
}

const retry = { firstMs: 50, capMs: 5_000 } as const

export function createSyncLoop(deps: SyncLoopDeps): SyncLoop {
  const { dataplane, log, clock, random } = deps
  let dirty: 'all' | Set<ServiceKey> = new Set()
  let awake = false
  let woken = false
  let ring: (() => void) | undefined
  let failures = 0
  let applied = 0
  let kind: PassKind = 'full'

  const wake = (changed: 'all' | ReadonlySet<ServiceKey>): void => {
    if (changed === 'all') dirty = 'all'
    else if (dirty !== 'all') for (const key of changed) dirty.add(key)
    awake = true
    woken = true
    ring?.()
  }

  const pass = async (signal: AbortSignal): Promise<void> => {
    const started = clock.now()
    const { view, revision } = deps.wish()
    const readBack = !dataplane.isKnown()
    const changed = readBack ? 'all' : dirty
    kind = changed === 'all' ? 'full' : 'partial'
    dirty = new Set()
    awake = false
    let plan: Plan<unknown>
    try {
      plan = await dataplane.bring(view, changed, signal)
    } catch (e) {
      dirty = 'all'
      throw e
    }
    applied = revision
    const ms = clock.now() - started
    tell(log, { plan, revision, ms, readBack })
    deps.onApplied({ revision, plan, view, changed, ms })
    deps.onProgress({ applied })
  }

  const rest = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (awake || signal.aborted) return resolve()
      const done = (): void => {
        ring = undefined
        signal.removeEventListener('abort', done)
        resolve()
      }
      ring = done
      signal.addEventListener('abort', done, { once: true })
    })

  return {
    wake,
    audit() {
      dataplane.forget()
      // Before the first sync there is nothing to compare the kernel with.
      if (woken) wake('all')
    },
    async run(signal) {
      while (!signal.aborted) {
        await rest(signal)
        if (signal.aborted) return
        try {
          // What has arrived goes into one pass, however many frames it came in.
          await othersTurn(signal)
          await pass(signal)
          failures = 0
        } catch (e) {
          if (signal.aborted) return
          awake = true
          const wait = Math.min(retry.capMs, retry.firstMs * 2 ** failures) * (0.5 + random() / 2)
          failures++
          log.error('the kernel refused the rules; trying again', { ...errorKeys(e), failures, waitMs: Math.round(wait) })
          deps.onProgress({
            applied,
            failed: { code: isWherryError(e) ? e.code : 'KERNEL_REFUSED', message: e instanceof Error ? e.message : String(e) },
            pass: kind,
          })
          await sleep(clock, wait, signal).catch(() => {})
        }
      }
    },
  }
}

function tell(log: Log, done: { plan: Plan<unknown>; revision: number; ms: number; readBack: boolean }): void {
  const { plan, revision, ms, readBack } = done
  if (plan.transaction !== undefined) log.info('rules applied', { revision, services: plan.services, ...plan.elements, ms })
  else if (readBack) log.info('the kernel already holds the rules', { revision, services: plan.services, ms })
}
