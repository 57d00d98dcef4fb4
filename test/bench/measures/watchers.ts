/**
 * One endpoint changes, and thousands of agents watch: how long until the last of them has it, from the moment in which the write is
 * sent? Real connections with real certificates, from a few processes that read and nothing else; the hub runs on one core at a time.
 */
import { judge, quantiles, type Figure } from '../figures.ts'
import { openCrowds, type Crowd } from '../stage/crowds.ts'
import { hubUrl } from '../stage/crew.ts'
import { newPod, podsOf, scattered, sliceOf, slicesPath } from '../stage/cluster.ts'
import type { Stage } from '../stage/stage.ts'
import { adminIn, openWire, type Wire } from '../stage/wire.ts'
import type { Measure } from './measure.ts'

const agents = 5_000
const changes = 40
/** Between two changes, so that each is one by itself. */
const restMs = 100

export const watchers: Measure = {
  name: 'watchers',
  about: `one change to ${agents.toLocaleString('en')} agents: how late the last one has it, and how many bytes it takes`,
  services: [100],
  fresh: true,
  limitMs: 240_000,
  async figures(stage, { services }) {
    const crowd = await openCrowds(stage, { agents, processes: 2, full: 5 })
    const wire = await openWire(hubUrl, adminIn(stage.pki))
    await spread({ stage, crowd, wire }, 0)
    const cpu = stage.hub.cpuSeconds()
    const seen: Spread[] = []
    for (let n = 1; n <= changes; n++) {
      await stage.rest(restMs)
      seen.push(await spread({ stage, crowd, wire }, n))
    }
    const cpuMs = ((stage.hub.cpuSeconds() - cpu) * 1_000) / changes
    return figuresOf(services, seen, cpuMs)
  },
}

interface Spread {
  /** ms from the sending of the write to its answer, the first agent and the last one. */
  readonly answer: number
  readonly first: number
  readonly last: number
  /** For each agent, with the heads of WebSocket frames: the change, and with the marker behind it. */
  readonly change: number
  readonly all: number
}

async function spread({ stage, crowd, wire }: { readonly stage: Stage; readonly crowd: Crowd; readonly wire: Wire }, n: number): Promise<Spread> {
  const service = scattered(n, stage.services)
  const slice = sliceOf(service, [newPod(n), ...podsOf(service).slice(1)])
  const sent = Number(process.hrtime.bigint()) / 1e6
  const body = await wire.send('PUT', `${slicesPath}/${slice.metadata.name}`, slice)
  const answer = Number(process.hrtime.bigint()) / 1e6 - sent
  const { metadata } = JSON.parse(body.toString()) as { readonly metadata: { readonly resourceVersion: string } }
  const { first, last, bytes, longest } = await crowd.reached(Number(metadata.resourceVersion))
  return { answer, first: first - sent, last: last - sent, change: longest, all: bytes / agents }
}

function figuresOf(services: number, seen: readonly Spread[], cpuMs: number): readonly Figure[] {
  const [last, first, answer] = (['last', 'first', 'answer'] as const).map((of) => quantiles(seen.map((one) => one[of]))) as [Quantiles, Quantiles, Quantiles]
  const note = `p90 ${last.p90.toFixed(0)} ms; the first after ${first.p50.toFixed(0)} ms, the writer's answer after ${answer.p50.toFixed(0)} ms; ${cpuMs.toFixed(0)} ms of the hub's CPU each`
  const { change, all } = seen.at(-1)!
  const who = `${agents.toLocaleString('en')} agents`
  return [
    judge({ name: `watchers: one endpoint change, until the last of ${who} has it`, services, value: last.p50, unit: 'ms', note, detail: { last, first, answer, cpuMs } }, { atMost: 100 }),
    judge({ name: 'watchers: an endpoint change on the wire, for each agent', services, value: change, unit: 'bytes', note: `${all.toFixed(0)} with the marker behind it` }, { atMost: 200 }),
  ]
}

type Quantiles = ReturnType<typeof quantiles>
