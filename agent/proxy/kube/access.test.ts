import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { isWherryError } from '../../../api/errors.ts'
import { readAccess } from './access.ts'

const b64 = (text: string): string => Buffer.from(text).toString('base64')

interface Parts {
  readonly cluster?: object
  readonly user?: object
  readonly rest?: object
}

const kubeconfig = ({ cluster = {}, user = {}, rest = {} }: Parts): string =>
  stringify({
    clusters: [{ name: 'c', cluster: { server: 'https://192.0.2.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
    ...rest,
  })

const access = (text: string, given: { master?: string } = {}) =>
  readAccess({ kubeconfig: '/etc/proxy/kubeconfig', ...given }, { readFile: () => text, surroundings: {} })

describe('a kubeconfig', () => {
  test.each<[string, Parts, object]>([
    ['without more than a server', {}, { insecure: false, bearer: { kind: 'none' } }],
    ['with a CA as data', { cluster: { 'certificate-authority-data': b64('CA') } }, { ca: { kind: 'text', text: 'CA' } }],
    ['with a CA as a file beside it', { cluster: { 'certificate-authority': 'ca.crt' } }, { ca: { kind: 'file', path: '/etc/proxy/ca.crt' } }],
    ['with a name for the server', { cluster: { 'tls-server-name': 'api.test' } }, { serverName: 'api.test' }],
    ['that trusts everybody', { cluster: { 'insecure-skip-tls-verify': true } }, { insecure: true }],
    ['with a token', { user: { token: 't' } }, { bearer: { kind: 'token', token: { kind: 'text', text: 't' } } }],
    ['with a token file, which goes first', { user: { token: 't', tokenFile: '/run/t' } }, { bearer: { kind: 'token', token: { kind: 'file', path: '/run/t' } } }],
    [
      'with a client certificate',
      { user: { 'client-certificate-data': b64('C'), 'client-key': 'k.pem' } },
      { certificate: { cert: { kind: 'text', text: 'C' }, key: { kind: 'file', path: '/etc/proxy/k.pem' } } },
    ],
    [
      'with a plugin',
      { user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './login', args: ['-a'], env: [{ name: 'A', value: 'b' }], provideClusterInfo: true } } },
      { bearer: { kind: 'exec', plugin: { apiVersion: 'client.authentication.k8s.io/v1', command: '/etc/proxy/login', args: ['-a'], env: { A: 'b' }, provideClusterInfo: true } } },
    ],
  ])('%s', (_what, parts, expected) => {
    expect(access(kubeconfig(parts))).toMatchObject({ server: new URL('https://192.0.2.1:6443'), ...expected })
  })

  test('yields its server to --master, and nothing else', () => {
    const text = kubeconfig({ user: { token: 't' } })
    expect(access(text, { master: 'http://127.0.0.1:8080' })).toEqual({ ...access(text), server: new URL('http://127.0.0.1:8080') })
  })

  test.each<[string, string, RegExp]>([
    ['a server', kubeconfig({ cluster: { server: '' } }), /lacks a server/],
    ['its context', kubeconfig({ rest: { 'current-context': 'y' } }), /lacks the context y/],
    ['a current context', kubeconfig({ rest: { 'current-context': '' } }), /lacks a current-context/],
    ['a key', kubeconfig({ user: { 'client-certificate-data': b64('C') } }), /lacks client-key/],
    ['any sense', '- 1', /lacks everything/],
    ['its braces', '{', /cannot be read/],
  ])('that lacks %s is refused by name', (_what, text, message) => {
    expect(refusal(() => access(text))).toMatch(message)
    expect(refusal(() => access(text))).toContain('/etc/proxy/kubeconfig')
  })

  test.each<[string, Parts]>([
    ['proxy-url', { cluster: { 'proxy-url': 'http://p' } }],
    ['auth-provider', { user: { 'auth-provider': { name: 'oidc' } } }],
    ['username', { user: { username: 'u', password: 'p' } }],
    ['as', { user: { as: 'somebody' } }],
    ['exec.apiVersion', { user: { exec: { apiVersion: 'client.authentication.k8s.io/v1alpha1', command: 'x' } } }],
    ['exec.interactiveMode', { user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'x', interactiveMode: 'Always' } } }],
  ])('with %s is refused by name', (field, parts) => {
    expect(refusal(() => access(kubeconfig(parts)))).toContain(`${field}`)
  })
})

describe('without a kubeconfig', () => {
  const pod = { surroundings: { host: '10.96.0.1', port: '443' }, readFile: () => 'token' }

  test('a pod has its service account', () => {
    expect(readAccess({}, pod)).toEqual({
      server: new URL('https://10.96.0.1:443'),
      ca: { kind: 'file', path: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' },
      insecure: false,
      bearer: { kind: 'token', token: { kind: 'file', path: '/var/run/secrets/kubernetes.io/serviceaccount/token' } },
    })
  })

  test('an IPv6 address gets its brackets', () => {
    expect(readAccess({}, { ...pod, surroundings: { host: 'fd00::1', port: '443' } }).server.href).toBe('https://[fd00::1]/')
  })

  test('--master alone is asked without proof', () => {
    expect(readAccess({ master: 'http://127.0.0.1:8080' }, pod)).toEqual({ server: new URL('http://127.0.0.1:8080'), insecure: false, bearer: { kind: 'none' } })
  })

  test.each([
    ['outside a pod', { ...pod, surroundings: {} }, /--kubeconfig/],
    ['in a pod without a token', { ...pod, readFile: () => { throw new Error('ENOENT') } }, /no service account token/],
  ])('%s the way out is named', (_where, deps, message) => {
    expect(refusal(() => readAccess({}, deps), 'SETUP')).toMatch(message)
  })
})

function refusal(act: () => unknown, code: 'USAGE' | 'SETUP' = 'USAGE'): string {
  try {
    act()
  } catch (e) {
    if (isWherryError(e, code)) return e.message
    throw e
  }
  return 'it was not refused'
}
