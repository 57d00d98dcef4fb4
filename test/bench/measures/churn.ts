/**
 * Endpoints change all the time, in all services: does the kernel keep up? Through the hub, as fast as its API takes writes, and
 * of the agent alone, fed by a stand-in for the hub, which has more to tell. One endpoint of a service is replaced each time.
 */
import { judge, quantiles, type Figure, type Target } from '../figures.ts'
import { newPod, podsOf, scattered, setEndpoints, together, type Pod } from '../stage/cluster.ts'
import { timeOf } from '../stage/member.ts'
import type { Stage } from '../stage/stage.ts'
import { openStandIn, type StandIn } from '../stage/stand-in.ts'
import type { Measure } from './measure.ts'

interface Churn {
  readonly changes: number
  readonly perSecond: number
  /** Milliseconds between the moment a change was told, or acknowledged by the API, and the kernel's yes. */
  readonly lags: readonly number[]
  /** Of the agent for one change, in milliseconds. */
  readonly cpuMs: number
}

const runMs = 8_000
const wantedPerSecond = 5_000

export const churn: Measure = {
  name: 'churn',
  about: 'sustained endpoint changes: how many, how late, and the CPU of one',
  services: [10_000],
  limitMs: 180_000,
  async figures(stage, { services }) {
    await stage.serving()
    const hub = await churnThroughHub(stage)
    const [paced, eager] = await churnOfAgent(stage)
    return [
      ...figuresOf('through the hub, as fast as its API takes writes', services, hub),
      ...figuresOf(`agent alone, told ${wantedPerSecond.toLocaleString('en')}/s`, services, paced),
      ...figuresOf('agent alone, as fast as it follows', services, eager, { atLeast: wantedPerSecond }),
    ]
  },
}

function figuresOf(what: string, services: number, { lags, perSecond, cpuMs, changes }: Churn, target?: Target): readonly Figure[] {
  const lag = quantiles(lags)
  return [
    judge({ name: `churn: ${what}`, services, value: perSecond, unit: '/s', note: `${lag.p50.toFixed(0)} ms late, p99 ${lag.p99.toFixed(0)} ms`, detail: { lagMs: lag, changes } }, target),
    judge({ name: `churn: CPU of a change, ${what}`, services, value: cpuMs, unit: 'ms' }, { atMost: 1 }),
  ]
}

const changed = (n: number, services: number): { readonly service: number; readonly pods: readonly Pod[] } => {
  const service = scattered(n, services)
  const [, ...others] = podsOf(service)
  return { service, pods: [newPod(n), ...others] }
}

/** The agent must be serving. */
async function churnThroughHub(stage: Stage): Promise<Churn> {
  const { api, services, agent } = stage
  const [cpu, skipped] = [agent.cpuSeconds(), agent.lines('rules applied').length]
  const end = Date.now() + runMs
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
  await stage.until('the last change to reach the kernel', () => Number(agent.last('rules applied')?.['revision'] ?? 0) >= last)
  const cpuMs = ((agent.cpuSeconds() - cpu) * 1_000) / told.length
  const passes = agent.lines('rules applied').slice(skipped)
  const appliedAt = (revision: number): number => timeOf(passes.find((line) => Number(line['revision']) >= revision)!)
  return { changes: told.length, perSecond: (told.length * 1_000) / runMs, lags: told.map(({ revision, at }) => Math.max(0, appliedAt(revision) - at)), cpuMs }
}

/** The stage's agent is ended, and one that listens to the stand-in serves instead. @returns at the wanted pace, and at its own */
async function churnOfAgent(stage: Stage): Promise<readonly [Churn, Churn]> {
  const standIn = await openStandIn({ services: stage.services, key: stage.pem('server.key'), cert: stage.pem('server.crt') })
  try {
    await stage.clear()
    const agent = stage.startAgent({ hub: standIn.url })
    await agent.said('rules applied')
    const crowd = createCrowd(stage, standIn)
    await crowd.run(atOwnPace, 1_000)
    return [await crowd.run(atWantedPace, runMs), await crowd.run(atOwnPace, runMs)]
  } finally {
    await stage.clear()
    await standIn.close()
  }
}

/** How many changes to tell now. */
type Pace = (now: { readonly ms: number; readonly told: number; readonly waiting: number }) => number

/** In bunches of some milliseconds. */
const atWantedPace: Pace = ({ ms, told }) => Math.floor((ms * wantedPerSecond) / 1_000) - told
/** Always a little to do, and no more than that. */
const atOwnPace: Pace = ({ waiting }) => (waiting < 400 ? 100 : 0)
const tickMs = 4

function createCrowd(stage: Stage, standIn: StandIn) {
  const { services, agent } = stage
  let told = 0
  return {
    async run(pace: Pace, forMs: number): Promise<Churn> {
      const bunches: { readonly revision: number; readonly at: number; readonly count: number }[] = []
      const lags: number[] = []
      let waiting = 0
      standIn.onApplied((revision) => {
        while (bunches.length > 0 && bunches[0]!.revision <= revision) {
          const { at, count } = bunches.shift()!
          waiting -= count
          lags.push(performance.now() - at)
        }
      })
      const [started, before, cpu] = [performance.now(), told, agent.cpuSeconds()]
      for (let ms = 0; ms < forMs; ms = performance.now() - started) {
        const count = pace({ ms, told: told - before, waiting })
        if (count > 0) {
          const revision = standIn.change(Array.from({ length: count }, () => changed(told++, services)))
          bunches.push({ revision, at: performance.now(), count })
          waiting += count
        }
        await stage.rest(tickMs)
      }
      await stage.until('the last change to reach the kernel', () => waiting === 0)
      const changes = told - before
      return { changes, perSecond: (changes * 1_000) / (performance.now() - started), lags, cpuMs: ((agent.cpuSeconds() - cpu) * 1_000) / changes }
    },
  }
}
