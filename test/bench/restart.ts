/** An agent ends and another one starts, while nothing changes: how long until it knows so, and does it leave the kernel alone? */
import { openNetlinkSocket } from '../../agent/kernel/netlink.ts'
import { timeOf } from './member.ts'
import type { Stage } from './stage.ts'

export interface Restart {
  /** From the start of the process to "the kernel already holds the rules". */
  readonly ms: number
  /** Transactions that the kernel's nftables saw from anybody in this namespace (NFT_MSG_GETGEN). */
  readonly writes: number
  readonly passes: number
}

export async function restart(stage: Stage): Promise<Restart> {
  await (await stage.serving()).kill()
  const socket = await openNetlinkSocket()
  try {
    const before = socket.generation()
    const agent = stage.startAgent()
    const line = await agent.said(['the kernel already holds the rules', 'rules applied'])
    return { ms: timeOf(line) - agent.startedAt, writes: socket.generation() - before, passes: agent.lines('rules applied').length }
  } finally {
    socket.close()
  }
}
