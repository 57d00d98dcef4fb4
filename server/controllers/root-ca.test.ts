import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import type { ConfigMap } from '../../api/objects.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, type Inside } from '../../test/kit/registry.ts'
import { createRootCaController } from './root-ca.ts'

let inside: Inside
let stop: () => Promise<void>
beforeEach(async () => {
  inside = await openInside()
  stop = createRootCaController({ ...inside, random: () => 0.5, log: silentLog }, 'CA').start()
  await inside.calm()
})
afterEach(async () => {
  await stop()
  await inside.close()
})

const ref = (namespace: string) => ({ resource: 'configmaps', namespace, name: 'kube-root-ca.crt' }) as const
const data = (namespace = 'default') => (inside.store.get(ref(namespace)) as ConfigMap | undefined)?.data
const right = { 'ca.crt': 'CA' }

test('every namespace has the CA, also one that comes later', async () => {
  await inside.make('namespaces', kit.namespace({ metadata: { name: 'late' } }))
  await inside.calm()
  expect([data(), data('kube-node-lease'), data('late')]).toEqual([right, right, right])
})

test('what somebody made of it is put right', async () => {
  await inside.registry.remove(ref('default'))
  await inside.calm()
  expect(data()).toEqual(right)
  for (const wrong of [{ data: { 'ca.crt': 'other' } }, { data: { ...right, more: 'x' } }, { binaryData: { more: 'eA==' } }, { data: { 'ca.crt': 'other' }, immutable: true }]) {
    await inside.registry.update(ref('default'), (c) => ({ ...c, ...wrong }))
    await inside.calm()
    expect(data(), JSON.stringify(wrong)).toEqual(right)
  }
})

test('what is right is not written again, nor anything in a namespace that ends', async () => {
  const before = inside.store.revision
  await inside.registry.update(ref('default'), (c) => ({ ...c, metadata: { ...c.metadata, labels: { own: 'x' } } }))
  await inside.calm()
  expect(inside.store.get(ref('default'))).toMatchObject({ metadata: { labels: { own: 'x' } } })
  expect(inside.store.revision).toBe(before + 1)
  await inside.make('namespaces', kit.namespace({ metadata: { name: 'late' } }))
  await inside.calm()
  await inside.registry.remove({ resource: 'namespaces', namespace: '', name: 'late' })
  await inside.registry.remove(ref('late'))
  await inside.calm()
  expect(data('late')).toBeUndefined()
})
