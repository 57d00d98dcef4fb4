/** The signers of the certificates API (certificates.k8s.io/v1) whose word the hub keeps, and what each of them signs. */
import type { CertificateSigningRequest } from '../../api/objects.ts'
import { groups } from './auth.ts'
import { readRequest, type RequestedCertificate } from './certificate-request.ts'
import type { LeafWish } from './certificate.ts'
import { nodeUserPrefix } from './node-certificate.ts'

export const signers = {
  client: 'kubernetes.io/kube-apiserver-client',
  node: 'kubernetes.io/kube-apiserver-client-kubelet',
  serving: 'kubernetes.io/kubelet-serving',
} as const

const day = 86_400
/** What is signed counts so long at most, and where nothing is asked for, in seconds. */
const most = 365 * day
const clientUsages = ['client auth', 'digital signature', 'key encipherment']
const servingUsages = ['server auth', 'digital signature', 'key encipherment']

/** What to sign, in words why not, or undefined where another signer is asked for. */
export type Judgement = (LeafWish & { readonly seconds: number }) | string | undefined

type Spec = CertificateSigningRequest['spec']

export function judge(spec: Spec): Judgement {
  if (!Object.values<string>(signers).includes(spec.signerName)) return undefined
  const request = readRequest(Buffer.from(spec.request, 'base64').toString('utf8'))
  if (typeof request === 'string') return request
  const wrong = spec.signerName === signers.client ? wrongClient(spec, request) : wrongNode(spec, request)
  if (wrong) return wrong
  const { commonName, organizations, publicKey, names } = request
  const purpose = spec.signerName === signers.serving ? ({ kind: 'server', names } as const) : ({ kind: 'client' } as const)
  return { subject: { commonName, organizations }, purpose, publicKey, seconds: Math.min(spec.expirationSeconds ?? most, most) }
}

function wrongClient({ usages }: Spec, request: RequestedCertificate): string | undefined {
  if (request.commonName === '') return 'its subject has no common name (CN), which is the name of the user'
  if (request.organizations.includes(groups.admins)) return `nobody becomes a member of ${groups.admins} by a request`
  return wrongUsages(usages, clientUsages)
}

function wrongNode({ usages, signerName, username }: Spec, request: RequestedCertificate): string | undefined {
  const { commonName, organizations, names } = request
  const exact = organizations.length === 1 && organizations[0] === groups.nodes && commonName.length > nodeUserPrefix.length && commonName.startsWith(nodeUserPrefix)
  if (!exact || request.otherParts) return `its subject must be exactly O=${groups.nodes}, CN=${nodeUserPrefix}NAME`
  if (request.otherNames) return 'it may name only hosts and IP addresses'
  if (signerName === signers.node) return names.length > 0 ? 'a client certificate has no names of hosts' : wrongUsages(usages, clientUsages)
  if (names.length === 0) return 'it names no host and no IP address under which the node serves'
  return username === commonName ? wrongUsages(usages, servingUsages) : `${String(username)} cannot have a certificate to serve as ${commonName}`
}

function wrongUsages(given: Spec['usages'], [purpose, ...more]: readonly string[]): string | undefined {
  const usages: readonly string[] = given ?? []
  if (!usages.includes(purpose!)) return `its usages must include "${purpose}"`
  const odd = usages.find((usage) => usage !== purpose && !more.includes(usage))
  return odd === undefined ? undefined : `the usage "${odd}" is not for this signer`
}
