/** How far a Deployment may move its ReplicaSets in one step (apps/v1 DeploymentStrategy). Pure. */
import type { Deployment } from '../../api/objects.ts'

/** One ReplicaSet: what it was told, what it has. */
export interface Scale {
  readonly uid: string
  readonly replicas: number
  readonly running: number
  readonly available: number
  readonly created: string
}

export interface ScaleStep {
  readonly uid: string
  readonly replicas: number
}

/**
 * The scale changes that are allowed now: never more than `maxSurge` pods above the wish, never fewer than the wish less
 * `maxUnavailable` available. Old pods that are not available go first, since nobody misses them.
 * @param fresh the ReplicaSet of the present template; undefined while a paused Deployment has none
 */
export function nextScale(deployment: Deployment, fresh: Scale | undefined, old: readonly Scale[]): readonly ScaleStep[] {
  const spec = deployment.spec!
  const wanted = spec.replicas ?? 1
  if (spec.paused || !fresh) return scaleNewest(wanted, fresh, old)
  if (spec.strategy?.type === 'Recreate') return recreate(wanted, fresh, old)
  const { surge, unavailable } = bounds(spec.strategy?.rollingUpdate, wanted)
  return roll(wanted, fresh, old, { surge, unavailable })
}

/** A paused Deployment changes size, not template: what is newest takes the difference. */
function scaleNewest(wanted: number, fresh: Scale | undefined, old: readonly Scale[]): readonly ScaleStep[] {
  const active = [...(fresh ? [fresh] : []), ...old].filter((s) => s.replicas > 0)
  const newest = active[0] && active.reduce((a, b) => (b.created > a.created ? b : a))
  const target = newest ?? fresh
  if (!target) return []
  const others = active.filter((s) => s !== target).reduce((n, s) => n + s.replicas, 0)
  const replicas = Math.max(0, wanted - others)
  return replicas === target.replicas ? [] : [{ uid: target.uid, replicas }]
}

function recreate(wanted: number, fresh: Scale, old: readonly Scale[]): readonly ScaleStep[] {
  const down = old.filter((s) => s.replicas > 0).map((s) => ({ uid: s.uid, replicas: 0 }))
  if (down.length > 0 || old.some((s) => s.running > 0)) return down
  return fresh.replicas === wanted ? [] : [{ uid: fresh.uid, replicas: wanted }]
}

function roll(wanted: number, fresh: Scale, old: readonly Scale[], may: { surge: number; unavailable: number }): readonly ScaleStep[] {
  const steps: ScaleStep[] = []
  const total = [fresh, ...old].reduce((n, s) => n + s.replicas, 0)
  const room = Math.max(0, wanted + may.surge - total)
  const grown = fresh.replicas > wanted ? wanted : Math.min(wanted, fresh.replicas + room)
  if (grown !== fresh.replicas) steps.push({ uid: fresh.uid, replicas: grown })

  // New pods that are not up yet count as missing; what may still go is what is left above the floor.
  const newMissing = Math.max(0, grown - fresh.available)
  let spare = total - fresh.replicas + grown - (wanted - may.unavailable) - newMissing
  if (spare <= 0) return steps
  const down = new Map(old.map((s) => [s.uid, s.replicas]))
  for (const s of old) {
    const dead = Math.min(spare, Math.max(0, s.replicas - s.available))
    down.set(s.uid, s.replicas - dead)
    spare -= dead
  }
  const available = [fresh, ...old].reduce((n, s) => n + s.available, 0)
  let givable = Math.min(spare, available - (wanted - may.unavailable))
  for (const s of old.toSorted((a, b) => (a.created < b.created ? -1 : 1))) {
    if (givable <= 0) break
    const left = down.get(s.uid)!
    const take = Math.min(givable, left)
    down.set(s.uid, left - take)
    givable -= take
  }
  for (const s of old) if (down.get(s.uid) !== s.replicas) steps.push({ uid: s.uid, replicas: down.get(s.uid)! })
  return steps
}

/** Numbers or percentages to pods: surge rounds up, unavailable down, and they are never both nothing. */
function bounds(rolling: { maxSurge?: string | number; maxUnavailable?: string | number } | undefined, wanted: number) {
  const surge = resolve(rolling?.maxSurge ?? '25%', wanted, Math.ceil)
  const unavailable = Math.min(wanted, resolve(rolling?.maxUnavailable ?? '25%', wanted, Math.floor))
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

function resolve(value: string | number, of: number, round: (n: number) => number): number {
  return typeof value === 'number' ? value : round((Number.parseFloat(value) * of) / 100)
}
