import { describe, expect, test } from 'vitest'
import { resourceKinds, type Resource } from '../../api/resources.ts'
import * as kit from '../../test/kit/objects.ts'
import { isAgentChange, wanted } from './interest.ts'

const pod = (nodeName?: string) => kit.stored(kit.pod(nodeName ? { spec: { nodeName } } : {}))

describe('a pod', () => {
  const here = pod('node1')
  const there = pod('node2')
  const nowhere = pod()
  test.each([
    ['is made on the node', { type: 'ADDED', object: here }, 'set'],
    ['is made elsewhere', { type: 'ADDED', object: there }, 'none'],
    ['is made without a node', { type: 'ADDED', object: nowhere }, 'none'],
    ['is bound to the node', { type: 'MODIFIED', object: here, previous: nowhere }, 'set'],
    ['is bound elsewhere', { type: 'MODIFIED', object: there, previous: nowhere }, 'none'],
    ['changes on the node', { type: 'MODIFIED', object: here, previous: here }, 'set'],
    ['leaves the node', { type: 'MODIFIED', object: there, previous: here }, 'delete'],
    ['is deleted on the node', { type: 'DELETED', object: here, previous: here }, 'delete'],
    ['is deleted, its state before unknown', { type: 'DELETED', object: here }, 'delete'],
    ['is deleted elsewhere', { type: 'DELETED', object: there, previous: there }, 'none'],
  ] as const)('that %s', (_, change, kind) => {
    expect(wanted('node1', { resource: 'pods', ...change })).toBe(kind)
  })
})

test('of the other kinds everybody gets what the data plane needs, and nobody anything else', () => {
  const object = kit.stored(kit.service())
  const told = (type: 'ADDED' | 'MODIFIED' | 'DELETED'): readonly Resource[] =>
    resourceKinds.map((k) => k.resource).filter((resource) => wanted('node1', { type, resource, object }) !== 'none')
  const everybody = ['nodes', 'services', 'endpointslices.discovery.k8s.io']
  for (const type of ['ADDED', 'MODIFIED', 'DELETED'] as const) expect(told(type)).toEqual(everybody)
  expect(wanted('node1', { type: 'MODIFIED', resource: 'services', object })).toBe('set')
  expect(wanted('node1', { type: 'DELETED', resource: 'services', object })).toBe('delete')
  expect(isAgentChange({ revision: 1, type: 'ADDED', resource: 'pods', object })).toBe(true)
  expect(isAgentChange({ revision: 1, type: 'ADDED', resource: 'secrets', object })).toBe(false)
})
