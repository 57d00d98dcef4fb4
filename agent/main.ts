/** The agent: wires its rooms together and runs until it is told to stop. The pod half is wired in pod-half.ts. */
import { randomInt } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { sleep, systemClock } from '../api/clock.ts'
import { isWherryError } from '../api/errors.ts'
import { createLog, errorKeys, type Log } from '../api/log.ts'
import type { NodeEvent } from '../api/frames.ts'
import { version } from '../api/version.ts'
import { allAddresses, isOtherFamily } from '../rules/address.ts'
import type { Family, NodeConfig, Problem } from '../rules/model.ts'
import { parseConfig, type AgentConfig } from './config.ts'
import type { Dns } from './dns/dns.ts'
import type { DnsSettings } from './dns/settings.ts'
import { createConntrack } from './kernel/flows/conntrack.ts'
import { createFlowTable } from './kernel/flows/table.ts'
import { createExec, type Exec } from './kernel/exec.ts'
import { createOwnHands, type OwnHands } from './kernel/nft/hands.ts'
import { openCredentials } from './link/credentials.ts'
import { createLink, type Link } from './link/link.ts'
import { sourceAddressTo } from './net/address.ts'
import { createIp } from './net/ip.ts'
import { setForwarding } from './net/sysctls.ts'
import { PodError } from './pods/error.ts'
import type { PodHalf } from './pod-half.ts'
import type { PodCalls } from './pods/pod-calls.ts'
import { createTidying, openGivingBack } from './memory.ts'
import { openMode, removeRules } from './modes.ts'
import { createServices, type LaneDeps } from './services.ts'
import { hubsAfter } from './state/hubs.ts'
import { createTables } from './state/tables.ts'
import { stopOnSignal } from './stop-signal.ts'

const clock = systemClock
const stopMs = 8_000

async function main(): Promise<void> {
  const config = parseConfig(process.argv.slice(2))
  const log = createLog({ level: config.logLevel, write: (line) => process.stdout.write(line), now: () => clock.now() }, { node: config.node })
  const stop = new AbortController()
  stopOnSignal({ what: 'the agent', log, stop, withinMs: stopMs })
  const { signal } = stop
  mkdirSync(config.state, { recursive: true, mode: 0o700 })
  const credentials = openCredentials({ dir: config.credentials, node: config.node, hubs: config.hubs, clock, random: Math.random, log })
  const exec = createExec(log)
  for (const problem of setForwarding(config.clusterCIDRs.some((cidr) => cidr.includes(':')) ? ['ipv4', 'ipv6'] : ['ipv4'])) log.warn('a kernel setting is missing', { ...problem })
  const address = await ownAddress(config, log, signal)
  const hands = createOwnHands()
  const lanes = await Promise.all(lanesOf(config, address).map((lane) => openLane({ config, ...lane, exec, hands, log }, signal)))
  const tables = createTables()
  const tidying = createTidying({ clock, giveBack: await openGivingBack() })

  // The halves send through the link, and the link hands frames to the halves.
  const send: Link['send'] = (frame) => link.send(frame)
  let isServed = false
  const services = createServices({
    node: config.node,
    tables,
    lanes,
    onAck(ack) {
      send(ack)
      if (isServed || ack.failed || ack.applied === 0) return
      isServed = true
      // Node keeps what it compiled at its end, which one that is killed never comes to.
      flushCompileCache()
      // What another mode left serves until ours does.
      removeRules({ exec, log, clock }, signal, config.proxyMode).catch((e: unknown) => log.warn('rules of another mode could not be taken away', errorKeys(e)))
    },
    onPass: ({ plan }) => tidying.worked(plan),
    onProblem: (problem) => send({ kind: 'report', report: { kind: 'event', event: problemEvent(problem) } }),
    clock,
    random: Math.random,
    log,
  })
  const half = config.servicesOnly ? undefined : (await import('./pod-half.ts')).createPodHalf({ config, address, exec, tables, log, send, tls: credentials.tls, clock, signal })
  const dns = config.dns && (await createNames({ ...config.dns, config, exec, log }))
  const link = createLink({
    urls: config.hubs,
    tls: credentials.tls,
    node: config.node,
    version,
    clock,
    random: Math.random,
    log,
    onFrame(frame) {
      const batch = tables.take(frame)
      if (!batch) return
      services.take(batch)
      half?.node.take(batch)
      dns?.take(batch)
      const hubs = hubsAfter(batch, tables)
      if (hubs) link.others(hubs)
    },
    lastRevision: () => tables.revision(),
    handlers: {
      async *rules(_call, callSignal) {
        for (const { dataplane } of lanes) yield Buffer.from(await dataplane.print(callSignal))
      },
      async *logs(call, callSignal) {
        yield* podsOf(half, config).logs(call, callSignal)
      },
      async *attach(call, callSignal, input) {
        yield* podsOf(half, config).attach(call, input, callSignal)
      },
      async *forward(call, callSignal, input) {
        yield* podsOf(half, config).forward(call, input, callSignal)
      },
      async *exec(call, callSignal, input) {
        yield* podsOf(half, config).exec(call, input, callSignal)
      },
    },
  })
  log.info('the agent runs', { hubs: config.hubs, address, kernel: lanes.map(({ dataplane }) => dataplane.how).join(', '), version })
  await Promise.all([link.run(signal), credentials.keep(signal), services.run(signal), half?.node.run(signal), dns?.run(signal)])
  for (const { dataplane } of lanes) dataplane.close()
  log.info('the agent has stopped; rules and containers stay')
}

/** @throws PodError CONTAINER_UNKNOWN where this agent runs no pods */
function podsOf(half: PodHalf | undefined, { node }: AgentConfig): PodCalls {
  if (half) return half.pods.calls
  throw new PodError('CONTAINER_UNKNOWN', `node ${node} runs no pods: its agent was started with --services-only`)
}

/** The families to serve: those of the pods' ranges. */
function lanesOf(config: AgentConfig, address: string): readonly { readonly family: Family; readonly node: NodeConfig }[] {
  const families = (['ip', 'ip6'] as const).filter((family) => config.clusterCIDRs.some((cidr) => !isOtherFamily(family, cidr)))
  return families.map((family) => {
    const own = isOtherFamily(family, address) ? [] : [address]
    return {
      family,
      node: {
        pods: { kind: 'cidrs', cidrs: config.clusterCIDRs.filter((cidr) => !isOtherFamily(family, cidr)) },
        masqueradeAll: false,
        masqueradeBit: 14,
        nodePortAddresses: own.length > 0 ? own : [allAddresses[family]],
        localhostNodePorts: false,
        nodeAddresses: own,
        dropInvalid: true,
      },
    }
  })
}

interface LaneParts {
  readonly config: AgentConfig
  readonly family: Family
  readonly node: NodeConfig
  readonly exec: Exec
  readonly hands: OwnHands
  readonly log: Log
}

async function openLane({ config, family, node, exec, hands, log }: LaneParts, signal: AbortSignal): Promise<LaneDeps> {
  const dataplane = await openMode(config.proxyMode, { family, exec, log, clock, door: config.kernel, hands, notesDir: config.state }, signal)
  const virtualRanges = config.serviceCIDR.split(',').filter((cidr) => !isOtherFamily(family, cidr))
  return { dataplane, conntrack: createConntrack({ table: createFlowTable({ exec, family }), log }), config: node, virtualRanges }
}

/** What cannot be served is told at the service, where its owner looks. */
function problemEvent({ service, what, value }: Problem): NodeEvent {
  const [namespace, name = ''] = service?.split('/') ?? []
  const about = namespace === undefined ? { kind: 'Node' as const, name: '', uid: '' } : { kind: 'Service' as const, namespace, name, uid: '' }
  return { type: 'Warning', reason: 'NotServed', message: `${what}: ${value}`, about }
}

async function createNames({ config, exec, log, ...settings }: DnsSettings & Pick<LaneParts, 'config' | 'exec' | 'log'>): Promise<Dns> {
  const { createDns } = await import('./dns/dns.ts')
  const ranges = [...config.clusterCIDRs, ...config.serviceCIDR.split(',')]
  // Ids of questions to other servers must not be guessed.
  const random = (): number => randomInt(2 ** 32) / 2 ** 32
  return createDns({ ...settings, ranges, ip: createIp(exec), clock, random, log: log.with({ part: 'dns' }) })
}

/** Waits for a route to the hub, as a machine that just booted may not have one yet. */
async function ownAddress(config: AgentConfig, log: Log, signal: AbortSignal): Promise<string> {
  for (let turn = 0; ; turn++) {
    const { hostname, port } = new URL(config.hubs[turn % config.hubs.length]!)
    try {
      return await sourceAddressTo(hostname.replace(/^\[|\]$/g, ''), Number(port || 443), signal)
    } catch (e) {
      log.warn('there is no route to the hub yet', errorKeys(e))
      await sleep(clock, 1_000, signal)
    }
  }
}

main().then(
  () => process.exit(0),
  (e: unknown) => {
    process.stderr.write(`${e instanceof Error ? e.message : String(e)}\n`)
    if (!isWherryError(e)) process.stderr.write(`${e instanceof Error ? (e.stack ?? '') : ''}\n`)
    process.exit(isWherryError(e, 'USAGE') ? 2 : 1)
  },
)
