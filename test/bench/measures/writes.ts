/**
 * Durable writes of new objects, from an empty hub to a hundred thousand of them: how many, whether their number makes them slower, and
 * how long others wait meanwhile. Each is acknowledged when SQLite has it on disk; each is a request of its own, 32 at a time.
 */
import { judge, quantiles, type Figure } from '../figures.ts'
import { configMapOf } from '../stage/cluster.ts'
import { hubUrl } from '../stage/crew.ts'
import type { Member } from '../stage/member.ts'
import type { Stage } from '../stage/stage.ts'
import { adminIn, openWire } from '../stage/wire.ts'
import type { Told } from '../stage/writes.ts'
import type { Measure } from './measure.ts'

const writers = 32
const objects = 100_000
const early = 10_000
/** The rate at a number of objects is that of as many writes before it. */
const stretch = 5_000
const wantedPerSecond = 3_000
const pacedSeconds = 6
const readsPerSecond = 200

export const writes: Measure = {
  name: 'writes',
  about: `durable creates by ${writers} writers, up to ${objects.toLocaleString('en')} objects, and gets amid them`,
  services: [0],
  fresh: true,
  populates: true,
  limitMs: 420_000,
  async figures(stage) {
    const started = stage.hub.cpuSeconds()
    const eager = startWriters(stage, 0, objects)
    const amid = await getsWhile(stage, eager)
    const cpuMs = ((stage.hub.cpuSeconds() - started) * 1_000) / objects
    const told = toldBy(eager)
    const [before, after] = [rateAt(told, early), rateAt(told, objects)]
    const paced = startWriters(stage, objects, objects + wantedPerSecond * pacedSeconds, wantedPerSecond)
    const gets = await getsWhile(stage, paced)
    const pace = rateOf(toldBy(paced))
    return figuresOf({ before, after, cpuMs, amid, gets, pace })
  },
}

const startWriters = (stage: Stage, from: number, to: number, perSecond?: number): Member =>
  stage.run('writers.ts', hubUrl, stage.pki, 'configmaps', String(writers), '0', String(from), String(to), ...(perSecond === undefined ? [] : [String(perSecond)]))

const toldBy = (program: Member): Told['writes'] => program.lines('told').flatMap((line) => (line as unknown as Told).writes)

const rateOf = (told: Told['writes']): number => ((told.length - 1) * 1_000) / (told.at(-1)![1] - told[0]![1])
const rateAt = (told: Told['writes'], count: number): number => rateOf(told.slice(count - stretch, count))

/** @returns ms that gets of single objects took, a few hundred in a second, until the program ended by itself */
async function getsWhile(stage: Stage, program: Member): Promise<readonly number[]> {
  await program.said('told')
  const wire = await openWire(hubUrl, adminIn(stage.pki))
  const took: number[] = []
  while (program.runs) {
    const started = performance.now()
    const { metadata } = configMapOf(took.length % 100) as { readonly metadata: { readonly name: string } }
    await wire.send('GET', `/api/v1/namespaces/default/configmaps/${metadata.name}`)
    const ms = performance.now() - started
    took.push(ms)
    await stage.rest(Math.max(1, 1_000 / readsPerSecond - ms))
  }
  return took
}

interface Seen {
  readonly before: number
  readonly after: number
  readonly cpuMs: number
  /** Of gets, while writers write what they can, and while they keep a pace. */
  readonly amid: readonly number[]
  readonly gets: readonly number[]
  readonly pace: number
}

function figuresOf({ before, after, cpuMs, amid, gets, pace }: Seen): readonly Figure[] {
  const [free, paced] = [quantiles(amid), quantiles(gets)]
  const counted = (count: number): string => `${count.toLocaleString('en')} objects`
  const of = (ms: number): string => `${ms.toFixed(1)} ms`
  const note = `p50 ${of(paced.p50)}; with as many creates as the hub takes p50 ${of(free.p50)}, p99 ${of(free.p99)}`
  return [
    judge({ name: `writes: durable creates at ${counted(early)}`, services: 0, value: before, unit: '/s', note: `${cpuMs.toFixed(3)} ms of the hub's CPU each` }, { atLeast: wantedPerSecond }),
    judge({ name: `writes: durable creates at ${counted(objects)}`, services: 0, value: after, unit: '/s' }, { atLeast: wantedPerSecond }),
    judge({ name: `writes: creates at ${counted(objects)} in proportion to ${counted(early)}`, services: 0, value: after / before, unit: 'x' }, { atLeast: 0.9 }),
    judge({ name: `writes: get p99 amid ${wantedPerSecond.toLocaleString('en')} creates/s`, services: 0, value: paced.p99, unit: 'ms', note: `${Math.round(pace).toLocaleString('en')} creates/s came; ${note}`, detail: { paced, free } }, { atMost: 5 }),
  ]
}
