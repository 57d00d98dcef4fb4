import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Status } from '../../api/status.ts'
import { startTrial } from '../../test/kit/trial.ts'
import type { Trial } from '../../test/kit/trial.ts'

let trial: Trial
beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.close())

const configMaps = '/api/v1/namespaces/default/configmaps'
const pods = '/api/v1/namespaces/default/pods'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const spec = { containers: [{ name: 'a', image: 'a:1' }] }
const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec }
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: { selector: { matchLabels: { a: '1' } }, template: { metadata: { labels: { a: '1' } }, spec } },
}
const types = { json: 'application/json', yaml: 'application/yaml', merge: 'application/merge-patch+json', apply: 'application/apply-patch+yaml' }
const send = (method: string, path: string, text: string, type: keyof typeof types = 'json') =>
  trial.api.send<Status>(method, path, { body: text, headers: { 'content-type': types[type] } })

test('dryRun=All on every verb: the answer is that of the verb, and the state stays', async () => {
  await trial.api.create(pods, pod)
  await trial.api.create(deployments, deployment)
  const { revision } = trial.store
  const all: readonly (readonly [string, string, number, object, (keyof typeof types)?])[] = [
    ['POST', pods, 201, { ...pod, metadata: { generateName: 'q-' } }],
    ['PUT', `${pods}/p`, 200, { ...pod, metadata: { name: 'p', labels: { a: '1' } } }],
    ['PATCH', `${pods}/p`, 200, { metadata: { labels: { a: '1' } } }, 'merge'],
    ['PATCH', `${pods}/p?fieldManager=a`, 200, { apiVersion: 'v1', kind: 'Pod', metadata: { labels: { a: '1' } } }, 'apply'],
    ['PATCH', `${pods}/new?fieldManager=a`, 201, { ...pod, metadata: {} }, 'apply'],
    ['PUT', `${pods}/p/status`, 200, { ...pod, status: { phase: 'Running' } }],
    ['PATCH', `${pods}/p/status`, 200, { status: { phase: 'Running' } }, 'merge'],
    ['POST', `${pods}/p/binding`, 201, { target: { kind: 'Node', name: 'n1' } }],
    ['POST', `${pods}/p/eviction`, 201, { metadata: { name: 'p' } }],
    ['PUT', `${deployments}/d/scale`, 200, { metadata: { name: 'd' }, spec: { replicas: 9 } }],
    ['PATCH', `${deployments}/d/scale`, 200, { spec: { replicas: 9 } }, 'merge'],
    ['DELETE', `${pods}/p`, 200, {}],
    ['DELETE', `${pods}/p`, 200, { gracePeriodSeconds: 0 }],
    ['DELETE', pods, 200, {}],
    ['PUT', '/api/v1/namespaces/default/finalize', 200, { metadata: { name: 'default' }, spec: { finalizers: [] } }],
  ]
  for (const [method, path, code, body, type] of all) {
    const answer = await send(method, `${path}${path.includes('?') ? '&' : '?'}dryRun=All`, JSON.stringify(body), type)
    expect({ method, path, code: answer.code, text: answer.text }).toMatchObject({ code })
  }
  expect(trial.store.revision).toBe(revision)
})

describe('field validation', () => {
  const twice = '{"metadata":{"name":"c","labels":{"a":"1","a":"2"}},"data":{"a":"1"},"data":{"b":"1"},"datta":1}'
  const faults = 'duplicate field "metadata.labels.a", duplicate field "data", unknown field "datta"'

  test('Strict refuses doubled and unknown fields, with their places', async () => {
    const message = `ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: ${faults}`
    expect((await send('POST', `${configMaps}?fieldValidation=Strict`, twice)).body).toMatchObject({ code: 400, reason: 'BadRequest', message })
    expect((await send('POST', `${configMaps}?fieldValidation=Strict`, 'metadata: {name: c}\ndata: {}\ndata: {}', 'yaml')).body.message).toContain(
      'key "data" already set in map',
    )
  })

  test('Warn, which is the default, tells of each in a header; the last of a doubled field counts', async () => {
    const { code, headers, body } = await send('POST', configMaps, twice)
    expect(code).toBe(201)
    expect(headers.warning).toBe(faults.split(', ').map((fault) => `299 - "${fault.replaceAll('"', String.raw`\"`)}"`).join(', '))
    expect(body).toMatchObject({ metadata: { labels: { a: '2' } }, data: { b: '1' } })
  })

  test('Ignore says nothing', async () => {
    const { code, headers } = await send('POST', `${configMaps}?fieldValidation=Ignore`, twice)
    expect([code, headers.warning]).toEqual([201, undefined])
  })

  test('is for every writing verb', async () => {
    await trial.api.create(configMaps, { metadata: { name: 'c' } })
    const all = [
      ['PUT', `${configMaps}/c?`, 'json'],
      ['PATCH', `${configMaps}/c?`, 'merge'],
      ['PATCH', `${configMaps}/c?fieldManager=a&`, 'apply'],
    ] as const
    for (const [method, path, type] of all) {
      const body = '{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1"},"data":{}}'
      expect((await send(method, `${path}fieldValidation=Strict`, body, type)).body.message).toContain('strict decoding error: duplicate field "data"')
      expect((await send(method, path, body, type)).headers.warning).toBe(String.raw`299 - "duplicate field \"data\""`)
    }
  })
})
