/** JSON Web Tokens (RFC 7519) signed with ES256, and the form in which their keys are published (RFC 7517). */
import { createHash, sign, verify, type KeyObject } from 'node:crypto'

export interface VerifyKey {
  /** Names the key in a token's head: the SHA-256 of the public key (DER). */
  readonly id: string
  readonly publicKey: KeyObject
}

export interface SignKey extends VerifyKey {
  readonly privateKey: KeyObject
}

export type Claims = { readonly [claim: string]: unknown }

/** What a head and a signature make of the longest token that is looked at. */
const maxLength = 16 * 1024

export function keyId(publicKey: KeyObject): string {
  return createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64url')
}

export function signToken(key: SignKey, claims: Claims): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'ES256', kid: key.id })}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

/** The claims of a token that one of the keys signed, else undefined. Times and names in them are not looked at. */
export function verifyToken(keys: readonly VerifyKey[], token: string): Claims | undefined {
  const parts = token.split('.')
  if (parts.length !== 3 || token.length > maxLength) return undefined
  const [head, body, signature] = parts as [string, string, string]
  const { alg, kid } = objectIn(head) ?? {}
  const key = keys.find((k) => k.id === kid)
  // Whoever wrote the token does not choose how it is checked.
  if (alg !== 'ES256' || !key) return undefined
  const bytes = Buffer.from(signature, 'base64url')
  // Node reads past what is no base64url (RFC 7515, 2); one signature has one spelling here.
  const plain = bytes.length === 64 && bytes.toString('base64url') === signature
  const fits = plain && verify('sha256', Buffer.from(`${head}.${body}`), { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, bytes)
  return fits ? objectIn(body) : undefined
}

function objectIn(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined
  } catch {
    return undefined
  }
}

/** The claims of a token that nobody has checked yet: only to see for whom it could be. */
export function peek(token: string): Claims | undefined {
  const [, body] = token.split('.')
  return body !== undefined && token.length <= maxLength ? objectIn(body) : undefined
}

/** RFC 7517, 5: the keys by which others check tokens. */
export function keySet(keys: readonly VerifyKey[]): { readonly keys: readonly object[] } {
  return { keys: keys.map((k) => ({ use: 'sig', alg: 'ES256', kid: k.id, ...k.publicKey.export({ format: 'jwk' }) })) }
}
