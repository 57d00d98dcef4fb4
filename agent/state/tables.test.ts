import { describe, expect, test } from 'vitest'
import type { AgentResource, StreamFrame } from '../../api/frames.ts'
import type { KubeObject } from '../../api/objects.ts'
import { createTables } from './tables.ts'

const service = (name: string, revision: number, uid = name): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', uid, resourceVersion: String(revision), creationTimestamp: '2026-01-01T00:00:00Z' },
})
const set = (name: string, revision: number, uid?: string): StreamFrame => ({
  kind: 'set',
  resource: 'services',
  revision,
  object: service(name, revision, uid),
})
const del = (name: string, revision: number, resource: AgentResource = 'services'): StreamFrame => ({ kind: 'delete', resource, revision, key: `default/${name}` })
const sync = (revision: number): StreamFrame => ({ kind: 'sync', revision })
const reset: StreamFrame = { kind: 'reset' }

function play(frames: readonly StreamFrame[]) {
  const tables = createTables()
  const batches = frames.flatMap((f) => tables.take(f) ?? [])
  return { tables, batches, names: () => [...tables.all('services').keys()] }
}
const told = (batch: { changes: readonly { key: string; before: unknown; after: unknown }[] }) =>
  batch.changes.map((c) => `${c.before ? (c.after ? 'changed' : 'gone') : 'new'} ${c.key}`)

const slice = (revision: number, addresses: readonly string[]): StreamFrame => ({
  kind: 'set',
  resource: 'endpointslices.discovery.k8s.io',
  revision,
  object: {
    ...service('web-1', revision),
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: false } })),
    ports: [{ port: 80 }],
  } as KubeObject,
})
const endpoints = (revision: number, from: number, edits: Extract<StreamFrame, { kind: 'endpoints' }>['edits'], trigger?: string): StreamFrame => ({
  kind: 'endpoints',
  revision,
  key: 'default/web-1',
  from,
  edits,
  ...(trigger !== undefined && { trigger }),
})

describe('edits of endpoints', () => {
  test('make of what is held what a whole slice would have made', () => {
    const come = [{ addresses: ['10.0.0.9', '10.0.0.10'], conditions: { ready: false } }, { addresses: ['10.0.0.8'], conditions: { ready: false } }]
    const edits = [{ at: 0, gone: 1, come }, { at: 2, gone: 1, come: [] }, { at: 4, gone: 0, come: [{ addresses: ['10.0.0.7'], conditions: { ready: false } }] }]
    const { tables, batches } = play([reset, slice(3, ['a', 'b', 'c', 'd']), sync(3), endpoints(4, 3, edits, '2026-01-01T00:00:00Z'), sync(4)])
    const whole = play([reset, slice(4, ['10.0.0.9', '10.0.0.8', 'b', 'd', '10.0.0.7'])])
    const held = tables.all('endpointslices.discovery.k8s.io').get('default/web-1')!
    const wanted = whole.tables.all('endpointslices.discovery.k8s.io').get('default/web-1')!
    expect(held).toEqual({ ...wanted, metadata: { ...wanted.metadata, annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' } } })
    expect(batches.map(told)).toEqual([['new default/web-1'], ['changed default/web-1']])
  })

  test.each([
    ['of a slice that is not held', [endpoints(4, 3, [])], 'nothing of it is held'],
    ['of another revision than the one that is held', [slice(3, ['a']), endpoints(5, 4, [])], 'since revision 4, but revision 3 is held'],
    ['behind the last place', [slice(3, ['a']), endpoints(4, 3, [{ at: 1, gone: 1, come: [] }])], 'no place among the 1'],
    ['that go back', [slice(3, ['a', 'b']), endpoints(4, 3, [{ at: 1, gone: 1, come: [] }, { at: 0, gone: 1, come: [] }])], 'no place among the 2'],
  ])('%s are refused, and nothing changes', (_, frames, why) => {
    const { tables } = play([reset])
    for (const frame of frames.slice(0, -1)) tables.take(frame)
    const before = [...tables.all('endpointslices.discovery.k8s.io')]
    expect(() => tables.take(frames.at(-1)!)).toThrow(why)
    expect([...tables.all('endpointslices.discovery.k8s.io')]).toEqual(before)
  })
})

describe('the tables of an agent', () => {
  test('say nothing before the first sync', () => {
    const { tables, batches } = play([reset, set('a', 3)])
    expect(batches).toEqual([])
    expect(tables.revision()).toBeUndefined()
  })

  test('give one batch for each sync, the first one marked', () => {
    const { tables, batches } = play([reset, set('a', 3), set('b', 4), sync(5), set('a', 6), del('b', 7), set('c', 8), sync(8)])
    expect(batches.map((b) => [b.first, b.revision, told(b)])).toEqual([
      [true, 5, ['new default/a', 'new default/b']],
      [false, 8, ['changed default/a', 'gone default/b', 'new default/c']],
    ])
    expect(tables.revision()).toBe(8)
  })

  test('keep what they had during a reset, and drop only what it did not name', () => {
    const { tables, batches, names } = play([reset, set('a', 3), set('b', 4), sync(5), reset, set('b', 4), set('c', 9)])
    expect(names()).toEqual(['default/a', 'default/b', 'default/c'])
    expect(tables.revision(), 'nothing is held in full within a reset').toBeUndefined()
    const batch = tables.take(sync(9))!
    expect(told(batch).toSorted()).toEqual(['gone default/a', 'new default/c'])
    expect(batches).toHaveLength(1)
    expect(names()).toEqual(['default/b', 'default/c'])
  })

  test('forget a reset that was cut short when the next one comes', () => {
    const { tables, names } = play([reset, set('a', 3), sync(5), reset, set('b', 6), reset, set('a', 3), sync(7)])
    expect(names()).toEqual(['default/a'])
    expect(tables.revision()).toBe(7)
  })

  test('do not report a change that was undone before the sync', () => {
    const { batches } = play([reset, set('a', 3), sync(3), set('x', 4), del('x', 5), sync(5)])
    expect(told(batches[1]!)).toEqual([])
  })

  test('report an object that was deleted and made again as changed', () => {
    const { batches } = play([reset, set('a', 3, 'old'), sync(3), del('a', 4), set('a', 5, 'new'), sync(5)])
    expect(told(batches[1]!)).toEqual(['changed default/a'])
  })

  test('take the deletion of what they never had', () => {
    const { batches } = play([reset, sync(3), del('a', 4), sync(4)])
    expect(told(batches[1]!)).toEqual([])
  })
})
