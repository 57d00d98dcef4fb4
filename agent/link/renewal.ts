/** Asks a hub for a certificate by its certificates API (certificates.k8s.io/v1), as a kubelet does, with the one that still holds. */
import { sleep, type Clock } from '../../api/clock.ts'
import type { CertificateSigningRequest } from '../../api/objects.ts'
import type { LinkTls } from './connection.ts'
import { LinkError } from './error.ts'
import { askHub, refusalIn } from './hub-api.ts'

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
const ms = { poll: 1_000, patience: 60_000 } as const

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

async function ask(deps: RenewalDeps, question: { readonly hub: string; readonly path: string; readonly body?: object }, signal: AbortSignal): Promise<CertificateSigningRequest> {
  const answer = await askHub(deps, { ...question, agent: false }, signal)
  if (answer.code >= 300) throw refusalIn(answer)
  return answer.body as CertificateSigningRequest
}
