/**
 * Endpoints change all the time, in all services: does the kernel keep up? Measured twice: through the hub, as fast as its
 * API takes writes, and of the agent alone, fed by a stand-in for the hub. One endpoint of a service is replaced each time.
 */
import { setTimeout as rest } from 'node:timers/promises'
import { newPod, podsOf, setEndpoints, together, type Pod } from './cluster.ts'
import { timeOf } from './member.ts'
import { openStandIn, type StandIn } from './stand-in.ts'
import type { Stage } from './stage.ts'

export interface Churn {
  readonly changes: number
  readonly perSecond: number
  /** Milliseconds between the moment a change was told, or acknowledged by the API, and the kernel's yes. */
  readonly lags: readonly number[]
  /** Passes of the sync loop: changes that arrive together go to the kernel together. */
  readonly passes: number
  /** Of the agent for one change, in milliseconds. */
  readonly cpuMs: number
}

export interface ChurnOptions {
  readonly seconds: number
}

const changed = (n: number, services: number): { readonly service: number; readonly pods: readonly Pod[] } => {
  const service = (n * 7919) % services
  const [, ...others] = podsOf(service)
  return { service, pods: [newPod(n), ...others] }
}

/** The agent must be serving. */
export async function churnThroughHub(stage: Stage, { seconds }: ChurnOptions): Promise<Churn> {
  const { api, services, agent } = stage
  const [cpu, passes] = [agent.cpuSeconds(), agent.lines('rules applied').length]
  const end = Date.now() + seconds * 1_000
  const told: { readonly revision: number; readonly at: number }[] = []
  let n = 0
  await together(24, async () => {
    while (Date.now() < end) {
      const { service, pods } = changed(n++, services)
      const revision = await setEndpoints(api, service, pods)
      told.push({ revision, at: Date.now() })
    }
  })
  const last = Math.max(...told.map(({ revision }) => revision))
  while (lastRevision(stage) < last) await rest(10)
  const lines = agent.lines('rules applied').slice(passes)
  const spent = agent.cpuSeconds() - cpu
  const appliedAt = (revision: number): number => timeOf(lines.find((line) => Number(line['revision']) >= revision)!)
  return {
    changes: told.length,
    perSecond: told.length / seconds,
    lags: told.map(({ revision, at }) => Math.max(0, appliedAt(revision) - at)),
    passes: lines.length,
    cpuMs: (spent * 1_000) / told.length,
  }
}

const lastRevision = ({ agent }: Stage): number => Number(agent.last('rules applied')?.['revision'] ?? 0)

/** The stage's agent is ended, and one that listens to the stand-in serves instead. `perSecond` 0: as fast as it can follow. */
export async function churnOfAgent(stage: Stage, { seconds, perSecond }: ChurnOptions & { readonly perSecond: number }): Promise<Churn> {
  const { services } = stage
  const open: { readonly revision: number; readonly at: number }[] = []
  const lags: number[] = []
  let acks = 0
  let done = (): void => {}
  const standIn = await openStandIn({
    services,
    key: stage.pem('server.key'),
    cert: stage.pem('server.crt'),
    onAck({ applied }) {
      acks++
      const now = performance.now()
      while (open.length > 0 && open[0]!.revision <= applied) lags.push(now - open.shift()!.at)
      done()
    },
  })
  try {
    await stage.clear()
    const agent = stage.startAgent({ hub: standIn.url })
    await agent.said('rules applied')
    await follow(stage, standIn)
    let n = 0
    const tell = (count: number): void => {
      const revision = standIn.change(Array.from({ length: count }, () => changed(n++, services)))
      open.push({ revision, at: performance.now() })
    }
    const run = async (forMs: number): Promise<{ ms: number; changes: number }> => {
      const [started, first] = [performance.now(), n]
      while (performance.now() - started < forMs) {
        const due = perSecond > 0 ? Math.floor(((performance.now() - started) * perSecond) / 1_000) - (n - first) : burst
        if (due > 0 && (perSecond > 0 || open.length < 4)) tell(due)
        await (perSecond > 0 ? rest(tickMs) : new Promise<void>((go) => (open.length < 4 ? setImmediate(go) : (done = go))))
      }
      while (open.length > 0) await new Promise<void>((go) => (done = go))
      return { ms: performance.now() - started, changes: n - first }
    }
    await run(1_000)
    lags.length = 0
    acks = 0
    const cpu = agent.cpuSeconds()
    const { ms, changes } = await run(seconds * 1_000)
    return { changes, perSecond: (changes * 1_000) / ms, lags, passes: acks, cpuMs: ((agent.cpuSeconds() - cpu) * 1_000) / changes }
  } finally {
    await stage.clear()
    await standIn.close()
  }
}

/** Changes come in bunches: of so many milliseconds, or so many at once where the agent sets the pace. */
const tickMs = 5
const burst = 100

/** Until the agent has applied all that it was told. */
async function follow(stage: Stage, standIn: StandIn): Promise<void> {
  const revision = standIn.change([changed(0, stage.services)])
  while (standIn.applied < revision) await rest(10)
}
