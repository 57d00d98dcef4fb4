/** A node's certificate, issued for its PKCS#10 request (RFC 2986). The subject is the one that Kubernetes gives to nodes. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { CertificationRequest } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'
import type { Name } from '@peculiar/asn1-x509'

import { badRequest, StatusError } from '../../api/status.ts'
import { groups } from './auth.ts'
import { ecdsaWithSha256, issue, nameParts, type KeyedCertificate } from './certificate.ts'

/** A node's user name is this and the node's name. */
export const nodeUserPrefix = 'system:node:'

export interface NodeRequest {
  readonly ca: KeyedCertificate
  /** PEM. */
  readonly csr: string
  readonly node: string
  readonly now: number
}

/** A P-256 request is below 1 KiB. */
const maxLength = 16 * 1024

/** @returns PEM. @throws StatusError BadRequest, naming `csr` */
export function signNode({ ca, csr, node, now }: NodeRequest): string {
  const { request, publicKey } = parse(csr)
  const curve = publicKey.asymmetricKeyDetails?.namedCurve
  if (curve !== 'prime256v1' || request.signatureAlgorithm.algorithm !== ecdsaWithSha256) {
    throw badRequest('csr: it must be made with a key on the curve P-256 and signed with ECDSA and SHA-256')
  }
  const signed = Buffer.from(request.certificationRequestInfoRaw ?? new ArrayBuffer())
  const fits = verify('sha256', signed, publicKey, Buffer.from(request.signature))
  if (!fits) throw badRequest('csr: its signature does not fit its key')
  const commonName = `${nodeUserPrefix}${node}`
  const wished = [`CN=${commonName}`, `O=${groups.nodes}`]
  const found = partsOf(request.certificationRequestInfo.subject)
  if (found.length !== wished.length || wished.some((part, i) => part !== found[i])) {
    const said = found.map((part) => JSON.stringify(part)).join(', ').slice(0, 200)
    throw badRequest(`csr: its subject must be exactly ${wished.join(', ')}, but is ${said || 'empty'}`)
  }
  // Of the request only the key is taken: extensions that it asks for are not granted.
  return issue(ca, { subject: { commonName, organization: groups.nodes }, purpose: { kind: 'client' }, publicKey }, now)
}

const pem = /^\s*-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/

function parse(csr: string): { readonly request: CertificationRequest; readonly publicKey: KeyObject } {
  try {
    if (csr.length > maxLength) throw new RangeError(`more than ${maxLength} characters`)
    const [, base64] = pem.exec(csr) ?? []
    if (base64 === undefined) throw new TypeError('no PEM block of that name')
    const request = AsnConvert.parse(Buffer.from(base64, 'base64'), CertificationRequest)
    const key = Buffer.from(AsnConvert.serialize(request.certificationRequestInfo.subjectPKInfo))
    return { request, publicKey: createPublicKey({ key, format: 'der', type: 'spki' }) }
  } catch (e) {
    throw new StatusError('BadRequest', 'csr: it must be a certificate request (PKCS#10) in PEM', undefined, { cause: e })
  }
}

const words = new Map<string, string>(Object.entries(nameParts).map(([word, id]) => [id, word]))

/** All parts of a name, sorted, so that their order in the request does not matter. */
function partsOf(name: Name): readonly string[] {
  return name.flatMap((rdn) => rdn.map(({ type, value }) => `${words.get(type) ?? type}=${value.toString()}`)).toSorted()
}
