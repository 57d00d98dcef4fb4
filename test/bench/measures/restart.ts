/** The agent is killed and another one starts, while nothing changes: how long until it knows that, and is the kernel left alone? */
import { openNetlinkSocket } from '../../../agent/kernel/netlink.ts'
import { judge, quantiles } from '../figures.ts'
import { timeOf } from '../stage/member.ts'
import type { Stage } from '../stage/stage.ts'
import type { Measure } from './measure.ts'

interface Restart {
  /** From the start of the process to "the kernel already holds the rules", and of it from the first sync. */
  readonly ms: number
  readonly fromSyncMs: number
  /** Transactions of anybody that this namespace's nftables took meanwhile (NFT_MSG_GETGEN). */
  readonly writes: number
}

export const restart: Measure = {
  name: 'restart',
  about: 'another agent, nothing changed: until it knows, and what it wrote',
  services: [10_000],
  limitMs: 120_000,
  async figures(stage, { services, starts }) {
    const runs: Restart[] = []
    for (let n = 0; n < starts; n++) runs.push(await restartOnce(stage))
    const seconds = quantiles(runs.map(({ ms }) => ms / 1_000)).p50
    const writes = runs.reduce((sum, run) => sum + run.writes, 0)
    return [
      judge({ name: 'restart: process to "the kernel already holds the rules"', services, value: seconds, unit: 's', detail: runs }, { atMost: 1 }),
      judge({ name: 'restart: kernel writes', services, value: writes, unit: '' }, { atMost: 0 }),
    ]
  },
}

async function restartOnce(stage: Stage): Promise<Restart> {
  const old = await stage.serving()
  await old.kill()
  const socket = await openNetlinkSocket()
  try {
    const before = socket.generation()
    const agent = stage.startAgent()
    const [done, sync] = await Promise.all([agent.said(['the kernel already holds the rules', 'rules applied']), agent.said('first sync')])
    return { ms: timeOf(done) - agent.startedAt, fromSyncMs: timeOf(done) - timeOf(sync), writes: socket.generation() - before }
  } finally {
    socket.close()
  }
}
