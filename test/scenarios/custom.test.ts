/** Kinds that somebody defines, on a hub as a process: they outlive it, and roles and the audit log know them. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failureOf } from '../kit/api.ts'
import { cronTab, customResourceDefinition } from '../kit/custom.ts'
import { startHubProcess, type HubProcess } from '../kit/hub-process.ts'
import { waitFor } from '../kit/wait.ts'

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const crontabs = '/apis/stable.example.com/v1/namespaces/default/crontabs'
const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default'

describe('a hub that somebody taught a kind', { timeout: 60_000 }, () => {
  let hub: HubProcess
  beforeAll(async () => {
    hub = await startHubProcess()
    await hub.api.create(definitions, customResourceDefinition())
    await hub.api.create(crontabs, cronTab())
  })
  afterAll(() => hub.close())

  test('names of custom kinds stand in roles as others do', async () => {
    const jane = hub.as('jane')
    expect((await failureOf(jane.get(crontabs))).message).toContain('crontabs.stable.example.com is forbidden: User "jane" cannot list resource "crontabs" in API group "stable.example.com" in the namespace "default"')
    const rules = [{ apiGroups: ['stable.example.com'], resources: ['crontabs', 'crontabs/scale'], verbs: ['get', 'list', 'patch'] }]
    await hub.api.create(`${roles}/roles`, { metadata: { name: 'cron' }, rules })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'cron' }
    await hub.api.create(`${roles}/rolebindings`, { metadata: { name: 'cron' }, roleRef, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }] })
    expect(await jane.get(crontabs)).toMatchObject({ kind: 'CronTabList', items: [{ metadata: { name: 'nightly' } }] })
    await jane.patch(`${crontabs}/nightly/scale`, 'merge', { spec: { replicas: 3 } })
    expect((await failureOf(jane.patch(`${crontabs}/nightly/status`, 'merge', {}))).code).toBe(403)
    expect((await failureOf(jane.delete(`${crontabs}/nightly`))).code).toBe(403)
  })

  test('they are there again after a restart, and an audit log has them', async () => {
    const audit = path.join(hub.dir, 'audit.log')
    await hub.restart(['--audit-log-path', audit])
    expect(await hub.api.get(`${crontabs}/nightly`)).toMatchObject({ spec: { cronSpec: '0 3 * * *', replicas: 3, mode: 'fast' } })
    expect(await hub.api.get('/apis/stable.example.com/v1')).toMatchObject({ resources: [{ name: 'crontabs' }, { name: 'crontabs/status' }, { name: 'crontabs/scale' }] })
    await hub.api.patch(`${crontabs}/nightly`, 'merge', { spec: { replicas: 2 } })
    await waitFor('the line of the audit log', () => /"verb":"patch"[^\n]*"resource":"crontabs"[^\n]*"name":"nightly"[^\n]*"apiGroup":"stable.example.com"/.test(readFileSync(audit, 'utf8')))
    expect((await hub.api.send('GET', '/metrics')).text).toContain('apiserver_storage_objects{resource="crontabs.stable.example.com"} 1')
  })

  test('with the definition go its objects', async () => {
    await hub.api.delete(`${definitions}/crontabs.stable.example.com`)
    await waitFor('the definition to go', async () => (await hub.api.send('GET', crontabs)).code === 404)
    await hub.restart()
    expect((await failureOf(hub.api.get(`${definitions}/crontabs.stable.example.com`))).code).toBe(404)
    expect(hub.log()).not.toContain('"level":"error"')
  })
})
