/** The hub: wires its rooms together, serves, and stops in order. The only file of the server that knows concrete parts. */
import { mkdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import { flushCompileCache } from 'node:module'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../api/clock.ts'
import { isWherryError } from '../api/errors.ts'
import { createLog, errorKeys, type Log } from '../api/log.ts'
import { openMemory } from '../api/memory.ts'
import { writePrivateFile } from '../api/private-file.ts'
import { createRegistry as createMetrics, type Registry as Metrics } from '../api/prometheus.ts'
import { version } from '../api/version.ts'
import { createAllocators } from './admit/allocators.ts'
import { parseRanges } from './admit/ranges.ts'
import { wordsOf } from './admit/words.ts'
import { openTrail } from './audit/trail.ts'
import { openAccountKeys } from './auth/account-key.ts'
import { createAccountTokens } from './auth/account-tokens.ts'
import { proxyName, type User } from './auth/auth.ts'
import { createAuthenticate, createBootstrapTokens } from './auth/bearer.ts'
import { certificateCheck } from './auth/certificate-checks.ts'
import { createJoin } from './auth/join.ts'
import { kubeconfig } from './auth/kubeconfig.ts'
import { createNodeAuthorizer } from './auth/node-authorize.ts'
import { nodeRestriction } from './auth/node-restriction.ts'
import { adminName, openPki, type Pki } from './auth/pki.ts'
import { openToken } from './auth/tokens.ts'
import { bootstrap, hubAddress, isReachable, leadTo } from './bootstrap.ts'
import { createChecks } from './checks.ts'
import { parseConfig, type HubConfig } from './config.ts'
import { createCertificateController } from './controllers/certificates.ts'
import { createControllers } from './controllers/controllers.ts'
import { createRootCaController } from './controllers/root-ca.ts'
import { createKinds } from './custom/kinds.ts'
import { createHub, type Hub } from './hub/hub.ts'
import { addHubMeasures, type MeasuresDeps } from './hub/measures.ts'
import { createUpgrade } from './hub/upgrade.ts'
import { createElection, leaderFence, type ElectionDeps } from './leader/election.ts'
import { createLoad, tidyWhenQuiet } from './memory.ts'
import { hubName, keepPresence, type PresenceDeps } from './presence.ts'
import { createAuthorizer } from './rbac/authorizer.ts'
import { bootstrapPolicy } from './rbac/bootstrap.ts'
import { escalationCheck } from './rbac/escalation.ts'
import { createGuard } from './rbac/guard.ts'
import { createPolicy } from './rbac/policy.ts'
import { createAccounts } from './registry/accounts.ts'
import type { Registry } from './registry/registry.ts'
import { createRegistry } from './registry/verbs.ts'
import { createRest, type Rest } from './rest/rest.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { openKeys, readKeys } from './seal/key-file.ts'
import { createRotation, type RotatedKeys } from './seal/rotation.ts'
import { createSeal, type Seal } from './seal/seal.ts'
import { restoreSnapshot } from './store/snapshot.ts'
import { streamSnapshot } from './snapshots.ts'
import { openStore, type OpenStore, type StorePlace } from './store/open.ts'
import { fenced, type Store } from './store/store.ts'

const clock = systemClock
const now = (): number => clock.now()
const compactEveryMs = 60_000
const renewEveryMs = 12 * 3_600_000
/** What stopping in order may take before the process just ends; everything acknowledged is on disk anyway. */
const stopMs = 5_000

async function main(): Promise<void> {
  const config = parseConfig(process.argv.slice(2))
  const log = createLog({ level: config.logLevel, write: (line) => process.stdout.write(line), now: () => clock.now() })
  mkdirSync(config.data, { recursive: true, mode: 0o700 })
  if (config.restore !== undefined) return restore(config, config.restore)
  const random = Math.random
  const { keyFile, seal } = sealOf(config)
  const store = await openSealed(config, seal, log)
  const pki = openCertificates(config, log)
  writeKubeconfigs(config, pki)

  const kinds = createKinds(store)
  const allocators = createAllocators({ store, random, serviceCIDR: config.serviceCIDR })
  const common = { kinds, clock, random, uuid: () => crypto.randomUUID(), allocators, accounts: createAccounts({ store, clock, random }), log }
  const registryOver = (over: Store): Registry => createRegistry({ ...common, store: over })
  const registry = registryOver(store)
  const own = hubAddress(config.listen, config.kubeconfigServer)
  await bootstrap(registry, { clusterIP: allocators.firstIP, port: own.port })
  await bootstrapPolicy(store, registry)
  if (!config.etcd) await leadTo(store, registry, [own])

  const policy = createPolicy(store)
  const authorize = createAuthorizer(policy, [createNodeAuthorizer(store)])
  const hub = createHub({ store, registry, log: log.with({ room: 'hub' }), clock, version, name: config.etcd && hubName(own, () => crypto.randomUUID()) })
  const metrics = measured({ store, kinds, sessions: hub, version })
  const checks = createChecks(store)
  /** Starts what one hub alone runs, with writes that are good only while `over` takes them. */
  const lead = (over: Store): (() => Promise<void>) => {
    const deps = { store: over, kinds, registry: registryOver(over), clock, random, log }
    const controllers = createControllers({ ...deps, clusterCIDR: config.clusterCIDR })
    const certificates = [createCertificateController({ ...deps, pki, authorize }), createRootCaController(deps, pki.ca)]
    const stops = [...controllers, ...certificates, createScheduler({ ...deps, usage: (node) => hub.usage(node) })].map((c) => c.start())
    return async () => void (await Promise.all(stops.map((end) => end())))
  }
  const signed = { keys: openAccountKeys(join(config.data, 'pki')), issuer: config.serviceAccountIssuer }
  const tokens = createAccountTokens({ ...signed, store, now, uuid: () => crypto.randomUUID() })
  const joinTokens = createBootstrapTokens(store, now)
  const authenticate = createAuthenticate({ tokens, bootstrap: joinTokens })
  const trail = config.audit && openTrail({ ...config.audit, log })
  const rest = createRest({
    store,
    kinds,
    registry,
    sessions: hub,
    authenticate,
    tokens,
    authorize,
    policy,
    ...(trail && { audit: (met) => trail.record(met) }),
    guard: createGuard(registry, [escalationCheck({ policy, authorize }), nodeRestriction, certificateCheck(authorize)]),
    log: log.with({ room: 'rest' }),
    clock,
    version,
    checks: checks.all,
    metrics,
    hub: {
      status: () => ({ version, revision: store.revision, nodes: hub.nodes() }),
      snapshot: (signal) => streamSnapshot(store, config.data, signal),
      rules: (node, signal) => hub.call(node, { method: 'rules' }, signal),
      join: createJoin({ pki, token: openToken(join(config.data, 'join-token')), bootstrap: joinTokens }),
      rotateSecrets: createRotation({ seal, store, log, keys: keysOf(config, keyFile) }),
    },
  })
  const servers = await serve(config, pki, { rest, hub, authenticate })
  const leavePresence = config.etcd && isReachable(own) ? joinHubs({ store, registry, clock, log, own }) : undefined
  const stopLeading = config.etcd ? joinElection({ store, registry, clock, random, log }, lead) : lead(store)
  checks.started()
  const upkeep = await keepUp({ config, store, servers, log })
  log.info('the hub is serving', { listen: config.listen, revision: store.revision, version })

  const stop = async (): Promise<void> => {
    log.info('the hub stops')
    checks.stopping()
    upkeep()
    for (const server of servers) server.close()
    await hub.close()
    await leavePresence?.()
    await stopLeading()
    trail?.close()
    allocators.close()
    await store.close()
  }
  onSignal(log, stop)
}

function measured(deps: MeasuresDeps): Metrics {
  const metrics = createMetrics()
  addHubMeasures(metrics, deps)
  return metrics
}

/** Nothing that the first key did not seal is left behind. */
async function openSealed(config: HubConfig, seal: Seal, log: Log): Promise<OpenStore> {
  const deps = { log: log.with({ room: 'store' }), clock, random: Math.random, words: wordsOf, seal, onLost: giveUp }
  const store = await openStore(placeOf(config), deps)
  const values = await store.reseal()
  if (values > 0) log.info('secrets were sealed with the first key', { values })
  return store
}

function restore({ data, encryptionConfig }: HubConfig, file: string): void {
  const keyFile = encryptionConfig ?? join(data, 'encryption.yaml')
  const { revision, replaced } = restoreSnapshot({ file, path: databaseIn(data) })
  const before = replaced === undefined ? '' : `; the database that was there is now ${replaced}`
  process.stdout.write(`${file} is in place, at revision ${revision}${before}. \nSecrets in it are sealed: ${keyFile} must be that of the hub whose snapshot it is. Start the hub.\n`)
}

/** Acknowledged writes are in etcd, and agents go to another hub; whoever supervises this process starts it again. */
function giveUp(): void {
  process.exit(1)
}

/** The hub's own keys, or those of a file that somebody else writes. */
function sealOf({ data, encryptionConfig }: HubConfig): { readonly keyFile: string; readonly seal: Seal } {
  const keyFile = encryptionConfig ?? join(data, 'encryption.yaml')
  return { keyFile, seal: createSeal(encryptionConfig === undefined ? openKeys(keyFile) : readKeys(keyFile)) }
}

const databaseIn = (data: string): string => join(data, 'wherry.db')

function placeOf({ data, etcd }: HubConfig): StorePlace {
  return etcd ? { kind: 'etcd', ...etcd } : { kind: 'sqlite', path: databaseIn(data) }
}

/** Other hubs on the same etcd could not open what one of them sealed with a key of which they have not heard. */
function keysOf({ encryptionConfig, etcd }: HubConfig, file: string): RotatedKeys {
  if (etcd) return { kind: 'shared' }
  return encryptionConfig === undefined ? { kind: 'own', file } : { kind: 'given' }
}

/** Others may write to the same store, and one of them leads. @returns the way to leave */
function joinElection(deps: Omit<ElectionDeps, 'identity' | 'lead'>, lead: (over: Store) => () => Promise<void>): () => Promise<void> {
  const identity = `${hostname()}_${crypto.randomUUID()}`
  const leaving = new AbortController()
  const election = createElection({ ...deps, identity, lead: () => lead(fenced(deps.store, leaderFence(identity))) })
  const running = election.run(leaving.signal)
  return () => {
    leaving.abort()
    return running
  }
}

/** @returns the way to leave */
function joinHubs(deps: PresenceDeps): () => Promise<void> {
  const leaving = new AbortController()
  const running = keepPresence(deps, leaving.signal)
  return () => {
    leaving.abort()
    return running
  }
}

function writeKubeconfigs({ data, kubeconfigServer: server }: HubConfig, { ca, admin, proxy }: Pki): void {
  writePrivateFile(join(data, 'admin.kubeconfig'), kubeconfig({ server, ca, user: adminName, certificate: admin }))
  writePrivateFile(join(data, 'proxy.kubeconfig'), kubeconfig({ server, ca, user: proxyName, certificate: proxy }))
}

/** Those of the service `kubernetes`, as far as programs in pods say them. */
const serviceNames = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local']

/** Names under which people reach a hub that listens on every address: those of the machine. */
function openCertificates(config: HubConfig, log: Log): Pki {
  const { host } = config.listen
  const anywhere = host === '0.0.0.0' || host === '::'
  const own = anywhere ? Object.values(networkInterfaces()).flatMap((i) => i ?? []).map((i) => i.address.split('%')[0]!) : [host]
  const names = [...new Set(['localhost', '127.0.0.1', ...serviceNames, parseRanges(config.serviceCIDR)[0]!.at(0), ...own, ...config.tlsSans])]
  return openPki({ dir: join(config.data, 'pki'), names, log, now: () => clock.now() })
}

const tlsOf = (pki: Pki) => ({
  key: pki.server.key,
  // With the CA in the chain a joining node can pin it by its hash.
  cert: `${pki.server.certificate.trim()}\n${pki.ca}`,
  ca: pki.ca,
  requestCert: true,
  // Who comes without a certificate is anonymous; authorization decides.
  rejectUnauthorized: false,
})

/** What a client that nobody knows yet may make the hub wait for and hold. */
const bounds = { keepAliveTimeout: 90_000, handshakeTimeout: 10_000, headersTimeout: 20_000, requestTimeout: 60_000, maxHeaderSize: 32 * 1024 } as const

interface Doors {
  readonly rest: Rest
  readonly hub: Hub
  readonly authenticate: (req: IncomingMessage) => User
}

async function serve(config: HubConfig, pki: Pki, { rest, hub, authenticate }: Doors): Promise<readonly Server[]> {
  const agents = createUpgrade({ authenticate, accept: (socket, node, line) => hub.accept(socket, node, line) })
  const open = (where: { host: string; port: number } | { fd: number }): Promise<Server> =>
    new Promise((resolve, reject) => {
      const server = createServer({ ...tlsOf(pki), ...bounds })
      server.on('request', (req, res) => rest.handle(req, res))
      server.on('upgrade', (req, socket, head) => {
        if (!agents(req, socket, head) && !rest.upgrade(req, socket, head)) socket.destroy()
      })
      server.once('error', reject)
      server.listen({ ...where, backlog: 1024 }, () => resolve(server))
    })
  const servers = [await open(config.listen)]
  if (config.listenFd !== undefined) servers.push(await open({ fd: config.listenFd }))
  return servers
}

interface Upkeep {
  readonly config: HubConfig
  readonly store: OpenStore
  readonly servers: readonly Server[]
  readonly log: Log
}

/** Forgets old history and renews certificates. @returns the way to stop */
async function keepUp({ config, store, servers, log }: Upkeep): Promise<() => void> {
  // Node keeps what it compiled at its end, which one that is killed never comes to; without it a start takes 30 MB more.
  flushCompileCache()
  const stopTidying = tidyWhenQuiet({ clock, memory: await openMemory(), rss: () => process.memoryUsage.rss(), load: createLoad() })
  const compact = setInterval(() => {
    store.compactOld().catch((e: unknown) => log.error('old history could not be forgotten', errorKeys(e)))
  }, compactEveryMs)
  const renew = setInterval(() => {
    try {
      const pki = openCertificates(config, log)
      writeKubeconfigs(config, pki)
      for (const server of servers) server.setSecureContext(tlsOf(pki))
    } catch (e) {
      log.error('the certificates could not be renewed', errorKeys(e))
    }
  }, renewEveryMs)
  return () => {
    stopTidying()
    clearInterval(compact)
    clearInterval(renew)
  }
}

function onSignal(log: Log, stop: () => Promise<void>): void {
  const end = (): void => {
    setTimeout(() => process.exit(0), stopMs).unref()
    stop().then(
      () => process.exit(0),
      (e: unknown) => {
        log.error('the hub did not stop in order', errorKeys(e))
        process.exit(1)
      },
    )
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}

main().catch((e: unknown) => {
  process.stderr.write(`${e instanceof Error ? e.message : String(e)}\n`)
  if (!isWherryError(e)) process.stderr.write(`${e instanceof Error ? (e.stack ?? '') : ''}\n`)
  process.exit(isWherryError(e, 'USAGE') ? 2 : 1)
})
