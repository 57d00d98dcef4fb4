import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Status } from '../../api/status.ts'
import { useTrials } from '../../test/kit/trial.ts'

const start = useTrials()

const configMaps = '/api/v1/namespaces/default/configmaps'
const pods = '/api/v1/namespaces/default/pods'
const configMap = (name: string, data: Readonly<Record<string, string>> = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })

describe('bad input is answered with a Status', () => {
  const cm = (fields: object) => JSON.stringify({ ...configMap('c'), ...fields })
  const json = 'application/json'
  const apply = 'application/apply-patch+yaml'
  const entry = { manager: 'a', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1' }
  const deep = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`
  const rows: readonly (readonly [string, string, string, number, (string | Buffer)?, string?])[] = [
    ['no such kind', 'GET', '/api/v1/widgets', 404],
    ['no such group', 'GET', '/apis/stable.example.com/v1/widgets', 404],
    ['no such path', 'GET', '/nothing', 404],
    ['no such object', 'GET', `${configMaps}/none`, 404],
    ['a path that is not percent-encoded', 'GET', '/api/v1/namespaces/%zz/pods', 400],
    ['a method that is not there', 'PATCH', configMaps, 405],
    ['a create without namespace', 'POST', '/api/v1/configmaps', 405, cm({})],
    ['a create on a name', 'POST', `${configMaps}/c`, 405, cm({})],
    ['an odd method', 'OPTIONS', configMaps, 405],
    ['no body', 'POST', configMaps, 400],
    ['no JSON', 'POST', configMaps, 400, '{"kind": ConfigMap}'],
    ['half of a JSON', 'POST', configMaps, 400, '{"kind":'],
    ['no object', 'POST', configMaps, 400, '[]'],
    ['null', 'POST', configMaps, 400, 'null'],
    ['a string', 'POST', configMaps, 400, '"x"'],
    ['no UTF-8', 'POST', configMaps, 400, Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ['no YAML', 'POST', configMaps, 400, 'a: [1', 'application/yaml'],
    ['twice the same YAML key', 'POST', `${configMaps}?fieldValidation=Strict`, 400, 'a: 1\na: 2', 'application/yaml'],
    ['a YAML bomb', 'POST', configMaps, 400, `a: &a [x]\n${Array.from({ length: 300 }, (_, i) => `b${i}: *a`).join('\n')}`, 'application/yaml'],
    ['depth', 'POST', configMaps, 400, deep],
    ['a prototype', 'POST', configMaps, 400, '{"metadata":{"name":"c"},"data":{"__proto__":"x"}}'],
    ['another kind', 'POST', configMaps, 400, cm({ kind: 'Secret' })],
    ['another version', 'POST', configMaps, 400, cm({ apiVersion: 'v2' })],
    ['another namespace', 'POST', configMaps, 400, cm({ metadata: { name: 'c', namespace: 'other' } })],
    ['another name', 'PUT', `${configMaps}/d`, 400, cm({})],
    ['metadata that is none', 'POST', configMaps, 400, cm({ metadata: 'c' })],
    ['a name that is none', 'POST', configMaps, 400, cm({ metadata: { name: 7 } })],
    ['a form that is not spoken', 'POST', configMaps, 415, 'x', 'application/cbor'],
    ['broken protobuf', 'POST', configMaps, 400, 'x', 'application/vnd.kubernetes.protobuf'],
    ['a patch of no known format', 'PATCH', `${configMaps}/c`, 415, '{}', json],
    ['an apply without a type', 'PATCH', `${configMaps}/c?fieldManager=a`, 400, 'a: 1', apply],
    ['an apply by nobody', 'PATCH', `${configMaps}/c`, 422, cm({}), apply],
    ['an apply of no object', 'PATCH', `${configMaps}/c?fieldManager=a`, 400, '- 1', apply],
    ['an apply in CBOR', 'PATCH', `${configMaps}/c?fieldManager=a`, 415, 'x', 'application/apply-patch+cbor'],
    ['an apply of unknown fields', 'PATCH', `${configMaps}/c?fieldManager=a`, 400, cm({ zz: 1 }), apply],
    ['an apply of managers', 'PATCH', `${configMaps}/c?fieldManager=a`, 400, cm({ metadata: { name: 'c', managedFields: [] } }), apply],
    ['an apply of a list with doubles', 'PATCH', `${configMaps}/c?fieldManager=a`, 400, cm({ metadata: { finalizers: ['a/b', 'a/b'] } }), apply],
    ['an apply of a version of nothing', 'PATCH', `${configMaps}/c?fieldManager=a`, 404, cm({ metadata: { resourceVersion: '7' } }), apply],
    ['an apply of a uid of nothing', 'PATCH', `${configMaps}/c?fieldManager=a`, 409, cm({ metadata: { uid: 'u' } }), apply],
    ['an apply of wrong types', 'PATCH', `${configMaps}/c?fieldManager=a`, 422, cm({ data: { a: 1 } }), apply],
    ['force without apply', 'PATCH', `${configMaps}/c?force=true`, 422, '{}', 'application/merge-patch+json'],
    ['a manager with a long name', 'POST', `${configMaps}?fieldManager=${'a'.repeat(129)}`, 422, cm({})],
    ['a manager with an odd name', 'POST', `${configMaps}?fieldManager=a%0Ab`, 422, cm({})],
    ['managers of no operation', 'POST', configMaps, 422, cm({ metadata: { name: 'c', managedFields: [{ manager: 'a', operation: 'Do', fieldsType: 'FieldsV1' }] } })],
    ['managers of odd fields', 'POST', configMaps, 422, cm({ metadata: { name: 'c', managedFields: [{ ...entry, fieldsV1: { data: {} } }] } })],
    ['a patch of nothing', 'PATCH', `${configMaps}/none`, 404, '{}', 'application/merge-patch+json'],
    ['an update of nothing', 'PUT', `${configMaps}/c`, 404, cm({})],
    ['a bad dryRun', 'POST', `${configMaps}?dryRun=Some`, 422, cm({})],
    ['a bad fieldValidation', 'POST', `${configMaps}?fieldValidation=Maybe`, 422, cm({})],
    ['a bad label selector', 'GET', `${configMaps}?labelSelector=a%20in`, 400],
    ['a bad field selector', 'GET', `${configMaps}?fieldSelector=data`, 400],
    ['a bad limit', 'GET', `${configMaps}?limit=x`, 400],
    ['a bad continue token', 'GET', `${configMaps}?continue=x`, 400],
    ['a bad resourceVersion', 'GET', `${configMaps}?resourceVersion=x`, 422],
    ['a match without version', 'GET', `${configMaps}?resourceVersionMatch=Exact`, 422],
    ['an exact zero', 'GET', `${configMaps}?resourceVersionMatch=Exact&resourceVersion=0`, 422],
    ['initial events of a list', 'GET', `${configMaps}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=1`, 422],
    ['a version with continue', 'GET', `${configMaps}?resourceVersion=1&continue=WzEsImEiXQ`, 400],
    ['a bad watch flag', 'GET', `${configMaps}?watch=perhaps`, 400],
    ['a bad watch version', 'GET', `${configMaps}?watch=1&resourceVersion=-1`, 422],
    ['initial events without match', 'GET', `${configMaps}?watch=1&sendInitialEvents=true`, 422],
    ['a bad propagation policy', 'DELETE', `${configMaps}/c?propagationPolicy=Sideways`, 400],
    ['bad delete options', 'DELETE', `${configMaps}/c`, 400, '{"gracePeriodSeconds":"soon"}'],
    ['an unknown subresource', 'GET', `${configMaps}/c/status`, 404],
    ['a binding without target', 'POST', `${pods}/p/binding`, 400, '{}'],
  ]

  test.each(rows.map((row) => ({ name: row[0], row })))('$name', async ({ row: [, method, path, code, body, type = json] }) => {
    const { api, complaints } = await start()
    const answer = await api.send<Status>(method, path, { ...(body !== undefined && { body }), headers: { 'content-type': type } })
    expect(answer.code).toBe(code)
    // Clients look into the details without asking whether there are any.
    if (answer.code === 404) expect(answer.body).toHaveProperty('details')
    expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure', code })
    expect(answer.body.message).toBeTruthy()
    expect(complaints).toEqual([])
  })

  test('malformed JSON is told by line and column', async () => {
    const { api } = await start()
    const answer = await api.send<Status>('POST', configMaps, { body: '{\n  "kind": ConfigMap\n}' })
    expect(answer.body.message).toContain('line 2, column 11')
  })

  test('a body beyond the limit is 413, and the connection lives', async () => {
    const { api } = await start()
    const answer = await api.send<Status>('POST', configMaps, { body: JSON.stringify(configMap('c', { a: 'x'.repeat(3 * 1024 * 1024) })) })
    expect(answer.body).toMatchObject({ code: 413, reason: 'RequestEntityTooLarge' })
    expect((await api.send('GET', '/version')).code).toBe(200)
  })

  test('an answer in a form that is not spoken is 406', async () => {
    const { api } = await start()
    for (const accept of ['application/vnd.kubernetes.protobuf', 'application/cbor']) {
      expect((await api.send('GET', configMaps, { headers: { accept } })).body).toMatchObject({ code: 406, reason: 'NotAcceptable' })
    }
  })

  test('a fault of our own is 500, is logged, and the server lives on', async () => {
    const broken = await start({
      authorize: (_, wish) => {
        if (wish.resource === 'secrets') throw new TypeError('a bug')
        return { allowed: true, why: '' }
      },
    })
    expect((await broken.api.send('GET', '/api/v1/secrets')).body).toMatchObject({ code: 500, reason: 'InternalError' })
    expect(broken.complaints.join()).toContain('a bug')
    expect((await broken.api.send('GET', '/version')).code).toBe(200)
  })
})

test('nothing that a client can send is a 500', async () => {
  const { api, complaints } = await start()
  await api.create(configMaps, configMap('c'))
  const word = fc.constantFrom('', 'c', 'default', 'pods', 'namespaces', 'configmaps', 'status', 'scale', 'log', 'binding', '..', '%00', '%2f', 'é')
  const path = fc.oneof(
    fc.array(word, { maxLength: 6 }).map((words) => encodeURI(`/api/v1/${words.join('/')}`)),
    fc.constantFrom(`${configMaps}/c`, configMaps, pods, '/apis/apps/v1/namespaces/default/deployments/d/scale', '/openapi/v3', '/apis'),
  )
  const value = fc.oneof(fc.string(), fc.constantFrom('1', 'true', 'All', 'Strict', '-1', '9'.repeat(30), 'a=b', 'a in (b', 'Exact', 'NotOlderThan'))
  const parameters =
    'labelSelector fieldSelector limit continue resourceVersion resourceVersionMatch dryRun fieldValidation pretty gracePeriodSeconds ' +
    'propagationPolicy includeObject verbose tailLines container fieldManager force'
  const parameter = fc.constantFrom(...parameters.split(' '))
  const query = fc.array(fc.tuple(parameter, value), { maxLength: 3 }).map((pairs) => new URLSearchParams(pairs).toString())
  const types = 'json yaml vnd.kubernetes.protobuf json-patch+json merge-patch+json strategic-merge-patch+json apply-patch+yaml x-unknown'
  const type = fc.constantFrom(...types.split(' ').map((t) => `application/${t}`))
  const field = fc.constantFrom('metadata', 'spec', 'data', 'name', 'kind', 'apiVersion', '$patch', 'op', 'path', 'containers', 'labels', 'finalizers')
  const json = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 4 }, fc.constant(null), fc.integer(), fc.string(), fc.constantFrom('c', 'v1', 'ConfigMap', 'delete', 'add', '/data'), tie('map'), tie('list')),
    map: fc.dictionary(field, tie('any'), { maxKeys: 4 }),
    list: fc.array(tie('any'), { maxLength: 3 }),
  })).any
  const body = fc.oneof(json.map((v) => JSON.stringify(v)), fc.string(), fc.uint8Array().map((b) => Buffer.concat([Buffer.from('k8s\0'), b])))
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE')
  await fc.assert(
    fc.asyncProperty(method, path, query, fc.record({ type, body }), async (verb, target, asked, sent) => {
      const withBody = verb === 'GET' ? {} : { body: sent.body }
      const answer = await api.send<Status>(verb, `${target}?${asked}`, { ...withBody, headers: { 'content-type': sent.type } })
      if (answer.code >= 400) expect(answer.body).toMatchObject({ kind: 'Status', code: answer.code })
      expect(answer.code).not.toBe(500)
    }),
    { numRuns: 400 },
  )
  expect(complaints).toEqual([])
})
