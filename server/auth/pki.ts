/**
 * The hub's certificates in one folder: `ca`, `server`, `admin` and `proxy`, each a `.crt` and a `.key`. Made at the first start.
 * The CA appears in one rename of the whole folder. The others keep their keys, and a certificate that is missing, or that
 * does not fit its key, the CA or the names, is issued anew; so no crash leaves something that the next start cannot mend.
 */
import { createHash, createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { isIP } from 'node:net'
import { dirname, join } from 'node:path'

import type { Log } from '../../api/log.ts'
import { groups, proxyName } from './auth.ts'
import { day, hasNames, issue, makeCa, makeKey, type KeyedCertificate, type LeafWish } from './certificate.ts'
import { AuthError } from './error.ts'
import { signNode } from './node-certificate.ts'
import { moveDurably, readIfThere, writePrivateFile } from '../../api/private-file.ts'

/** A certificate is replaced when it has less than this left. */
export const renewalMs = 30 * day

export const adminName = 'wherry-admin'

export interface PkiOptions {
  readonly dir: string
  /** DNS names and IP addresses under which the hub is reached. */
  readonly names: readonly string[]
  readonly log: Log
  readonly now: () => number
}

export interface Pki {
  /** PEM. */
  readonly ca: string
  readonly server: KeyedCertificate
  readonly admin: KeyedCertificate
  /** For service proxies that follow the hub from outside: they may read what they program, and report events. */
  readonly proxy: KeyedCertificate
  /**
   * Issues a node's client certificate, PEM, for its request.
   * @throws StatusError BadRequest, naming `csr`
   */
  signNode(csr: string, node: string): string
  /** Issues a certificate, PEM, for what a signer found right. */
  issue(wish: LeafWish): string
}

/**
 * Opens the folder, makes what is missing, and renews what is about to end. May be called again at any time to renew.
 * @throws AuthError SETUP (half of the CA is gone, or a file cannot be used), USAGE (a name that no certificate can have)
 */
export function openPki({ dir, names, log, now }: PkiOptions): Pki {
  checkNames(names)
  const ca = openCa(dir, { log, now })
  const leaf = (file: string, wish: Leaf['wish']): KeyedCertificate => openLeaf({ dir, file, ca, wish, log, now: now() })
  const server = leaf('server', { subject: { commonName: 'wherry-hub' }, purpose: { kind: 'server', names } })
  const administrator = { commonName: adminName, organization: groups.admins }
  const admin = leaf('admin', { subject: administrator, purpose: { kind: 'client' } })
  const proxyUser = { commonName: proxyName, organization: groups.proxies }
  const proxy = leaf('proxy', { subject: proxyUser, purpose: { kind: 'client' } })
  return { ca: ca.certificate, server, admin, proxy, signNode: (csr, node) => signNode({ ca, csr, node, now: now() }), issue: (wish) => issue(ca, wish, now()) }
}

/** `sha256:` and the hex digest of the CA's public key (DER), by which a joining node knows the hub. */
export function caHash(caPem: string): string {
  const key = new X509Certificate(caPem).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(key).digest('hex')}`
}

/** RFC 1123 host names; a wildcard may stand for the first label. */
const dnsName = /^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/i

function checkNames(names: readonly string[]): void {
  if (names.length === 0) throw new AuthError('USAGE', 'the server certificate needs a name: add one with --tls-san')
  for (const name of names) {
    if (isIP(name) || (name.length <= 253 && dnsName.test(name))) continue
    const message = `"${name}" is neither an IP address nor a host name: give names without scheme and port to --tls-san`
    throw new AuthError('USAGE', message)
  }
}

function openCa(dir: string, { log, now }: Pick<PkiOptions, 'log' | 'now'>): KeyedCertificate {
  const file = (name: string): string => join(dir, name)
  const [certificate, key] = [readIfThere(file('ca.crt')), readIfThere(file('ca.key'))]
  if (certificate !== undefined && key !== undefined) {
    if (!fits(certificate, key)) throw unusable(`${file('ca.crt')} and ${file('ca.key')} do not belong together`)
    return { certificate, key }
  }
  if (certificate !== undefined || key !== undefined) throw unusable(`${file(certificate ? 'ca.key' : 'ca.crt')} is missing`)
  const ca = makeCa(now())
  const draft = `${dir}.new`
  try {
    rmSync(draft, { recursive: true, force: true })
    mkdirSync(dirname(dir), { recursive: true, mode: 0o700 })
    mkdirSync(draft, { mode: 0o700 })
    writePrivateFile(join(draft, 'ca.key'), ca.key)
    writePrivateFile(join(draft, 'ca.crt'), ca.certificate)
    // Takes the place of an empty folder, too; one that holds other things is refused.
    moveDurably(draft, dir)
  } catch (e) {
    rmSync(draft, { recursive: true, force: true })
    throw unusable(`${dir} cannot be made: ${(e as Error).message}`, e)
  }
  log.info('Made a certificate authority', { dir, hash: caHash(ca.certificate) })
  return ca
}

function unusable(what: string, cause?: unknown): AuthError {
  const wayOut = 'Put the file back from a copy, or move the folder away'
  const price = 'the hub then makes new certificates and every node has to join again'
  return new AuthError('SETUP', `${what}. ${wayOut}: ${price}.`, { cause })
}

interface Leaf {
  readonly dir: string
  readonly file: string
  readonly ca: KeyedCertificate
  readonly wish: Omit<LeafWish, 'publicKey'>
  readonly log: Log
  readonly now: number
}

function openLeaf({ dir, file, ca, wish, log, now }: Leaf): KeyedCertificate {
  const [certificatePath, keyPath] = [join(dir, `${file}.crt`), join(dir, `${file}.key`)]
  let key = readIfThere(keyPath)
  if (key === undefined) writePrivateFile(keyPath, (key = makeKey()))
  const held = readIfThere(certificatePath)
  const why = held === undefined ? 'there was none' : staleness(held, { key, ca, wish, now })
  if (held !== undefined && why === undefined) return { certificate: held, key }
  const certificate = issue(ca, { ...wish, publicKey: publicKeyOf(key, keyPath) }, now)
  writePrivateFile(certificatePath, certificate)
  log.info('Issued a certificate', { file: certificatePath, why })
  return { certificate, key }
}

function publicKeyOf(key: string, path: string): KeyObject {
  try {
    return createPublicKey(key)
  } catch (e) {
    throw new AuthError('SETUP', `${path} cannot be read: ${(e as Error).message}. Remove it to get a new one.`, { cause: e })
  }
}

interface Held extends Pick<Leaf, 'ca' | 'wish' | 'now'> {
  readonly key: string
}

/** Why a certificate has to be replaced, or undefined where it may stay. */
function staleness(pem: string, { key, ca, wish, now }: Held): string | undefined {
  if (!fits(pem, key)) return 'it does not belong to its key'
  const certificate = new X509Certificate(pem)
  if (!certificate.verify(new X509Certificate(ca.certificate).publicKey)) return 'another CA signed it'
  if (Date.parse(certificate.validTo) - now < renewalMs) return 'it ends soon'
  if (wish.purpose.kind === 'server' && !hasNames(certificate, wish.purpose.names)) return 'the names changed'
  return undefined
}

/** Whether both can be read, and the certificate is that of the key. */
function fits(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}
