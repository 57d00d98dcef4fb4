import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import { kindOf } from '../../api/resources.ts'
import { StatusError } from '../../api/status.ts'
import type { StoredEntry, Writer } from './entries.ts'
import { storedEntries } from './entries.ts'
import { afterUpdate, applied } from './track.ts'

type Json = Readonly<Record<string, unknown>>

const of = kindOf('deployments.apps')
const writer = (name: string, operation: Writer['operation'] = 'Apply', subresource = ''): Writer => ({ name, operation, apiVersion: 'apps/v1', subresource })
const time = '2030-01-01T00:00:00Z'
const later = '2030-01-01T00:01:00Z'

const config = (spec: Json, metadata: Json = {}): Json => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', ...metadata }, spec })
const stored = (object: Json, entries: readonly StoredEntry[] | undefined): KubeObject => {
  const metadata = { ...(object['metadata'] as object), ...(entries && { managedFields: entries }) }
  return { ...object, metadata } as unknown as KubeObject
}
const fieldsOf = (object: KubeObject): Record<string, unknown> =>
  Object.fromEntries(storedEntries(object).map((e) => [`${e.operation} ${e.manager}`, JSON.parse(e.fieldsV1) as unknown]))

/** Applies and keeps what comes of it. */
function apply(current: KubeObject | undefined, name: string, wanted: Json, options: { force?: boolean; time?: string } = {}): KubeObject {
  const done = applied({ of, ...(current && { current }), config: wanted, writer: writer(name), force: options.force ?? false, time: options.time ?? time })
  return stored(done.object, done.entries)
}
function update(before: KubeObject, name: string, change: (spec: Json) => Json): KubeObject {
  const after = { ...before, spec: change(before.spec as Json) }
  return stored(after as unknown as Json, afterUpdate({ of, before, after: after as unknown as Json, writer: writer(name, 'Update'), time: later }))
}
const containers = (...list: readonly Json[]): Json => ({ template: { spec: { containers: list } } })
const containersOf = (object: KubeObject): unknown => (object.spec as { template: { spec: { containers: unknown } } }).template.spec.containers

describe('apply', () => {
  test('an applier has what it names and nothing else', () => {
    const object = apply(undefined, 'a', config({ replicas: 2, selector: { matchLabels: { a: '1' } } }, { labels: { x: '1' } }))
    expect(fieldsOf(object)).toEqual({ 'Apply a': { 'f:metadata': { 'f:labels': { 'f:x': {} } }, 'f:spec': { 'f:replicas': {}, 'f:selector': {} } } })
  })

  test('what it names no longer goes, unless somebody else has it', () => {
    const one = apply(undefined, 'a', config({ replicas: 2, paused: true, minReadySeconds: 5 }))
    const two = apply(one, 'b', config({ paused: true }))
    const three = apply(two, 'a', config({ replicas: 2 }))
    expect(three.spec).toEqual({ replicas: 2, paused: true })
    expect(fieldsOf(three)).toEqual({ 'Apply a': { 'f:spec': { 'f:replicas': {} } }, 'Apply b': { 'f:spec': { 'f:paused': {} } } })
  })

  test('items of tables are known by their keys; what others put into them stays', () => {
    const one = apply(undefined, 'a', config(containers({ name: 'x', image: 'x:1' }, { name: 'y', image: 'y:1' })))
    const two = update(one, 'u', () => containers({ name: 'x', image: 'x:1', imagePullPolicy: 'Always' }, { name: 'y', image: 'y:1', tty: true }, { name: 'z' }))
    const three = apply(two, 'a', config(containers({ name: 'x', image: 'x:2' })))
    expect(containersOf(three)).toEqual([{ name: 'x', image: 'x:2', imagePullPolicy: 'Always' }, { tty: true }, { name: 'z' }])
  })

  test('an item that nobody else has a part of goes with the defaults in it', () => {
    const one = apply(undefined, 'a', config(containers({ name: 'x', image: 'x:1' }, { name: 'y', image: 'y:1' })))
    const two = stored({ ...one, spec: containers({ name: 'x', image: 'x:1', tty: false }, { name: 'y', image: 'y:1', tty: false }) } as Json, storedEntries(one))
    const three = apply(two, 'a', config(containers({ name: 'x', image: 'x:1' })))
    expect(containersOf(three)).toEqual([{ name: 'x', image: 'x:1', tty: false }])
  })

  test('of an item that the applier had only a part of, the part goes', () => {
    const one = update(apply(undefined, 'u', config({})), 'u', () => containers({ name: 'x', image: 'x:1', tty: true }, { name: 'y' }))
    const item = (name: string, fields: object): object => ({ [`k:{"name":"${name}"}`]: fields })
    const inContainers = (fields: object): string => JSON.stringify({ 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': fields } } } })
    const entry = { ...storedEntries(one)[0]!, time, fieldsType: 'FieldsV1' as const }
    const entries: readonly StoredEntry[] = [
      { ...entry, manager: 'a', operation: 'Apply', fieldsV1: inContainers(item('x', { 'f:image': {} })) },
      { ...entry, manager: 'u', operation: 'Update', fieldsV1: inContainers(item('y', { '.': {}, 'f:name': {} })) },
    ]
    const two = apply(stored(one as unknown as Json, entries), 'a', config({ paused: true }))
    expect(containersOf(two)).toEqual([{ name: 'x', tty: true }, { name: 'y' }])
  })

  test('ports are known by number and protocol, with TCP where nothing is said', () => {
    const port = (fields: Json): Json => containers({ name: 'x', ports: [{ containerPort: 53, ...fields }] })
    const one = apply(undefined, 'a', config(port({ name: 'dns' })))
    const two = apply(one, 'b', config(port({ protocol: 'UDP', name: 'dns-udp' })))
    const three = apply(two, 'c', config(port({ protocol: 'TCP', hostPort: 53 })))
    expect(containersOf(three)).toEqual([
      { name: 'x', ports: [{ containerPort: 53, name: 'dns', protocol: 'TCP', hostPort: 53 }, { containerPort: 53, protocol: 'UDP', name: 'dns-udp' }] },
    ])
  })

  test('a set has members of many', () => {
    const one = apply(undefined, 'a', config({}, { finalizers: ['a/x', 'a/y'] }))
    const two = apply(one, 'b', config({}, { finalizers: ['b/z', 'a/y'] }))
    expect(two.metadata.finalizers).toEqual(['a/x', 'b/z', 'a/y'])
    expect(apply(two, 'a', config({})).metadata.finalizers).toEqual(['b/z', 'a/y'])
  })

  test('an atomic list is one field', () => {
    const one = apply(undefined, 'a', config(containers({ name: 'x', args: ['1', '2'] })))
    expect(() => apply(one, 'b', config(containers({ name: 'x', args: ['1'] })))).toThrow('.spec.template.spec.containers[name="x"].args')
  })

  test('to apply the same again changes nothing, not even the time', () => {
    const one = apply(undefined, 'a', config({ replicas: 2 }))
    expect(apply(one, 'a', config({ replicas: 2 }), { time: later })).toEqual(one)
  })

  test('the order is that of the configuration, around what others put between', () => {
    const one = apply(undefined, 'a', config(containers({ name: 'x' }, { name: 'y' })))
    const two = update(one, 'u', () => containers({ name: 'x' }, { name: 'u' }, { name: 'y' }))
    expect(containersOf(apply(two, 'a', config(containers({ name: 'n' }, { name: 'y' }, { name: 'x' }))))).toEqual([
      { name: 'n' },
      { name: 'y' },
      { name: 'x' },
      { name: 'u' },
    ])
  })
})

describe('conflicts', () => {
  const conflictOf = (run: () => unknown): StatusError['status'] => {
    try {
      run()
    } catch (e) {
      if (e instanceof StatusError) return e.status
      throw e
    }
    throw new TypeError('nothing was refused')
  }
  const object = update(apply(undefined, 'a', config({ replicas: 2, paused: true })), 'u', (spec) => ({ ...spec, replicas: 3 }))

  test('one is told in one line, with its cause', () => {
    const message = 'conflict with "u" using apps/v1'
    expect(conflictOf(() => apply(object, 'a', config({ replicas: 2, paused: true })))).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: `Apply failed with 1 conflict: ${message}: .spec.replicas`,
      details: { causes: [{ reason: 'FieldManagerConflict', field: '.spec.replicas', message }] },
    })
  })

  test('several are told by manager', () => {
    const { message } = conflictOf(() => apply(object, 'b', config({ replicas: 1, paused: false })))
    expect(message).toBe('Apply failed with 2 conflicts: conflicts with "a":\n- .spec.paused\nconflicts with "u" using apps/v1:\n- .spec.replicas')
  })

  test('the same value is no conflict, and then has two managers', () => {
    expect(fieldsOf(apply(object, 'b', config({ replicas: 3 })))).toMatchObject({
      'Apply b': { 'f:spec': { 'f:replicas': {} } },
      'Update u': { 'f:spec': { 'f:replicas': {} } },
    })
  })

  test('force takes the fields', () => {
    const forced = apply(object, 'b', config({ replicas: 1 }), { force: true })
    expect(fieldsOf(forced)).toEqual({ 'Apply a': { 'f:spec': { 'f:paused': {} } }, 'Apply b': { 'f:spec': { 'f:replicas': {} } } })
    expect(forced.spec).toEqual({ replicas: 1, paused: true })
  })
})

describe('update', () => {
  const start = apply(undefined, 'a', config({ replicas: 2, paused: true }))

  test('takes what it changes, and forgets what it removes', () => {
    const next = update(start, 'u', () => ({ replicas: 3, minReadySeconds: 1 }))
    expect(fieldsOf(next)).toEqual({ 'Update u': { 'f:spec': { 'f:minReadySeconds': {}, 'f:replicas': {} } } })
  })

  test('one that only removes takes nothing, so that its time stays', () => {
    const first = update(start, 'u', (spec) => ({ ...spec, replicas: 3, minReadySeconds: 1 }))
    const after = { ...first, spec: { paused: true, replicas: 3 } } as unknown as Json
    const entries = afterUpdate({ of, before: first, after, writer: writer('u', 'Update'), time: '2031-01-01T00:00:00Z' })
    expect(entries?.find((e) => e.manager === 'u')).toMatchObject({ time: later, fieldsV1: '{"f:spec":{"f:replicas":{}}}' })
  })

  test('one that changes nothing leaves the entries as they are', () => {
    expect(update(start, 'u', (spec) => ({ ...spec })).metadata.managedFields).toBe(start.metadata.managedFields)
  })

  test('a subresource is another door of the same manager', () => {
    const after = { ...start, status: { replicas: 1 } } as unknown as Json
    const entries = afterUpdate({ of, before: start, after, writer: writer('u', 'Update', 'status'), time })
    expect(entries?.find((e) => e.manager === 'u')).toMatchObject({ subresource: 'status', fieldsV1: '{"f:status":{"f:replicas":{}}}' })
  })

  test('an object without entries gets none, until it is applied', () => {
    const old = stored(config({ replicas: 1 }), undefined)
    const next = update(old, 'u', () => ({ replicas: 2 }))
    expect(next.metadata.managedFields).toBeUndefined()
    expect(fieldsOf(apply(next, 'a', config({ paused: true })))).toEqual({
      'Apply a': { 'f:spec': { 'f:paused': {} } },
      'Update before-first-apply': { 'f:spec': { 'f:replicas': {} } },
    })
  })

  test('updates of more than ten managers are kept together', () => {
    let object = stored(config({}), afterUpdate({ of, after: config({ minReadySeconds: 0 }), writer: writer('u0', 'Update'), time }))
    for (let i = 1; i <= 15; i++) {
      const after = { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, [`l${i}`]: '1' } } }
      const at = `2030-01-01T00:00:${String(i).padStart(2, '0')}Z`
      object = stored(after as unknown as Json, afterUpdate({ of, before: object, after: after as unknown as Json, writer: writer(`u${i}`, 'Update'), time: at }))
    }
    const names = storedEntries(object).map((e) => e.manager)
    expect(names).toHaveLength(10)
    expect(names[0]).toBe('ancient-changes')
    expect(names.at(-1)).toBe('u15')
  })
})

test('kubectl takes without force what its client-side apply had written', () => {
  const text = JSON.stringify(config({ replicas: 2 }))
  const annotated = config({ replicas: 2 }, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': text } })
  const object = stored(annotated, afterUpdate({ of, after: annotated, writer: writer('kubectl-client-side-apply', 'Update'), time }))
  const next = apply(object, 'kubectl', config({ replicas: 5 }))
  expect(next.spec).toEqual({ replicas: 5 })
  expect(JSON.parse(next.metadata.annotations!['kubectl.kubernetes.io/last-applied-configuration']!)).toEqual(config({ replicas: 5 }))
  expect(() => apply(object, 'other', config({ replicas: 5 }))).toThrow('kubectl-client-side-apply')
})
