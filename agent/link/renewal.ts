/** Asks a hub for a certificate by its certificates API (certificates.k8s.io/v1), as a kubelet does, with the one that still holds. */
import https from 'node:https'
import { sleep, type Clock } from '../../api/clock.ts'
import type { CertificateSigningRequest } from '../../api/objects.ts'
import type { Status } from '../../api/status.ts'
import type { LinkTls } from './connection.ts'
import { LinkError } from './error.ts'

export interface RenewalDeps {
  readonly node: string
  /** The next one is asked where one is not reached. */
  readonly hubs: readonly string[]
  readonly tls: LinkTls
  /** PEM. */
  readonly csr: string
  readonly clock: Clock
}

const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const ms = { answer: 15_000, poll: 1_000, patience: 60_000 } as const
/** An answer holds one request and one certificate. */
const mostBytes = 256 * 1024

/** @returns PEM. @throws LinkError LINK_LOST (no hub answers, or none signs in time), LINK_REFUSED; the signal's reason */
export async function requestCertificate(deps: RenewalDeps, signal: AbortSignal): Promise<string> {
  const { node, hubs, csr, clock } = deps
  let why: unknown
  for (const hub of hubs) {
    try {
      const made = await ask(deps, { hub, path, body: draft(node, csr) }, signal)
      const end = clock.now() + ms.patience
      for (let now = made; ; now = await ask(deps, { hub, path: `${path}/${made.metadata!.name}` }, signal)) {
        const pem = certificateIn(now)
        if (pem !== undefined) return pem
        if (clock.now() > end) throw new LinkError('LINK_LOST', `the request ${made.metadata!.name} was not signed within ${ms.patience / 1000} s`)
        await sleep(clock, ms.poll, signal)
      }
    } catch (e) {
      signal.throwIfAborted()
      if (e instanceof LinkError && e.code === 'LINK_REFUSED') throw e
      why = e
    }
  }
  throw why
}

function draft(node: string, csr: string): object {
  const spec = { request: Buffer.from(csr).toString('base64'), signerName: 'kubernetes.io/kube-apiserver-client-kubelet', usages: ['digital signature', 'client auth'] }
  return { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', metadata: { generateName: `${node}-` }, spec }
}

/** @throws LinkError LINK_REFUSED */
function certificateIn({ status }: CertificateSigningRequest): string | undefined {
  const no = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed')
  if (no) throw new LinkError('LINK_REFUSED', `the request for a certificate was not granted: ${no.message ?? no.reason ?? no.type}`)
  return status?.certificate === undefined ? undefined : Buffer.from(status.certificate, 'base64').toString('utf8')
}

interface Question {
  readonly hub: string
  readonly path: string
  /** Posted where there is one. */
  readonly body?: object
}

function ask({ tls, clock }: RenewalDeps, { hub, path: at, body }: Question, signal: AbortSignal): Promise<CertificateSigningRequest> {
  const { promise, resolve, reject } = Promise.withResolvers<CertificateSigningRequest>()
  const text = body && JSON.stringify(body)
  const headers = { accept: 'application/json', ...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }) }
  const request = https.request(new URL(at, hub), { method: text ? 'POST' : 'GET', headers, signal, agent: false, ...tls })
  const lost = (cause: unknown): void => reject(new LinkError('LINK_LOST', `${hub} does not answer: ${(cause as Error).message}`, { cause }))
  const cancel = clock.after(ms.answer, () => request.destroy(new LinkError('LINK_LOST', `no answer within ${ms.answer / 1000} s`)))
  request.on('error', lost)
  request.on('close', cancel)
  request.once('response', (response) => {
    const parts: Buffer[] = []
    let size = 0
    response.on('data', (part: Buffer) => {
      parts.push(part)
      size += part.length
      if (size > mostBytes) request.destroy(new LinkError('LINK_LOST', `an answer of more than ${mostBytes} bytes`))
    })
    response.on('error', lost)
    response.on('end', () => {
      try {
        resolve(read(response.statusCode ?? 0, Buffer.concat(parts).toString('utf8')))
      } catch (e) {
        if (e instanceof LinkError) reject(e)
        else lost(e)
      }
    })
  })
  request.end(text)
  return promise
}

/** @throws LinkError LINK_REFUSED, LINK_LOST; SyntaxError for what is no JSON */
function read(code: number, text: string): CertificateSigningRequest {
  if (code < 300) return JSON.parse(text) as CertificateSigningRequest
  // A hub that is busy or has lost its store will do it later, and perhaps another one now.
  const { message } = JSON.parse(text) as Partial<Status>
  throw new LinkError(code === 429 || code >= 500 ? 'LINK_LOST' : 'LINK_REFUSED', `the hub answered ${code}: ${message ?? text.slice(0, 200)}`)
}
