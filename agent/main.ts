/** The agent: wires its rooms together and runs until it is told to stop. The only file of the agent that knows concrete parts. */
import { mkdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import systeminformation from 'systeminformation'
import { sleep, systemClock } from '../api/clock.ts'
import { isWherryError } from '../api/errors.ts'
import { createLog, errorKeys, type Log } from '../api/log.ts'
import { version } from '../api/version.ts'
import { parseConfig, type AgentConfig } from './config.ts'
import { createConntrack } from './kernel/conntrack.ts'
import { createExec, type Exec } from './kernel/exec.ts'
import { openNftKernel } from './kernel/nft.ts'
import { createLink, type Link, type LinkTls } from './link/link.ts'
import { goArchitecture, readNodeFacts, readPressures, type NodeFacts } from './metrics/node-facts.ts'
import { createCgroupUsage, createMachineUsage, type UsageSampler } from './metrics/usage.ts'
import { sourceAddressTo } from './net/address.ts'
import { createIp } from './net/ip.ts'
import { createPodNetwork } from './net/pod-network.ts'
import { createRoutes } from './net/routes.ts'
import { setForwarding } from './net/sysctls.ts'
import { createNode, type NodeHalf } from './node.ts'
import { PodError } from './pods/error.ts'
import { createPods, type Pods } from './pods/pods.ts'
import { createCtrRuntime } from './pods/runtime/ctr.ts'
import { createServices } from './services.ts'
import { createTables, type Tables } from './state/tables.ts'

const clock = systemClock
const pluginDir = '/usr/lib/cni'
const mtu = 1500
const stopMs = 8_000

async function main(): Promise<void> {
  const config = parseConfig(process.argv.slice(2))
  const log = createLog({ level: config.logLevel, write: (line) => process.stdout.write(line), now: () => clock.now() }, { node: config.node })
  const stop = new AbortController()
  onSignal(log, stop)
  const { signal } = stop
  mkdirSync(config.state, { recursive: true, mode: 0o700 })
  const tls = readCredentials(config)
  const exec = createExec(log)
  for (const problem of setForwarding(['ipv4'])) log.warn('a kernel setting is missing', { ...problem })
  const kernel = await openNftKernel({ prefer: config.kernel, family: 'ip', exec, log }, signal)
  const address = await ownAddress(config, log, signal)
  const tables = createTables()

  // The halves send through the link, and the link hands frames to the halves.
  const send: Link['send'] = (frame) => link.send(frame)
  const services = createServices({
    node: config.node,
    family: 'ip',
    tables,
    kernel,
    conntrack: createConntrack({ exec, family: 'ip', log }),
    serviceCIDR: config.serviceCIDR,
    config: { clusterCIDRs: [config.clusterCIDR], nodePortAddresses: [address] },
    onAck: send,
    clock,
    random: Math.random,
    log,
  })
  const half = config.servicesOnly ? undefined : createPodHalf({ config, address, exec, tables, log, send })
  const link = createLink({
    url: config.hub,
    tls,
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
    },
    lastRevision: () => tables.revision(),
    handlers: {
      async *rules(_call, callSignal) {
        yield Buffer.from(await kernel.print(callSignal))
      },
      async *logs(call, callSignal) {
        if (!half) throw new PodError('CONTAINER_UNKNOWN', `node ${config.node} runs no pods: its agent was started with --services-only`)
        yield* half.pods.logs(call, callSignal)
      },
    },
  })
  log.info('the agent runs', { hub: config.hub, address, kernel: kernel.how, version })
  await Promise.all([link.run(signal), services.run(signal), half?.node.run(signal)])
  kernel.close()
  log.info('the agent has stopped; rules and containers stay')
}

interface HalfParts {
  readonly config: AgentConfig
  readonly address: string
  readonly exec: Exec
  readonly tables: Tables
  readonly log: Log
  readonly send: Link['send']
}

function createPodHalf({ config, address, exec, tables, log, send }: HalfParts): { readonly node: NodeHalf; readonly pods: Pods } {
  const facts = readNodeFacts(config.state)
  const runtime = createCtrRuntime({
    exec,
    clock,
    log,
    address: config.containerdAddress,
    stateDir: join(config.state, 'runtime'),
    node: process.execPath,
    architecture: goArchitecture(),
  })
  const network = createPodNetwork({ exec, netnsPrefix: config.netnsPrefix, dir: join(config.state, 'net'), pluginDir, mtu })
  const report = (told: Parameters<Parameters<typeof createNode>[0]['report']>[0]): void => send({ kind: 'report', report: told })
  const pods = createPods({
    runtime,
    network,
    clock,
    log,
    node: config.node,
    dir: join(config.state, 'pods'),
    cgroupRoot: `${config.cgroupRoot}/pods`,
    capacity: { cpuMillis: facts.cores * 1000, memoryBytes: facts.memoryBytes },
    hostIPs: () => [address],
    report,
  })
  const node = createNode({
    node: config.node,
    address,
    serviceCIDR: config.serviceCIDR,
    tables,
    pods,
    runtime,
    routes: createRoutes(createIp(exec)),
    usage: usageOf(config, facts),
    facts,
    pressures: () => readPressures(config.state),
    report,
    clock,
    log,
  })
  return { node, pods }
}

function usageOf(config: AgentConfig, facts: NodeFacts): UsageSampler {
  if (config.usageFrom === 'machine') {
    return createMachineUsage({ currentLoad: () => systeminformation.currentLoad(), mem: () => systeminformation.mem(), cores: facts.cores })
  }
  const capacity = { cpuMillis: facts.cores * 1000, memoryBytes: facts.memoryBytes }
  return createCgroupUsage({ mount: '/sys/fs/cgroup', path: config.cgroupRoot, readFile: (path) => readFile(path, 'utf8'), now: () => performance.now(), capacity })
}

function readCredentials(config: AgentConfig): LinkTls {
  const file = (name: string): string => readFileSync(join(config.credentials, name), 'utf8')
  return { ca: file('ca.crt'), cert: file('node.crt'), key: file('node.key') }
}

/** Waits for a route to the hub, as a machine that just booted may not have one yet. */
async function ownAddress(config: AgentConfig, log: Log, signal: AbortSignal): Promise<string> {
  const { hostname, port } = new URL(config.hub)
  for (;;) {
    try {
      return await sourceAddressTo(hostname.replace(/^\[|\]$/g, ''), Number(port || 443), signal)
    } catch (e) {
      log.warn('there is no route to the hub yet', errorKeys(e))
      await sleep(clock, 1_000, signal)
    }
  }
}

function onSignal(log: Log, stop: AbortController): void {
  const end = (): void => {
    log.info('the agent stops')
    setTimeout(() => process.exit(0), stopMs).unref()
    stop.abort(new DOMException('the agent stops', 'AbortError'))
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}

main().then(
  () => process.exit(0),
  (e: unknown) => {
    process.stderr.write(`${e instanceof Error ? e.message : String(e)}\n`)
    if (!isWherryError(e)) process.stderr.write(`${e instanceof Error ? (e.stack ?? '') : ''}\n`)
    process.exit(isWherryError(e, 'USAGE') ? 2 : 1)
  },
)
