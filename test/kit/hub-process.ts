/** The real hub as a process of its own on a free port of loopback, with HTTPS, for tests that meet it as its users do. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { issue, makeKey } from '../../server/auth/certificate.ts'
import { createApi, type Api } from './api.ts'
import { waitFor } from './wait.ts'

const root = path.resolve(import.meta.dirname, '../..')
/** What Node has compiled once need not be compiled again by the next hub. */
const env = { ...process.env, NODE_COMPILE_CACHE: path.join(root, 'node_modules/.cache/wherry') }

/** A stock kubectl, of any version, or undefined where there is none. */
export const kubectl = (process.env.PATH ?? '').split(':').map((folder) => path.join(folder, 'kubectl')).find((file) => existsSync(file))

export interface Ran {
  readonly code: number | undefined
  readonly out: string
  readonly err: string
}

export interface HubProcess {
  readonly dir: string
  readonly url: string
  /** As the administrator. */
  readonly api: Api
  /** As the holder of a client certificate that the hub's CA signed. */
  as(name: string, organization?: string): Api
  /** PEM texts of such a certificate. */
  certificate(name: string, organization?: string): { readonly ca: string; readonly cert: string; readonly key: string }
  /** With this bearer token. */
  bearer(token: string): Api
  /** The administrator's kubectl. */
  kubectl(args: readonly string[], input?: string): Promise<Ran>
  /** What the hub logged so far. */
  log(): string
  /** Stops it in order and starts it again over the same data. */
  restart(args?: readonly string[]): Promise<void>
  close(): Promise<void>
}

export async function startHubProcess(args: readonly string[] = []): Promise<HubProcess> {
  const dir = mkdtempSync(path.join(tmpdir(), 'wherry-hub-'))
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const pki = (name: string): string => readFileSync(path.join(dir, 'hub/pki', name), 'utf8')
  const opened: Api[] = []
  let hub: ChildProcess | undefined
  let log = ''
  const start = async (more: readonly string[]): Promise<void> => {
    log = ''
    const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning', 'server/main.ts', '--data', path.join(dir, 'hub')]
    const child = spawn(process.execPath, [...flags, '--listen', `127.0.0.1:${port}`, ...more], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (d) => (log += String(d)))
    hub = child
    await waitFor('the hub to serve', () => {
      if (child.exitCode !== null) throw new Error(`the hub ended: ${log}`)
      return log.includes('the hub is serving')
    })
  }
  const stop = async (): Promise<void> => {
    const child = hub
    hub = undefined
    if (!child || child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }
  const apiOf = (options: Omit<Parameters<typeof createApi>[0], 'url'>): Api => {
    const api = createApi({ url, ...options })
    opened.push(api)
    return api
  }
  await start(args)
  const ca = pki('ca.crt')
  const certificate: HubProcess['certificate'] = (commonName, organization) => {
    const key = makeKey()
    const subject = { commonName, ...(organization && { organization }) }
    const signer = { certificate: ca, key: pki('ca.key') }
    return { ca, cert: issue(signer, { subject, purpose: { kind: 'client' }, publicKey: createPublicKey(key) }, Date.now()), key }
  }
  return {
    dir,
    url,
    api: apiOf({ tls: { ca, cert: pki('admin.crt'), key: pki('admin.key') } }),
    as: (commonName, organization) => apiOf({ tls: certificate(commonName, organization) }),
    certificate,
    bearer: (token) => apiOf({ tls: { ca }, headers: { authorization: `Bearer ${token}` } }),
    async kubectl(words, input = '') {
      const env = { HOME: dir, KUBECONFIG: path.join(dir, 'hub/admin.kubeconfig') }
      const done = await execa(kubectl!, words, { input, env, reject: false, timeout: 20_000 })
      return { code: done.exitCode, out: done.stdout, err: done.stderr }
    },
    log: () => log,
    async restart(more = args) {
      await stop()
      await start(more)
    },
    async close() {
      for (const api of opened) api.close()
      await stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })
}
