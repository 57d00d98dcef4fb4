/** Resident memory of agent and hub, after the load and some changes. */
import { setTimeout as rest } from 'node:timers/promises'
import type { Memory } from './member.ts'
import type { Stage } from './stage.ts'

export interface MemoryUse {
  readonly agent: Memory
  readonly hub: Memory
}

/** As it is some seconds after the last change: what was in use for a moment only does not count. */
export async function memory(stage: Stage): Promise<MemoryUse> {
  const agent = await stage.serving()
  await rest(3_000)
  return { agent: agent.memory(), hub: stage.hub.memory() }
}
