/**
 * Endpoints change all the time, in all services: does the kernel keep up? Through the hub, at the wanted pace and as fast as its
 * API takes writes, and of the agent alone, fed by a stand-in for the hub, which has more to tell. A change is one endpoint of a
 * slice that is another one than before. One write is one change (PUT of a slice of three, of which one is replaced), or ten (PUT
 * of a slice of a hundred, of which ten are replaced), as controllers write that have several to tell of.
 */
import { judge, quantiles, type Figure, type Target } from '../figures.ts'
import { hubUrl } from '../stage/crew.ts'
import { bigServiceOf, bigServices, bigSlice, newPod, podsOf, scattered, servicesPath, slicesPath, type Pod } from '../stage/cluster.ts'
import { timeOf, type Member } from '../stage/member.ts'
import type { Stage } from '../stage/stage.ts'
import { openStandIn, type StandIn } from '../stage/stand-in.ts'
import { kindsOfWrites, type Told } from '../stage/writes.ts'
import type { Measure } from './measure.ts'

interface Churn {
  readonly changes: number
  readonly perSecond: number
  /** Milliseconds between the moment a change was told, or acknowledged by the API, and the kernel's yes. */
  readonly lags: readonly number[]
  /** Of the agent for one change, in milliseconds. */
  readonly cpuMs: number
  /** Of the hub, where there is one. */
  readonly hubMs?: number
}

const runMs = 8_000
const wantedPerSecond = 5_000
const wanted: Target = { atLeast: wantedPerSecond }
/** Told at the wanted pace: so many of them must be. A pass of everything that changes takes half a second; a backlog would grow to more. */
const kept = { told: { atLeast: 0.98 * wantedPerSecond }, lagMs: { atMost: 2_000 } } as const satisfies Record<string, Target>
const writers = 24

export const churn: Measure = {
  name: 'churn',
  about: 'sustained endpoint changes: how many, how late, and the CPU of one',
  services: [10_000],
  limitMs: 180_000,
  async figures(stage, { services }) {
    await stage.serving()
    const single = await churnThroughHub(stage, 'endpoints')
    for (let i = 0; i < bigServices; i++) {
      await stage.api.create(servicesPath, bigServiceOf(i))
      await stage.api.create(slicesPath, bigSlice(i))
    }
    const pacedSlices = await churnThroughHub(stage, 'slices', wantedPerSecond)
    const slices = await churnThroughHub(stage, 'slices')
    const [paced, eager] = await churnOfAgent(stage)
    return [
      ...figuresOf('through the hub, each a write of its own', services, single),
      ...figuresOf(`through the hub, ten in each write of a slice of 100, ${pace}`, services, pacedSlices, kept.told),
      lateness(`through the hub, ten in each write, ${pace}`, services, pacedSlices),
      ...figuresOf('through the hub, ten in each write, as fast as it takes them', services, slices),
      ...figuresOf(`agent alone, ${pace}`, services, paced),
      lateness(`agent alone, ${pace}`, services, paced),
      ...figuresOf('agent alone, as fast as it follows', services, eager, wanted),
    ]
  },
}

const pace = `told ${wantedPerSecond.toLocaleString('en')}/s`

/** Without backlog: what comes last is not later than the rest. */
const lateness = (what: string, services: number, { lags }: Churn): Figure =>
  judge({ name: `churn: p99 of the delay, ${what}`, services, value: quantiles(lags).p99, unit: 'ms' }, kept.lagMs)

function figuresOf(what: string, services: number, { lags, perSecond, cpuMs, hubMs, changes }: Churn, target?: Target): readonly Figure[] {
  const lag = quantiles(lags)
  return [
    judge({ name: `churn: ${what}`, services, value: perSecond, unit: '/s', note: `${lag.p50.toFixed(0)} ms late, p99 ${lag.p99.toFixed(0)} ms${hubMs === undefined ? '' : `; ${hubMs.toFixed(3)} ms of the hub's CPU each`}`, detail: { lagMs: lag, changes } }, target),
    judge({ name: `churn: CPU of a change, ${what}`, services, value: cpuMs, unit: 'ms' }, { atMost: 1 }),
  ]
}

const changed = (n: number, services: number): { readonly service: number; readonly pods: readonly Pod[] } => {
  const service = scattered(n, services)
  const [, ...others] = podsOf(service)
  return { service, pods: [newPod(n), ...others] }
}

/** The agent must be serving. */
async function churnThroughHub(stage: Stage, writes: 'endpoints' | 'slices', perSecond = Infinity): Promise<Churn> {
  const { services, agent, hub } = stage
  const [cpu, hubCpu, skipped] = [agent.cpuSeconds(), hub.cpuSeconds(), agent.lines('rules applied').length]
  const { changed: changedByOne } = kindsOfWrites[writes]
  const numbers = [writers, writes === 'slices' ? bigServices : services, 0, Infinity, perSecond / changedByOne].map(String)
  const program = stage.run('writers.ts', hubUrl, stage.pki, writes, ...numbers)
  await stage.rest(runMs)
  await program.finish()
  const hubMs = (hub.cpuSeconds() - hubCpu) * 1_000
  const told = toldBy(program)
  const last = told.reduce((most, [revision]) => Math.max(most, revision), 0)
  const seconds = (told.at(-1)![1] - told[0]![1]) / 1_000
  await stage.until('the last change to reach the kernel', () => Number(agent.last('rules applied')?.['revision'] ?? 0) >= last)
  const changes = told.length * changedByOne
  const passes = agent.lines('rules applied').slice(skipped).map((line) => ({ revision: Number(line['revision']), at: timeOf(line) }))
  const lags = told.map(([revision, at]) => Math.max(0, passes.find((pass) => pass.revision >= revision)!.at - at))
  return { changes, perSecond: changes / seconds, lags, cpuMs: ((agent.cpuSeconds() - cpu) * 1_000) / changes, hubMs: hubMs / changes }
}

const toldBy = (program: Member): readonly (readonly [revision: number, at: number])[] => program.lines('told').flatMap((line) => (line as unknown as Told).writes)

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
