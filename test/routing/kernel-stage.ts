/** A stage with packets: frames to the service half of an agent on node1, and probes from everywhere. */
import { setTimeout as rest } from 'node:timers/promises'
import { expect } from 'vitest'
import type { StreamFrame } from '../../api/frames.ts'
import type { ModeName } from '../../rules/mode.ts'
import type { Family } from '../../rules/model.ts'
import { execIn } from '../kit/netns.ts'
import { addressesOf, configOf, gatewayNumber, plans } from './addresses.ts'
import { startAgent } from './agent-process.ts'
import { createCluster } from './cluster.ts'
import type { Lab } from './lab.ts'
import { disturbances } from './modes.ts'
import { single, type Addresses, type Backend, type Expected, type KernelStage, type Place, type Probe } from './stage.ts'

/** What must come is waited for as long as that; it ends the waiting. */
const answerMs = 10_000
/** One of four, chosen at random, is missed by all of so many attempts for each once in ten million probes. */
const attemptsEach = 16
/** An even choice gives less than a third of its part to one of four once in ten million probes. */
const attemptsForShares = 48
/** Those of long-lived clients begin here: one for each destination, as IPVS tells no more apart of a client at an endpoint. */
const firstPort = 20_000

type One = Probe & { readonly from: Place; readonly to: string }
type Ground = Addresses & {
  /** node1's own addresses, by which a hidden source is known. */
  readonly own: string[]
  /** From which a long-lived client asks there. */
  readonly portFor: (destination: string) => number
}

export interface KernelNode {
  stage(family: Family): KernelStage
  /** Takes away what the last behaviour left, and puts the configuration back. */
  clear(): Promise<void>
  end(): Promise<void>
}

/** @param fault of faults.ts, to be planted in the process */
export function openKernelNode(lab: Lab, mode: ModeName, fault?: string): KernelNode {
  const cluster = createCluster()
  const at = { ip: groundOf('ip'), ip6: groundOf('ip6') }
  let agent: ReturnType<typeof startAgent> | undefined = startAgent(lab.node, mode, fault)
  let undo: (() => Promise<unknown>)[] = []
  const tell = (frames: readonly StreamFrame[]): Promise<void> => agent?.send(frames) ?? Promise.resolve()
  const run = ([command = '', ...args]: readonly string[]): Promise<unknown> => execIn(lab.node, command, args)
  const ended = async (how: 'stop' | 'clean-up' | 'crash'): Promise<void> => {
    await agent?.end(how)
    agent = undefined
  }
  const start = async (): Promise<void> => {
    if (agent) throw new TypeError('the process runs already')
    agent = startAgent(lab.node, mode, fault)
    await agent.send(cluster.all())
  }

  const stage = (family: Family): KernelStage => ({
    mode,
    family,
    at: at[family],
    otherAt: at[family === 'ip' ? 'ip6' : 'ip'],
    apply: (...objects) => tell(cluster.change(objects)),
    remove: (names, ...objects) => tell(cluster.change(objects, names)),
    async configure(part) {
      undo.push(async () => agent?.configure(family, configOf(family)))
      await agent!.configure(family, configOf(family, part))
    },
    async addHostAddress(address) {
      const change = (verb: string): Promise<unknown> => run(['ip', 'address', verb, `${address}/${family === 'ip' ? 32 : 128}`, 'dev', 'eth0', ...(family === 'ip6' && verb === 'add' ? ['nodad'] : [])])
      undo.push(() => {
        at[family].own.pop()
        return change('del')
      })
      at[family].own.push(address)
      await change('add')
    },
    async expect(probe, expected) {
      // A flow that its end has not reached yet would answer for the rules of before.
      if (probe.protocol === 'udp') await agent?.settled()
      await Promise.all(single(probe).map((one) => meet(lab, at[family], one, expected)))
    },
    same: (found, expected) => expect(found).toEqual(expected),
    async rest(ms) {
      await rest(ms)
    },
    async open(probe) {
      const { from, to, port } = single(probe)[0]!
      const connection = await lab.hands.open(lab.at(from), { to, port, patienceMs: answerMs })
      undo.push(async () => connection.close())
      return connection
    },
    async who(probe, clients) {
      const { to, port } = single({ ...probe, from: 'outside' })[0]!
      const sources = clients.map((client) => at[family].client(client))
      const lines = await lab.hands.ask(lab.at('outside'), { protocol: 'tcp', to, port, sources, patienceMs: answerMs })
      return lines.map((line) => line.split(' ')[0] as Backend)
    },
    crash: () => ended('crash'),
    stop: () => ended('stop'),
    cleanUp: () => ended('clean-up'),
    start,
    disturb: () => agent!.passAfter(() => run(disturbances[mode](family))),
    async host(program, back) {
      if (back) undo.push(() => run(back))
      await run(program)
    },
  })

  return {
    stage,
    async clear() {
      const steps = undo.toReversed()
      undo = []
      if (!agent) await start()
      for (const step of steps) await step()
      await tell(cluster.removeAll())
    },
    async end() {
      if (agent) await ended('stop')
    },
  }
}

async function meet(lab: Lab, at: Ground, probe: One, expected: Expected): Promise<void> {
  const { from, protocol = 'tcp', to, port, again, client } = probe
  const isSticky = typeof expected === 'object' && 'sticky' in expected
  const source = client === undefined ? undefined : at.client(client)
  const isSilence = expected === 'dropped' || expected === 'untouched'
  const ask = (attempts: number): Promise<readonly string[]> =>
    lab.hands.ask(lab.at(from), {
      protocol, to, port, ...(again && { sourcePort: at.portFor(to) }),
      sources: Array.from({ length: attempts }, () => source),
      patienceMs: isSilence ? lab.patienceMs : answerMs,
    })
  // A remembered client is remembered from its first connection on.
  if (isSticky) await ask(1)
  const found = seen(at, await ask(again ? 1 : attemptsFor(expected)), probe, expected)
  expect({ probe, found }).toEqual({ probe, found: wanted(expected, probe) })
}

function attemptsFor(expected: Expected): number {
  if (typeof expected === 'string') return 2
  if ('sticky' in expected) return attemptsEach
  const { answer, evenly } = expected
  return answer.length === 1 ? 4 : answer.length * (evenly ? attemptsForShares : attemptsEach)
}

/** In the words of an expectation. */
function seen(at: Ground, outcomes: readonly string[], { from, to }: One, expected: Expected): unknown {
  const kinds = new Set(outcomes.map((outcome) => (outcome.includes(' ') ? 'answer' : outcome)))
  if (kinds.size > 1) return [...kinds].toSorted()
  const [kind] = kinds
  // At an address of a host there may be a closed port, or a program of that host.
  const isHosts = expected === 'untouched' && isOfHost(at, to)
  // Virtual addresses that nobody serves lead to a host that says nothing.
  if (kind === 'silent') return expected === 'untouched' && !isHosts ? 'untouched' : 'dropped'
  if (kind === 'refused') return isHosts ? 'untouched' : 'refused'
  if (kind !== 'answer') return kind
  const answers = outcomes.map((line) => line.split(' ') as [Backend, string, string])
  const counts = Map.groupBy(answers, ([name]) => name)
  const names = [...counts.keys()].toSorted()
  if (isHosts && names.length === 1 && names[0] === 'host') return 'untouched'
  if (typeof expected === 'object' && 'sticky' in expected) return { sticky: names.length === 1 && expected.sticky.includes(names[0]!) ? 'one' : names }
  return {
    answer: names,
    ...(from !== 'node' && { source: [...new Set(answers.map(([, , address]) => (at.own.includes(address) ? 'hidden' : 'kept')))].join(' and ') }),
    port: [...new Set(answers.map(([, port]) => port))].join(' and '),
    ...(typeof expected === 'object' && 'evenly' in expected && {
      evenly: Math.min(...[...counts.values()].map(({ length }) => length)) > outcomes.length / names.length / 3,
    }),
  }
}

function groundOf(family: Family): Ground {
  const at = addressesOf(family)
  const ports = new Map<string, number>()
  const portFor = (destination: string): number => {
    const port = ports.get(destination) ?? firstPort + ports.size
    ports.set(destination, port)
    return port
  }
  return { ...at, own: [at.places.node, plans[family].pod(1, gatewayNumber)], portFor }
}

function isOfHost(at: Ground, address: string): boolean {
  return [...at.own, at.remoteNode, at.loopback].includes(address)
}

function wanted(expected: Expected, { from }: One): unknown {
  if (typeof expected === 'string') return expected
  if ('sticky' in expected) return { sticky: 'one' }
  const { answer, source, port = 8080, evenly } = expected
  return { answer: [...answer].toSorted(), ...(from !== 'node' && { source: source ?? expect.any(String) }), port: String(port), ...(evenly && { evenly }) }
}
