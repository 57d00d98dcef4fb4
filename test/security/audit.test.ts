/** The audit log of a real hub. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startHubProcess, type HubProcess } from '../kit/hub-process.ts'
import { waitFor } from '../kit/wait.ts'

let hub: HubProcess
const folder = mkdtempSync(path.join(tmpdir(), 'wherry-audit-'))
const file = path.join(folder, 'audit.log')
beforeAll(async () => {
  hub = await startHubProcess(['--audit-log-path', file])
})
afterAll(async () => {
  await hub?.close()
  rmSync(folder, { recursive: true, force: true })
})

type Line = Readonly<Record<string, unknown>> & { readonly auditID: string; readonly stage: string }
const lines = (): readonly Line[] => readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as Line)
const lineOf = async (id: unknown, stage = 'ResponseComplete'): Promise<Line> => {
  const found = (): Line | undefined => lines().find((l) => l.auditID === id && l.stage === stage)
  await waitFor('the line', () => found() !== undefined)
  return found()!
}

test('who, what, how it ended; nothing of what is in the object', async () => {
  const answer = await hub.api.send('POST', '/api/v1/namespaces/default/secrets', { body: { metadata: { name: 's' }, stringData: { password: 'sesame' } }, headers: { 'user-agent': 'me/1', 'impersonate-user': 'boss', 'impersonate-group': 'system:masters' } })
  expect(await lineOf(answer.headers['audit-id'])).toMatchObject({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    verb: 'create',
    requestURI: '/api/v1/namespaces/default/secrets',
    user: { username: 'wherry-admin', groups: ['system:masters', 'system:authenticated'] },
    impersonatedUser: { username: 'boss' },
    sourceIPs: ['127.0.0.1'],
    userAgent: 'me/1',
    objectRef: { resource: 'secrets', namespace: 'default' },
    responseStatus: { code: 201 },
    annotations: { 'authorization.k8s.io/decision': 'allow' },
  })
  expect(readFileSync(file, 'utf8')).not.toMatch(/sesame|c2VzYW1l/)
})

test('refusals, with their reason', async () => {
  const jane = await hub.as('jane').send('GET', '/api/v1/namespaces/default/secrets/s')
  expect(await lineOf(jane.headers['audit-id'])).toMatchObject({
    verb: 'get',
    objectRef: { resource: 'secrets', namespace: 'default', name: 's' },
    responseStatus: { code: 403, status: 'Failure', reason: 'Forbidden' },
    annotations: { 'authorization.k8s.io/decision': 'forbid' },
  })
  const nobody = await hub.bearer('nonsense').send('GET', '/api/v1/pods')
  expect(await lineOf(nobody.headers['audit-id'])).toMatchObject({ user: { username: 'system:anonymous' }, responseStatus: { code: 401 } })
  const join = await hub.bearer('x').send('POST', '/wherry/v1/join', { body: { node: 'n', token: 'secret-token', csr: 'x' } })
  expect(await lineOf(join.headers['audit-id'])).toMatchObject({ requestURI: '/wherry/v1/join', responseStatus: { code: 401 } })
  const broken = await hub.api.send('GET', '/api/v1/%zz')
  expect(await lineOf(broken.headers['audit-id'])).toMatchObject({ responseStatus: { code: 400 } })
})

test('a watch when it begins and when it ends, and a health check never', async () => {
  await hub.api.send('GET', '/readyz')
  const life = new AbortController()
  await hub.api.watch('/api/v1/pods?timeoutSeconds=60', life.signal)
  await waitFor('the beginning', () => lines().some((l) => l.stage === 'ResponseStarted'))
  const { auditID } = lines().find((l) => l.stage === 'ResponseStarted')!
  expect(lines().filter((l) => l.auditID === auditID)).toHaveLength(1)
  life.abort()
  expect(await lineOf(auditID)).toMatchObject({ verb: 'watch', objectRef: { resource: 'pods' } })
  expect(lines().filter((l) => String(l['requestURI']).includes('readyz'))).toEqual([])
})
