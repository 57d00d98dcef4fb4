/** From the first sync to rules in the kernel, and from the start of the process to the first answer; the kernel holds nothing of ours. */
import { judge, quantiles, type Target } from '../figures.ts'
import { ask } from '../stage/ask.ts'
import { vipOf } from '../stage/cluster.ts'
import type { AgentOptions } from '../stage/crew.ts'
import { timeOf } from '../stage/member.ts'
import type { Stage } from '../stage/stage.ts'
import type { Measure } from './measure.ts'

export interface Start {
  /** From the first sync, when the agent knows everything, to the kernel's yes. */
  readonly syncToRulesMs: number
  /** From the start of the process to the first answer of the last service. */
  readonly processToAnswerMs: number
}

const withinMs = 120_000
const wanted: ReadonlyMap<number, Target> = new Map([[10_000, { atMost: 1 }], [30_000, { atMost: 3 }]])

export const start: Measure = {
  name: 'start',
  about: 'first sync to rules in the kernel',
  services: [10_000, 30_000, 50_000],
  limitMs: 300_000,
  async figures(stage, { services, starts }) {
    const runs: Start[] = []
    for (let n = 0; n < starts; n++) runs.push(await startOnce(stage))
    const median = (of: (run: Start) => number): number => quantiles(runs.map(of)).p50 / 1_000
    return [
      judge({ name: 'start: first sync to serving', services, value: median((run) => run.syncToRulesMs), unit: 's', detail: runs }, wanted.get(services)),
      judge({ name: 'start: process to first answer', services, value: median((run) => run.processToAnswerMs), unit: 's' }),
    ]
  },
}

export async function startOnce(stage: Stage, options: AgentOptions = {}): Promise<Start> {
  await stage.clear()
  const agent = stage.startAgent(options)
  const [rules, sync] = await Promise.all([agent.said('rules applied', { withinMs }), agent.said('first sync', { withinMs })])
  const host = vipOf(stage.services - 1)
  await stage.until('the last service to answer', async () => (await ask({ host })).startsWith('10.244.'), { everyMs: 0 })
  return { syncToRulesMs: timeOf(rules) - timeOf(sync), processToAnswerMs: Date.now() - agent.startedAt }
}
