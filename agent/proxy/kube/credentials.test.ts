import { describe, expect, test } from 'vitest'
import type { Command, Exec } from '../../kernel/exec.ts'
import { createFakeClock } from '../../../test/kit/clock.ts'
import type { Access, Bearer } from './access.ts'
import { createCredentials } from './credentials.ts'

const signal = AbortSignal.timeout(10_000)

function proving(bearer: Bearer, more: Partial<Access> = {}) {
  const files = new Map<string, string>()
  const runs: Command[] = []
  let prints = ''
  const clock = createFakeClock()
  const exec: Exec = {
    async run(command) {
      runs.push(command)
      return { stdout: prints, stderr: '' }
    },
    async stream() {},
  }
  const credentials = createCredentials({
    access: { server: new URL('https://192.0.2.1:6443'), insecure: false, bearer, ...more },
    readFile(path) {
      const text = files.get(path)
      if (text === undefined) throw new Error(`ENOENT: ${path}`)
      return text
    },
    exec,
    now: () => clock.now(),
  })
  return { credentials, files, runs, clock, print: (object: unknown) => void (prints = typeof object === 'string' ? object : JSON.stringify(object)) }
}

const file = (path: string) => ({ kind: 'file', path }) as const

describe('a token file', () => {
  test('is read again after a minute, and at once when the token was refused', async () => {
    const { credentials, files, clock } = proving({ kind: 'token', token: file('/t') })
    files.set('/t', 'one\n')
    expect(await credentials.proof(signal)).toEqual({ token: 'one' })
    files.set('/t', 'two\n')
    expect(await credentials.proof(signal)).toEqual({ token: 'one' })
    await clock.advance(60_000)
    expect(await credentials.proof(signal)).toEqual({ token: 'two' })
    files.set('/t', 'three\n')
    credentials.refused()
    expect(await credentials.proof(signal)).toEqual({ token: 'three' })
  })

  test('that is gone is named', async () => {
    const { credentials } = proving({ kind: 'token', token: file('/t') })
    await expect(credentials.proof(signal)).rejects.toMatchObject({ code: 'SETUP', message: expect.stringContaining('/t') })
  })
})

test('certificates go along, from data and from files', async () => {
  const certificate = { cert: { kind: 'text', text: 'C' }, key: file('/k') } as const
  const { credentials, files } = proving({ kind: 'none' }, { ca: file('/ca'), certificate })
  files.set('/ca', 'CA').set('/k', 'K')
  expect(await credentials.proof(signal)).toEqual({ ca: 'CA', certificate: { cert: 'C', key: 'K' } })
})

describe('a plugin', () => {
  const plugin = { apiVersion: 'client.authentication.k8s.io/v1', command: 'login', args: ['-x'], env: { A: 'b' }, provideClusterInfo: true }
  const credential = (status: object) => ({ kind: 'ExecCredential', apiVersion: plugin.apiVersion, status })

  test('is run with what it asked for, once for as long as its credential lasts', async () => {
    const { credentials, runs, clock, print } = proving({ kind: 'exec', plugin }, { serverName: 'api.test' })
    print(credential({ token: 'one', expirationTimestamp: new Date(clock.now() + 100_000).toISOString() }))
    expect(await credentials.proof(signal)).toEqual({ token: 'one' })
    expect(runs[0]).toMatchObject({ command: 'login', args: ['-x'], env: { A: 'b' } })
    expect(JSON.parse(runs[0]!.env!['KUBERNETES_EXEC_INFO']!)).toEqual({
      apiVersion: plugin.apiVersion,
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: 'https://192.0.2.1:6443/', 'tls-server-name': 'api.test' } },
    })
    await clock.advance(89_000)
    await credentials.proof(signal)
    expect(runs).toHaveLength(1)
    print(credential({ clientCertificateData: 'C', clientKeyData: 'K' }))
    await clock.advance(2_000)
    expect(await credentials.proof(signal)).toEqual({ certificate: { cert: 'C', key: 'K' } })
    await clock.advance(10_000_000)
    await credentials.proof(signal)
    expect(runs, 'one without an end lasts').toHaveLength(2)
    credentials.refused()
    await credentials.proof(signal)
    expect(runs, 'until it is refused').toHaveLength(3)
  })

  test.each([
    ['no JSON', 'hello'],
    ['without a token or a certificate', credential({})],
    ['that is no time', credential({ token: 't', expirationTimestamp: 'soon' })],
  ])('that prints something else is named: %s', async (what, printed) => {
    const { credentials, print } = proving({ kind: 'exec', plugin })
    print(printed)
    await expect(credentials.proof(signal)).rejects.toMatchObject({ code: 'SETUP', message: expect.stringMatching(`login.*${what}`) })
  })
})
