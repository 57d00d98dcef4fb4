import { expect, test } from 'vitest'
import { customResource, resourceKinds } from '../../../api/resources.ts'
import { decodeObject, encodeObject, keyOf, refOf } from './layout.ts'
import { openSeal } from '../../seal/seal.ts'
import { configMap } from '../../../test/kit/objects.ts'

test.each([
  [{ resource: 'pods', namespace: 'default', name: 'a' }, '/registry/pods/default/a'],
  [{ resource: 'services', namespace: 'default', name: 'web' }, '/registry/services/specs/default/web'],
  [{ resource: 'endpoints', namespace: 'default', name: 'web' }, '/registry/services/endpoints/default/web'],
  [{ resource: 'nodes', namespace: '', name: 'n1' }, '/registry/minions/n1'],
  [{ resource: 'deployments.apps', namespace: 'default', name: 'web' }, '/registry/deployments/default/web'],
  [{ resource: 'customresourcedefinitions.apiextensions.k8s.io', namespace: '', name: 'a.b.c' }, '/registry/apiextensions.k8s.io/customresourcedefinitions/a.b.c'],
  [{ resource: customResource('crontabs', 'stable.example.com'), namespace: 'default', name: 'a' }, '/registry/stable.example.com/crontabs/default/a'],
  [{ resource: customResource('rules', 'stable.example.com'), namespace: '', name: 'a' }, '/registry/stable.example.com/rules/a'],
  [{ resource: customResource('gateways', 'gateway.networking.k8s.io'), namespace: 'default', name: 'a' }, '/registry/gateway.networking.k8s.io/gateways/default/a'],
  [{ resource: 'leases.coordination.k8s.io', namespace: 'kube-system', name: 'l' }, '/registry/leases/kube-system/l'],
] as const)('%o stands at %s, and back', (ref, key) => {
  expect(keyOf(ref)).toBe(key)
  expect(refOf(key)).toEqual(ref)
})

test('every kind has a folder of its own', () => {
  const refs = resourceKinds.map((k) => ({ resource: k.resource, namespace: k.namespaced ? 'ns' : '', name: 'a' }))
  expect(refs.map(keyOf).map(refOf)).toEqual(refs)
})

test.each(['/registry', '/registry/', '/registry/pods', '/registry/pods/', '/registry/pods/a/b/c', '/registry/unknown/a/b', '/registry/stable.example.com/crontabs', '/registry/stable.example.com/crontabs/a/b/c', '/registry/stable.example.com/crontabs//b', '/registry/Odd.Group/x/a/b', '/other/pods/a/b', '/registry/ranges/serviceips/10.96.0.1'])(
  '%s is no object of ours',
  (key) => expect(refOf(key)).toBeUndefined(),
)

test('a value is the object in JSON without its revision, which is etcd\'s', () => {
  const object = configMap({ metadata: { name: 'a', resourceVersion: '7' } }) as never
  const ref = { resource: 'configmaps', namespace: 'default', name: 'a' } as const
  const read = decodeObject(openSeal(), ref, encodeObject(openSeal(), ref, object))
  expect(read.metadata).not.toHaveProperty('resourceVersion')
  expect(read.metadata.name).toBe('a')
})
