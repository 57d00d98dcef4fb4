/** The hub: wires its rooms together, serves, and stops in order. The only file of the server that knows concrete parts. */
import { mkdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../api/clock.ts'
import { isWherryError } from '../api/errors.ts'
import { createLog, errorKeys, type Log } from '../api/log.ts'
import { version } from '../api/version.ts'
import { createAllocators } from './admit/allocators.ts'
import { proxyName, type User } from './auth/auth.ts'
import { openTrail } from './audit/trail.ts'
import { openAccountKeys } from './auth/account-key.ts'
import { createAccountTokens } from './auth/account-tokens.ts'
import { certificateCheck } from './auth/certificate-checks.ts'
import { createAuthenticate, createBootstrapTokens } from './auth/bearer.ts'
import { createJoin } from './auth/join.ts'
import { kubeconfig } from './auth/kubeconfig.ts'
import { createNodeAuthorizer } from './auth/node-authorize.ts'
import { nodeRestriction } from './auth/node-restriction.ts'
import { adminName, openPki, type Pki } from './auth/pki.ts'
import { writePrivateFile } from './auth/private-file.ts'
import { openToken } from './auth/tokens.ts'
import { bootstrap } from './bootstrap.ts'
import { parseConfig, type HubConfig } from './config.ts'
import { createCertificateController } from './controllers/certificates.ts'
import { createControllers } from './controllers/controllers.ts'
import { createHub, type Hub } from './hub/hub.ts'
import { createUpgrade } from './hub/upgrade.ts'
import { createAuthorizer } from './rbac/authorizer.ts'
import { bootstrapPolicy } from './rbac/bootstrap.ts'
import { escalationCheck } from './rbac/escalation.ts'
import { createGuard } from './rbac/guard.ts'
import { createPolicy } from './rbac/policy.ts'
import { createRegistry } from './registry/verbs.ts'
import { createRest, type Rest } from './rest/rest.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { openKeys, readKeys } from './seal/key-file.ts'
import { createRotation } from './seal/rotation.ts'
import { createSeal } from './seal/seal.ts'
import { openSqliteStore, type SqliteStore } from './store/sqlite.ts'

const clock = systemClock
const compactEveryMs = 60_000
const renewEveryMs = 12 * 3_600_000
/** What stopping in order may take before the process just ends; everything acknowledged is on disk anyway. */
const stopMs = 5_000

async function main(): Promise<void> {
  const config = parseConfig(process.argv.slice(2))
  const log = createLog({ level: config.logLevel, write: (line) => process.stdout.write(line), now: () => clock.now() })
  mkdirSync(config.data, { recursive: true, mode: 0o700 })
  const keyFile = config.encryptionConfig ?? join(config.data, 'encryption.yaml')
  const seal = createSeal(config.encryptionConfig === undefined ? openKeys(keyFile) : readKeys(keyFile))
  const store = openSqliteStore({ path: join(config.data, 'wherry.db'), log, clock, seal })
  const resealed = await store.reseal()
  if (resealed > 0) log.info('secrets were sealed with the first key', { values: resealed, file: keyFile })
  const pki = openCertificates(config, log)
  const token = openToken(join(config.data, 'join-token'))
  writeKubeconfigs(config, pki)

  const random = Math.random
  const allocators = createAllocators({ store, random, serviceCIDR: config.serviceCIDR })
  const registry = createRegistry({ store, clock, random, uuid: () => crypto.randomUUID(), allocators, log })
  await bootstrap(store, registry, { address: config.listen.host, port: config.listen.port, clusterIP: allocators.firstIP })
  await bootstrapPolicy(store, registry)

  const policy = createPolicy(store)
  const authorize = createAuthorizer(policy, [createNodeAuthorizer(store)])
  const hub = createHub({ store, registry, log: log.with({ room: 'hub' }), clock, version })
  const deps = { store, registry, clock, random, log }
  const controllers = [
    ...createControllers({ ...deps, clusterCIDR: config.clusterCIDR }),
    createCertificateController({ ...deps, pki, authorize }),
    createScheduler({ ...deps, usage: (node) => hub.usage(node) }),
  ]
  const now = () => clock.now()
  const keys = openAccountKeys(join(config.data, 'pki'))
  const tokens = createAccountTokens({ store, keys, issuer: config.serviceAccountIssuer, now, uuid: () => crypto.randomUUID() })
  const joinTokens = createBootstrapTokens(store, now)
  const authenticate = createAuthenticate({ tokens, bootstrap: joinTokens })
  const trail = config.audit && openTrail({ ...config.audit, log })
  const rest = createRest({
    store,
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
    hub: {
      status: () => ({ version, revision: store.revision, nodes: hub.nodes() }),
      rules: (node, signal) => hub.call(node, { method: 'rules' }, signal),
      join: createJoin({ pki, token, bootstrap: joinTokens }),
      rotateSecrets: createRotation({ seal, store, log, ...(config.encryptionConfig === undefined && { keyFile }) }),
    },
  })
  const servers = await serve(config, pki, { rest, hub, authenticate })
  const stopControllers = controllers.map((c) => c.start())
  const upkeep = keepUp(config, store, servers, log)
  log.info('the hub is serving', { listen: config.listen, revision: store.revision, version })

  const stop = async (): Promise<void> => {
    log.info('the hub stops')
    upkeep()
    for (const server of servers) server.close()
    await hub.close()
    await Promise.all(stopControllers.map((end) => end()))
    trail?.close()
    allocators.close()
    await store.close()
  }
  onSignal(log, stop)
}

function writeKubeconfigs({ data, kubeconfigServer: server }: HubConfig, { ca, admin, proxy }: Pki): void {
  writePrivateFile(join(data, 'admin.kubeconfig'), kubeconfig({ server, ca, user: adminName, certificate: admin }))
  writePrivateFile(join(data, 'proxy.kubeconfig'), kubeconfig({ server, ca, user: proxyName, certificate: proxy }))
}

/** Names under which people reach a hub that listens on every address: those of the machine. */
function openCertificates(config: HubConfig, log: Log): Pki {
  const { host } = config.listen
  const anywhere = host === '0.0.0.0' || host === '::'
  const own = anywhere ? Object.values(networkInterfaces()).flatMap((i) => i ?? []).map((i) => i.address.split('%')[0]!) : [host]
  const names = [...new Set(['localhost', '127.0.0.1', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', ...own, ...config.tlsSans])]
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
  const agents = createUpgrade({ authenticate, accept: (socket, node) => hub.accept(socket, node) })
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

/** Forgets old history and renews certificates. @returns the way to stop */
function keepUp(config: HubConfig, store: SqliteStore, servers: readonly Server[], log: Log): () => void {
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
