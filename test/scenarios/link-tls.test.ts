/** The link as it is in a cluster: over TLS, both sides with certificates; and what becomes of those who have the wrong one. */
import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { LinkTls } from '../../agent/link/link.ts'
import { groups } from '../../server/auth/auth.ts'
import { authenticate } from '../../server/auth/authenticate.ts'
import { issue, makeCa, makeKey, type Purpose, type Subject } from '../../server/auth/certificate.ts'
import { createHub, type Hub } from '../../server/hub/hub.ts'
import { createUpgrade } from '../../server/hub/upgrade.ts'
import { openInside, type Inside } from '../kit/registry.ts'
import * as kit from '../kit/objects.ts'
import { createLines } from './link-lines.ts'
import { fastClock, startAgent, type Agent } from './link-stage.ts'

interface Authority {
  readonly ca: string
  issue(subject: Subject, purpose?: Purpose): LinkTls
}

function createAuthority(): Authority {
  const ca = makeCa(Date.now())
  return {
    ca: ca.certificate,
    issue(subject, purpose = { kind: 'client' }) {
      const key = makeKey()
      return { ca: ca.certificate, cert: issue(ca, { subject, purpose, publicKey: createPublicKey(key) }, Date.now()), key }
    },
  }
}

const node = (name: string): Subject => ({ commonName: `system:node:${name}`, organization: groups.nodes })

let authority: Authority
let inside: Inside
let hub: Hub
let server: https.Server
let url: string
beforeAll(async () => {
  authority = createAuthority()
  inside = await openInside()
  await inside.make('services', kit.service())
  hub = createHub({ ...inside, log: createLines().log, clock: fastClock, version: '0.1.0', bounds: { pingMs: 10_000_000 } })
  const { ca, cert, key } = authority.issue({ commonName: 'wherry-hub' }, { kind: 'server', names: ['127.0.0.1'] })
  server = https.createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: false })
  const upgrade = createUpgrade({
    authenticate: (req) => authenticate(req.socket as TLSSocket),
    accept: (socket, name, line) => hub.accept(socket, name, line),
  })
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
  const agent = startAgent('node1', { urls: [url], tls })
  agents.push(agent)
  return agent
}
afterEach(() => Promise.all(agents.splice(0).map((agent) => agent.stop())))

test('a node with its certificate is let in and sent its state', async () => {
  const agent = start(authority.issue(node('node1')))
  await agent.reached(inside.store.revision)
  expect([...agent.tables.all('services').keys()]).toEqual(['default/web'])
  expect(agent.link.connected).toBe(true)
})

test.each([
  ['of another kind of user', { commonName: 'wherry-admin', organization: groups.admins }, /403 Forbidden: only the certificate of a node/],
  ['of a node by name alone', { commonName: 'system:node:node1', organization: 'somebody' }, /403 Forbidden/],
  ['without a name', node(''), /403 Forbidden/],
  ['of another node', node('node2'), /its certificate that it is node2/],
])('a certificate %s is refused, and the log says why', async (_, subject, why) => {
  const agent = start(authority.issue(subject))
  await agent.lines.until('the hub refuses this agent')
  expect(agent.lines.of('the hub refuses this agent')).toMatchObject([{ code: 'LINK_REFUSED', error: expect.stringMatching(why) }])
  expect(agent.frames).toEqual([])
})

test('a certificate of a stranger is refused', async () => {
  const stranger = createAuthority().issue(node('node1'))
  const agent = start({ ...stranger, ca: authority.ca })
  await agent.lines.until('the hub refuses this agent')
  expect(agent.lines.of('the hub refuses this agent')).toMatchObject([{ error: expect.stringContaining('403') }])
})

test('a hub that is a stranger is not believed', async () => {
  const own = authority.issue(node('node1'))
  const agent = start({ ...own, ca: createAuthority().ca })
  await agent.lines.until('the hub refuses this agent')
  expect(agent.lines.of('the hub refuses this agent')).toMatchObject([{ error: expect.stringContaining('is not reached') }])
  expect(agent.frames).toEqual([])
})
