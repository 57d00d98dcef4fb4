import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import { day, hour, makeCa } from './certificate.ts'
import { caHash, openPki, type Pki } from './pki.ts'

const start = Date.parse('2026-03-01T12:00:00Z')
const names = ['localhost', '127.0.0.1', 'hub.example', 'fd00::1']

let folder: string
let dir: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-pki-'))
  dir = join(folder, 'data', 'pki')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = (more: { names?: readonly string[]; now?: number } = {}): Pki =>
  openPki({ dir, names: more.names ?? names, log: silentLog, now: () => more.now ?? start })
const texts = (): Record<string, string> => Object.fromEntries(readdirSync(dir).map((file) => [file, readFileSync(join(dir, file), 'utf8')]))
/** Which files differ between two states. */
const changed = (before: Record<string, string>, after: Record<string, string>): string[] =>
  Object.keys({ ...before, ...after }).filter((file) => before[file] !== after[file]).toSorted()

describe('the first start', () => {
  test('makes a CA and three certificates that it signed', () => {
    const pki = open()
    const [ca, server, admin, proxy] = [pki.ca, pki.server.certificate, pki.admin.certificate, pki.proxy.certificate].map((pem) => new X509Certificate(pem)) as [X509Certificate, X509Certificate, X509Certificate, X509Certificate]
    expect(ca.ca).toBe(true)
    expect(ca.verify(ca.publicKey)).toBe(true)
    for (const leaf of [server, admin, proxy]) {
      expect(leaf.ca).toBe(false)
      expect(leaf.checkIssued(ca) && leaf.verify(ca.publicKey)).toBe(true)
      expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    }
    for (const name of ['localhost', 'hub.example']) expect(server.checkHost(name), name).toBe(name)
    for (const ip of ['127.0.0.1', 'fd00::1']) expect(server.checkIP(ip), ip).toBe(ip)
    expect(server.checkHost('elsewhere.example')).toBeUndefined()
    expect(admin.subject.split('\n').toSorted()).toEqual(['CN=wherry-admin', 'O=system:masters'])
    expect(proxy.subject.split('\n').toSorted()).toEqual(['CN=system:kube-proxy', 'O=system:node-proxier'])
    expect([server, admin].map((leaf) => leaf.keyUsage)).toEqual([['1.3.6.1.5.5.7.3.1'], ['1.3.6.1.5.5.7.3.2']])
  })

  test('dates begin an hour early and end after ten years or one', () => {
    const pki = open()
    const span = (pem: string): number[] => {
      const { validFrom, validTo } = new X509Certificate(pem)
      return [Date.parse(validFrom) - start, Date.parse(validTo) - start]
    }
    expect(span(pki.ca)).toEqual([-hour, 3650 * day])
    expect(span(pki.server.certificate)).toEqual([-hour, 365 * day])
    expect(span(pki.admin.certificate)).toEqual([-hour, 365 * day])
  })

  test('leaves a folder and files that are for their owner only, and nothing else', () => {
    open()
    const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)
    expect(mode(dir)).toBe('700')
    expect(Object.fromEntries(readdirSync(dir).map((file) => [file, mode(join(dir, file))]))).toEqual({
      'admin.crt': '600', 'admin.key': '600', 'ca.crt': '600', 'ca.key': '600', 'proxy.crt': '600', 'proxy.key': '600', 'server.crt': '600', 'server.key': '600',
    })
    expect(readdirSync(join(folder, 'data'))).toEqual(['pki'])
  })

  test('the hash of the CA is that of its public key, as openssl counts it', () => {
    const { ca } = open()
    const key = execFileSync('openssl', ['x509', '-pubkey', '-noout'], { input: ca })
    const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'der'], { input: key })
    expect(caHash(ca)).toBe(`sha256:${createHash('sha256').update(der).digest('hex')}`)
  })

  test('openssl accepts the chain for its purposes', () => {
    open()
    const verify = (file: string, purpose: string): string =>
      execFileSync('openssl', ['verify', '-x509_strict', '-attime', String(start / 1000), '-purpose', purpose, '-CAfile', join(dir, 'ca.crt'), join(dir, file)], { stdio: 'pipe' }).toString()
    expect(verify('server.crt', 'sslserver')).toContain('OK')
    expect(verify('admin.crt', 'sslclient')).toContain('OK')
    expect(() => verify('server.crt', 'sslclient')).toThrow()
    expect(() => verify('admin.crt', 'sslserver')).toThrow()
  })
})

describe('later starts', () => {
  test('change nothing', () => {
    const first = open()
    const before = texts()
    const again = open({ names: names.toReversed() })
    expect(changed(before, texts())).toEqual([])
    expect([again.ca, again.server, again.admin]).toEqual([first.ca, first.server, first.admin])
  })

  test('issue the server certificate anew for other names, with the same key', () => {
    open()
    const before = texts()
    const { server } = open({ names: ['localhost', '10.0.0.9'] })
    expect(changed(before, texts())).toEqual(['server.crt'])
    expect(new X509Certificate(server.certificate).checkIP('10.0.0.9')).toBe('10.0.0.9')
    expect(new X509Certificate(server.certificate).checkHost('hub.example')).toBeUndefined()
  })

  test.each([
    [335 * day - 1000, []],
    [335 * day + 1000, ['admin.crt', 'proxy.crt', 'server.crt']],
  ])('renew what ends within thirty days (after %i ms: %j)', (later, files) => {
    open()
    const before = texts()
    open({ now: start + later })
    expect(changed(before, texts())).toEqual(files)
  })

  test('no certificate outlives the CA', () => {
    open()
    const { ca, server } = open({ now: start + 3600 * day })
    expect(new X509Certificate(server.certificate).validTo).toBe(new X509Certificate(ca).validTo)
  })
})

describe('after a crash or a mishap', () => {
  test.each([
    ['the key was written, its certificate not', ['server.crt'], ['server.crt']],
    ['only the CA was made', ['server.crt', 'server.key', 'admin.crt', 'admin.key'], ['admin.crt', 'admin.key', 'server.crt', 'server.key']],
    ['a key was lost', ['admin.key'], ['admin.crt', 'admin.key']],
  ])('%s', (_, lost, mended) => {
    open()
    const before = texts()
    for (const file of lost) rmSync(join(dir, file))
    const { ca, server, admin } = open()
    expect(changed(before, texts())).toEqual(mended)
    for (const leaf of [server, admin]) {
      expect(new X509Certificate(leaf.certificate).verify(new X509Certificate(ca).publicKey)).toBe(true)
    }
  })

  test('a half-made folder of an earlier try is thrown away', () => {
    mkdirSync(`${dir}.new`, { recursive: true })
    writeFileSync(join(`${dir}.new`, 'ca.key'), 'half')
    const { ca } = open()
    expect(new X509Certificate(ca).ca).toBe(true)
    expect(existsSync(`${dir}.new`)).toBe(false)
  })

  test('a certificate of another CA is replaced', () => {
    open()
    const before = texts()
    const other = makeCa(start)
    writeFileSync(join(dir, 'ca.crt'), other.certificate)
    writeFileSync(join(dir, 'ca.key'), other.key)
    open()
    expect(changed(before, texts())).toEqual(['admin.crt', 'ca.crt', 'ca.key', 'proxy.crt', 'server.crt'])
  })

  test.each([
    ['ca.key', () => rmSync(join(dir, 'ca.key')), /ca\.key is missing.*Put the file back/],
    ['ca.crt', () => rmSync(join(dir, 'ca.crt')), /ca\.crt is missing/],
    ['a garbled ca.key', () => writeFileSync(join(dir, 'ca.key'), 'x'), /do not belong together/],
    ['a garbled server.key', () => writeFileSync(join(dir, 'server.key'), 'x'), /server\.key cannot be read.*Remove it/],
  ])('%s: refused with the way out, and nothing is overwritten', (_, harm, message) => {
    open()
    harm()
    const before = texts()
    expect(() => open()).toThrowError(expect.objectContaining({ code: 'SETUP', message: expect.stringMatching(message) }))
    expect(changed(before, texts())).toEqual([])
  })

  test('a folder with other things in it is not taken over', () => {
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'letter.txt'), 'dear')
    expect(() => open()).toThrowError(expect.objectContaining({ code: 'SETUP' }))
    expect(readdirSync(dir)).toEqual(['letter.txt'])
  })
})

test.each([['https://hub'], ['hub:6443'], [''], ['a b'], ['*.*.example'], ['10.0.0.0/8']])('the name %j is refused', (name) => {
  expect(() => open({ names: ['localhost', name] })).toThrowError(expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('--tls-san') }))
  expect(existsSync(dir)).toBe(false)
})
