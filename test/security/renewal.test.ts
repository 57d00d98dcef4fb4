/** A node's certificate is renewed before it ends, over the real hub: with a new key, for the same node, and found again. */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../api/clock.ts'
import { openCredentials, type Credentials } from '../../agent/link/credentials.ts'
import { groups } from '../../server/auth/auth.ts'
import { issue, makeCa, makeKey, type KeyedCertificate } from '../../server/auth/certificate.ts'
import { createApi } from '../kit/api.ts'
import { startHubProcess, type HubProcess } from '../kit/hub-process.ts'
import { waitFor } from '../kit/wait.ts'
import { createLines } from '../scenarios/link-lines.ts'

let hub: HubProcess
let ca: KeyedCertificate
let dir: string
let lines: ReturnType<typeof createLines>
const stops: (() => Promise<void>)[] = []
beforeAll(async () => {
  hub = await startHubProcess()
  const file = (name: string): string => readFileSync(path.join(hub.dir, 'hub/pki', name), 'utf8')
  ca = { certificate: file('ca.crt'), key: file('ca.key') }
})
afterAll(() => hub?.close())
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'wherry-renewal-'))
  lines = createLines()
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  rmSync(dir, { recursive: true, force: true })
})

const day = 86_400_000
/** What `wherry join` wrote so many days ago. */
function joined({ daysAgo = 0, node = 'n1', by = ca }: { daysAgo?: number; node?: string; by?: KeyedCertificate } = {}): void {
  const key = makeKey()
  const subject = { commonName: `system:node:${node}`, organization: groups.nodes }
  writeFileSync(path.join(dir, 'node.crt'), issue(by, { subject, purpose: { kind: 'client' }, publicKey: createPublicKey(key) }, Date.now() - daysAgo * day))
  writeFileSync(path.join(dir, 'node.key'), key)
  writeFileSync(path.join(dir, 'ca.crt'), by.certificate)
}
const open = ({ hubs = [hub.url], random = 0, clock = systemClock }: { hubs?: readonly string[]; random?: number; clock?: Clock } = {}): Credentials =>
  openCredentials({ dir, node: 'n1', hubs, clock, random: () => random, log: lines.log })
function keep(credentials: Credentials): void {
  const ending = new AbortController()
  const running = credentials.keep(ending.signal)
  stops.push(() => (ending.abort(), running))
}
const ends = ({ tls }: Credentials): number => new X509Certificate(tls.cert).validToDate.getTime()
const renewed = () => lines.of('the certificate of the node was renewed').length
async function whoami(credentials: Credentials): Promise<string> {
  const api = createApi({ url: hub.url, tls: { ...credentials.tls } })
  const review = await api.create<{ status: { userInfo: { username: string } } }>('/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
  api.close()
  return review.status.userInfo.username
}

test('late in its life it is replaced, by one with another key that the hub knows and a new agent finds', async () => {
  joined({ daysAgo: 300 })
  const credentials = open()
  const [before, key] = [ends(credentials), credentials.tls.key]
  keep(credentials)
  await waitFor('the renewal', () => renewed() === 1)
  expect(ends(credentials) - before).toBeGreaterThan(299 * day)
  expect(credentials.tls.key).not.toBe(key)
  expect(await whoami(credentials)).toBe('system:node:n1')
  expect(statSync(path.join(dir, 'node-renewed.pem')).mode & 0o777).toBe(0o600)
  const again = open()
  expect({ ...again.tls }).toEqual({ ...credentials.tls })
})

test('it is asked for between 70 and 90 percent of its life', async () => {
  joined()
  /** Whether anybody waits for a hub's answer at that time, or for a later time alone. */
  const asked = async (random: number, afterDays: number): Promise<boolean> => {
    const timers: number[] = []
    const from = Date.now()
    const clock: Clock = { now: () => from + afterDays * day, after: (ms) => (timers.push(ms), () => undefined) }
    const ending = new AbortController()
    const running = open({ random, clock, hubs: ['https://127.0.0.1:1'] }).keep(ending.signal)
    ending.abort()
    await running
    expect(timers).toHaveLength(1)
    return timers[0] === 15_000
  }
  expect([await asked(0, 254), await asked(0, 257), await asked(0.999, 327), await asked(0.999, 330)]).toEqual([false, true, false, true])
})

test('where one hub is not there the next one is asked', async () => {
  joined({ daysAgo: 300 })
  const credentials = open({ hubs: ['https://127.0.0.1:1', hub.url] })
  keep(credentials)
  await waitFor('the renewal', () => renewed() === 1)
})

test('what was renewed before gives way to a certificate of a newer joining, of another CA, and of another name', async () => {
  joined({ daysAgo: 300 })
  const first = open()
  keep(first)
  await waitFor('the renewal', () => renewed() === 1)
  const file = (): string => readFileSync(path.join(dir, 'node.crt'), 'utf8')
  expect(open().tls.cert).not.toBe(file())
  joined({ daysAgo: 300, node: 'n2' })
  expect(open().tls.cert).toBe(file())
  joined({ daysAgo: 300, by: makeCa(Date.now()) })
  expect(open().tls.cert).toBe(file())
  joined({ daysAgo: -1 })
  expect(open().tls.cert).toBe(file())
  joined({ daysAgo: 300 })
  writeFileSync(path.join(dir, 'node-renewed.pem'), 'half a fi')
  expect(open().tls.cert).toBe(file())
  expect(lines.of('a renewed certificate cannot be read; the one of the joining holds')).toHaveLength(1)
})
