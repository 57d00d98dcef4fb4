/** Joins a node to a hub: pins the hub's CA by its hash, has a certificate made for the node, and writes its credentials. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { hubPaths, type JoinAnswer, type JoinRequest } from '../api/hub.ts'
import { makeCertificateRequest } from '../api/csr.ts'
import { CliError } from './error.ts'
import { notReached, refused } from './hub.ts'

export interface JoinOptions {
  /** Where to ask: `https://HOST:PORT`. */
  readonly url: string
  readonly token: string
  /** `sha256:` and 64 hexadecimal digits: the hash of the CA's public key (SubjectPublicKeyInfo), as kubeadm writes it. */
  readonly caHash: string
  readonly node: string
  /** Where node.crt, node.key, ca.crt and agent.json go. */
  readonly dir: string
  /** What agent.json says, where agents are to use another address than `url`. */
  readonly hub?: string
  readonly signal: AbortSignal
}

/** agent.json: what an agent must know beside its keys. */
export interface AgentIdentity {
  readonly node: string
  readonly hub: string
}

const timeoutMs = 10_000

/** @throws CliError USAGE, LINK_LOST, LINK_REFUSED */
export async function joinNode(options: JoinOptions): Promise<void> {
  const url = checkedUrl(options.url)
  if (!/^sha256:[0-9a-f]{64}$/.test(options.caHash)) {
    throw new CliError(
      'USAGE',
      `--ca-cert-hash ${options.caHash} is not a hash`,
      'give sha256: and 64 hexadecimal digits, as `wherry up` prints it',
    )
  }
  const ca = await pinnedCA(url, options)
  const { key, csr } = makeCertificateRequest(options.node)
  const body: JoinRequest = { node: options.node, token: options.token, csr }
  const answer = await post(url, ca, body, options.signal)
  checkAnswer(answer, options, key)
  writeCredentials(options.dir, { 'node.key': key, 'node.crt': answer.certificate, 'ca.crt': answer.ca })
  const identity: AgentIdentity = { node: options.node, hub: options.hub ?? url.origin }
  // Last: whoever waits for this file finds the others complete.
  writeCredentials(options.dir, { 'agent.json': `${JSON.stringify(identity, undefined, 2)}\n` })
}

/** `sha256:…` over the SubjectPublicKeyInfo of a certificate. @param pem PEM text or DER bytes */
export function publicKeyHash(pem: string | Buffer): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`
}

/** Whether a directory holds credentials of that node that the CA signed and that are valid for a day more. */
export function hasCredentials(dir: string, node: string, ca: string, nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(readFileSync(join(dir, 'node.crt')))
    const identity = JSON.parse(readFileSync(join(dir, 'agent.json'), 'utf8')) as AgentIdentity
    readFileSync(join(dir, 'node.key'))
    return (
      identity.node === node &&
      certificate.verify(new X509Certificate(ca).publicKey) &&
      certificate.validToDate.getTime() > nowMs + 86_400_000
    )
  } catch {
    return false
  }
}

/** The CA certificate that the hub shows beside its own, if its key has the expected hash. PEM. */
async function pinnedCA(url: URL, options: JoinOptions): Promise<string> {
  const shown = await chainOf(url, options.signal)
  const ca = shown.find((certificate) => certificate.ca && publicKeyHash(certificate.raw) === options.caHash)
  if (ca) return ca.toString()
  const found = shown.filter((certificate) => certificate.ca).map((certificate) => publicKeyHash(certificate.raw))
  throw new CliError(
    'LINK_REFUSED',
    `the hub at ${url.origin} is not the one that you mean: its CA has ${found[0] ?? 'not been shown'}, not ${options.caHash}`,
    "compare URL and --ca-cert-hash with what the hub's own machine prints; nothing was sent to it",
  )
}

/** Every certificate that the server shows. Nothing is believed yet: the caller checks a hash. */
function chainOf(url: URL, signal: AbortSignal): Promise<readonly X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      host: url.hostname,
      port: Number(url.port || 443),
      rejectUnauthorized: false,
      timeout: timeoutMs,
    })
    const stop = (): void => void socket.destroy(signal.reason as Error)
    const end = (): void => signal.removeEventListener('abort', stop)
    signal.addEventListener('abort', stop, { once: true })
    socket.on('timeout', () => socket.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    socket.on('error', (error) => {
      end()
      reject(signal.aborted ? (signal.reason as Error) : notReached(url.origin, error))
    })
    socket.on('secureConnect', () => {
      const chain: X509Certificate[] = []
      for (let at = socket.getPeerCertificate(true); at?.raw; at = at.issuerCertificate) {
        if (chain.some((known) => known.raw.equals(at.raw))) break
        chain.push(new X509Certificate(at.raw))
      }
      end()
      socket.destroy()
      resolve(chain)
    })
  })
}

function post(url: URL, ca: string, body: JoinRequest, signal: AbortSignal): Promise<JoinAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const call = request(new URL(hubPaths.join, url), { method: 'POST', ca, signal, timeout: timeoutMs, agent: false, headers })
    const lost = (error: Error): void => reject(signal.aborted ? (signal.reason as Error) : explained(url, error))
    call.on('timeout', () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    call.on('error', lost)
    call.on('response', (answer) => {
      const parts: Buffer[] = []
      answer.on('error', lost)
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8')
        if (answer.statusCode === 401 || answer.statusCode === 403) reject(tokenRefused(url))
        else if (answer.statusCode === 200 || answer.statusCode === 201) resolve(JSON.parse(text) as JoinAnswer)
        else reject(refused(answer.statusCode ?? 0, text, hubPaths.join))
      })
    })
    call.end(JSON.stringify(body))
  })
}

/** The certificate must be for our key and from the CA that was pinned. */
function checkAnswer(answer: JoinAnswer, options: JoinOptions, key: string): void {
  const broken = (what: string): CliError =>
    new CliError(
      'LINK_REFUSED',
      `the hub's answer does not fit: ${what}`,
      'hub and wherry may be of different versions: use the same on both machines',
    )
  if (typeof answer.certificate !== 'string' || typeof answer.ca !== 'string') throw broken('certificate or ca is missing')
  if (publicKeyHash(answer.ca) !== options.caHash) throw broken('the CA in it is another one')
  const certificate = new X509Certificate(answer.certificate)
  if (!certificate.verify(new X509Certificate(answer.ca).publicKey)) throw broken('the certificate is not signed by the CA')
  if (!certificate.checkPrivateKey(createPrivateKey(key))) throw broken('the certificate is for another key')
}

function writeCredentials(dir: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(dir, `${name}.new`), text, { mode: 0o600 })
    renameSync(join(dir, `${name}.new`), join(dir, name))
  }
}

function checkedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:') return url
  throw new CliError('USAGE', `${text} is not the URL of a hub`, 'write it as https://HOST:6443')
}

function tokenRefused(url: URL): CliError {
  return new CliError(
    'LINK_REFUSED',
    `the hub at ${url.origin} does not take this token`,
    'make one with `wherry token create` where the hub is administered; tokens end after a while',
  )
}

function explained(url: URL, error: Error): CliError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'CERT_NOT_YET_VALID' || code === 'CERT_HAS_EXPIRED') {
    return new CliError(
      'LINK_REFUSED',
      `the hub's certificate is not valid at this machine's time (${error.message})`,
      'set the clocks of both machines right',
      { cause: error },
    )
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new CliError(
      'LINK_REFUSED',
      `the hub's certificate is not for ${url.hostname}`,
      `start the hub with --tls-san ${url.hostname}, or use a name that it has`,
      { cause: error },
    )
  }
  return notReached(url.origin, error)
}
