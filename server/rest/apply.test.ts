import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import type { Status } from '../../api/status.ts'
import type { Answer } from '../../test/kit/api.ts'
import { startTrial } from '../../test/kit/trial.ts'
import type { Trial } from '../../test/kit/trial.ts'

let trial: Trial
beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.close())

const pods = '/api/v1/namespaces/default/pods'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const services = '/api/v1/namespaces/default/services'
const configMaps = '/api/v1/namespaces/default/configmaps'

interface Entry {
  readonly manager: string
  readonly operation: string
  readonly subresource?: string
  readonly time: string
  readonly fieldsV1: unknown
}
type Managed = KubeObject & { readonly metadata: { readonly managedFields?: readonly Entry[] } }

function apply(path: string, config: unknown, query = 'fieldManager=a'): Promise<Answer<Managed & Status>> {
  const body = typeof config === 'string' ? config : JSON.stringify(config)
  return trial.api.send('PATCH', `${path}?${query}`, { body, headers: { 'content-type': 'application/apply-patch+yaml' } })
}
const managers = (object: Managed): readonly string[] =>
  (object.metadata.managedFields ?? []).map((e) => [e.operation, e.manager, ...(e.subresource ? [e.subresource] : [])].join(' '))
const fieldsOf = (object: Managed, manager: string): unknown => object.metadata.managedFields?.find((e) => e.manager === manager)?.fieldsV1

const deployment = (spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'a:1' }] } },
    ...spec,
  },
})

describe('server-side apply', () => {
  test('creates, leaves and changes; YAML is as good as JSON', async () => {
    const created = await apply(`${configMaps}/c`, 'apiVersion: v1\nkind: ConfigMap\ndata: {a: "1"}')
    expect(created.code).toBe(201)
    expect(created.body).toMatchObject({ metadata: { name: 'c', namespace: 'default' }, data: { a: '1' } })
    expect(fieldsOf(created.body, 'a')).toEqual({ 'f:data': { 'f:a': {} } })
    await trial.clock.advance(5_000)
    const again = await apply(`${configMaps}/c`, { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } })
    expect(again).toMatchObject({ code: 200, body: created.body })
    const changed = await apply(`${configMaps}/c`, { apiVersion: 'v1', kind: 'ConfigMap', data: { b: '2' } })
    expect(changed.body).toMatchObject({ data: { b: '2' } })
    expect(changed.body).not.toHaveProperty('data.a')
    expect(changed.body.metadata.managedFields![0]!.time > created.body.metadata.managedFields![0]!.time).toBe(true)
  })

  test('defaults belong to nobody, and stay while others do', async () => {
    const { body } = await apply(`${deployments}/web`, deployment({ replicas: 2 }))
    expect(body.spec).toMatchObject({ replicas: 2, strategy: { type: 'RollingUpdate' } })
    expect(JSON.stringify(fieldsOf(body, 'a'))).not.toContain('strategy')
    const without = await apply(`${deployments}/web`, deployment())
    expect(without.body.spec).toMatchObject({ replicas: 1, strategy: { type: 'RollingUpdate' } })
  })

  test('a conflict names fields and managers; force and the same value are the ways on', async () => {
    await apply(`${deployments}/web`, deployment({ replicas: 2 }))
    await trial.api.send('PATCH', `${deployments}/web/scale?fieldManager=scaler`, {
      body: { spec: { replicas: 5 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    })
    const refused = await apply(`${deployments}/web`, deployment({ replicas: 2 }))
    const message = 'conflict with "scaler" with subresource "scale" using apps/v1'
    expect(refused).toMatchObject({
      code: 409,
      body: { reason: 'Conflict', details: { causes: [{ reason: 'FieldManagerConflict', field: '.spec.replicas', message }] } },
    })
    expect((await apply(`${deployments}/web`, deployment({ replicas: 5 }))).code).toBe(200)
    const forced = await apply(`${deployments}/web`, deployment({ replicas: 2 }), 'fieldManager=a&force=true')
    expect(forced.body.spec).toMatchObject({ replicas: 2 })
    expect(managers(forced.body)).toEqual(['Apply a'])
  })

  test('a service gets its address, and its ports are known by number and protocol', async () => {
    const service = (ports: readonly object[]) => ({ apiVersion: 'v1', kind: 'Service', spec: { selector: { app: 'web' }, ports } })
    const one = await apply(`${services}/dns`, service([{ name: 'dns', port: 53 }]))
    expect(one.body.spec).toMatchObject({ clusterIP: expect.stringMatching(/^10\./) as string })
    await apply(`${services}/dns`, service([{ name: 'dns-udp', port: 53, protocol: 'UDP' }]), 'fieldManager=b')
    const three = await apply(`${services}/dns`, service([{ name: 'dns', port: 53, targetPort: 5353 }]))
    expect(three.body.spec).toMatchObject({
      ports: [
        { name: 'dns', port: 53, targetPort: 5353, protocol: 'TCP' },
        { name: 'dns-udp', port: 53, protocol: 'UDP' },
      ],
    })
  })

  test('the status is applied through its own door', async () => {
    await apply(`${deployments}/web`, { ...deployment(), status: { replicas: 7 } })
    const { body } = await apply(`${deployments}/web/status`, { ...deployment({ paused: true }), status: { replicas: 1 } }, 'fieldManager=s')
    expect(body.status).toEqual({ replicas: 1 })
    expect(body.spec).not.toHaveProperty('paused')
    expect(managers(body)).toEqual(['Apply a', 'Apply s status'])
    expect(fieldsOf(body, 's')).toEqual({ 'f:status': { 'f:replicas': {} } })
    expect(JSON.stringify(fieldsOf(body, 'a'))).not.toContain('status')
  })

  test('a dry run does all but the write', async () => {
    expect((await apply(`${configMaps}/c`, { apiVersion: 'v1', kind: 'ConfigMap' }, 'fieldManager=a&dryRun=All')).code).toBe(201)
    expect((await trial.api.send('GET', `${configMaps}/c`)).code).toBe(404)
  })

  test('many appliers at once, each with its own field: all are there', async () => {
    const fields = Array.from({ length: 8 }, (_, i) => `f${i}`)
    const one = (field: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', data: { [field]: '1' } })
    const answers = await Promise.all(fields.map((field) => apply(`${configMaps}/c`, one(field), `fieldManager=${field}`)))
    expect(answers.filter((a) => a.code === 201)).toHaveLength(1)
    const object = await trial.api.get<Managed & { data: object }>(`${configMaps}/c`)
    expect(Object.keys(object.data).toSorted()).toEqual(fields)
    expect(managers(object).toSorted()).toEqual(fields.map((field) => `Apply ${field}`))
  })
})

describe('the managers of fields', () => {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', labels: { a: '1' } }, spec: { containers: [{ name: 'a', image: 'a:1' }] } }

  test('who creates has the defaults too, who changes what changes, each through its door', async () => {
    const created = await trial.api.send<Managed>('POST', `${pods}?fieldManager=maker`, { body: pod })
    expect(managers(created.body)).toEqual(['Update maker'])
    expect(fieldsOf(created.body, 'maker')).toMatchObject({
      'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
      'f:spec': { 'f:containers': { 'k:{"name":"a"}': { '.': {}, 'f:image': {} } }, 'f:restartPolicy': {} },
    })
    await trial.api.create(`${pods}/p/binding?fieldManager=binder`, { target: { kind: 'Node', name: 'n1' } })
    await trial.api.send('PATCH', `${pods}/p/status?fieldManager=keeper`, {
      body: { status: { podIPs: [{ ip: '10.0.0.1' }] } },
      headers: { 'content-type': 'application/merge-patch+json' },
    })
    await trial.api.send('PUT', `${pods}/p`, {
      body: { ...created.body, metadata: { name: 'p', labels: { b: '1' } }, spec: { ...(created.body.spec as object), nodeName: 'n1' } },
      headers: { 'user-agent': 'editor/1.0 (linux)' },
    })
    const now = await trial.api.get<Managed>(`${pods}/p`)
    expect(managers(now).toSorted()).toEqual(['Update binder binding', 'Update editor', 'Update keeper status', 'Update maker'])
    expect(fieldsOf(now, 'editor')).toEqual({ 'f:metadata': { 'f:labels': { 'f:b': {} } } })
    expect(fieldsOf(now, 'keeper')).toEqual({ 'f:status': { 'f:podIPs': { '.': {}, 'k:{"ip":"10.0.0.1"}': { '.': {}, 'f:ip': {} } } } })
    expect(JSON.stringify(fieldsOf(now, 'maker'))).not.toContain('f:a"')
  })

  test('are the same in get, list, watch and metadata alone, and not in tables', async () => {
    const watch = await trial.api.watch<Managed>(pods)
    const created = await trial.api.create<Managed>(pods, { ...pod, metadata: { name: 'p', annotations: { q: '"managedFields":[]' } } })
    const entries = created.metadata.managedFields
    expect(entries).toMatchObject([{ fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': {} } }])
    expect(await trial.api.get(`${pods}/p`)).toEqual(created)
    const { value } = await watch.next()
    expect(value).toEqual({ type: 'ADDED', object: created })
    await watch.return(undefined)
    expect(await trial.api.list(pods)).toEqual([{ ...created }])
    const as = async (kind: string, path: string) =>
      (await trial.api.send<Record<string, unknown>>('GET', path, { headers: { accept: `application/json;as=${kind};g=meta.k8s.io;v=v1` } })).body
    expect(await as('PartialObjectMetadata', `${pods}/p`)).toMatchObject({ metadata: created.metadata })
    expect(await as('PartialObjectMetadataList', pods)).toMatchObject({ items: [{ metadata: created.metadata }] })
    expect(JSON.stringify(await as('Table', pods))).not.toContain('"fieldsV1"')
    expect(JSON.stringify(await as('Table', `${pods}?includeObject=Object`))).toContain('"fieldsV1":{"f:')
    const yaml = await trial.api.send('GET', `${pods}/p`, { headers: { accept: 'application/yaml' } })
    expect(yaml.text).toContain('f:spec:')
    expect(JSON.parse((await trial.api.send('GET', `${pods}/p?pretty=1`)).text)).toEqual(created)
  })

  test('an update without them keeps them; an empty one takes them all away', async () => {
    const { metadata, ...rest } = await trial.api.create<Managed>(configMaps, { kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: '1' } })
    const { managedFields: _, ...bare } = metadata
    expect((await trial.api.update<Managed>(`${configMaps}/c`, { ...rest, metadata: bare })).metadata.managedFields).toEqual(metadata.managedFields)
    const reset = await trial.api.patch<Managed>(`${configMaps}/c`, 'merge', { metadata: { managedFields: [{}] } })
    expect(reset.metadata).not.toHaveProperty('managedFields')
  })

  test('a client may rename them, as kubectl does when it moves to server-side apply', async () => {
    const created = await trial.api.create<Managed>(`${configMaps}?fieldManager=old`, { kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: '1' } })
    const renamed = created.metadata.managedFields!.map((e) => ({ ...e, manager: 'a', operation: 'Apply' }))
    const patch = [
      { op: 'replace', path: '/metadata/managedFields', value: renamed },
      { op: 'replace', path: '/metadata/resourceVersion', value: created.metadata.resourceVersion },
    ]
    const moved = await trial.api.patch<Managed>(`${configMaps}/c`, 'json', patch)
    expect(moved.metadata.managedFields).toEqual(renamed)
    expect((await apply(`${configMaps}/c`, { apiVersion: 'v1', kind: 'ConfigMap' })).body).not.toHaveProperty('data')
  })

  test('a write that changes nothing makes no revision', async () => {
    const created = await trial.api.create(configMaps, { kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: '1' } })
    await trial.clock.advance(60_000)
    expect(await trial.api.update(`${configMaps}/c?fieldManager=other`, created)).toEqual(created)
    expect(await trial.api.patch(`${configMaps}/c?fieldManager=other`, 'merge', { data: { a: '1' } })).toEqual(created)
  })
})

describe('a Scale that is applied', () => {
  const scale = (replicas?: unknown, more: object = {}) => ({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'web' }, spec: { replicas }, ...more })
  const at = `${deployments}/web/scale`
  const web = () => trial.api.get<Managed>(`${deployments}/web`)
  const replicas = async (): Promise<unknown> => (await web())['spec' as keyof Managed]
  beforeEach(async () => {
    await apply(`${deployments}/web`, deployment())
  })

  test('sets the replicas, has them for its own, and gives them up', async () => {
    const { code, body } = await apply(at, scale(3), 'fieldManager=scaler')
    expect([code, body.kind]).toEqual([200, 'Scale'])
    expect(await replicas()).toMatchObject({ replicas: 3 })
    expect(managers(await web())).toEqual(['Apply a', 'Apply scaler scale'])
    expect(fieldsOf(await web(), 'scaler')).toEqual({ 'f:spec': { 'f:replicas': {} } })
    const again = await apply(at, scale(3), 'fieldManager=scaler')
    expect(again.body.metadata.resourceVersion).toBe(body.metadata.resourceVersion)
    await apply(at, scale(), 'fieldManager=scaler')
    expect(managers(await web())).toEqual(['Apply a'])
    expect(await replicas()).toMatchObject({ replicas: 1 })
  })

  test('asks for force where somebody else has them, and takes nothing else', async () => {
    await apply(at, scale(3), 'fieldManager=scaler')
    const refused = await apply(at, scale(4), 'fieldManager=other')
    expect(refused.body).toMatchObject({ code: 409, message: expect.stringContaining('conflict with "scaler" with subresource "scale"') })
    expect((await apply(at, scale(4), 'fieldManager=other&force=true&dryRun=All')).code).toBe(200)
    expect(await replicas()).toMatchObject({ replicas: 3 })
    await apply(at, scale(4), 'fieldManager=other&force=true')
    expect(managers(await web())).toEqual(['Apply a', 'Apply other scale'])
    expect(await replicas()).toMatchObject({ replicas: 4, template: { spec: { containers: [{ name: 'a' }] } } })
  })

  test.each([
    ['without a manager', scale(1), '', 422, 'fieldManager'],
    ['without a kind', scale(1, { kind: undefined }), 'fieldManager=s', 400, 'must have kind'],
    ['of another kind', scale(1, { kind: 'Deployment' }), 'fieldManager=s', 400, 'expected kind (Scale)'],
    ['of another version', scale(1, { apiVersion: 'apps/v1' }), 'fieldManager=s', 400, '(autoscaling/v1)'],
    ['of less than none', scale(-1), 'fieldManager=s', 422, 'spec.replicas'],
    ['of another object', scale(1, { metadata: { name: 'else' } }), 'fieldManager=s', 400, 'the name of the object (else)'],
    ['of another namespace', scale(1, { metadata: { name: 'web', namespace: 'else' } }), 'fieldManager=s', 400, 'the namespace of the provided object'],
  ])('is refused %s', async (_what, config, query, code, words) => {
    expect((await apply(at, config, query)).body).toMatchObject({ code, message: expect.stringContaining(words) })
  })

  test('makes nothing that is not there', async () => {
    expect((await apply(`${deployments}/none/scale`, scale(1, { metadata: { name: 'none' } }), 'fieldManager=s')).code).toBe(404)
  })
})
