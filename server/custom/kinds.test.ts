import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import { customResource } from '../../api/resources.ts'
import { cronTab, customResourceDefinition } from '../../test/kit/custom.ts'
import { openInside, type Inside } from '../../test/kit/registry.ts'
import { customOf } from './kind.ts'
import { definitions } from './kinds.ts'

const crontabs = customResource('crontabs', 'stable.example.com')
const crdRef = { resource: definitions, namespace: '', name: crontabs } as const
const ref = { resource: crontabs, namespace: 'default', name: 'nightly' } as const
type Change = (c: KubeObject) => Readonly<Record<string, unknown>>

let inside: Inside
beforeEach(async () => {
  inside = await openInside()
})
afterEach(() => inside.close())
const define = () => inside.make(definitions, customResourceDefinition())
const change = (to: Change, subresource?: 'status') => inside.registry.update(ref, to, { ...(subresource && { subresource }) })
const redefine = (schema: object) =>
  inside.registry.update(crdRef, (c) => {
    const spec = c.spec as { readonly versions: readonly object[] }
    return { ...c, spec: { ...spec, versions: spec.versions.map((v) => ({ ...v, schema: { openAPIV3Schema: { type: 'object', properties: { spec: schema } } }, selectableFields: [] })) } }
  })

describe('kinds', () => {
  test('come with their definition, and stay the same while it does', async () => {
    const { kinds } = inside
    expect(kinds.get(crontabs)).toBeUndefined()
    const before = kinds.served()
    expect(kinds.served()).toBe(before)
    await define()
    const of = kinds.get(crontabs)!
    expect(of).toMatchObject({ resource: crontabs, version: 'v1', kind: 'CronTab', namespaced: true, shortNames: ['ct'], subresources: ['status', 'scale'] })
    expect(kinds.byType('stable.example.com/v1beta1', 'CronTab')).toMatchObject({ version: 'v1beta1' })
    expect(kinds.at(crontabs, 'stable.example.com/v1beta1')).toMatchObject({ version: 'v1beta1' })
    expect(kinds.at(crontabs, 'stable.example.com/v9')).toBe(of)
    expect(kinds.inGroup('stable.example.com').map((k) => k.version)).toEqual(['v1', 'v1beta1'])
    const after = kinds.served()
    await inside.registry.update(crdRef, (c) => ({ ...c, metadata: { ...c.metadata, labels: { a: 'b' } } }))
    await inside.registry.update(crdRef, (c) => ({ ...c, status: { ...(c.status as object), observedGeneration: 1 } }), { subresource: 'status' })
    expect(kinds.served()).toBe(after)
    await redefine({ type: 'object' })
    expect(kinds.get(crontabs)).not.toBe(of)
    await inside.make('configmaps', { metadata: { name: 'a', namespace: 'default' } })
    const again = kinds.served()
    expect(kinds.served()).toBe(again)
  })

  test('a version that is not served is not, and one that is stored is known all the same', async () => {
    const crd = customResourceDefinition()
    const versions = crd.spec.versions.map((v) => ({ ...v, served: !v.storage }))
    await inside.make(definitions, { ...crd, spec: { ...crd.spec, versions } } as typeof crd)
    expect(inside.kinds.inGroup('stable.example.com').map((k) => k.version)).toEqual(['v1beta1'])
    expect(inside.kinds.get(crontabs)?.version).toBe('v1')
  })
})

describe('objects of a kind that somebody defined', () => {
  beforeEach(async () => void (await define()))

  test('cannot be made before it, and not after it', async () => {
    await inside.registry.remove(crdRef)
    await expect(inside.make(crontabs, cronTab() as never)).rejects.toMatchObject({ status: { reason: 'MethodNotAllowed' } })
    await expect(inside.make(customResource('others', 'stable.example.com'), cronTab() as never)).rejects.toMatchObject({ status: { reason: 'NotFound' } })
  })

  test('lie in one version, with its defaults, whatever they came in', async () => {
    await inside.make(crontabs, { ...cronTab(), apiVersion: 'stable.example.com/v1beta1', bogus: 1 } as never)
    const stored = inside.store.get(ref)!
    expect(stored).toMatchObject({ apiVersion: 'stable.example.com/v1', metadata: { generation: 1 }, spec: { replicas: 1, mode: 'fast' } })
    expect(stored).not.toHaveProperty('bogus')
    expect(customOf(inside.kinds.at(crontabs, 'stable.example.com/v1beta1')!)!.read(stored).apiVersion).toBe('stable.example.com/v1beta1')
    expect(customOf(inside.kinds.get(crontabs)!)!.read(stored)).toBe(stored)
  })

  test('the generation counts wishes alone', async () => {
    await inside.make(crontabs, cronTab() as never)
    const generation = () => inside.store.get(ref)!.metadata.generation
    await change((c) => ({ ...c, metadata: { ...c.metadata, labels: { a: 'b' } } }))
    await change((c) => ({ ...c, status: { replicas: 2 } }), 'status')
    expect([generation(), (inside.store.get(ref)!.status as { replicas: number }).replicas]).toEqual([1, 2])
    await change((c) => ({ ...c, status: { replicas: 3 }, spec: { ...(c.spec as object), replicas: 4 } }))
    expect([generation(), (inside.store.get(ref)!.status as { replicas: number }).replicas]).toEqual([2, 2])
    await change((c) => ({ ...c, spec: { cronSpec: 'x' }, status: { replicas: 5 } }), 'status')
    expect(inside.store.get(ref)).toMatchObject({ spec: { replicas: 4 }, status: { replicas: 5 }, metadata: { generation: 2 } })
  })

  test('without a door of its own the status counts too', async () => {
    await inside.registry.update(crdRef, (c) => {
      const spec = c.spec as { readonly versions: readonly object[] }
      return { ...c, spec: { ...spec, versions: spec.versions.map((v) => ({ ...v, subresources: {} })) } }
    })
    await inside.make(crontabs, { ...cronTab(), status: { replicas: 1 } } as never)
    expect(inside.store.get(ref)).toMatchObject({ status: { replicas: 1 }, metadata: { generation: 1 } })
    await change((c) => ({ ...c, status: { replicas: 2 } }))
    expect(inside.store.get(ref)).toMatchObject({ status: { replicas: 2 }, metadata: { generation: 2 } })
    await expect(change((c) => ({ ...c }), 'status')).rejects.toMatchObject({ status: { reason: 'MethodNotAllowed' } })
  })

  test('are read by the schema of today, and what it would not take any more may stay untouched', async () => {
    await inside.make(crontabs, cronTab({ spec: { image: 'web:1' } } as never) as never)
    await redefine({ type: 'object', properties: { cronSpec: { type: 'string', maxLength: 1 }, colour: { type: 'string', default: 'red' }, replicas: { type: 'integer' } } })
    const of = inside.kinds.get(crontabs)!
    expect(customOf(of)!.read(inside.store.get(ref)!).spec).toEqual({ cronSpec: '0 3 * * *', colour: 'red', replicas: 1 })
    await change((c) => ({ ...c, spec: { ...(c.spec as object), replicas: 7 } }))
    expect(inside.store.get(ref)!.spec).toEqual({ cronSpec: '0 3 * * *', colour: 'red', replicas: 7 })
    await expect(change((c) => ({ ...c, spec: { cronSpec: 'other' } }))).rejects.toMatchObject({ status: { reason: 'Invalid' } })
  })

  test('the managers of their fields are kept in the version in which they wrote', async () => {
    await inside.make(crontabs, cronTab() as never)
    await inside.registry.apply(ref, { apiVersion: 'stable.example.com/v1beta1', kind: 'CronTab', metadata: {}, spec: { tags: ['a'], env: [{ name: 'A', value: '1' }] } }, { manager: 'one' })
    await inside.registry.apply(ref, { apiVersion: 'stable.example.com/v1', kind: 'CronTab', metadata: {}, spec: { tags: ['b'] } }, { manager: 'one' })
    const object = inside.store.get(ref)!
    expect(object.spec).toMatchObject({ tags: ['b'], cronSpec: '0 3 * * *' })
    expect(object.spec).not.toHaveProperty('env')
    const applied = object.metadata.managedFields!.filter((m) => m.operation === 'Apply')
    expect(applied).toEqual([expect.objectContaining({ manager: 'one', apiVersion: 'stable.example.com/v1', fieldsV1: '{"f:spec":{"f:tags":{"v:\\"b\\"":{}}}}' })])
  })
})
