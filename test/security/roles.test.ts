/** Roles, bindings and questions about them, over the real hub with stock kubectl. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failureOf } from '../kit/api.ts'
import { kubectl, startHubProcess, type HubProcess } from '../kit/hub-process.ts'
import { waitFor } from '../kit/wait.ts'

let hub: HubProcess
beforeAll(async () => {
  hub = await startHubProcess()
})
afterAll(() => hub?.close())

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const forbidden = { code: 403, reason: 'Forbidden' }
const role = (name: string, rules: readonly object[], namespace?: string) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: namespace ? 'Role' : 'ClusterRole',
  metadata: { name },
  rules,
})
const binding = (name: string, roleRef: object, subjects: readonly object[], kind = 'RoleBinding') => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind,
  metadata: { name },
  roleRef,
  subjects,
})
const clusterRole = (name: string) => ({ kind: 'ClusterRole', name })
const person = (name: string) => ({ kind: 'User', name })

describe.skipIf(!kubectl)('with kubectl (skipped where there is none on PATH)', () => {
  const ok = async (...args: readonly string[]): Promise<string> => {
    const { out, err, code } = await hub.kubectl(args)
    expect({ args, err, code }).toMatchObject({ code: 0 })
    return out
  }
  /** `can-i` says no with exit code 1. */
  const can = async (...args: readonly string[]): Promise<string> => {
    const { out, err } = await hub.kubectl(['auth', 'can-i', ...args])
    return out.split(' ')[0] || err
  }

  test('a role and its binding give what they say, in their namespace', async () => {
    await ok('create', 'role', 'reader', '--verb=get,list', '--resource=pods,deployments.apps,pods/log')
    await ok('create', 'rolebinding', 'read', '--role=reader', '--user=jane', '--group=readers', '--serviceaccount=default:robot')
    const asked = [
      await can('list', 'pods', '--as=jane'),
      await can('get', 'deployments.apps', '--as=jane'),
      await can('get', 'pods', '--subresource=log', '--as=x', '--as-group=readers'),
      await can('list', 'pods', '--as=system:serviceaccount:default:robot'),
      await can('list', 'pods', '--as=jane', '-n', 'kube-system'),
      await can('list', 'pods', '--as=jane', '-A'),
      await can('delete', 'pods', '--as=jane'),
      await can('get', 'pods', '--subresource=exec', '--as=jane'),
      await can('list', 'pods', '--as=joe'),
      await can('get', '/metrics', '--as=jane'),
      await can('get', '/version', '--as=jane'),
      await can('*', '*'),
      await can('*', '*', '--as=jane'),
    ]
    expect(asked).toEqual(['yes', 'yes', 'yes', 'yes', 'no', 'no', 'no', 'no', 'no', 'no', 'yes', 'yes', 'no'])
    expect(await ok('get', 'pods', '--as=jane')).toBe('')
    const refused = await hub.kubectl(['get', 'secrets', '--as=jane'])
    expect(refused.err).toContain('secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "default"')
    expect(await ok('get', 'rolebinding', 'read', '-o', 'wide')).toMatch(/^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS\nread +Role\/reader +\S+ +jane +readers +default\/robot/)
    expect(await ok('describe', 'role', 'reader')).toMatch(/pods\/log +\[\] +\[\] +\[get list\]/)
  })

  test('--list tells all rules; whoami tells who; diff of a kind that is no more than a question', async () => {
    expect(await ok('auth', 'can-i', '--list', '--as=jane')).toMatch(/deployments\.apps +\[\] +\[\] +\[get list\]/)
    expect(await ok('auth', 'whoami', '-o', 'json')).toContain('"username": "wherry-admin"')
    expect(await ok('auth', 'whoami', '--as=jane', '--as-group=a', '--as-group=b,c', '-o', 'jsonpath={.status.userInfo.groups}')).toBe('["a","b,c","system:authenticated"]')
    const question = 'apiVersion: authorization.k8s.io/v1\nkind: SubjectAccessReview\nspec: {user: jane, resourceAttributes: {verb: list, resource: pods, namespace: default}}\n'
    expect((await hub.kubectl(['create', '-f', '-', '-o', 'jsonpath={.status.allowed}'], question)).out).toBe('true')
  })

  test('edit, view and admin are whole, and grow with what is labelled for them', async () => {
    await ok('create', 'rolebinding', 'e', '--clusterrole=edit', '--user=ed')
    await ok('create', 'rolebinding', 'v', '--clusterrole=view', '--user=vi')
    await ok('create', 'rolebinding', 'a', '--clusterrole=admin', '--user=ada')
    const asked: string[] = []
    for (const [verb, what, who] of [
      ['create', 'deployments.apps', 'ed'], ['get', 'secrets', 'ed'], ['list', 'pods', 'ed'], ['create', 'roles', 'ed'], ['update', 'endpointslices', 'ed'],
      ['list', 'pods', 'vi'], ['get', 'secrets', 'vi'], ['create', 'pods', 'vi'],
      ['create', 'rolebindings', 'ada'], ['get', 'secrets', 'ada'], ['list', 'nodes', 'ada'],
    ] as const) asked.push(`${who} ${verb} ${what}: ${await can(verb, what, `--as=${who}`)}`)
    expect(asked.filter((line) => line.endsWith('no'))).toEqual([
      'ed create roles: no', 'ed update endpointslices: no', 'vi get secrets: no', 'vi create pods: no', 'ada list nodes: no',
    ])
    await ok('create', 'clusterrole', 'more', '--verb=get', '--resource=leases.coordination.k8s.io')
    await ok('label', 'clusterrole', 'more', 'rbac.authorization.k8s.io/aggregate-to-view=true')
    await waitFor('the viewer to see leases', async () => (await can('get', 'leases.coordination.k8s.io', '--as=vi')) === 'yes')
  })

  test('auth reconcile makes roles what a file says', async () => {
    const text = 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: made}\nrules: [{apiGroups: [""], resources: [nodes], verbs: [get]}]\n'
    expect((await hub.kubectl(['auth', 'reconcile', '-f', '-'], text)).out).toContain('reconciled')
    expect((await hub.kubectl(['auth', 'reconcile', '-f', '-'], text.replace('[get]', '[get, list]'))).out).toContain('reconciled')
    expect(await ok('get', 'clusterrole', 'made', '-o', 'jsonpath={.rules[*].verbs}')).toContain('list')
  })
})

describe('nobody gives what he does not have', () => {
  const roles = `${rbac}/namespaces/default/roles`
  const bindings = `${rbac}/namespaces/default/rolebindings`
  const pods = { apiGroups: [''], resources: ['pods'], verbs: ['get'] }
  const secrets = { apiGroups: [''], resources: ['secrets'], verbs: ['get'] }

  beforeAll(async () => {
    const manage = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: ['*'] }
    const narrow = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], resourceNames: ['view'], verbs: ['bind'] }
    await hub.api.create(`${rbac}/clusterroles`, role('manager', [{ ...manage, verbs: ['get', 'create', 'update', 'patch', 'delete'] }, pods, narrow]))
    await hub.api.create(bindings, binding('manage', clusterRole('manager'), [person('max')]))
  })

  test('roles by create, update and each form of patch; unchanged rules may stay', async () => {
    const max = hub.as('max')
    await max.create(roles, role('fine', [pods], 'default'))
    const refusal = await failureOf(max.create(roles, role('much', [pods, secrets], 'default')))
    expect(refusal).toMatchObject(forbidden)
    expect(refusal.message).toContain('is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}')
    expect(await failureOf(max.update(`${roles}/fine`, role('fine', [secrets], 'default')))).toMatchObject(forbidden)
    expect(await failureOf(max.patch(`${roles}/fine`, 'merge', { rules: [secrets] }))).toMatchObject(forbidden)
    expect(await failureOf(max.patch(`${roles}/fine`, 'strategic', { rules: [secrets] }))).toMatchObject(forbidden)
    expect(await failureOf(max.patch(`${roles}/fine`, 'json', [{ op: 'replace', path: '/rules/0/resources/0', value: '*' }]))).toMatchObject(forbidden)
    const apply = (name: string, rules: readonly object[]) => {
      const body = JSON.stringify(role(name, rules, 'default'))
      return max.send('PATCH', `${roles}/${name}?fieldManager=max&force=true`, { headers: { 'content-type': 'application/apply-patch+yaml' }, body })
    }
    expect((await apply('fine', [secrets])).body).toMatchObject(forbidden)
    expect((await apply('new', [secrets])).body).toMatchObject(forbidden)
    expect((await apply('new', [pods])).code).toBe(201)
    await hub.api.create(roles, role('theirs', [secrets], 'default'))
    await max.patch(`${roles}/theirs`, 'merge', { metadata: { labels: { a: '1' } } })
    expect((await hub.api.get<{ rules: unknown }>(`${roles}/fine`)).rules).toEqual([pods])
  })

  test('roles without a name yet, roles that grow by others, names left out, and dry runs', async () => {
    const max = hub.as('max')
    const everywhere = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], verbs: ['create'] }
    await hub.api.create(`${rbac}/clusterroles`, role('author', [everywhere, { ...pods, resources: ['configmaps'], resourceNames: ['one'] }]))
    await hub.api.create(`${rbac}/clusterrolebindings`, binding('author', clusterRole('author'), [person('max')], 'ClusterRoleBinding'))
    const one = { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }
    await max.create(`${rbac}/clusterroles`, role('one', [{ ...one, resourceNames: ['one'] }]))
    const drafts = [
      { ...role('', [secrets]), metadata: { generateName: 'made-' } },
      { ...role('grows', []), aggregationRule: { clusterRoleSelectors: [{ matchLabels: { any: 'x' } }] } },
      { ...role('grows', []), aggregationRule: {} },
      role('all-names', [one]),
      role('no-names', [{ ...one, resourceNames: [] }]),
      role('below', [{ ...one, resources: ['configmaps/status'], resourceNames: ['one'] }]),
      role('paths', [{ nonResourceURLs: ['*'], verbs: ['get'] }]),
    ]
    for (const query of ['', '?dryRun=All'])
      for (const draft of drafts) expect([draft, await failureOf(max.create(`${rbac}/clusterroles${query}`, draft))]).toMatchObject([draft, forbidden])
  })

  test('bindings, but for the role that may be bound', async () => {
    const max = hub.as('max')
    await max.create(bindings, binding('own', clusterRole('manager'), [person('moe')]))
    await max.create(bindings, binding('viewers', clusterRole('view'), [person('moe')]))
    expect(await failureOf(max.create(bindings, binding('edits', clusterRole('edit'), [person('max')])))).toMatchObject(forbidden)
    expect(await failureOf(max.create(bindings, binding('all', clusterRole('cluster-admin'), [person('max')])))).toMatchObject(forbidden)
    expect(await failureOf(max.create(bindings, binding('none', clusterRole('none'), [person('max')])))).toMatchObject({ code: 404, reason: 'NotFound' })
    await hub.api.create(bindings, binding('theirs', clusterRole('cluster-admin'), [person('root')]))
    expect(await failureOf(max.patch(`${bindings}/theirs`, 'merge', { subjects: [person('max')] }))).toMatchObject(forbidden)
    expect(await failureOf(max.create(`${rbac}/clusterrolebindings`, binding('wide', clusterRole('view'), [person('max')], 'ClusterRoleBinding')))).toMatchObject(forbidden)
  })

  test('nobody becomes another whom he may not be', async () => {
    const max = hub.as('max')
    const pretend = (headers: Readonly<Record<string, string>>) => max.send<{ message: string }>('GET', '/api/v1/namespaces/default/pods/x', { headers })
    expect((await pretend({ 'impersonate-user': 'root' })).body).toMatchObject({ code: 403, message: expect.stringContaining('cannot impersonate resource "users"') })
    expect((await pretend({ 'impersonate-group': 'system:masters' })).code).toBe(400)
    await hub.api.create(`${rbac}/clusterroles`, role('mask', [{ apiGroups: [''], resources: ['users'], resourceNames: ['moe'], verbs: ['impersonate'] }]))
    await hub.api.create(`${rbac}/clusterrolebindings`, binding('mask', clusterRole('mask'), [person('max')], 'ClusterRoleBinding'))
    expect((await pretend({ 'impersonate-user': 'moe' })).code).toBe(404)
    expect((await pretend({ 'impersonate-user': 'moe', 'impersonate-group': 'system:masters' })).body).toMatchObject({ code: 403, message: expect.stringContaining('"groups"') })
  })
})

test('a question in a namespace is about that namespace', async () => {
  const questions = '/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews'
  const ask = (namespace: string, verb = 'get') => ({ spec: { user: 'lisa', resourceAttributes: { verb, resource: 'pods', namespace } } })
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }]
  await hub.api.create(`${rbac}/namespaces/default/roles`, role('local', rules, 'default'))
  await hub.api.create(`${rbac}/namespaces/default/rolebindings`, binding('local', { kind: 'Role', name: 'local' }, [person('lisa')]))
  expect(await hub.api.create(questions, ask('default'))).toMatchObject({ status: { allowed: true } })
  expect(await hub.api.create(questions, ask('default', 'delete'))).toMatchObject({ status: { allowed: false } })
  expect(await failureOf(hub.api.create(questions, ask('kube-system')))).toMatchObject({ code: 422, details: { causes: [{ field: 'spec.resourceAttributes.namespace' }] } })
  expect(await failureOf(hub.as('lisa').create(questions, ask('default')))).toMatchObject(forbidden)
})

describe('what becomes a connection, and what is applied', () => {
  test('exec, attach, port-forward and proxies are for those who edit, by each of their verbs', async () => {
    for (const name of ['edit', 'view']) {
      await hub.api.create(`${rbac}/namespaces/default/rolebindings`, binding(`of-${name}`, clusterRole(name), [person(`${name}or`)]))
    }
    const pod = '/api/v1/namespaces/default/pods/x'
    const codes = async (user: string): Promise<readonly number[]> => {
      const found: number[] = []
      for (const path of [`${pod}/exec?command=a`, `${pod}/attach`, `${pod}/portforward`, `${pod}/proxy/`]) {
        for (const method of ['GET', 'POST']) found.push((await hub.as(user).send(method, path)).code)
      }
      return found
    }
    // Allowed, a plain request for a connection is a bad one, and there is no pod to proxy to.
    expect(await codes('editor')).toEqual([400, 400, 400, 400, 400, 400, 404, 404])
    expect(await codes('viewor')).toEqual([403, 403, 403, 403, 403, 403, 403, 403])
    const loads = async (user: string, path: string) => (await hub.as(user).send('GET', `/apis/metrics.k8s.io/v1beta1/${path}`)).code
    expect([await loads('viewor', 'namespaces/default/pods'), await loads('viewor', 'nodes'), await loads('joe', 'nodes')]).toEqual([200, 403, 403])
    expect((await hub.as('viewor').send('GET', '/wherry/v1/snapshot')).code).toBe(403)
  })

  test('who may patch and not create, applies to what is there alone', async () => {
    await hub.api.create(`${rbac}/clusterroles`, role('patcher', [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'patch'] }]))
    await hub.api.create(`${rbac}/namespaces/default/rolebindings`, binding('patcher', clusterRole('patcher'), [person('pat')]))
    const maps = '/api/v1/namespaces/default/configmaps'
    await hub.api.create(maps, { metadata: { name: 'there' } })
    const apply = (name: string) => {
      const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' } })
      return hub.as('pat').send<{ message: string }>('PATCH', `${maps}/${name}?fieldManager=pat`, { headers: { 'content-type': 'application/apply-patch+yaml' }, body })
    }
    expect((await apply('there')).code).toBe(200)
    expect((await apply('absent')).body).toMatchObject({ ...forbidden, message: expect.stringContaining('cannot create resource "configmaps"') })
    const { metadata } = await hub.api.get<{ metadata: { managedFields: readonly { manager: string }[] } }>(`${rbac}/clusterroles/system:discovery`)
    expect(metadata.managedFields.map((m) => m.manager)).toEqual(['wherry-bootstrap'])
  })
})

describe('what is kept of roles', () => {
  test('wrong ones are refused with the field', async () => {
    const bad = async (path: string, object: object) => (await failureOf(hub.api.create(`${rbac}/${path}`, object))).details?.causes?.map((c) => c.field)
    expect(await bad('clusterroles', role('a/b', [{ verbs: [] }]))).toEqual(['metadata.name', 'rules[0].verbs', 'rules[0].apiGroups', 'rules[0].resources'])
    expect(await bad('namespaces/default/roles', role('x', [{ verbs: ['get'], nonResourceURLs: ['/x'] }], 'default'))).toEqual(['rules[0].nonResourceURLs'])
    expect(await bad('namespaces/default/rolebindings', binding('x', { kind: 'Rule', name: '' }, [{ kind: 'Pod', name: 'p' }]))).toEqual(['roleRef.kind', 'roleRef.name', 'subjects[0].kind'])
    expect(await bad('clusterrolebindings', binding('x', clusterRole('view'), [{ kind: 'ServiceAccount', name: 'a' }], 'ClusterRoleBinding'))).toEqual(['subjects[0].namespace'])
  })

  test('the role of a binding stays', async () => {
    await hub.api.create(`${rbac}/clusterrolebindings`, binding('fixed', clusterRole('view'), [person('z')], 'ClusterRoleBinding'))
    const refusal = await failureOf(hub.api.patch(`${rbac}/clusterrolebindings/fixed`, 'merge', { roleRef: { name: 'edit' } }))
    expect(refusal).toMatchObject({ code: 422, details: { causes: [{ field: 'roleRef' }] } })
  })

  test('a start mends the default roles, and leaves those alone that are to be left alone', async () => {
    await hub.api.patch(`${rbac}/clusterroles/system:discovery`, 'merge', { rules: [] })
    await hub.api.patch(`${rbac}/clusterrolebindings/system:basic-user`, 'merge', { subjects: [] })
    const left = { rules: [], metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } } }
    await hub.api.patch(`${rbac}/clusterroles/system:monitoring`, 'merge', left)
    expect((await hub.as('jane').send('GET', '/apis')).code).toBe(403)
    await hub.restart()
    expect((await hub.as('jane').send('GET', '/apis')).code).toBe(200)
    const rules = async (name: string) => (await hub.api.get<{ rules?: unknown[] }>(`${rbac}/clusterroles/${name}`)).rules ?? []
    expect(await rules('system:monitoring')).toEqual([])
    expect((await hub.api.get<{ subjects: unknown[] }>(`${rbac}/clusterrolebindings/system:basic-user`)).subjects).toHaveLength(1)
  })

  test('service proxies follow what they program, and no more', async () => {
    const proxy = hub.as('system:kube-proxy')
    for (const path of ['/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices', '/api/v1/nodes', '/openapi/v2']) expect((await proxy.send('GET', path)).code).toBe(200)
    for (const path of ['/api/v1/secrets', '/api/v1/pods', '/wherry/v1/status']) expect((await proxy.send('GET', path)).code).toBe(403)
  })
})
