/**
 * New TCP connections through virtual IPs, all the time, while endpoints change, the agent is killed again and again, and the
 * hub is killed and stays away for a while. Not one connection may fail, and none may reach another service's endpoint.
 */
import { execFileSync } from 'node:child_process'
import { setTimeout as rest } from 'node:timers/promises'
import { waitFor } from '../kit/wait.ts'
import { ask } from './ask.ts'
import type { Tally } from './client.ts'
import { lonely, ownPods, setEndpoints, vipOf } from './cluster.ts'
import type { Stage } from './stage.ts'

export interface ConnectionsOptions {
  readonly connections: number
  readonly changes: number
  /** kill -9 of the agent; another one is started at once. */
  readonly kills: number
  /** kill -9 of the hub; another one is started after `outageMs`. */
  readonly outages: number
  readonly clients: number
  /** A fault: another hand empties a map in the middle, and the services in it are refused until it is back. */
  readonly sabotage?: boolean
}

export interface Connections extends Omit<Tally, 'msg'> {
  readonly seconds: number
  readonly changes: number
  readonly kills: number
  readonly outages: number
  /** Writes that the hub could not take, and that were made again. */
  readonly retriedWrites: number
}

const outageMs = 1_000
/** How long an agent lives until it is killed: some do not get to their first sync. */
const lifeMs = { from: 50, to: 1_000 } as const
const together = 16

/** On a stage without services. May be asked for again. */
export async function connections(stage: Stage, options: ConnectionsOptions): Promise<Connections> {
  await stage.grow(lonely, (i) => ownPods(i, 0))
  await stage.serving()
  const started = performance.now()
  const clients = Array.from({ length: options.clients }, () => stage.run('client.ts', String(lonely), String(together)))
  const tallies = (): readonly Tally[] => clients.flatMap((client) => (client.last('tally') as Tally | undefined) ?? [])
  const trouble = makeTrouble(stage, options, () => tallies().reduce((sum, { made }) => sum + made, 0))
  const counts = await trouble.run()
  await Promise.all(clients.map((client) => client.finish()))
  const seconds = (performance.now() - started) / 1_000
  await trouble.check()
  return { ...total(tallies()), seconds, ...counts }
}

function total(tallies: readonly Tally[]): Omit<Tally, 'msg'> {
  const failed: Record<string, number> = {}
  for (const tally of tallies) for (const [kind, count] of Object.entries(tally.failed)) failed[kind] = (failed[kind] ?? 0) + count
  const sum = (of: (tally: Tally) => number): number => tallies.reduce((all, tally) => all + of(tally), 0)
  return { made: sum(({ made }) => made), failed, slow: sum(({ slow }) => slow) }
}

/** All of it goes on at the same time, spread over the connections. */
function makeTrouble(stage: Stage, { connections, changes, kills, outages, sabotage }: ConnectionsOptions, made: () => number) {
  const lives = Array.from({ length: kills }, () => lifeMs.from + Math.random() * (lifeMs.to - lifeMs.from))
  const allLives = lives.reduce((sum, life) => sum + life, 0)
  let lived = 0
  let retriedWrites = 0
  /** Of the whole, 0 to 1. */
  const progress = (): number => Math.min(1, made() / connections, kills === 0 ? 1 : lived / allLives)
  const reached = async (share: number): Promise<void> => {
    while (progress() < share) await rest(10)
  }
  /** By service: which of its sets of pods it was given last. */
  const given = new Map<number, number>()

  const changing = async (): Promise<void> => {
    for (let n = 0; n < changes; n++) {
      await reached(n / changes)
      const i = (n * 7919) % lonely
      given.set(i, n + 1)
      for (let written = false; !written; ) {
        written = await setEndpoints(stage.api, i, ownPods(i, n + 1)).then(
          () => true,
          () => false,
        )
        if (written) break
        retriedWrites++
        await rest(50)
      }
    }
  }
  const killing = async (): Promise<void> => {
    for (const [k, life] of lives.entries()) {
      // Where connections are what takes time, lives are spread over them.
      while (made() / connections < k / kills) await rest(10)
      const born = performance.now()
      const before = lived
      while (performance.now() - born < life) {
        await rest(10)
        lived = before + Math.min(life, performance.now() - born)
      }
      lived = before + life
      await stage.agent.kill()
      stage.startAgent()
    }
  }
  const outing = async (): Promise<void> => {
    for (let k = 0; k < outages; k++) {
      await reached((k + 0.5) / outages)
      await stage.hub.kill()
      await rest(outageMs)
      await stage.startHub()
    }
  }
  const sabotaging = async (): Promise<void> => {
    if (!sabotage) return
    await reached(0.5)
    execFileSync('nft', ['flush map ip wherry endpoints-3'])
  }

  return {
    async run() {
      await Promise.all([changing(), killing(), outing(), sabotaging()])
      await reached(1)
      return { changes, kills, outages, retriedWrites }
    },
    /** Every change has reached the kernel in the end. */
    async check() {
      for (const [i, n] of given) {
        const right = new Set(ownPods(i, n).map(({ address }) => address))
        await waitFor(`service ${i} to have its last endpoints`, async () => right.has(await ask({ host: vipOf(i) })))
      }
    },
  }
}
