/** One endpoint change after another: from the API's answer to the first connection that the new endpoint answers. */
import { judge, quantiles } from '../figures.ts'
import { ask } from '../stage/ask.ts'
import { newPod, podsOf, scattered, setEndpoints, vipOf } from '../stage/cluster.ts'
import type { Stage } from '../stage/stage.ts'
import type { Measure } from './measure.ts'

interface ChangeOptions {
  readonly changes: number
  /** The number of the first one, so that no two batches bring the same endpoint to the same service. */
  readonly first?: number
}

interface Changes {
  /** Milliseconds of each. */
  readonly taken: readonly number[]
  /** Of the agent for one change, in milliseconds. */
  readonly cpuMs: number
}

/** Changes before those that count: caches get warm, and V8 compiles what runs often. With 50 a change cost a third more CPU. */
const warmUp = 400
/** What `growth` compares with. */
const few = 100

export const change: Measure = {
  name: 'change',
  about: "one endpoint change, the API's answer to the first packet at the new endpoint",
  services: [10_000, 30_000],
  limitMs: 120_000,
  async figures(stage, { services, changes }) {
    await stage.serving()
    await changeOneByOne(stage, { changes: warmUp })
    const { taken, cpuMs } = await changeOneByOne(stage, { changes, first: warmUp })
    const { p50, p99, ...detail } = quantiles(taken)
    const isNamed = services === 10_000
    return [
      judge({ name: 'change: API answer to first packet, p50', services, value: p50, unit: 'ms', detail }, isNamed ? { atMost: 2 } : undefined),
      judge({ name: 'change: API answer to first packet, p99', services, value: p99, unit: 'ms' }, isNamed ? { atMost: 10 } : undefined),
      judge({ name: 'change: CPU of the agent', services, value: cpuMs, unit: 'ms' }, { atMost: 1 }),
    ]
  },
}

/** In turns, beside a small cluster that lives at the same time, so that both meet the same weather. */
export const growth: Measure = {
  name: 'growth',
  about: `the cost of a change, times that at ${few} services`,
  services: [30_000],
  limitMs: 180_000,
  async figures(large, { services, changes, open }) {
    const small = await open()
    await small.inside(() => small.grow(few))
    const sides = [createSide(small), createSide(large)] as const
    for (const side of sides) await side.warmUp()
    for (let round = 0; round < rounds; round++) {
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) await side.go(Math.ceil(changes / rounds))
    }
    const [a, b] = [sides[0].cost(), sides[1].cost()]
    const both = (of: (cost: typeof a) => number) => ({ services, value: of(b) / of(a), unit: 'x', note: `${of(a).toFixed(2)} and ${of(b).toFixed(2)} ms` })
    return [
      judge({ name: `growth: change p50, times that at ${few}`, ...both((cost) => cost.p50), detail: { [few]: a, [services]: b } }, { atMost: 1.2 }),
      judge({ name: `growth: CPU of a change, times that at ${few}`, ...both((cost) => cost.cpuMs) }, { atMost: 1.2 }),
    ]
  },
}

const rounds = 20

function createSide(stage: Stage) {
  const taken: number[] = []
  const cpuMs: number[] = []
  // Beyond what `change` brought to the same stage.
  let first = 100_000
  return {
    warmUp: () =>
      stage.inside(async () => {
        await stage.serving()
        await changeOneByOne(stage, { changes: warmUp })
      }),
    async go(changes: number): Promise<void> {
      const done = await stage.inside(() => changeOneByOne(stage, { changes, first }))
      first += changes
      taken.push(...done.taken)
      cpuMs.push(done.cpuMs)
    },
    cost: () => ({ ...quantiles(taken), cpuMs: cpuMs.reduce((sum, ms) => sum + ms, 0) / cpuMs.length }),
  }
}

/**
 * The agent must be serving. A service goes from three endpoints to one that is new, whose first answer tells that it has come,
 * and back to three before the next one changes: the work is the same at all sizes.
 */
export async function changeOneByOne(stage: Stage, { changes, first = 0 }: ChangeOptions): Promise<Changes> {
  const { api, services, agent } = stage
  const before = agent.cpuSeconds()
  const taken: number[] = []
  for (let n = first; n < first + changes; n++) {
    const i = scattered(n, services)
    const host = vipOf(i)
    const pod = newPod(n)
    const reach = (what: string, reached: (answer: string) => boolean): Promise<void> =>
      stage.until(what, async () => reached(await ask({ host })), { everyMs: 0, withinMs: 20_000 })
    await setEndpoints(api, i, [pod])
    const answered = performance.now()
    await reach(`change ${n} to reach the kernel`, (answer) => answer === pod.address)
    taken.push(performance.now() - answered)
    await setEndpoints(api, i, podsOf(i))
    await reach(`change ${n} to be taken back`, (answer) => answer !== pod.address)
  }
  // The way back is a change, too.
  return { taken, cpuMs: ((agent.cpuSeconds() - before) * 1_000) / (2 * changes) }
}
