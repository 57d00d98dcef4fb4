/**
 * The node's certificate: what `wherry join` wrote, and what takes its place in time. A new key and its certificate lie in one
 * file, so that they are there together or not at all; of the two pairs the one that lasts longer counts.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sleep, type Clock } from '../../api/clock.ts'
import { makeCertificateRequest } from '../../api/csr.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { readIfThere, writePrivateFile } from '../../api/private-file.ts'
import type { LinkTls } from './connection.ts'
import { LinkError } from './error.ts'
import { requestCertificate } from './renewal.ts'

export interface CredentialsDeps {
  /** With node.crt, node.key and ca.crt; `node-renewed.pem` is written there. */
  readonly dir: string
  readonly node: string
  /** https URLs of hubs on one store. */
  readonly hubs: readonly string[]
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly log: Log
}

export interface Credentials {
  /** What holds at the moment in which it is read. */
  readonly tls: LinkTls
  /** Asks for the next certificate when it is time, until the signal aborts. Never rejects. */
  keep(signal: AbortSignal): Promise<void>
}

const renewedFile = 'node-renewed.pem'
/** Milliseconds: how often the calendar is looked at, which timers of this length do not outgrow; and between two failed tries. */
const every = { look: 6 * 3_600_000, retry: 5 * 60_000 } as const
/** Of a certificate's life, when the next one is asked for: not at the same time on all nodes. */
const due = { from: 0.7, spread: 0.2 } as const

interface Pair {
  readonly cert: string
  readonly key: string
}

/** @throws the file system's error where there is no certificate */
export function openCredentials(deps: CredentialsDeps): Credentials {
  const { dir, clock, random, log } = deps
  const ca = readFileSync(join(dir, 'ca.crt'), 'utf8')
  let pair = lasting(deps, ca)
  const tls: LinkTls = {
    ca,
    get cert() {
      return pair.cert
    },
    get key() {
      return pair.key
    },
  }
  const renew = async (signal: AbortSignal): Promise<void> => {
    const { key, csr } = makeCertificateRequest(deps.node)
    const cert = await requestCertificate({ ...deps, tls, csr }, signal)
    const next = { cert, key }
    const problem = unfit(next, { ca, before: pair })
    if (problem) throw new LinkError('LINK_REFUSED', `the certificate that the hub made ${problem}`)
    writePrivateFile(join(dir, renewedFile), key + cert)
    pair = next
    log.info('the certificate of the node was renewed', { until: new X509Certificate(cert).validToDate.toISOString() })
  }
  return {
    tls,
    async keep(signal) {
      const share = due.from + due.spread * random()
      while (!signal.aborted) {
        let wait = untilDue(pair, share) - clock.now()
        if (wait <= 0) {
          wait = every.retry * (0.5 + random())
          await renew(signal).catch((e: unknown) => signal.aborted || log.warn('the certificate of the node could not be renewed yet', { until: new X509Certificate(pair.cert).validTo, ...errorKeys(e) }))
        }
        // Rejects only when the signal aborts, which ends the loop.
        await sleep(clock, Math.min(wait, every.look), signal).catch(() => undefined)
      }
    },
  }
}

function untilDue({ cert }: Pair, share: number): number {
  const { validFromDate, validToDate } = new X509Certificate(cert)
  return validFromDate.getTime() + share * (validToDate.getTime() - validFromDate.getTime())
}

/** Undefined where there is none. */
function renewed(dir: string): Pair | undefined {
  const text = readIfThere(join(dir, renewedFile))
  if (text === undefined) return undefined
  const block = (label: string): string => new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----\\n?`).exec(text)?.[0] ?? ''
  return { cert: block('CERTIFICATE'), key: block('PRIVATE KEY') }
}

/** Who joined anew has a certificate that lasts longer than what was renewed before, or is of another name or CA. */
function lasting({ dir, log }: CredentialsDeps, ca: string): Pair {
  const first = { cert: readFileSync(join(dir, 'node.crt'), 'utf8'), key: readFileSync(join(dir, 'node.key'), 'utf8') }
  try {
    const next = renewed(dir)
    return next && !unfit(next, { ca, before: first }) ? next : first
  } catch (e) {
    log.warn('a renewed certificate cannot be read; the one of the joining holds', { file: join(dir, renewedFile), ...errorKeys(e) })
    return first
  }
}

/** @returns in words what is wrong with it */
function unfit({ cert, key }: Pair, { ca, before }: { readonly ca: string; readonly before: Pair }): string | undefined {
  const certificate = new X509Certificate(cert)
  if (!certificate.verify(new X509Certificate(ca).publicKey)) return 'is not signed by the CA that the node knows'
  if (!certificate.checkPrivateKey(createPrivateKey(key))) return 'is for another key'
  const old = new X509Certificate(before.cert)
  const parts = (c: X509Certificate): string => c.subject.split('\n').toSorted().join()
  if (parts(certificate) !== parts(old)) return `is for ${certificate.subject}`
  return certificate.validToDate > old.validToDate ? undefined : 'does not last longer than the one that there is'
}
