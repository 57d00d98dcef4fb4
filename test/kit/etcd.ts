/** A real etcd for tests, on loopback with TLS, each server in a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { openPki } from '../../server/auth/pki.ts'
import { createEtcdClient } from '../../server/store/etcd/client.ts'
import { root } from '../../server/store/etcd/layout.ts'
import { pagesOf } from '../../server/store/etcd/load.ts'
import { openEtcdStore, type EtcdStore, type EtcdStoreOptions, type EtcdTls } from '../../server/store/etcd/etcd.ts'
import { etcdProgram, noEtcd } from './etcd-program.ts'

export { noEtcd }

/** How one gets at it. */
export interface EtcdPlace {
  readonly url: string
  readonly tls: EtcdTls
}

export interface EtcdServer extends EtcdPlace {
  /** Where `ca.crt`, `admin.crt` and `admin.key` are. */
  readonly pki: string
  /** Kills it as a power cut would, and waits for the end. */
  kill(): Promise<void>
  /** Starts it again after `kill`, on the same data. */
  start(): Promise<void>
  /** Ends it and takes its folder away. */
  end(): Promise<void>
}

/** One server. */
export async function startEtcd(): Promise<EtcdServer> {
  const [server] = await startEtcdCluster(1)
  return server!
}

/** Servers of one cluster. Each has to be ended. */
export async function startEtcdCluster(size: number): Promise<readonly EtcdServer[]> {
  const places = await Promise.all(Array.from({ length: size }, makePlace))
  const members = places.map(({ name, peer }) => `${name}=${peer}`).join(',')
  const servers = places.map((place) => createServerIn(place, { members, pki: places[0]!.folder, alone: size === 1 }))
  try {
    await Promise.all(servers.map((server) => server.start()))
    return servers
  } catch (e) {
    await Promise.all(servers.map((server) => server.end()))
    throw e
  }
}

interface Place {
  readonly name: string
  readonly folder: string
  readonly url: string
  readonly peer: string
}

async function makePlace(_: unknown, i: number): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-etcd-'))
  const [client, peer] = await freePorts()
  return { name: `test${i}`, folder, url: `https://127.0.0.1:${client}`, peer: `http://127.0.0.1:${peer}` }
}

interface Cluster {
  readonly members: string
  /** The folder whose certificates all use. */
  readonly pki: string
  readonly alone: boolean
}

function createServerIn(place: Place, cluster: Cluster): EtcdServer {
  const pki = join(cluster.pki, 'pki')
  const { ca, admin } = openPki({ dir: pki, names: ['127.0.0.1', 'localhost'], log: silentLog, now: Date.now })
  let child: ChildProcess | undefined
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  }
  return {
    url: place.url,
    tls: { ca, cert: admin.certificate, key: admin.key },
    pki,
    kill,
    async start() {
      child = spawn(etcdProgram!, flags(place, pki, cluster), { stdio: ['ignore', 'ignore', 'pipe'] })
      await said(child, 'serving client traffic')
    },
    async end() {
      await kill()
      await rm(place.folder, { recursive: true, force: true })
    },
  }
}

/** A store over it, as a hub opens one. */
export function openOn({ url, tls }: EtcdPlace, more: Partial<EtcdStoreOptions> = {}): Promise<EtcdStore> {
  return openEtcdStore({ servers: [url], tls, clock: systemClock, random: Math.random, log: silentLog, onLost: () => {}, ...more })
}

/** A hub's flags for it. */
export function etcdFlags({ url, pki }: Pick<EtcdServer, 'url' | 'pki'>): readonly string[] {
  const at = (name: string): string => join(pki, name)
  return ['--etcd-servers', url, '--etcd-cafile', at('ca.crt'), '--etcd-certfile', at('admin.crt'), '--etcd-keyfile', at('admin.key')]
}

/** Takes everything away that is in it, and the memory of it, while no store stands on it. */
export async function emptyEtcd({ url, tls }: EtcdPlace): Promise<void> {
  const client = createEtcdClient({ servers: [url], tls, clock: systemClock, log: silentLog })
  try {
    const keys: Buffer[] = []
    for await (const { key } of pagesOf(client, root)) keys.push(key)
    // As many as etcd takes in one transaction.
    for (let i = 0; i < keys.length; i += 128) {
      await client.txn({ compare: [], success: keys.slice(i, i + 128).map((key) => ({ remove: { key } })), failure: [] })
    }
    const { header } = await client.range({ key: Buffer.from(root), limit: 1, countOnly: true })
    if (keys.length > 0) await client.compact(header.revision)
  } finally {
    client.close()
  }
}

function flags({ name, folder, url, peer }: Place, pki: string, { members, alone }: Cluster): string[] {
  const said = {
    name,
    'data-dir': join(folder, 'data'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': members,
    'cert-file': join(pki, 'server.crt'),
    'key-file': join(pki, 'server.key'),
    'trusted-ca-file': join(pki, 'ca.crt'),
    'client-cert-auth': 'true',
    // It would call itself with the server's certificate, which is for servers only.
    'enable-grpc-gateway': 'false',
    // One server alone need not wait long for votes.
    ...(alone && { 'heartbeat-interval': '10', 'election-timeout': '100' }),
    logger: 'zap',
  }
  return Object.entries(said).map(([flag, value]) => `--${flag}=${value}`)
}

async function said(child: ChildProcess, words: string): Promise<void> {
  let text = ''
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.once('close', (code) => reject(new Error(`etcd ended with ${code}:\n${text.slice(-2_000)}`)))
  child.once('error', reject)
  const late = setTimeout(() => reject(new Error(`etcd was not ready within 20 s:\n${text.slice(-2_000)}`)), 20_000)
  child.stderr!.on('data', (part) => {
    if (text.length < 1e6) text += String(part)
    if (text.includes(words)) resolve()
  })
  await promise.finally(() => clearTimeout(late))
}

/** Two that were free a moment ago. */
export async function freePorts(): Promise<readonly [number, number]> {
  const open = async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }
  const servers = [await open(), await open()]
  const ports = servers.map((s) => (s.address() as AddressInfo).port)
  await Promise.all(servers.map((s) => once(s.close(), 'close')))
  return [ports[0]!, ports[1]!]
}
