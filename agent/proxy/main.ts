/** The drop-in proxy: wires its rooms together. The only file of this room that knows concrete parts. */
import { readFileSync, writeFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { availableParallelism, hostname } from 'node:os'
import { stringify } from 'yaml'
import { systemClock } from '../../api/clock.ts'
import { isWherryError } from '../../api/errors.ts'
import { createLog, errorKeys, type Log } from '../../api/log.ts'
import { version } from '../../api/version.ts'
import { healthFace, metricsFace } from '../health/faces.ts'
import { holdListener, type Handler } from '../health/listener.ts'
import { createProxyHealth } from '../health/proxy-health.ts'
import { createHealthServers } from '../health/service-health.ts'
import { createExec, type Exec } from '../kernel/exec.ts'
import { createTidying, openGivingBack } from '../memory.ts'
import { createProxyMetrics } from '../metrics/proxy-metrics.ts'
import { logLevelOf, readCommand, readSurroundings, type ProxyCommand } from './config/config.ts'
import type { Bind, ProxyConfig } from './config/proxy-config.ts'
import { writtenConfig } from './config/written.ts'
import { configChange } from './config-watch.ts'
import { createEventRecorder } from './events.ts'
import { familyConfig } from './family-config.ts'
import { readAccess } from './kube/access.ts'
import { createApiClient, type ApiClient } from './kube/client.ts'
import { createCredentials } from './kube/credentials.ts'
import { addressesIn, machineAddresses } from './local-addresses.ts'
import { openServedMode } from './mode.ts'
import { createOwnNode, type NodeFacts } from './own-node.ts'
import { createProxy } from './proxy.ts'
import { applySettings, oomSetting, settingsOf } from './settings.ts'
import { usage } from './usage.ts'
import { removeRules } from '../modes.ts'
import { stopOnSignal } from '../stop-signal.ts'

const clock = systemClock
const random = Math.random
const stopMs = 5_000
const cleanupMs = 60_000
const readFile = (path: string): string => readFileSync(path, 'utf8')

async function main(): Promise<void> {
  const command = readCommand(process.argv.slice(2), { hostname: hostname(), readFile })
  switch (command.kind) {
    case 'help':
      return void process.stdout.write(usage)
    case 'version':
      return void process.stdout.write(`Wherry v${version}\n`)
    case 'write-config':
      return writeFileSync(command.to, stringify(writtenConfig(command.config)))
    case 'cleanup': {
      const log = logOf(command.config)
      await removeRules({ exec: createExec(log), clock, log }, AbortSignal.timeout(cleanupMs))
      return log.info('the rules were taken away')
    }
    case 'init-only':
      return setUp(command.config, logOf(command.config))
    case 'run':
      return run(command)
  }
}

function logOf(config: ProxyConfig): Log {
  const write = (line: string): boolean => process.stdout.write(line)
  return createLog({ level: logLevelOf(config.verbosity), write, now: () => clock.now() }, { node: config.node })
}

function setUp(config: ProxyConfig, log: Log): void {
  for (const problem of applySettings(settingsOf(config, availableParallelism()))) log.warn('a kernel setting could not be made', { ...problem })
}

async function run({ config, ignored, file, notesDir }: Extract<ProxyCommand, { kind: 'run' }>): Promise<void> {
  const log = logOf(config)
  const stop = new AbortController()
  const { signal } = stop
  stopOnSignal({ what: 'the proxy', log, stop, withinMs: stopMs })
  if (ignored.length > 0) log.info('part of the configuration has no effect', { fields: ignored })
  const exec = createExec(log)
  const metrics = createProxyMetrics({ mode: config.mode, version, now: () => clock.now(), proc: '/proc' })
  // What is wrong with it is said before anything is touched.
  const client = openClient(config, exec, (answer) => metrics.onApiAnswer(answer))
  const mode = await openServedMode(config, { exec, clock, random, log, notesDir }, signal)
  for (const problem of applySettings([oomSetting(config)])) log.warn('a kernel setting could not be made', { ...problem })
  setUp(config, log)
  const events = createEventRecorder({ client, node: config.node, clock, random, log, signal })
  const health = createProxyHealth({ now: () => clock.now(), lateMs: 2 * config.sync.periodMs })
  const ownNode = createOwnNode({ name: config.node, detectLocal: config.detectLocal.kind, clock, log })
  const healthServers = createHealthServers({
    addresses: () => healthAddresses(config, ownNode.known()),
    isHealthy: () => health.isHealthy(),
    onFailure: ({ service, port, message }) =>
      events.tell({
        type: 'Warning',
        reason: 'FailedToStartServiceHealthcheck',
        action: 'Listen',
        note: `node ${config.node} could not serve the health check on port ${port}: ${message}`,
        about: { apiVersion: 'v1', kind: 'Service', ...service },
      }),
    clock,
    log,
  })
  const proxy = createProxy({
    node: config.node,
    client,
    mode,
    ownNode,
    health,
    healthServers,
    metrics,
    configOf: (facts, family) => familyConfig(config, facts, family),
    events,
    onServed: () => {
      // Node keeps what it compiled at its end, which one that is killed never comes to.
      flushCompileCache()
      // What another mode left serves until ours does.
      removeRules({ exec, clock, log }, signal, config.mode).catch((e: unknown) => log.warn('rules of another mode could not be taken away', errorKeys(e)))
    },
    tidying: createTidying({ clock, giveBack: await openGivingBack() }),
    clock,
    random,
    log,
  })
  log.info('the proxy runs', { mode: config.mode, kernel: mode.how, version })
  const face = (name: string, place: Bind | undefined, handler: Handler): readonly Promise<void>[] =>
    place ? [holdListener({ place, handler, name, hardFail: config.bindAddressHardFail, clock, log }, signal)] : []
  await untilStopped(stop, [
    proxy.run(signal),
    ...face('health', config.healthz, healthFace(health, (path, code) => metrics.onHealth(path, code))),
    ...face('metrics', config.metrics, metricsFace({ metrics: () => metrics.text(), mode: config.mode, config: writtenConfig(config) })),
    ...(file ? [configChange(file, { clock, readFile }, signal)] : []),
  ])
  client.close()
  mode.close()
  log.info('the proxy has stopped; rules stay')
}

function openClient(config: ProxyConfig, exec: Exec, onAnswer: Parameters<typeof createApiClient>[0]['onAnswer']): ApiClient {
  const access = readAccess(config.api, { readFile, surroundings: readSurroundings() })
  const credentials = createCredentials({ access, readFile, exec, now: () => clock.now() })
  return createApiClient({ access, credentials, clock, onAnswer })
}

/** Health checks answer where node ports do. */
function healthAddresses(config: ProxyConfig, facts: NodeFacts): readonly string[] {
  const ranges = (['ip', 'ip6'] as const).map((family) => familyConfig(config, facts, family).nodePortAddresses)
  if (ranges.flat().some((range) => range.endsWith('/0'))) return ['::']
  return addressesIn(ranges.flat(), machineAddresses())
}

/** Waits for all of it; what fails first, if it does so before anybody asked us to stop, stops the rest and is told. */
async function untilStopped(stop: AbortController, work: readonly Promise<void>[]): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  const fail = (error: unknown): void => {
    if (!stop.signal.aborted) failure = { error }
    stop.abort(new DOMException('the proxy stops', 'AbortError'))
  }
  await Promise.all(work.map((one) => one.catch(fail)))
  if (failure) throw failure.error
}

/** 2 wrong flags or configuration, 3 this machine lacks something, else 1. */
function exitCodeOf(e: unknown): number {
  if (isWherryError(e, 'USAGE')) return 2
  return isWherryError(e, 'SETUP') ? 3 : 1
}

main().then(
  () => process.exit(0),
  (e: unknown) => {
    process.stderr.write(`wherry proxy: ${e instanceof Error ? e.message : String(e)}\n`)
    if (!isWherryError(e)) process.stderr.write(`${e instanceof Error ? (e.stack ?? '') : ''}\n`)
    process.exit(exitCodeOf(e))
  },
)
