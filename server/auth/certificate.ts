/** Keys and X.509 certificates (RFC 5280). Nothing here touches the disk. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { X509Certificate, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import * as asn1 from '@peculiar/asn1-x509'

export const hour = 3_600_000
export const day = 24 * hour

/** RFC 5758. */
export const ecdsaWithSha256 = '1.2.840.10045.4.3.2'

/** The parts of a subject that we use (X.520). */
export const nameParts = { CN: '2.5.4.3', O: '2.5.4.10' } as const

/** PEM texts of a certificate and its key (PKCS#8). */
export interface KeyedCertificate {
  readonly certificate: string
  readonly key: string
}

export interface Subject {
  readonly commonName: string
  readonly organization?: string
  readonly organizations?: readonly string[]
}

/** What a certificate is for. `names` are DNS names and IP addresses. */
export type Purpose = { readonly kind: 'client' } | { readonly kind: 'server'; readonly names: readonly string[] }

export interface LeafWish {
  readonly subject: Subject
  readonly purpose: Purpose
  readonly publicKey: KeyObject
  /** How long it counts; a year where nothing is said. */
  readonly seconds?: number
}

/** A new P-256 key, PKCS#8 in PEM. */
export function makeKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}

/** A self-signed CA for ten years, which may sign certificates but no further CA. */
export function makeCa(now: number): KeyedCertificate {
  const key = makeKey()
  const publicKey = createPublicKey(key)
  const name = nameOf({ commonName: 'wherry-ca' })
  const certificate = signed(createPrivateKey(key), {
    issuer: name,
    subject: name,
    publicKey,
    from: now - hour,
    until: now + 3650 * day,
    extensions: [
      extension(asn1.id_ce_basicConstraints, new asn1.BasicConstraints({ cA: true, pathLenConstraint: 0 }), 'critical'),
      extension(asn1.id_ce_keyUsage, new asn1.KeyUsage(asn1.KeyUsageFlags.keyCertSign | asn1.KeyUsageFlags.cRLSign), 'critical'),
      extension(asn1.id_ce_subjectKeyIdentifier, new asn1.SubjectKeyIdentifier(keyId(publicKey))),
    ],
  })
  return { certificate, key }
}

/** Signs a certificate for a year or less, but not past the CA's own end. @returns PEM */
export function issue(ca: KeyedCertificate, wish: LeafWish, now: number): string {
  const issuer = new X509Certificate(ca.certificate)
  const server = wish.purpose.kind === 'server'
  const signer = new asn1.AuthorityKeyIdentifier({ keyIdentifier: new asn1.KeyIdentifier(keyId(issuer.publicKey)) })
  return signed(createPrivateKey(ca.key), {
    issuer: AsnConvert.parse(issuer.raw, asn1.Certificate).tbsCertificate.subject,
    subject: nameOf(wish.subject),
    publicKey: wish.publicKey,
    from: now - hour,
    until: Math.min(now + Math.min(365 * day, (wish.seconds ?? Infinity) * 1000), Date.parse(issuer.validTo)),
    extensions: [
      extension(asn1.id_ce_basicConstraints, new asn1.BasicConstraints(), 'critical'),
      extension(asn1.id_ce_keyUsage, new asn1.KeyUsage(asn1.KeyUsageFlags.digitalSignature), 'critical'),
      extension(asn1.id_ce_extKeyUsage, new asn1.ExtendedKeyUsage([server ? asn1.id_kp_serverAuth : asn1.id_kp_clientAuth])),
      extension(asn1.id_ce_authorityKeyIdentifier, signer),
      extension(asn1.id_ce_subjectKeyIdentifier, new asn1.SubjectKeyIdentifier(keyId(wish.publicKey))),
      ...(wish.purpose.kind === 'server' ? [alternativeNames(wish.purpose.names)] : []),
    ],
  })
}

/** Whether a certificate names exactly these DNS names and addresses, in whatever order. */
export function hasNames(certificate: X509Certificate, names: readonly string[]): boolean {
  const { extensions } = AsnConvert.parse(certificate.raw, asn1.Certificate).tbsCertificate
  const held = extensions?.find((e) => e.extnID === asn1.id_ce_subjectAltName)
  return held !== undefined && Buffer.from(held.extnValue.buffer).equals(Buffer.from(alternativeNames(names).extnValue.buffer))
}

interface Content {
  readonly issuer: asn1.Name
  readonly subject: asn1.Name
  readonly publicKey: KeyObject
  /** Milliseconds since 1970; a certificate counts whole seconds. */
  readonly from: number
  readonly until: number
  readonly extensions: readonly asn1.Extension[]
}

function signed(issuerKey: KeyObject, content: Content): string {
  const algorithm = new asn1.AlgorithmIdentifier({ algorithm: ecdsaWithSha256 })
  const serial = randomBytes(16)
  // Positive, and not shortened by a zero in front.
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const tbsCertificate = new asn1.TBSCertificate({
    version: asn1.Version.v3,
    serialNumber: bytes(serial),
    signature: algorithm,
    issuer: content.issuer,
    validity: new asn1.Validity({ notBefore: new Date(content.from), notAfter: new Date(content.until) }),
    subject: content.subject,
    subjectPublicKeyInfo: AsnConvert.parse(spki(content.publicKey), asn1.SubjectPublicKeyInfo),
    extensions: new asn1.Extensions([...content.extensions]),
  })
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), issuerKey)
  const certificate = new asn1.Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue: bytes(signature) })
  return new X509Certificate(Buffer.from(AsnConvert.serialize(certificate))).toString()
}

function nameOf({ commonName, organization, organizations = organization ? [organization] : [] }: Subject): asn1.Name {
  const part = (type: string, utf8String: string): asn1.RelativeDistinguishedName =>
    new asn1.RelativeDistinguishedName([new asn1.AttributeTypeAndValue({ type, value: new asn1.AttributeValue({ utf8String }) })])
  return new asn1.Name([...organizations.map((o) => part(nameParts.O, o)), part(nameParts.CN, commonName)])
}

/** The extension that lists a server's names; equal bytes for equal sets of names. */
function alternativeNames(names: readonly string[]): asn1.Extension {
  const sorted = [...new Set(names)].toSorted()
  const list = sorted.map((name) => new asn1.GeneralName(isIP(name) ? { iPAddress: name } : { dNSName: name }))
  return extension(asn1.id_ce_subjectAltName, new asn1.SubjectAlternativeName(list))
}

function extension(extnID: string, value: object, critical?: 'critical'): asn1.Extension {
  return new asn1.Extension({ extnID, critical: critical !== undefined, extnValue: new OctetString(AsnConvert.serialize(value)) })
}

const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })

/** RFC 5280, 4.2.1.2: the SHA-1 of the public key's bits names the key. It protects nothing. */
function keyId(key: KeyObject): ArrayBuffer {
  const { subjectPublicKey } = AsnConvert.parse(spki(key), asn1.SubjectPublicKeyInfo)
  return bytes(createHash('sha1').update(Buffer.from(subjectPublicKey)).digest())
}

/** The bytes alone, without the pool that a Buffer may be part of. */
function bytes(buffer: Buffer): ArrayBuffer {
  return new Uint8Array(buffer).buffer
}
