import { describe, expect, test } from 'vitest'
import type { AgentResource, HubFrame } from '../../api/frames.ts'
import type { KubeObject } from '../../api/objects.ts'
import { createTables } from './tables.ts'

const service = (name: string, revision: number, uid = name): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', uid, resourceVersion: String(revision), creationTimestamp: '2026-01-01T00:00:00Z' },
})
const set = (name: string, revision: number, uid?: string): HubFrame => ({
  kind: 'set',
  resource: 'services',
  revision,
  object: service(name, revision, uid),
})
const del = (name: string, revision: number, resource: AgentResource = 'services'): HubFrame => ({ kind: 'delete', resource, revision, key: `default/${name}` })
const sync = (revision: number): HubFrame => ({ kind: 'sync', revision })
const reset: HubFrame = { kind: 'reset' }

function play(frames: readonly HubFrame[]) {
  const tables = createTables()
  const batches = frames.flatMap((f) => tables.take(f) ?? [])
  return { tables, batches, names: () => [...tables.all('services').keys()] }
}
const told = (batch: { changes: readonly { key: string; before: unknown; after: unknown }[] }) =>
  batch.changes.map((c) => `${c.before ? (c.after ? 'changed' : 'gone') : 'new'} ${c.key}`)

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
