/**
 * New TCP connections through virtual IPs, all the time, while endpoints change, the agent is killed again and again, and the
 * hub is killed and stays away for a while. Not one connection may fail, and none may reach another service's endpoint.
 */
import { execFileSync } from 'node:child_process'
import { openNetlinkSocket } from '../../../agent/kernel/netlink.ts'
import { judge } from '../figures.ts'
import { ask } from '../stage/ask.ts'
import type { Tally } from '../stage/client.ts'
import { lonely, ownPods, setEndpoints, vipOf } from '../stage/cluster.ts'
import type { Stage } from '../stage/stage.ts'
import type { Measure } from './measure.ts'

export interface Trouble {
  readonly connections: number
  /** Of the rules in the kernel: endpoints change until so many transactions were made. */
  readonly changes: number
  /** kill -9 of the agent, an even number; another one is started at once. */
  readonly kills: number
  /** kill -9 of the hub; another one is started after `outageMs`. */
  readonly outages: number
  readonly clients: number
  /** A fault: another hand empties a map in the middle, and the services in it are refused until it is back. */
  readonly sabotage?: boolean
}

export interface Connections extends Omit<Tally, 'msg'> {
  readonly seconds: number
  /** Transactions that changed the kernel's rules meanwhile (NFT_MSG_GETGEN). */
  readonly changes: number
  /** Endpoint changes that the hub took. Those of the time when no agent lives are one transaction. */
  readonly writes: number
  /** Those that the hub could not take, and that were made again. */
  readonly retriedWrites: number
}

const outageMs = 1_000
const together = 16
const withinMs = 900_000

export const connections: Measure = {
  name: 'connections',
  about: 'new connections while endpoints change, the agent is killed and the hub is away: how many fail',
  services: [lonely],
  fresh: true,
  populates: true,
  limitMs: 900_000,
  async figures(stage, { connections: count }) {
    const [kills, outages] = [Math.min(100, 2 * Math.ceil(count / 20_000)), 1]
    const result = await connectInTrouble(stage, { connections: count, changes: Math.min(10_000, Math.ceil(count / 100)), kills, outages, clients: 2 })
    const kinds = Object.entries(result.failed)
    const value = kinds.reduce((sum, [, n]) => sum + n, 0)
    const amid = `${result.changes} rule changes, ${kills} kills of the agent, ${outages} hub outage`
    const note = `of ${result.made.toLocaleString('en')} in ${result.seconds.toFixed(0)} s amid ${amid}${kinds.map(([kind, n]) => `; ${n} ${kind}`).join('')}; ${result.slow} slow`
    return [judge({ name: 'connections: failed', services: lonely, value, unit: '', note, detail: result }, { atMost: 0 })]
  },
}

/** On a stage without services. */
export async function connectInTrouble(stage: Stage, trouble: Trouble): Promise<Connections> {
  await stage.grow(lonely, (i) => ownPods(i, 0))
  await stage.serving()
  const socket = await openNetlinkSocket()
  try {
    const [started, generation] = [performance.now(), socket.generation()]
    const clients = Array.from({ length: trouble.clients }, () => stage.run('client.ts', String(lonely), String(together)))
    const tallies = (): readonly Tally[] => clients.flatMap((client) => (client.last('tally') as Tally | undefined) ?? [])
    const made = (): number => tallies().reduce((sum, tally) => sum + tally.made, 0)
    const changes = (): number => (socket.generation() - generation) >>> 0
    const writing = await makeTrouble(stage, trouble, { made, changes })
    await Promise.all(clients.map((client) => client.finish()))
    return { ...total(tallies()), seconds: (performance.now() - started) / 1_000, changes: changes(), ...writing }
  } finally {
    socket.close()
  }
}

function total(tallies: readonly Tally[]): Omit<Tally, 'msg'> {
  const failed: Record<string, number> = {}
  for (const tally of tallies) for (const [kind, count] of Object.entries(tally.failed)) failed[kind] = (failed[kind] ?? 0) + count
  const sum = (of: (tally: Tally) => number): number => tallies.reduce((all, tally) => all + of(tally), 0)
  return { made: sum(({ made }) => made), failed, slow: sum(({ slow }) => slow) }
}

interface Progress {
  readonly made: () => number
  readonly changes: () => number
}

/** All of it at the same time, spread over the connections. Resolves when the last change is in the kernel. */
async function makeTrouble(stage: Stage, trouble: Trouble, { made, changes }: Progress): Promise<Pick<Connections, 'writes' | 'retriedWrites'>> {
  const { connections: count } = trouble
  const reached = (share: number): Promise<void> => stage.until(`connection ${Math.ceil(share * count)}`, () => made() >= share * count, { withinMs })
  const spread = async (times: number, act: (n: number) => Promise<void>): Promise<void> => {
    for (let n = 0; n < times; n++) {
      await reached((n + 0.5) / times)
      await act(n)
    }
  }
  const last = new Map<number, number>()
  let [writes, retriedWrites] = [0, 0]
  const change = async (): Promise<void> => {
    while (changes() < trouble.changes) {
      await reached(changes() / trouble.changes)
      const i = (writes * 7919) % lonely
      last.set(i, ++writes)
      for (; !(await isWritten(stage, i, writes)); retriedWrites++) await stage.rest(50)
    }
  }
  const killAgent = async (): Promise<void> => {
    await stage.agent.kill()
    stage.startAgent()
  }
  await Promise.all([
    change(),
    // Two by two: the second agent of each pair does not live long, and may not get to its first sync.
    spread(trouble.kills / 2, async (n) => {
      await killAgent()
      await stage.rest(lifeMs(n))
      await killAgent()
    }),
    spread(trouble.outages, async () => {
      await stage.hub.kill()
      await stage.rest(outageMs)
      await stage.startHub()
    }),
    spread(trouble.sabotage ? 1 : 0, async () => void execFileSync('nft', ['flush map ip wherry endpoints-3'])),
  ])
  await reached(1)
  for (const [i, n] of last) {
    const right = new Set(ownPods(i, n).map(({ address }) => address))
    await stage.until(`service ${i} to have its last endpoints`, async () => right.has(await ask({ host: vipOf(i) })))
  }
  return { writes, retriedWrites }
}

/** From 20 to 600, any two of them far apart. */
const lifeMs = (n: number): number => 20 + 580 * ((n * 0.618) % 1)

const isWritten = (stage: Stage, i: number, n: number): Promise<boolean> =>
  setEndpoints(stage.api, i, ownPods(i, n)).then(
    () => true,
    () => stage.signal.aborted,
  )
