/** Tokens of service accounts and bootstrap tokens, over the real hub with stock kubectl. */
import { createHmac, createPublicKey, verify, X509Certificate, type JsonWebKeyInput } from 'node:crypto'
import { readFileSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failureOf } from '../kit/api.ts'
import { kubectl, startHubProcess, type HubProcess } from '../kit/hub-process.ts'
import { waitFor } from '../kit/wait.ts'

let hub: HubProcess
const core = '/api/v1/namespaces/default'
const reviews = '/apis/authentication.k8s.io/v1/tokenreviews'
interface Review {
  readonly status: { readonly authenticated: boolean; readonly error?: string; readonly audiences?: readonly string[]; readonly user: { readonly username?: string; readonly groups?: readonly string[]; readonly extra?: object } }
}
const review = async (token: string, audiences?: readonly string[]) => (await hub.api.create<Review>(reviews, { spec: { token, ...(audiences && { audiences }) } })).status
const tokenFor = async (name: string, spec: object = {}) => (await hub.api.create<{ status: { token: string } }>(`${core}/serviceaccounts/${name}/token`, { spec })).status.token
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
const whoami = async (token: string) => {
  const answer = await hub.bearer(token).send<{ status: { userInfo: { username: string; uid: string } } }>('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {} })
  return answer.code === 201 ? answer.body.status.userInfo.username : answer.code
}

beforeAll(async () => {
  hub = await startHubProcess()
  await hub.api.create(`${core}/serviceaccounts`, { metadata: { name: 'robot' } })
  // Pods of nodes that are not there are taken away.
  await hub.api.create('/api/v1/nodes', { metadata: { name: 'node1' } })
})
afterAll(() => hub?.close())

test('each namespace has a default service account', async () => {
  await hub.api.create('/api/v1/namespaces', { metadata: { name: 'fresh' } })
  await waitFor('the default account', async () => (await hub.api.send('GET', '/api/v1/namespaces/fresh/serviceaccounts/default')).code === 200)
})

describe('a token', () => {
  test('is its account to the API: what roles give it, it may do', async () => {
    const token = await tokenFor('robot')
    expect(await whoami(token)).toBe('system:serviceaccount:default:robot')
    const robot = hub.bearer(token)
    expect(await failureOf(robot.get(`${core}/pods`))).toMatchObject({ code: 403, message: expect.stringContaining('User "system:serviceaccount:default:robot" cannot list') })
    const roleRef = { kind: 'ClusterRole', name: 'view' }
    await hub.api.create(`/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings`, { metadata: { name: 'r' }, roleRef, subjects: [{ kind: 'ServiceAccount', name: 'robot' }] })
    expect(await robot.list(`${core}/pods`)).toEqual([])
    expect((await robot.send('GET', '/api/v1/namespaces/fresh/pods')).code).toBe(403)
    const again = await review(token)
    expect(again).toMatchObject({ authenticated: true, user: { username: 'system:serviceaccount:default:robot', groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'] } })
  })

  test('that somebody changed or made is nobody', async () => {
    const token = await tokenFor('robot')
    const [head, body, signature] = token.split('.') as [string, string, string]
    const forged = Buffer.from(JSON.stringify({ ...claimsOf(token), sub: 'system:serviceaccount:kube-system:admin' })).toString('base64url')
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    // Signed with what everybody may know, the published key, by a way that its writer chose.
    const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }
    const chosen = `${Buffer.from(JSON.stringify({ alg: 'HS256', kid })).toString('base64url')}.${body}`
    const published = readFileSync(path.join(hub.dir, 'hub/pki/sa.pub'), 'utf8')
    const confused = `${chosen}.${createHmac('sha256', published).update(chosen).digest('base64url')}`
    // The same bytes in other words: 64 bytes leave four bits of the last character free.
    const others = [`${token}=`, `${head}.${body}.!${signature}`, `${token.slice(0, -1)}${String.fromCharCode(token.charCodeAt(token.length - 1) + 1)}`]
    for (const odd of [confused, ...others, `${head}.${forged}.${signature}`, `${none}.${body}.`, `${head}.${body}.`, `${head}.${body}`, `${head}.${body}.${signature}.x`, 'x', 'a.b.c']) {
      expect([odd, await whoami(odd)]).toEqual([odd, 401])
      expect(await review(odd)).toMatchObject({ authenticated: false, error: expect.stringContaining('invalid bearer token') })
    }
  })

  test('is for its audience alone', async () => {
    const token = await tokenFor('robot', { audiences: ['vault', 'other'] })
    expect(await whoami(token)).toBe(401)
    expect(await review(token)).toMatchObject({ authenticated: false, error: expect.stringContaining('it is for ["vault","other"]') })
    expect(await review(token, ['vault', 'x'])).toMatchObject({ authenticated: true, audiences: ['vault'] })
  })

  test('ends with its pod, its secret and its account, also for one of the same name', async () => {
    const containers = [{ name: 'c', image: 'i' }]
    const pod = () => hub.api.create(`${core}/pods`, { metadata: { name: 'p' }, spec: { nodeName: 'node1', serviceAccountName: 'robot', containers } })
    const secret = () => hub.api.create(`${core}/secrets`, { metadata: { name: 's' } })
    const { metadata } = await pod()
    await secret()
    const ofPod = await tokenFor('robot', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: metadata.uid } })
    const ofSecret = await tokenFor('robot', { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 's' } })
    const free = await tokenFor('robot')
    expect(claimsOf(ofPod)['kubernetes.io']).toMatchObject({ namespace: 'default', node: { name: 'node1' }, pod: { name: 'p', uid: metadata.uid } })
    expect((await review(ofPod)).user.extra).toMatchObject({ 'authentication.kubernetes.io/pod-name': ['p'], 'authentication.kubernetes.io/node-name': ['node1'] })
    await hub.api.delete(`${core}/pods/p?gracePeriodSeconds=0`)
    await hub.api.delete(`${core}/secrets/s`)
    await pod()
    await secret()
    expect(await review(ofPod)).toMatchObject({ authenticated: false, error: expect.stringContaining('pods "p" for which it was made is gone') })
    expect([await whoami(ofPod), await whoami(ofSecret), await whoami(free)]).toEqual([401, 401, 'system:serviceaccount:default:robot'])
    await hub.api.delete(`${core}/serviceaccounts/robot`)
    await hub.api.create(`${core}/serviceaccounts`, { metadata: { name: 'robot' } })
    expect(await whoami(free)).toBe(401)
  })

  test('is refused for a pod of another account, and for odd wishes, with the field', async () => {
    const ask = (spec: object) => failureOf(hub.api.create(`${core}/serviceaccounts/robot/token`, { spec }))
    await hub.api.create(`${core}/pods`, { metadata: { name: 'q' }, spec: { containers: [{ name: 'c', image: 'i' }] } })
    expect(await ask({ boundObjectRef: { kind: 'Pod', name: 'q' } })).toMatchObject({ code: 400, message: expect.stringContaining('spec.boundObjectRef') })
    expect(await ask({ boundObjectRef: { kind: 'Pod', name: 'none' } })).toMatchObject({ code: 404 })
    expect(await ask({ boundObjectRef: { kind: 'Pod', name: 'q', uid: 'x' } })).toMatchObject({ code: 409 })
    for (const [spec, field] of [
      [{ expirationSeconds: 5 }, 'spec.expirationSeconds'], [{ expirationSeconds: 'x' }, 'spec.expirationSeconds'], [{ audiences: 'a' }, 'spec.audiences'],
      [{ boundObjectRef: { kind: 'Lease', name: 'x' } }, 'spec.boundObjectRef.kind'], [{ boundObjectRef: 1 }, 'spec.boundObjectRef'],
    ] as const) expect([field, (await ask(spec)).details?.causes?.[0]?.field]).toEqual([field, field])
    expect(await failureOf(hub.api.create(`${core}/serviceaccounts/none/token`, {}))).toMatchObject({ code: 404 })
  })

  test('is checked by others through the published keys', async () => {
    const token = await tokenFor('robot', { audiences: ['a'] })
    const configuration = await hub.bearer(await tokenFor('robot')).get<Record<string, string>>('/.well-known/openid-configuration')
    expect(configuration).toMatchObject({ issuer: claimsOf(token)['iss'], jwks_uri: `${hub.url}/openid/v1/jwks` })
    const { keys } = await hub.api.get<{ keys: readonly (JsonWebKeyInput['key'] & { kid: string })[] }>('/openid/v1/jwks')
    const [head, body, signature] = token.split('.') as [string, string, string]
    const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }
    const key = createPublicKey({ key: keys.find((k) => k.kid === kid)!, format: 'jwk' })
    expect(verify('sha256', Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))).toBe(true)
    expect((await hub.as('jane').send('GET', '/openid/v1/jwks')).code).toBe(403)
  })

  test('counts after another key took the place of its own', async () => {
    const token = await tokenFor('robot')
    const file = (name: string) => path.join(hub.dir, 'hub/pki', name)
    expect(statSync(file('sa.key')).mode & 0o777).toBe(0o600)
    rmSync(file('sa.key'))
    await hub.restart()
    expect(readFileSync(file('sa.pub'), 'utf8').match(/BEGIN/g)).toHaveLength(2)
    expect([await whoami(token), await whoami(await tokenFor('robot'))]).toEqual(Array(2).fill('system:serviceaccount:default:robot'))
  })

  test('of a node is bound to one of its own pods', async () => {
    const node = hub.as('system:node:node1', 'system:nodes')
    const spec = (name: string) => ({ spec: { boundObjectRef: { kind: 'Pod', name } } })
    await hub.api.create(`${core}/pods`, { metadata: { name: 'here' }, spec: { nodeName: 'node1', serviceAccountName: 'robot', containers: [{ name: 'c', image: 'i' }] } })
    await hub.api.create(`${core}/pods`, { metadata: { name: 'nowhere' }, spec: { serviceAccountName: 'robot', containers: [{ name: 'c', image: 'i' }] } })
    const ask = async (account: string, body: object) => (await node.send('POST', `${core}/serviceaccounts/${account}/token`, { body })).code
    expect([await ask('robot', spec('here')), await ask('robot', {}), await ask('robot', spec('nowhere')), await ask('other', {})]).toEqual([201, 403, 403, 403])
  })
})

test.skipIf(!kubectl)('kubectl create token (skipped where there is none on PATH)', async () => {
  const made = await hub.kubectl(['create', 'token', 'robot', '--duration=1h', '--audience=x'])
  expect(made.err).toBe('')
  const { aud, exp, iat } = claimsOf(made.out) as { aud: unknown; exp: number; iat: number }
  expect([aud, exp - iat]).toEqual([['x'], 3600])
  const plain = await hub.kubectl(['create', 'token', 'robot'])
  const asRobot = await hub.kubectl(['--kubeconfig=/dev/null', '--insecure-skip-tls-verify', `--server=${hub.url}`, `--token=${plain.out}`, 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'])
  expect(asRobot.out).toBe('system:serviceaccount:default:robot')
  expect((await hub.kubectl(['create', 'token', 'robot', '--duration=1m'])).err).toContain('may not specify a duration less than 10 minutes')
})

test('a bootstrap token is who its secret says, until it expires', async () => {
  const make = (id: string, part: object) =>
    hub.api.create('/api/v1/namespaces/kube-system/secrets', {
      metadata: { name: `bootstrap-token-${id}` },
      type: 'bootstrap.kubernetes.io/token',
      stringData: { 'token-id': id, 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', 'auth-extra-groups': 'system:bootstrappers:a,system:masters', ...part },
    })
  await make('aaaaaa', {})
  await make('bbbbbb', { expiration: '2020-01-01T00:00:00Z' })
  await make('cccccc', { 'usage-bootstrap-authentication': 'false' })
  const tokens = ['aaaaaa.0123456789abcdef', 'aaaaaa.0123456789abcdee', 'bbbbbb.0123456789abcdef', 'cccccc.0123456789abcdef']
  expect(await Promise.all(tokens.map(whoami))).toEqual(['system:bootstrap:aaaaaa', 401, 401, 401])
  const answer = await hub.bearer(tokens[0]!).send<{ status: { userInfo: { groups: unknown } } }>('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {} })
  expect(answer.body.status.userInfo.groups).toEqual(['system:bootstrappers', 'system:bootstrappers:a', 'system:authenticated'])
})

test('a machine joins by a token that wherry made, until the token is taken back', async () => {
  const run = (...args: readonly string[]) => execa(process.execPath, ['--disable-warning=ExperimentalWarning', 'cli/main.ts', ...args], { reject: false, timeout: 20_000 })
  const kubeconfig = path.join(hub.dir, 'hub/admin.kubeconfig')
  const made = await run('token', 'create', '--kubeconfig', kubeconfig, '--ttl', '10m', '--print-join-command')
  expect(made.stderr).toBe('')
  const [, url, token, hash] = /^wherry join (\S+) --token (\S+) --ca-cert-hash (\S+)$/.exec(made.stdout) ?? []
  const join = (node: string) => run('join', url!, '--token', token!, '--ca-cert-hash', hash!, '--node', node, '--credentials', path.join(hub.dir, node))
  expect((await join('joined')).stdout).toContain('joined has joined')
  expect(new X509Certificate(readFileSync(path.join(hub.dir, 'joined/node.crt'))).subject).toBe('O=system:nodes\nCN=system:node:joined')
  await hub.api.delete(`/api/v1/namespaces/kube-system/secrets/bootstrap-token-${token!.split('.')[0]}`)
  const late = await join('late')
  expect([late.exitCode, late.stderr]).toEqual([1, expect.stringContaining('does not take this token')])
  expect((await run('token', 'create', '--kubeconfig', kubeconfig, '--ttl', 'long')).exitCode).toBe(2)
})
