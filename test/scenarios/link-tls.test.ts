/** The link as it is in a cluster: over TLS, both sides with certificates; and what becomes of those who have the wrong one. */
import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import * as x509 from '@peculiar/x509'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { LinkTls } from '../../agent/link/link.ts'
import type { User } from '../../server/auth/auth.ts'
import { createHub, type Hub } from '../../server/hub/hub.ts'
import { createUpgrade } from '../../server/hub/upgrade.ts'
import { openInside, type Inside } from '../kit/registry.ts'
import * as kit from '../kit/objects.ts'
import { createLines } from './link-lines.ts'
import { fastClock, startAgent, type Agent } from './link-stage.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

interface Authority {
  readonly ca: string
  issue(subject: string): Promise<LinkTls>
}

async function createAuthority(): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const notAfter = new Date(Date.now() + 3_600_000)
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test-ca',
    keys,
    notAfter,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  })
  const ca = root.toString('pem')
  return {
    ca,
    async issue(subject) {
      const own = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      const certificate = await x509.X509CertificateGenerator.create({
        subject,
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        notAfter,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
      })
      const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY')
      return { ca, cert: certificate.toString('pem'), key }
    },
  }
}

let authority: Authority
let inside: Inside
let hub: Hub
let server: https.Server
let url: string
beforeAll(async () => {
  authority = await createAuthority()
  inside = await openInside()
  await inside.make('services', kit.service())
  hub = createHub({ ...inside, log: createLines().log, clock: fastClock, version: '0.1.0', bounds: { pingMs: 10_000_000 } })
  const { ca, cert, key } = await authority.issue('CN=hub')
  server = https.createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: false })
  const authenticate = ({ socket }: { readonly socket: unknown }): User => {
    const tls = socket as TLSSocket
    if (!tls.authorized) return { name: 'system:anonymous', groups: [] }
    const { CN, O } = tls.getPeerCertificate().subject
    return { name: String(CN), groups: [String(O)] }
  }
  const upgrade = createUpgrade({ authenticate, accept: (ws, node) => hub.accept(ws, node) })
  server.on('upgrade', (req, socket, head) => upgrade(req, socket, head) || socket.destroy())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await hub.close()
  server.closeAllConnections()
  server.close()
  await inside.close()
})

const agents: Agent[] = []
const start = (tls: LinkTls): Agent => {
  const agent = startAgent('node1', { url, tls })
  agents.push(agent)
  return agent
}
afterEach(() => Promise.all(agents.splice(0).map((agent) => agent.stop())))

test('a node with its certificate is let in and sent its state', async () => {
  const agent = start(await authority.issue('CN=system:node:node1, O=system:nodes'))
  await agent.reached(inside.store.revision)
  expect([...agent.tables.all('services').keys()]).toEqual(['default/web'])
  expect(agent.link.connected).toBe(true)
})

test.each([
  ['of another kind of user', 'CN=wherry-admin, O=system:masters', /403 Forbidden: only the certificate of a node/],
  ['without a name', 'CN=system:node:, O=system:nodes', /403 Forbidden/],
  ['of another node', 'CN=system:node:node2, O=system:nodes', /its certificate that it is node2/],
])('a certificate %s is refused, and the log says why', async (_, subject, why) => {
  const agent = start(await authority.issue(subject))
  await agent.lines.until('the hub refuses this agent')
  expect(agent.lines.of('the hub refuses this agent')).toMatchObject([{ code: 'LINK_REFUSED', error: expect.stringMatching(why) }])
  expect(agent.frames).toEqual([])
})

test('a certificate of a stranger is refused', async () => {
  const stranger = await (await createAuthority()).issue('CN=system:node:node1, O=system:nodes')
  const agent = start({ ...stranger, ca: authority.ca })
  await agent.lines.until('the hub refuses this agent')
  expect(agent.lines.of('the hub refuses this agent')).toMatchObject([{ error: expect.stringContaining('403') }])
})

test('a hub that is a stranger is not believed', async () => {
  const own = await authority.issue('CN=system:node:node1, O=system:nodes')
  const agent = start({ ...own, ca: (await createAuthority()).ca })
  await agent.lines.until('the hub refuses this agent')
  expect(agent.lines.of('the hub refuses this agent')).toMatchObject([{ error: expect.stringContaining('is not reached') }])
  expect(agent.frames).toEqual([])
})
