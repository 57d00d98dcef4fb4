/**
 * Whatever is sent to the hub's HTTP face, the answer is a good one or a Status that blames the sender, and the hub lives on.
 * Every decoder is behind it: JSON, YAML, protobuf, the three patches, selectors, and all other parts of a query.
 */
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { stringify } from 'yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reviewKinds, servedKinds } from '../../api/resources.ts'
import type { Status } from '../../api/status.ts'
import { cronTab, customResourceDefinition } from '../kit/custom.ts'
import * as kit from '../kit/objects.ts'
import { startTrial, type Trial } from '../kit/trial.ts'
import { fuzz, limitMs, nearly } from './kit.ts'

let trial: Trial
beforeAll(async () => {
  trial = await startTrial()
  await trial.api.create('/api/v1/namespaces/default/configmaps', kit.configMap({ metadata: { name: 'kept' } }))
  await trial.api.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', customResourceDefinition())
})
afterAll(() => trial.close())

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
}

async function answered({ method, path, headers = {}, body }: Asked): Promise<void> {
  const before = trial.complaints.length
  const answer = await trial.api.send<Status>(method, path, { headers, ...(body !== undefined && { body }) })
  expect(trial.complaints.slice(before)).toEqual([])
  if (answer.code < 400) return
  expect(answer.code).toBeLessThan(500)
  if (method === 'HEAD') return
  expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure', code: answer.code, reason: expect.stringMatching(/^[A-Z]/), message: expect.stringMatching(/./) })
  if (answer.code !== 422) return
  expect(answer.body.details?.causes?.length).toBeGreaterThan(0)
  for (const cause of answer.body.details!.causes!) expect(cause).toMatchObject({ field: expect.stringMatching(/./), reason: expect.stringMatching(/^[A-Z]/) })
}

const drafts = [
  kit.pod(), kit.service(), kit.configMap(), kit.secret(), kit.deployment(), kit.node(), kit.endpointSlice(), kit.event(), kit.lease(),
  customResourceDefinition(), cronTab(), kit.role(), kit.roleBinding(), kit.clusterRole(), kit.certificateSigningRequest(), kit.namespace(),
] as readonly { readonly kind?: unknown; readonly apiVersion?: unknown }[]
const kinds = [...servedKinds, ...reviewKinds]
const rootOf = (k: { readonly group: string; readonly version: string }): string => (k.group === '' ? `/api/${k.version}` : `/apis/${k.group}/${k.version}`)
const collections = [...kinds.map((k) => `${rootOf(k)}${k.namespaced ? '/namespaces/default' : ''}/${k.plural}`), '/apis/stable.example.com/v1/namespaces/default/crontabs']
const dry = 'dryRun=All'
const odd = fc.oneof(fc.string({ maxLength: 12, unit: 'grapheme' }), fc.string({ maxLength: 12, unit: 'binary' }), fc.constantFrom('\u0000', '../..', '__proto__', 'constructor', '\u{1F600}', 'İ', 'a'.repeat(300), '%'))

describe('bodies', () => {
  const json = drafts.map((d) => JSON.stringify(d))
  const post = (type: string, samples: readonly (string | Buffer)[]) =>
    fuzz(fc.tuple(fc.constantFrom(...collections), nearly(samples)), ([path, body]) => answered({ method: 'POST', path: `${path}?${dry}`, headers: { 'content-type': type }, body }))

  test('JSON', () => post('application/json', [...json, '{"spec":{"token":"a.b.c"}}', '{"spec":{"resourceAttributes":{"verb":"get"},"user":"x","extra":{"a":["b"]}}}']), limitMs)
  test('YAML', () => post('application/yaml', [...drafts.map((d) => stringify(d)), 'a: &a [*a]', '? {a: b}\n: !!set {x}', '- &x\n  <<: *x', '%YAML 1.2\n---\n"\\u0000": .inf']), limitMs)
  test('protobuf', () => post('application/vnd.kubernetes.protobuf', drafts.slice(0, 4).map(protobufOf)), limitMs)
  test('JSON of any shape', () =>
    fuzz(fc.tuple(fc.constantFrom(...collections), fc.json()), ([path, body]) => answered({ method: 'POST', path: `${path}?${dry}`, body })), limitMs)
})

/** An object with its name alone: what the envelope and the metadata are made of. */
function protobufOf(draft: { readonly kind?: unknown; readonly apiVersion?: unknown }): Buffer {
  const writer = protobuf.Writer.create()
  writer.uint32(10).fork().uint32(10).string(String(draft.apiVersion)).uint32(18).string(String(draft.kind)).ldelim()
  writer.uint32(18).fork().uint32(10).fork().uint32(10).string('a').uint32(90).fork().uint32(10).string('k').uint32(18).string('v').ldelim().ldelim().ldelim()
  return Buffer.concat([Buffer.from('k8s\0'), writer.finish()])
}

describe('patches', () => {
  const path = `/api/v1/namespaces/default/configmaps/kept?${dry}`
  const patch = (type: string, body: fc.Arbitrary<unknown>) =>
    fuzz(body, (value) => answered({ method: 'PATCH', path, headers: { 'content-type': type }, body: JSON.stringify(value) ?? 'null' }))
  const pointer = fc.oneof(fc.constantFrom('', '/', '/data', '/data/a', '/data/-', '/metadata/labels', '/metadata/name', '/data/~', '/data/~2', '/__proto__/x', '/constructor/prototype'), odd.map((o) => `/${o}`))
  const operation = fc.record(
    { op: fc.oneof(fc.constantFrom<unknown>('add', 'remove', 'replace', 'move', 'copy', 'test', 'fly'), fc.jsonValue({ maxDepth: 1 })), path: fc.oneof<fc.Arbitrary<unknown>[]>(pointer, fc.jsonValue({ maxDepth: 1 })), from: pointer, value: fc.jsonValue() },
    { requiredKeys: [] },
  )
  const part = fc.dictionary(fc.constantFrom('data', 'metadata', 'labels', 'a', '$patch', '$retainKeys', '$setElementOrder/data', '$deleteFromPrimitiveList/finalizers', 'finalizers', 'ownerReferences', '__proto__'), fc.oneof<fc.Arbitrary<unknown>[]>(fc.constantFrom<unknown>('replace', 'delete', 'merge', null), fc.jsonValue()), { maxKeys: 4 })

  test('JSON patch', () => patch('application/json-patch+json', fc.oneof<fc.Arbitrary<unknown>[]>(fc.array(operation, { maxLength: 4 }), fc.jsonValue())), limitMs)
  test('merge patch', () => patch('application/merge-patch+json', fc.oneof<fc.Arbitrary<unknown>[]>(part, fc.record({ metadata: part, data: part }), fc.jsonValue())), limitMs)
  test('strategic merge patch', () => patch('application/strategic-merge-patch+json', fc.oneof<fc.Arbitrary<unknown>[]>(part, fc.record({ metadata: part, data: part }), fc.jsonValue())), limitMs)
})

describe('the rest of a request', () => {
  const term = fc.oneof(odd, fc.constantFrom('app=web', 'app in (a,b)', '!app', 'a notin ()', 'metadata.name=x', 'spec.nodeName!=y', 'a=b=c', ',', '()', 'a in', 'status.phase=\\,'))
  const value = fc.oneof(term, fc.tuple(term, term).map((t) => t.join(',')), fc.constantFrom('0', '1', '-1', '1.5', '1e3', '9'.repeat(30), 'true', 'All', 'Strict', 'Exact', 'NotOlderThan', Buffer.from('[1,"a/b"]').toString('base64url')))
  const names = ['labelSelector', 'fieldSelector', 'limit', 'continue', 'resourceVersionMatch', 'includeObject', 'pretty', 'dryRun', 'fieldValidation', 'propagationPolicy', 'gracePeriodSeconds', 'timeoutSeconds', 'container', 'tailLines', 'sinceTime']
  const query = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 3 }).map((pairs) => pairs.map(([k, v]) => `${k}=${encodeURIComponent(v.toWellFormed())}`).join('&'))
  // Versions that are not there yet are waited for, which costs time and finds nothing.
  const version = fc.constantFrom('', '&resourceVersion=0', '&resourceVersion=1', '&resourceVersion=x', '&resourceVersion=-1', '&watch=maybe')

  test('queries and selectors', () =>
    fuzz(fc.tuple(fc.constantFrom('GET', 'HEAD'), fc.constantFrom(...collections), query, version), ([method, path, q, v]) => answered({ method, path: `${path}?${q}${v}` })), limitMs)

  const segment = fc.oneof(odd.map((o) => encodeURIComponent(o.toWellFormed())), fc.constantFrom('api', 'apis', 'v1', 'namespaces', 'default', 'pods', 'status', 'log', 'openapi', 'v3', 'wherry', 'nodes', 'rules', '%zz', '%', '%2f', '..', '', 'rbac.authorization.k8s.io'))
  test('paths and methods', () =>
    fuzz(fc.tuple(fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'), fc.array(segment, { maxLength: 6 })), ([method, parts]) => answered({ method, path: `/${parts.join('/').replace(/^\/+/, '')}?${dry}` })), limitMs)

  const header = fc.oneof(fc.string({ maxLength: 40 }).map((s) => s.replaceAll(/[^\x20-\x7e]/g, '')), fc.constantFrom('application/json;as=Table;g=meta.k8s.io;v=v1', '*/*;q=x', ';;;,,,', 'application/yaml', 'text/html', 'application/json;as=Table;v=v9', 'gzip', 'Bearer a.b.c', '__proto__'))
  test('headers', () =>
    fuzz(fc.tuple(fc.constantFrom('accept', 'content-type', 'content-encoding', 'authorization', 'impersonate-user', 'impersonate-extra-%zz'), header, fc.constantFrom('GET', 'POST')), ([name, text, method]) =>
      answered({ method, path: `/api/v1/namespaces/default/configmaps?${dry}`, headers: { [name]: text }, ...(method === 'POST' && { body: '{}' }) })), limitMs)
})
