/** From a certificate request to a user: what a joining node goes through. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier, AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JoinAnswer } from '../../api/hub.ts'
import { silentLog } from '../../api/log.ts'
import { StatusError } from '../../api/status.ts'
import { groups, type User } from './auth.ts'
import { anonymous, authenticate } from './authenticate.ts'
import { nodeOf } from './authorize.ts'
import { day, ecdsaWithSha256, issue, makeCa, makeKey, nameParts, type KeyedCertificate } from './certificate.ts'
import { createJoin } from './join.ts'
import { openPki, type Pki } from './pki.ts'

let folder: string
let pki: Pki
const now = Math.floor(Date.now() / 1000) * 1000
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-join-'))
  pki = openPki({ dir: join(folder, 'pki'), names: ['localhost', '127.0.0.1'], log: silentLog, now: () => now })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A subject as its parts, those in one list standing together. */
type Subject = readonly (readonly (readonly [type: keyof typeof nameParts | '2.5.4.11', value: string])[])[]
const nodeSubject = (node: string): Subject => [[['O', groups.nodes]], [['CN', `system:node:${node}`]]]

function makeRequest(subject: Subject, key = makeKey()): { key: string; csr: string } {
  const name = new Name(
    subject.map((rdn) =>
      new RelativeDistinguishedName(
        rdn.map(([type, utf8String]) =>
          new AttributeTypeAndValue({ type: type in nameParts ? nameParts[type as 'O'] : type, value: new AttributeValue({ utf8String }) }),
        ),
      ),
    ),
  )
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const info = new CertificationRequestInfo({ subject: name, subjectPKInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo) })
  const signature = new Uint8Array(sign('sha256', Buffer.from(AsnConvert.serialize(info)), createPrivateKey(key))).buffer
  const signatureAlgorithm = new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 })
  const request = new CertificationRequest({ certificationRequestInfo: info, signatureAlgorithm, signature })
  return { key, csr: block(Buffer.from(AsnConvert.serialize(request))) }
}

const block = (der: Buffer): string => `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`

describe('node certificates', () => {
  const refused = (csr: string): string => {
    try {
      pki.signNode(csr, 'a')
    } catch (e) {
      if (!(e instanceof StatusError)) throw e
      expect(e.status.reason).toBe('BadRequest')
      return e.message
    }
    throw new TypeError('it was not refused')
  }

  test('a good request gets a client certificate for a year', () => {
    for (const subject of [nodeSubject('a'), nodeSubject('a').toReversed(), [nodeSubject('a').flat()]]) {
      const certificate = new X509Certificate(pki.signNode(makeRequest(subject).csr, 'a'))
      expect(certificate.subject.split('\n').toSorted()).toEqual(['CN=system:node:a', 'O=system:nodes'])
      expect(certificate.verify(new X509Certificate(pki.ca).publicKey)).toBe(true)
      expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
      expect(Date.parse(certificate.validTo)).toBe(now + 365 * day)
    }
  })

  test.each([
    ['another node', nodeSubject('b')],
    ['an administrator', [[['O', 'system:masters']], [['CN', 'system:node:a']]]],
    ['one group more', [[['O', 'system:nodes']], [['O', 'system:masters']], [['CN', 'system:node:a']]]],
    ['one group more beside it', [[['O', 'system:nodes'], ['O', 'system:masters']], [['CN', 'system:node:a']]]],
    ['one group more, last by name', [...nodeSubject('a'), [['O', 'zebras']]]],
    ['two names', [...nodeSubject('a'), [['CN', 'wherry-admin']]]],
    ['the same name twice', [...nodeSubject('a'), [['CN', 'system:node:a']]]],
    ['no group', [[['CN', 'system:node:a']]]],
    ['another part', [...nodeSubject('a'), [['2.5.4.11', 'x']]]],
    ['both in the name', [[['CN', 'system:node:a, O=system:nodes']]]],
    ['nothing', []],
  ] satisfies [string, Subject][])('a request for %s is refused', (_, subject) => {
    expect(refused(makeRequest(subject).csr)).toMatch(/^csr: its subject must be exactly CN=system:node:a, O=system:nodes/)
  })

  test('a request that someone changed is refused', () => {
    const der = Buffer.from(makeRequest(nodeSubject('x')).csr.split('\n')[1]!, 'base64')
    der.write('a', der.indexOf('system:node:x') + 'system:node:'.length)
    expect(refused(block(der))).toMatch(/^csr: its signature/)
  })

  test.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['another curve', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ])('a key of %s is refused', (_, { privateKey }) => {
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    expect(refused(makeRequest(nodeSubject('a'), key).csr)).toMatch(/^csr: it must be made with a key on the curve P-256/)
  })

  test.each([
    ['', ''],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
    ['an empty block', '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----'],
    ['noise in a block', block(Buffer.from('MIIB'.repeat(40)))],
    ['half a request', block(Buffer.from(makeRequest(nodeSubject('a')).csr.split('\n')[1]!, 'base64').subarray(0, 150))],
    ['a mountain', block(Buffer.alloc(16_000))],
  ])('%s is no request', (_, csr) => {
    expect(refused(csr)).toMatch(/^csr: it must be a certificate request/)
  })
})

describe('joining', () => {
  const token = 'abcdef.0123456789abcdef'
  const ask = (request: unknown): Promise<JoinAnswer> => createJoin({ pki, token })(request)
  const refusal = async (request: unknown): Promise<{ reason?: string; message: string }> => {
    const e: unknown = await ask(request).catch((error: unknown) => error)
    if (!(e instanceof StatusError)) throw new TypeError('it was not refused with a status', { cause: e })
    return { reason: e.status.reason, message: e.message }
  }

  test('token and request give a certificate', async () => {
    const { csr } = makeRequest(nodeSubject('n1'))
    const answer = await ask({ node: 'n1', token, csr })
    expect(answer.ca).toBe(pki.ca)
    expect(new X509Certificate(answer.certificate).subject).toContain('CN=system:node:n1')
  })

  test.each([
    ['nothing', undefined], ['null', null], ['text', 'x'], ['no token', { node: 'n1' }], ['a number', { node: 'n1', token: 7 }],
    ['another token', { node: 'n1', token: 'abcdef.0123456789abcdeg' }], ['half of it', { node: 'n1', token: 'abcdef' }],
    ['a wrong token and a bad name', { node: '', token: '' }],
  ])('without the token nothing is said but that: %s', async (_, request) => {
    expect(await refusal(request)).toMatchObject({ reason: 'Unauthorized', message: expect.stringMatching(/^token:/) })
  })

  test.each([[undefined], [''], ['A'], ['-a'], ['a-'], ['a.b'], ['a'.repeat(64)], ['a\n'], [7]])('the node name %j is refused', async (node) => {
    expect(await refusal({ node, token, csr: '' })).toMatchObject({ reason: 'BadRequest', message: expect.stringMatching(/^node:/) })
  })

  test.each([['none', undefined], ['noise', 'x']])('a bad request is refused: %s', async (_, csr) => {
    expect(await refusal({ node: 'a'.repeat(63), token, csr })).toMatchObject({ reason: 'BadRequest', message: expect.stringMatching(/^csr:/) })
  })

  test('the request of another node is refused', async () => {
    const { csr } = makeRequest(nodeSubject('n2'))
    expect(await refusal({ node: 'n1', token, csr })).toMatchObject({ reason: 'BadRequest', message: expect.stringMatching(/^csr: its subject/) })
  })
})

describe('who is there, over TLS', () => {
  let server: tls.Server
  const users: User[] = []
  beforeAll(async () => {
    server = tls.createServer({ cert: pki.server.certificate, key: pki.server.key, ca: pki.ca, requestCert: true, rejectUnauthorized: false }, (socket) => {
      users.push(authenticate(socket))
      socket.end('.')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  async function userWith(client: { cert?: string; key?: string }): Promise<User> {
    const { port } = server.address() as AddressInfo
    const socket = tls.connect({ host: '127.0.0.1', port, ca: pki.ca, servername: 'localhost', ...client })
    socket.resume()
    await once(socket, 'close')
    return users.pop()!
  }
  const signedBy = (ca: KeyedCertificate, organization: string): { cert: string; key: string } => {
    const key = makeKey()
    const subject = { commonName: 'wherry-admin', organization }
    return { cert: issue(ca, { subject, purpose: { kind: 'client' }, publicKey: createPublicKey(key) }, Date.now()), key }
  }

  test('the administrator', async () => {
    const user = await userWith({ cert: pki.admin.certificate, key: pki.admin.key })
    expect(user).toEqual({ name: 'wherry-admin', groups: ['system:masters', 'system:authenticated'] })
  })

  test('a node that joined', async () => {
    const { key, csr } = makeRequest(nodeSubject('n1'))
    const user = await userWith({ cert: pki.signNode(csr, 'n1'), key })
    expect(user).toEqual({ name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] })
    expect(nodeOf(user)).toBe('n1')
  })

  test('nobody, without a certificate', async () => {
    expect(await userWith({})).toEqual(anonymous)
  })

  test('nobody, with the same names from another CA', async () => {
    expect(await userWith(signedBy(makeCa(Date.now()), groups.admins))).toEqual(anonymous)
  })

  test("nobody, with the server's own certificate", async () => {
    expect(await userWith({ cert: pki.server.certificate, key: pki.server.key })).toEqual(anonymous)
  })

  test.each([
    ['no subject', {}],
    ['no name', { subject: { O: 'system:masters' } }],
    ['two names', { subject: { CN: ['a', 'b'], O: 'system:masters' } }],
    ['an empty name', { subject: { CN: '', O: 'system:masters' } }],
  ])('nobody, with %s', (_, certificate) => {
    expect(authenticate({ authorized: true, getPeerCertificate: () => certificate as never })).toEqual(anonymous)
  })

  test('several groups', () => {
    const certificate = { subject: { CN: 'a', O: ['x', 'y'] } }
    expect(authenticate({ authorized: true, getPeerCertificate: () => certificate as never }).groups).toEqual(['x', 'y', 'system:authenticated'])
  })
})
