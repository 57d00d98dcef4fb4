/** Reading a request for a certificate (PKCS#10, RFC 2986): who is asked for, with which key, under which names. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { CertificationRequest } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Extensions, id_ce_subjectAltName, SubjectAlternativeName, type GeneralName } from '@peculiar/asn1-x509'
import { ecdsaWithSha256, nameParts } from './certificate.ts'

export interface RequestedCertificate {
  readonly commonName: string
  readonly organizations: readonly string[]
  /** Whether the subject has anything else. */
  readonly otherParts: boolean
  /** DNS names and IP addresses. */
  readonly names: readonly string[]
  /** Whether names of other kinds are asked for: addresses of mail, URIs. */
  readonly otherNames: boolean
  readonly publicKey: KeyObject
}

/** An RSA request of 4096 bits is below 2 KiB. */
const maxLength = 16 * 1024
const pem = /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/
const extensionRequest = '1.2.840.113549.1.9.14'
/** By the identifier of the signature's algorithm. */
const digests: Readonly<Record<string, string | null>> = {
  [ecdsaWithSha256]: 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
}

/** @returns the request, or in words what is wrong with it */
export function readRequest(text: string): RequestedCertificate | string {
  try {
    if (text.length > maxLength) return `it has more than ${maxLength} characters`
    const [, base64] = pem.exec(text) ?? []
    if (base64 === undefined) return 'it has no PEM block CERTIFICATE REQUEST'
    return read(AsnConvert.parse(Buffer.from(base64, 'base64'), CertificationRequest))
  } catch (e) {
    return `it is no PKCS#10 in DER: ${(e as Error).message}`
  }
}

function read(request: CertificationRequest): RequestedCertificate | string {
  const info = request.certificationRequestInfo
  const publicKey = createPublicKey({ key: Buffer.from(AsnConvert.serialize(info.subjectPKInfo)), format: 'der', type: 'spki' })
  const weak = weakness(publicKey)
  if (weak) return weak
  const digest = digests[request.signatureAlgorithm.algorithm]
  if (digest === undefined) return `its signature is of the kind ${request.signatureAlgorithm.algorithm}: use ECDSA, RSA with SHA-2, or Ed25519`
  if (!verify(digest, Buffer.from(request.certificationRequestInfoRaw ?? new ArrayBuffer()), publicKey, Buffer.from(request.signature))) return 'its signature does not fit its key'
  const parts = info.subject.flatMap((rdn) => rdn.map(({ type, value }) => [type, value.toString()] as const))
  const of = (type: string): string[] => parts.filter(([t]) => t === type).map(([, value]) => value)
  const names = namesIn(request)
  return {
    commonName: of(nameParts.CN)[0] ?? '',
    organizations: of(nameParts.O),
    otherParts: of(nameParts.CN).length !== 1 || parts.some(([type]) => type !== nameParts.CN && type !== nameParts.O),
    names: names.flatMap((n) => n.dNSName ?? n.iPAddress ?? []),
    otherNames: names.some((n) => n.dNSName === undefined && n.iPAddress === undefined),
    publicKey,
  }
}

function weakness({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string | undefined {
  if (type === 'rsa') return (details?.modulusLength ?? 0) < 2048 ? 'its RSA key has less than 2048 bits' : undefined
  if (type === 'ec' || type === 'ed25519') return undefined
  return `its key is of the kind ${type}: use EC, RSA or Ed25519`
}

function namesIn(request: CertificationRequest): readonly GeneralName[] {
  const wanted = request.certificationRequestInfo.attributes.filter((a) => a.type === extensionRequest).flatMap((a) => a.values)
  const extensions = wanted.flatMap((value) => [...AsnConvert.parse(value, Extensions)])
  return extensions.filter((e) => e.extnID === id_ce_subjectAltName).flatMap((e) => [...AsnConvert.parse(e.extnValue.buffer, SubjectAlternativeName)])
}
