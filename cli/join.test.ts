import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hubPaths, type JoinRequest } from '../api/hub.ts'
import { createExec } from './exec.ts'
import { createHubClient } from './hub.ts'
import { hasCredentials, joinNode, type JoinOptions, publicKeyHash } from './join.ts'
import { parseKubeconfig, readKubeconfig } from './kubeconfig.ts'
import { findProgram } from './lab/preflight.ts'

const path = '/usr/local/bin:/usr/bin:/bin'
const exec = createExec(path)
const signal = new AbortController().signal
const openssl = (...argv: string[]) => exec.run(['openssl', ...argv], { signal, timeoutMs: 10_000 })
const hasOpenssl = findProgram('openssl', path) !== undefined

/** A hub's door: the real TLS with certificates that openssl made, and openssl's own reading of the request. */
describe.skipIf(!hasOpenssl)(hasOpenssl ? 'joining a hub' : 'joining a hub (skipped: needs openssl)', () => {
  let dir: string
  let server: Server
  let url: string
  let caHash: string
  let shownChain: string
  let subjects: string[] = []
  /** What the hub does with a request; the default signs it. */
  let answer: (request: JoinRequest) => Promise<{ readonly code: number; readonly body: unknown }>
  const file = (name: string): string => join(dir, name)

  async function makeCA(name: string): Promise<void> {
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-noenc',
      '-days',
      '9',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.crt`),
    )
  }

  async function sign(request: JoinRequest): Promise<{ code: number; body: unknown }> {
    if (request.token !== 'right') return { code: 401, body: {} }
    writeFileSync(file('in.csr'), request.csr)
    const seen = await openssl('req', '-in', file('in.csr'), '-verify', '-noout', '-subject')
    subjects.push(seen.stdout.trim())
    await openssl(
      'x509',
      '-req',
      '-in',
      file('in.csr'),
      '-CA',
      file('ca.crt'),
      '-CAkey',
      file('ca.key'),
      '-CAcreateserial',
      '-days',
      '9',
      '-out',
      file('out.crt'),
    )
    return { code: 201, body: { certificate: readFileSync(file('out.crt'), 'utf8'), ca: readFileSync(file('ca.crt'), 'utf8') } }
  }

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'wherry-join-'))
    await makeCA('ca')
    await makeCA('other')
    await openssl(
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-noenc',
      '-subj',
      '/CN=hub',
      '-keyout',
      file('hub.key'),
      '-out',
      file('hub.csr'),
    )
    writeFileSync(file('ext'), 'subjectAltName=IP:127.0.0.1')
    await openssl(
      'x509',
      '-req',
      '-in',
      file('hub.csr'),
      '-CA',
      file('ca.crt'),
      '-CAkey',
      file('ca.key'),
      '-CAcreateserial',
      '-days',
      '9',
      '-extfile',
      file('ext'),
      '-out',
      file('hub.crt'),
    )
    shownChain = readFileSync(file('hub.crt'), 'utf8') + readFileSync(file('ca.crt'), 'utf8')
    caHash = publicKeyHash(readFileSync(file('ca.crt'), 'utf8'))
    server = createServer(
      {
        cert: shownChain,
        key: readFileSync(file('hub.key')),
        ca: readFileSync(file('ca.crt')),
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => {
        let text = ''
        request.on('data', (part: Buffer) => (text += part.toString()))
        request.on('end', () => {
          const send = (code: number, body: unknown): void =>
            void response.writeHead(code).end(typeof body === 'string' ? body : JSON.stringify(body))
          if (request.url === hubPaths.join)
            void answer(JSON.parse(text) as JoinRequest).then(({ code, body }) => send(code, body))
          else if (request.url === '/denied') send(403, { kind: 'Status', message: 'nodes may not read this' })
          else send(200, `${request.method} ${request.url} ${(request.socket as import('node:tls').TLSSocket).authorized}`)
        })
      },
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server?.closeAllConnections()
    server?.close()
    rmSync(dir, { recursive: true, force: true })
  })
  beforeEach(() => {
    answer = sign
    subjects = []
  })

  const options = (change: Partial<JoinOptions> = {}): JoinOptions => ({
    url,
    token: 'right',
    caHash,
    node: 'node1',
    dir: file('credentials'),
    signal,
    ...change,
  })

  test("writes key, certificate, CA and agent.json, for root's eyes only", async () => {
    await joinNode(options({ hub: 'https://198.18.0.10:6443' }))
    expect(subjects).toEqual(['subject=O = system:nodes, CN = system:node:node1'])
    for (const name of ['node.key', 'node.crt', 'ca.crt', 'agent.json'])
      expect(statSync(join(file('credentials'), name)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(join(file('credentials'), 'agent.json'), 'utf8'))).toEqual({
      node: 'node1',
      hub: 'https://198.18.0.10:6443',
    })
    const verified = await openssl(
      'verify',
      '-CAfile',
      join(file('credentials'), 'ca.crt'),
      join(file('credentials'), 'node.crt'),
    )
    expect(verified.stdout).toContain('OK')
    const pair = await Promise.all([
      openssl('pkey', '-in', join(file('credentials'), 'node.key'), '-pubout'),
      openssl('x509', '-in', join(file('credentials'), 'node.crt'), '-pubkey', '-noout'),
    ])
    expect(pair[0].stdout).toBe(pair[1].stdout)
  })

  test('credentials are known again: for their node, their CA, and not near their end', async () => {
    await joinNode(options())
    const ca = readFileSync(file('ca.crt'), 'utf8')
    const day = 86_400_000
    expect(hasCredentials(file('credentials'), 'node1', ca, Date.now())).toBe(true)
    expect(hasCredentials(file('credentials'), 'node2', ca, Date.now())).toBe(false)
    expect(hasCredentials(file('credentials'), 'node1', readFileSync(file('other.crt'), 'utf8'), Date.now())).toBe(false)
    expect(hasCredentials(file('credentials'), 'node1', ca, Date.now() + 8.5 * day)).toBe(false)
    expect(hasCredentials(file('nowhere'), 'node1', ca, Date.now())).toBe(false)
  })

  test('a hub with another CA is told nothing, not even the token', async () => {
    let asked = false
    answer = async () => {
      asked = true
      return { code: 500, body: {} }
    }
    const other = publicKeyHash(readFileSync(file('other.crt'), 'utf8'))
    await expect(joinNode(options({ caHash: other }))).rejects.toMatchObject({
      code: 'LINK_REFUSED',
      message: expect.stringContaining(caHash) as string,
    })
    expect(asked).toBe(false)
  })

  test('the hash is the one that openssl computes', async () => {
    await openssl('x509', '-in', file('ca.crt'), '-pubkey', '-noout', '-out', file('ca.pub'))
    await openssl('pkey', '-pubin', '-in', file('ca.pub'), '-outform', 'der', '-out', file('ca.der'))
    const { stdout } = await openssl('dgst', '-sha256', '-r', file('ca.der'))
    expect(caHash).toBe(`sha256:${stdout.slice(0, 64)}`)
  })

  test.each([
    ['a wrong token', { token: 'wrong' }, 'LINK_REFUSED', 'token'],
    ['a URL without TLS', { url: 'http://127.0.0.1:1' }, 'USAGE', 'not the URL of a hub'],
    ['a hash of another form', { caHash: 'sha1:00' }, 'USAGE', '--ca-cert-hash'],
    ['nobody there', { url: 'https://127.0.0.1:1' }, 'LINK_LOST', 'does not answer'],
  ])('%s is named', async (_, change, code, words) => {
    await expect(joinNode(options(change))).rejects.toMatchObject({ code, message: expect.stringContaining(words) as string })
  })

  test.each([
    [
      'signed by another CA',
      async (request: JoinRequest) => {
        await sign(request)
        await openssl(
          'x509',
          '-req',
          '-in',
          file('in.csr'),
          '-CA',
          file('other.crt'),
          '-CAkey',
          file('other.key'),
          '-CAcreateserial',
          '-days',
          '9',
          '-out',
          file('bad.crt'),
        )
        return { certificate: readFileSync(file('bad.crt'), 'utf8'), ca: readFileSync(file('ca.crt'), 'utf8') }
      },
      'not signed by the CA',
    ],
    [
      'for another key',
      async () => ({ certificate: readFileSync(file('hub.crt'), 'utf8'), ca: readFileSync(file('ca.crt'), 'utf8') }),
      'another key',
    ],
    ['with another CA', async () => ({ certificate: '', ca: readFileSync(file('other.crt'), 'utf8') }), 'CA in it is another'],
    ['of another shape', async () => ({}), 'missing'],
  ])('an answer %s is not believed', async (_, make, words) => {
    answer = async (request) => ({ code: 200, body: await make(request) })
    await expect(joinNode(options({ dir: file('unwritten') }))).rejects.toMatchObject({
      code: 'LINK_REFUSED',
      message: expect.stringContaining(words) as string,
    })
    expect(hasCredentials(file('unwritten'), 'node1', readFileSync(file('ca.crt'), 'utf8'), Date.now())).toBe(false)
  })

  test('a client with a certificate of the CA asks the hub, and hears its words', async () => {
    await joinNode(options())
    const base64 = (name: string): string => readFileSync(join(file('credentials'), name)).toString('base64')
    writeFileSync(
      file('kubeconfig'),
      JSON.stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
        clusters: [{ name: 'k', cluster: { server: url, 'certificate-authority-data': base64('ca.crt') } }],
        users: [
          {
            name: 'u',
            user: { 'client-certificate-data': base64('node.crt'), 'client-key': join(file('credentials'), 'node.key') },
          },
        ],
      }),
    )
    const hub = createHubClient(readKubeconfig(file('kubeconfig')))
    try {
      expect(await hub.text('/some/path?x=1', signal)).toBe('GET /some/path?x=1 true')
      await expect(hub.text('/denied', signal)).rejects.toMatchObject({
        code: 'LINK_REFUSED',
        message: expect.stringContaining('403 to /denied: nodes may not read this') as string,
      })
    } finally {
      hub.close()
    }
  })
})

describe('a kubeconfig', () => {
  test('that is not there, or lacks something, is named', () => {
    expect(() => readKubeconfig('/nowhere/kubeconfig')).toThrow('there is no kubeconfig at /nowhere/kubeconfig')
    const text = 'current-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\n'
    expect(() => parseKubeconfig(text, 'F')).toThrow('the kubeconfig F lacks the cluster b')
    expect(() =>
      parseKubeconfig(`${text}clusters: [{name: b, cluster: {server: "http://x"}}]\nusers: [{name: c, user: {}}]\n`, 'F'),
    ).toThrow('lacks an https server')
    expect(() =>
      parseKubeconfig(`${text}clusters: [{name: b, cluster: {server: "https://x"}}]\nusers: [{name: c, user: {}}]\n`, 'F'),
    ).toThrow('lacks certificate-authority')
  })
})
