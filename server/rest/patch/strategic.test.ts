import { describe, expect, test } from 'vitest'
import { StatusError } from '../../../api/status.ts'
import type { Resource } from '../../../api/resources.ts'
import { applyPatch } from './patch.ts'

type Json = { readonly [field: string]: unknown }

const pod = (spec: Json): Json => ({ metadata: { name: 'p' }, spec })
const merge = (current: Json, patch: Json, resource: Resource = 'pods'): Json => applyPatch('strategic', current, patch, resource)

interface Row {
  readonly name: string
  readonly resource?: Resource
  readonly current: Json
  readonly patch: Json
  readonly result: Json
}

const a = { name: 'a', image: 'a:1' }
const b = { name: 'b', image: 'b:1' }
const c = { name: 'c', image: 'c:1' }

const rows: readonly Row[] = [
  {
    name: 'maps merge field by field, null removes',
    current: { metadata: { labels: { x: '1', y: '2' } } },
    patch: { metadata: { labels: { x: null, z: '3' } } },
    result: { metadata: { labels: { y: '2', z: '3' } } },
  },
  {
    name: 'containers merge by name',
    current: pod({ containers: [a, b] }),
    patch: { spec: { containers: [{ name: 'b', image: 'b:2' }] } },
    result: pod({ containers: [a, { name: 'b', image: 'b:2' }] }),
  },
  {
    name: 'a new container goes to the end',
    current: pod({ containers: [a] }),
    patch: { spec: { containers: [b] } },
    result: pod({ containers: [a, b] }),
  },
  {
    name: 'lists inside of list items merge by their own keys',
    current: pod({ containers: [{ ...a, env: [{ name: 'E', value: '1' }], ports: [{ containerPort: 80 }] }] }),
    patch: { spec: { containers: [{ name: 'a', env: [{ name: 'F', value: '2' }], ports: [{ containerPort: 80, name: 'http' }] }] } },
    result: pod({
      containers: [{ ...a, env: [{ name: 'E', value: '1' }, { name: 'F', value: '2' }], ports: [{ containerPort: 80, name: 'http' }] }],
    }),
  },
  {
    name: 'a list that is not a table is replaced',
    current: pod({ containers: [{ ...a, command: ['x', 'y'] }], tolerations: [{ key: 'k' }, { key: 'l' }] }),
    patch: { spec: { containers: [{ name: 'a', command: ['z'] }], tolerations: [{ key: 'm' }] } },
    result: pod({ containers: [{ ...a, command: ['z'] }], tolerations: [{ key: 'm' }] }),
  },
  {
    name: '$patch delete removes an item, be it there or not',
    current: pod({ containers: [a, b] }),
    patch: { spec: { containers: [{ name: 'a', $patch: 'delete' }, { name: 'zz', $patch: 'delete' }] } },
    result: pod({ containers: [b] }),
  },
  {
    name: '$patch replace in a list replaces the list',
    current: pod({ containers: [a, b] }),
    patch: { spec: { containers: [c, { $patch: 'replace' }] } },
    result: pod({ containers: [c] }),
  },
  {
    name: '$patch merge is what happens anyway',
    current: pod({ containers: [a] }),
    patch: { spec: { $patch: 'merge', containers: [{ name: 'a', image: 'n', $patch: 'merge' }] } },
    result: pod({ containers: [{ name: 'a', image: 'n' }] }),
  },
  {
    name: '$patch replace in a map replaces the map',
    current: pod({ nodeName: 'n', nodeSelector: { x: '1' } }),
    patch: { spec: { nodeSelector: { $patch: 'replace', y: '2' } } },
    result: pod({ nodeName: 'n', nodeSelector: { y: '2' } }),
  },
  {
    name: '$patch delete in a map empties the map',
    current: pod({ nodeSelector: { x: '1' } }),
    patch: { spec: { nodeSelector: { $patch: 'delete' } } },
    result: pod({ nodeSelector: {} }),
  },
  {
    name: '$retainKeys drops the fields that it does not name',
    resource: 'deployments.apps',
    current: { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
    patch: { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    result: { spec: { strategy: { type: 'Recreate' } } },
  },
  {
    name: '$retainKeys works in list items',
    current: pod({ volumes: [{ name: 'v', emptyDir: {} }] }),
    patch: { spec: { volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/x' } }] } },
    result: pod({ volumes: [{ name: 'v', hostPath: { path: '/x' } }] }),
  },
  {
    name: 'finalizers are a set',
    current: { metadata: { finalizers: ['x', 'y'] } },
    patch: { metadata: { finalizers: ['y', 'z'], '$deleteFromPrimitiveList/finalizers': ['x'] } },
    result: { metadata: { finalizers: ['y', 'z'] } },
  },
  {
    name: '$deleteFromPrimitiveList alone',
    current: { metadata: { finalizers: ['x', 'y'] } },
    patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['x'] } },
    result: { metadata: { finalizers: ['y'] } },
  },
  {
    name: '$setElementOrder orders items that it names',
    current: pod({ containers: [a, b] }),
    patch: { spec: { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }], containers: [c] } },
    result: pod({ containers: [c, b, a] }),
  },
  {
    name: '$setElementOrder leaves what only the server knows where it was',
    current: pod({ containers: [a, { name: 'sidecar' }, b] }),
    patch: { spec: { '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }, { name: 'c' }], containers: [c] } },
    result: pod({ containers: [a, { name: 'sidecar' }, b, c] }),
  },
  {
    name: '$setElementOrder without the list only orders',
    current: pod({ containers: [a, b] }),
    patch: { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } },
    result: pod({ containers: [b, a] }),
  },
  {
    name: '$setElementOrder of a set',
    current: { metadata: { finalizers: ['x', 'y'] } },
    patch: { metadata: { '$setElementOrder/finalizers': ['z', 'y', 'x'], finalizers: ['z'] } },
    result: { metadata: { finalizers: ['z', 'y', 'x'] } },
  },
  {
    name: 'service ports merge by port',
    resource: 'services',
    current: { spec: { ports: [{ port: 80, targetPort: 8080 }, { port: 443 }] } },
    patch: { spec: { ports: [{ port: 80, targetPort: 9090 }] } },
    result: { spec: { ports: [{ port: 80, targetPort: 9090 }, { port: 443 }] } },
  },
  {
    name: 'conditions merge by type',
    resource: 'nodes',
    current: { status: { conditions: [{ type: 'Ready', status: 'True' }, { type: 'Other', status: 'False' }] } },
    patch: { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
    result: { status: { conditions: [{ type: 'Ready', status: 'False' }, { type: 'Other', status: 'False' }] } },
  },
  {
    name: 'owner references merge by uid',
    current: { metadata: { ownerReferences: [{ uid: 'u1', name: 'x' }] } },
    patch: { metadata: { ownerReferences: [{ uid: 'u1', controller: true }, { uid: 'u2' }] } },
    result: { metadata: { ownerReferences: [{ uid: 'u1', name: 'x', controller: true }, { uid: 'u2' }] } },
  },
  {
    name: 'templates are reached through deployments',
    resource: 'deployments.apps',
    current: { spec: { template: pod({ containers: [a, b] }) } },
    patch: { spec: { template: { spec: { containers: [{ name: 'a', image: 'a:2' }] } } } },
    result: { spec: { template: pod({ containers: [{ name: 'a', image: 'a:2' }, b] }) } },
  },
  {
    name: 'directives do not stay in what is new',
    current: { metadata: {} },
    patch: { spec: { $retainKeys: ['containers'], containers: [{ name: 'a', $patch: 'merge' }], nodeName: null } },
    result: { metadata: {}, spec: { containers: [{ name: 'a' }] } },
  },
  {
    name: 'a list where a map was is set',
    current: { spec: { selector: { x: '1' } } },
    patch: { spec: { selector: ['y'] } },
    result: { spec: { selector: ['y'] } },
  },
]

describe('strategic merge patch', () => {
  test.each(rows)('$name', ({ current, patch, result, resource }) => {
    const before = JSON.stringify(current)
    expect(merge(current, patch, resource)).toEqual(result)
    expect(JSON.stringify(current)).toBe(before)
  })

  test.each([
    ['an item without its merge key', { spec: { containers: [{ image: 'x' }] } }, 'spec.containers[0] does not have the merge key name'],
    ['a map for a list', { spec: { containers: { name: 'a' } } }, 'spec.containers must be a list in this patch'],
    ['a string in a list of maps', { spec: { containers: ['a'] } }, 'spec.containers[0] must be an object in this patch'],
    ['an unknown directive', { spec: { $patch: 'obliterate' } }, 'spec.$patch: unknown directive "obliterate"'],
    ['retained keys that leave out a set field', { spec: { $retainKeys: ['a'], b: 1 } }, 'spec.$retainKeys does not name b, which the patch sets'],
  ])('refuses %s', (_, patch, message) => {
    expect(() => merge(pod({ containers: [a] }), patch)).toThrow(StatusError)
    expect(() => merge(pod({ containers: [a] }), patch)).toThrow(message)
  })

  test('a merged object shares nothing that a field called constructor could reach', () => {
    expect(merge({}, { constructor: { name: 'x' } })).toEqual({ constructor: { name: 'x' } })
  })
})
