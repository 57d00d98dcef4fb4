/** The agent is killed and another one starts, while nothing changes: how long until it knows that, and is the kernel left alone? */
import { execFileSync } from 'node:child_process'
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
    const afterOthers: Restart[] = []
    for (let n = 0; n < starts; n++) {
      runs.push(await restartOnce(stage))
      afterOthers.push(await restartOnce(stage, changeOfOthers))
    }
    const seconds = (all: readonly Restart[]): number => quantiles(all.map(({ ms }) => ms / 1_000)).p50
    const writes = [...runs, ...afterOthers].reduce((sum, run) => sum + run.writes, 0)
    const until = 'process to "the kernel already holds the rules"'
    return [
      judge({ name: `restart: ${until}`, services, value: seconds(runs), unit: 's', detail: runs }, { atMost: 1 }),
      judge({ name: 'restart: after rules of others changed, so that the kernel is read', services, value: seconds(afterOthers), unit: 's', detail: afterOthers }),
      judge({ name: 'restart: kernel writes', services, value: writes, unit: '' }, { atMost: 0 }),
    ]
  },
}

/** How long an agent has served before it is killed. */
const servedMs = 3_000

/** @param meanwhile what happens while no agent runs */
async function restartOnce(stage: Stage, meanwhile = (): void => {}): Promise<Restart> {
  const old = await stage.serving()
  await stage.rest(servedMs)
  await old.kill()
  meanwhile()
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

/** Rules of other programs, which are none of ours. */
function changeOfOthers(): void {
  execFileSync('nft', ['add table ip others; delete table ip others'])
}
