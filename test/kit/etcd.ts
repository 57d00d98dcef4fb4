/** A real etcd for tests: one server on loopback with TLS, in a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { openPki } from '../../server/auth/pki.ts'
import { openEtcdStore, type EtcdStore, type EtcdStoreOptions, type EtcdTls } from '../../server/store/etcd/etcd.ts'

const program = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'etcd')).find((path) => existsSync(path))

/** Why tests with a real etcd cannot run here; '' where they can. */
export const noEtcd = program ? '' : 'there is no etcd: sh bin/setup --test installs it'

export interface EtcdServer {
  readonly url: string
  readonly tls: EtcdTls
  /** Where `ca.crt`, `admin.crt` and `admin.key` are. */
  readonly pki: string
  /** Kills it as a power cut would, and waits for the end. */
  kill(): Promise<void>
  /** Starts it again after `kill`, on the same data. */
  start(): Promise<void>
  /** Ends it and takes its folder away. */
  end(): Promise<void>
}

export async function startEtcd(): Promise<EtcdServer> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-etcd-'))
  const pki = join(folder, 'pki')
  const { ca, admin } = openPki({ dir: pki, names: ['127.0.0.1', 'localhost'], log: silentLog, now: Date.now })
  const [client, peer] = await freePorts()
  const url = `https://127.0.0.1:${client}`
  let child: ChildProcess | undefined

  const start = async (): Promise<void> => {
    child = spawn(program!, flags({ folder, pki, url, peer: `http://127.0.0.1:${peer}` }), { stdio: ['ignore', 'ignore', 'pipe'] })
    await said(child, 'serving client traffic')
  }
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  }
  const end = async (): Promise<void> => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (e) {
    await end()
    throw e
  }
  return { url, tls: { ca, cert: admin.certificate, key: admin.key }, pki, kill, start, end }
}

/** A store over it, as a hub opens one. */
export function openOn({ url, tls }: EtcdServer, more: Partial<EtcdStoreOptions> = {}): Promise<EtcdStore> {
  return openEtcdStore({ servers: [url], tls, clock: systemClock, random: Math.random, log: silentLog, onLost: () => {}, ...more })
}

interface Place {
  readonly folder: string
  readonly pki: string
  readonly url: string
  readonly peer: string
}

function flags({ folder, pki, url, peer }: Place): string[] {
  const said = {
    name: 'test',
    'data-dir': join(folder, 'data'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `test=${peer}`,
    'cert-file': join(pki, 'server.crt'),
    'key-file': join(pki, 'server.key'),
    'trusted-ca-file': join(pki, 'ca.crt'),
    'client-cert-auth': 'true',
    // It would call itself with the server's certificate, which is for servers only.
    'enable-grpc-gateway': 'false',
    // One server alone need not wait long for votes.
    'heartbeat-interval': '10',
    'election-timeout': '100',
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
