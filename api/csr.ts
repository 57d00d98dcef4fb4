/** A node's key and certificate request (PKCS#10, RFC 2986), in the few ASN.1 forms that it takes. */
import { createSign, generateKeyPairSync } from 'node:crypto'

export interface CertificateRequest {
  /** PKCS#8, PEM. */
  readonly key: string
  /** PEM. */
  readonly csr: string
}

const tag = { integer: 0x02, bitString: 0x03, objectId: 0x06, utf8: 0x0c, sequence: 0x30, set: 0x31, attributes: 0xa0 } as const

/** Object identifiers as their DER bytes. */
const oid = {
  commonName: Buffer.from([0x55, 0x04, 0x03]),
  organization: Buffer.from([0x55, 0x04, 0x0a]),
  ecdsaWithSha256: Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]),
} as const

/** A new P-256 key and a request for `CN=system:node:NAME, O=system:nodes`, the subject that Kubernetes gives to nodes. */
export function makeCertificateRequest(node: string): CertificateRequest {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = der(tag.sequence, name(oid.organization, 'system:nodes'), name(oid.commonName, `system:node:${node}`))
  const version = der(tag.integer, Buffer.from([0]))
  const info = der(tag.sequence, version, subject, publicKey.export({ type: 'spki', format: 'der' }), der(tag.attributes))
  const signature = createSign('sha256').update(info).sign(privateKey)
  const algorithm = der(tag.sequence, der(tag.objectId, oid.ecdsaWithSha256))
  const request = der(tag.sequence, info, algorithm, der(tag.bitString, Buffer.from([0]), signature))
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, csr: pem('CERTIFICATE REQUEST', request) }
}

/** One relative distinguished name. */
function name(type: Buffer, value: string): Buffer {
  return der(tag.set, der(tag.sequence, der(tag.objectId, type), der(tag.utf8, Buffer.from(value, 'utf8'))))
}

/** Tag, length, content (X.690, 8.1). */
function der(id: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([id]), length(body.length), body])
}

function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes])
  return bytes < 0x100 ? Buffer.from([0x81, bytes]) : Buffer.from([0x82, bytes >> 8, bytes & 0xff])
}

function pem(label: string, bytes: Buffer): string {
  return `-----BEGIN ${label}-----\n${bytes.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`
}
