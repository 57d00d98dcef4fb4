/** From the first sync to rules in the kernel, and to the first answer, with a kernel that holds nothing of ours. */
import { ask } from './ask.ts'
import { vipOf } from './cluster.ts'
import { timeOf } from './member.ts'
import type { AgentOptions, Stage } from './stage.ts'

export interface Start {
  /** From the first sync, when the agent knows everything, to the kernel's yes. */
  readonly syncToRulesMs: number
  /** From the start of the process to the first answer of the last service. */
  readonly startToAnswerMs: number
}

export async function start(stage: Stage, options: AgentOptions = {}): Promise<Start> {
  await stage.clear()
  const agent = stage.startAgent(options)
  const applied = agent.said('rules applied', { withinMs: 240_000 })
  const [rules, first] = await Promise.all([applied, agent.said('first sync', { withinMs: 240_000 })])
  const host = vipOf(stage.services - 1)
  while (!(await ask({ host })).startsWith('10.244.')) if (Date.now() - agent.startedAt > 240_000) throw new Error('the last service never answered')
  return { syncToRulesMs: timeOf(rules) - timeOf(first), startToAnswerMs: Date.now() - agent.startedAt }
}
