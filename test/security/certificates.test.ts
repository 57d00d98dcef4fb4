/** Certificates by request, over the real hub with stock kubectl and openssl. */
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApi, failureOf, type Api } from '../kit/api.ts'
import { kubectl, startHubProcess, type HubProcess } from '../kit/hub-process.ts'
import { waitFor } from '../kit/wait.ts'

let hub: HubProcess
const folder = mkdtempSync(path.join(tmpdir(), 'wherry-csr-'))
const opened: Api[] = []
beforeAll(async () => {
  hub = await startHubProcess()
})
afterAll(async () => {
  for (const api of opened) api.close()
  await hub?.close()
  rmSync(folder, { recursive: true, force: true })
})

const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
interface Request {
  readonly spec: { readonly username: string; readonly groups: readonly string[]; readonly signerName: string }
  readonly status: { readonly certificate?: string; readonly conditions?: readonly { readonly type: string; readonly message: string }[] }
}

let count = 0
/** A key of its own and a request for it. */
async function requestFor(subject: string, more: readonly string[] = []): Promise<{ readonly pem: string; readonly key: string }> {
  const keyFile = path.join(folder, `key${count++}`)
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const { stdout } = await execa('openssl', ['req', '-new', ...curve, '-nodes', '-keyout', keyFile, '-subj', subject, ...more])
  return { pem: `${stdout}\n`, key: readFileSync(keyFile, 'utf8') }
}
const draft = (name: string, pem: string, signer: string, part: object = {}) => ({
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  metadata: { name },
  spec: { request: Buffer.from(pem).toString('base64'), signerName: `kubernetes.io/${signer}`, usages: ['client auth', 'digital signature'], ...part },
})
const get = (name: string) => hub.api.get<Request>(`${requests}/${name}`)
async function issued(name: string): Promise<X509Certificate> {
  await waitFor('the certificate', async () => (await get(name)).status?.certificate !== undefined)
  return new X509Certificate(Buffer.from((await get(name)).status.certificate!, 'base64'))
}
async function approve(name: string, api: Api = hub.api): Promise<void> {
  await api.patch(`${requests}/${name}/approval`, 'merge', { status: { conditions: [{ type: 'Approved', status: 'True', reason: 'Test' }] } })
}
function holder(certificate: X509Certificate, key: string): Api {
  const api = createApi({ url: hub.url, tls: { ca: readFileSync(path.join(hub.dir, 'hub/pki/ca.crt'), 'utf8'), cert: certificate.toString(), key } })
  opened.push(api)
  return api
}
const whoami = async (api: Api) => (await api.create<{ status: { userInfo: { username: string; groups: readonly string[] } } }>('/apis/authentication.k8s.io/v1/selfsubjectreviews', {})).status.userInfo

test.skipIf(!kubectl)('kubectl certificate approve makes a user, deny does not (skipped where there is no kubectl)', async () => {
  const { pem, key } = await requestFor('/O=team/O=other/CN=jane')
  const text = (name: string) => JSON.stringify(draft(name, pem, 'kube-apiserver-client', { expirationSeconds: 3600 }))
  for (const name of ['jane', 'joe']) expect((await hub.kubectl(['create', '-f', '-'], text(name))).err).toBe('')
  expect((await hub.kubectl(['get', 'csr', 'jane'])).out).toMatch(/jane +\S+ +kubernetes\.io\/kube-apiserver-client +wherry-admin +60m +Pending/)
  expect((await hub.kubectl(['certificate', 'approve', 'jane'])).out).toContain('jane approved')
  expect((await hub.kubectl(['certificate', 'deny', 'joe'])).out).toContain('joe denied')
  const certificate = await issued('jane')
  expect(certificate.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(3_600_000)
  expect(await whoami(holder(certificate, key))).toEqual({ username: 'jane', groups: ['team', 'other', 'system:authenticated'] })
  expect((await hub.kubectl(['get', 'csr'])).out).toMatch(/jane .* Approved,Issued\njoe .* Denied/)
  expect((await get('joe')).status.certificate).toBe(undefined)
  expect((await hub.kubectl(['certificate', 'approve', 'joe'])).code).not.toBe(0)
})

describe('a request', () => {
  test('says who asks, whatever it claims, and stays as it was made', async () => {
    const { pem } = await requestFor('/CN=x')
    await hub.api.create(requests, draft('claims', pem, 'kube-apiserver-client', { username: 'somebody', groups: ['g'], uid: 'u' }))
    expect((await get('claims')).spec).toMatchObject({ username: 'wherry-admin', groups: ['system:masters', 'system:authenticated'] })
    expect(await failureOf(hub.api.patch(`${requests}/claims`, 'merge', { spec: { username: 'other' } }))).toMatchObject({ code: 422, details: { causes: [{ field: 'spec' }] } })
    await approve('claims')
    expect(await failureOf(hub.api.patch(`${requests}/claims/approval`, 'merge', { status: { conditions: [] } }))).toMatchObject({ code: 422, details: { causes: [{ field: 'status.conditions' }] } })
  })

  test('that is wrong is refused with the field', async () => {
    const { pem } = await requestFor('/CN=x')
    const weak = (await execa('openssl', ['req', '-new', '-newkey', 'rsa:1024', '-nodes', '-keyout', '/dev/null', '-subj', '/CN=x'], { cwd: folder })).stdout
    const bent = pem.replace(/\n(.{20})(.)/, (_all, before: string, one: string) => `\n${before}${one === 'A' ? 'B' : 'A'}`)
    for (const [part, field] of [
      [{ request: 'bm90aGluZw==' }, 'spec.request'], [{ request: Buffer.from(weak).toString('base64') }, 'spec.request'], [{ request: Buffer.from(bent).toString('base64') }, 'spec.request'],
      [{ signerName: 'none' }, 'spec.signerName'], [{ usages: [] }, 'spec.usages'], [{ usages: ['flying'] }, 'spec.usages[0]'], [{ expirationSeconds: 10 }, 'spec.expirationSeconds'],
    ] as const) expect([field, (await failureOf(hub.api.create(requests, draft('bad', pem, 'kube-apiserver-client', part)))).details?.causes?.[0]?.field]).toEqual([field, field])
  })

  test('that no signer keeps is marked as failed', async () => {
    for (const [name, subject, signer, part] of [
      ['masters', '/O=system:masters/CN=x', 'kube-apiserver-client', {}],
      ['serve', '/CN=x', 'kube-apiserver-client', { usages: ['server auth'] }],
      ['notnode', '/O=system:nodes/CN=x', 'kube-apiserver-client-kubelet', {}],
      ['alien', '/O=system:nodes/CN=system:node:n1', 'kubelet-serving', { usages: ['server auth'] }],
    ] as const) {
      await hub.api.create(requests, draft(name, (await requestFor(subject)).pem, signer, part))
      await approve(name)
      await waitFor('the refusal', async () => (await get(name)).status.conditions?.some((c) => c.type === 'Failed') ?? false)
      expect((await get(name)).status.certificate).toBe(undefined)
    }
  })

  test('is approved by those alone whom a role lets approve for its signer', async () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    const rules = [{ apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests', 'certificatesigningrequests/approval', 'certificatesigningrequests/status'], verbs: ['get', 'update', 'patch'] }]
    const bind = async (role: string) => hub.api.create(`${rbac}/clusterrolebindings`, { metadata: { name: `ann-${role}` }, roleRef: { kind: 'ClusterRole', name: role }, subjects: [{ kind: 'User', name: 'ann' }] })
    await hub.api.create(`${rbac}/clusterroles`, { metadata: { name: 'csr' }, rules })
    await bind('csr')
    await hub.api.create(requests, draft('ask', (await requestFor('/CN=x')).pem, 'kube-apiserver-client'))
    const ann = hub.as('ann')
    expect(await failureOf(approve('ask', ann))).toMatchObject({ code: 403, message: expect.stringContaining('not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"') })
    expect(await failureOf(ann.patch(`${requests}/ask/status`, 'merge', { status: { certificate: 'AAAA' } }))).toMatchObject({ code: 403 })
    await bind('system:certificates.k8s.io:kube-apiserver-client-approver')
    await approve('ask', ann)
    await issued('ask')
  })
})

describe('nodes', () => {
  const subject = (node: string) => `/O=system:nodes/CN=system:node:${node}`

  test('renew their own certificate without anybody', async () => {
    const { pem, key } = await requestFor(subject('n1'))
    await hub.as('system:node:n1', 'system:nodes').create(requests, draft('n1', pem, 'kube-apiserver-client-kubelet'))
    expect((await whoami(holder(await issued('n1'), key))).username).toBe('system:node:n1')
  })

  test('do not get that of another', async () => {
    await hub.as('system:node:n1', 'system:nodes').create(requests, draft('n2', (await requestFor(subject('n2'))).pem, 'kube-apiserver-client-kubelet'))
    // The one behind it is signed, so the first one was looked at.
    await hub.as('system:node:n1', 'system:nodes').create(requests, draft('n2-after', (await requestFor(subject('n1'))).pem, 'kube-apiserver-client-kubelet'))
    await issued('n2-after')
    expect((await get('n2')).status?.conditions ?? []).toEqual([])
  })

  test('begin with a bootstrap token', async () => {
    const stringData = { 'token-id': 'aaaaaa', 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', 'auth-extra-groups': 'system:bootstrappers:wherry:nodes' }
    await hub.api.create('/api/v1/namespaces/kube-system/secrets', { metadata: { name: 'bootstrap-token-aaaaaa' }, type: 'bootstrap.kubernetes.io/token', stringData })
    const { pem, key } = await requestFor(subject('n3'))
    await hub.bearer('aaaaaa.0123456789abcdef').create(requests, draft('n3', pem, 'kube-apiserver-client-kubelet'))
    expect((await whoami(holder(await issued('n3'), key))).username).toBe('system:node:n3')
  })

  test('serve with a certificate for their addresses, once somebody approved it', async () => {
    const { pem } = await requestFor(subject('n1'), ['-addext', 'subjectAltName=DNS:n1,IP:10.0.0.1'])
    await hub.as('system:node:n1', 'system:nodes').create(requests, draft('serving', pem, 'kubelet-serving', { usages: ['server auth', 'digital signature'] }))
    await approve('serving')
    expect((await issued('serving')).subjectAltName).toBe('IP Address:10.0.0.1, DNS:n1')
  })
})
