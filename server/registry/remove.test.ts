import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject, Namespace } from '../../api/objects.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refOf, refusalOf, type Inside } from '../../test/kit/registry.ts'
import type { RemoveOptions } from './registry.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside()
})
afterEach(() => inside.close())

const config = refOf('configmaps', kit.configMap())
const pod = refOf('pods', kit.pod())

describe('an object that nothing holds', () => {
  test('is gone at once, and answered as it was', async () => {
    const made = await inside.make('configmaps', kit.configMap())
    const { object, gone } = await inside.registry.remove(config)
    expect(gone).toBe(true)
    expect(object.metadata.uid).toBe(made.metadata.uid)
    expect(inside.store.get(config)).toBeUndefined()
    expect(await refusalOf(inside.registry.remove(config))).toMatchObject({ reason: 'NotFound' })
  })
  test('stays in a dry run', async () => {
    await inside.make('configmaps', kit.configMap())
    expect((await inside.registry.remove(config, { dryRun: true })).gone).toBe(true)
    expect(inside.store.get(config)).toBeDefined()
  })
  test.each([
    ['uid', { uid: 'other' }, 'Precondition failed: UID in precondition: other'],
    ['revision', { resourceVersion: '1' }, 'Precondition failed: ResourceVersion in precondition: 1'],
  ])('stays where the %s is another', async (_what, preconditions, message) => {
    await inside.make('configmaps', kit.configMap())
    const status = await refusalOf(inside.registry.remove(config, { preconditions }))
    expect(status).toMatchObject({ reason: 'Conflict', code: 409 })
    expect(status.message).toContain(message)
    expect(inside.store.get(config)).toBeDefined()
  })
  test('goes where the preconditions hold', async () => {
    const { metadata } = await inside.make('configmaps', kit.configMap())
    const { uid, resourceVersion } = metadata
    expect((await inside.registry.remove(config, { preconditions: { uid, resourceVersion } })).gone).toBe(true)
  })
})

describe('finalizers', () => {
  const held = kit.configMap({ metadata: { finalizers: ['a.example/x'] } })
  test('keep an object that is marked', async () => {
    await inside.make('configmaps', held)
    const { object, gone } = await inside.registry.remove(config)
    expect(gone).toBe(false)
    expect(object.metadata).toMatchObject({
      deletionTimestamp: '2026-01-01T00:00:00Z',
      deletionGracePeriodSeconds: 0,
      finalizers: ['a.example/x'],
    })
    expect(object.metadata.generation).toBeUndefined()
  })
  test('a second time is no change', async () => {
    await inside.make('configmaps', held)
    await inside.registry.remove(config)
    const before = inside.store.revision
    await inside.clock.advance(5000)
    expect((await inside.registry.remove(config)).gone).toBe(false)
    expect(inside.store.revision).toBe(before)
  })
  test.each([
    ['Foreground', [], ['foregroundDeletion']],
    ['Orphan', [], ['orphan']],
    ['Orphan', ['foregroundDeletion'], ['orphan']],
    ['Foreground', ['a.example/x', 'orphan'], ['a.example/x', 'foregroundDeletion']],
    ['Background', ['a.example/x', 'orphan'], ['a.example/x']],
    [undefined, ['orphan'], ['orphan']],
  ] as const)('%s propagation from %j leaves %j', async (propagationPolicy, finalizers, expected) => {
    await inside.make('deployments.apps', kit.deployment({ metadata: { finalizers: [...finalizers] } }))
    const options: RemoveOptions = propagationPolicy ? { propagationPolicy } : {}
    const { object, gone } = await inside.registry.remove(refOf('deployments.apps', kit.deployment()), options)
    expect(gone).toBe(false)
    expect(object.metadata).toMatchObject({ finalizers: expected, generation: 2 })
  })
  test('Background without other finalizers ends it', async () => {
    await inside.make('deployments.apps', kit.deployment({ metadata: { finalizers: ['foregroundDeletion'] } }))
    expect(
      (await inside.registry.remove(refOf('deployments.apps', kit.deployment()), { propagationPolicy: 'Background' })).gone,
    ).toBe(true)
  })
})

describe('a pod', () => {
  const remove = (options?: RemoveOptions) => inside.registry.remove(pod, options)
  const run = async (phase: 'Running' | 'Succeeded' | 'Failed', more: Parameters<typeof kit.pod>[0] = {}): Promise<void> => {
    await inside.make('pods', kit.pod(more))
    await inside.registry.bind(pod, 'node1')
    await inside.registry.update(pod, (c) => ({ ...c, status: { phase } }), { subresource: 'status' })
  }
  test('that runs nowhere goes at once', async () => {
    await inside.make('pods', kit.pod())
    expect((await remove()).gone).toBe(true)
  })
  test.each(['Succeeded', 'Failed'] as const)('that has %s goes at once', async (phase) => {
    await run(phase)
    expect((await remove({ gracePeriodSeconds: 60 })).gone).toBe(true)
  })
  test('that runs gets its time', async () => {
    await run('Running')
    const { object, gone } = await remove()
    expect(gone).toBe(false)
    expect(object.metadata).toMatchObject({
      deletionTimestamp: '2026-01-01T00:00:30Z',
      deletionGracePeriodSeconds: 30,
      generation: 2,
    })
  })
  test('that runs gets the time of its spec, or what is asked for', async () => {
    await run('Running', { spec: { terminationGracePeriodSeconds: 7 } })
    expect((await remove({ dryRun: true })).object.metadata.deletionGracePeriodSeconds).toBe(7)
    expect((await remove({ gracePeriodSeconds: 90 })).object.metadata).toMatchObject({
      deletionTimestamp: '2026-01-01T00:01:30Z',
      deletionGracePeriodSeconds: 90,
    })
  })
  test('goes at once without any grace', async () => {
    await run('Running')
    expect((await remove({ gracePeriodSeconds: 0 })).gone).toBe(true)
  })
  test('can be given less time later, not more', async () => {
    await run('Running')
    await remove()
    await inside.clock.advance(2000)
    expect((await remove({ gracePeriodSeconds: 60 })).object.metadata.deletionGracePeriodSeconds).toBe(30)
    expect((await remove()).object.metadata.deletionTimestamp).toBe('2026-01-01T00:00:30Z')
    expect((await remove({ gracePeriodSeconds: 10 })).object.metadata).toMatchObject({
      deletionTimestamp: '2026-01-01T00:00:10Z',
      deletionGracePeriodSeconds: 10,
      generation: 2,
    })
    expect((await remove({ gracePeriodSeconds: 0 })).gone).toBe(true)
  })
  test('with a finalizer waits for it even without grace', async () => {
    await run('Running', { metadata: { finalizers: ['a.example/x'] } })
    const { object, gone } = await remove({ gracePeriodSeconds: 0 })
    expect(gone).toBe(false)
    expect(object.metadata.deletionGracePeriodSeconds).toBe(0)
    await inside.registry.update(pod, (c) => ({ ...c, metadata: { ...c.metadata, finalizers: [] } }))
    expect(inside.store.get(pod)).toBeUndefined()
  })
  test('that has grace left is not ended by losing its finalizer', async () => {
    await run('Running', { metadata: { finalizers: ['a.example/x'] } })
    await remove()
    await inside.registry.update(pod, (c) => ({ ...c, metadata: { ...c.metadata, finalizers: [] } }))
    expect(inside.store.get(pod)).toBeDefined()
    expect((await remove({ gracePeriodSeconds: 0 })).gone).toBe(true)
  })
  test.each([-1, 0.5, NaN])('takes no grace of %d s', async (gracePeriodSeconds) => {
    expect(await refusalOf(remove({ gracePeriodSeconds }))).toMatchObject({ reason: 'BadRequest' })
  })
})

describe('a namespace', () => {
  const old = { resource: 'namespaces', namespace: '', name: 'old' } as const
  test('is Terminating until its finalizers are gone', async () => {
    await inside.make('namespaces', kit.namespace({ metadata: { name: 'old' } }))
    const { object, gone } = await inside.registry.remove(old)
    expect(gone).toBe(false)
    expect((object as Namespace).status?.phase).toBe('Terminating')
    expect(object.metadata.deletionTimestamp).toBe('2026-01-01T00:00:00Z')
    expect((await inside.registry.remove(old)).gone).toBe(false)
    const without = (c: KubeObject) => ({ ...c, spec: { finalizers: [] } })
    await inside.registry.update(old, without, { subresource: 'finalize' })
    expect(inside.store.get(old)).toBeUndefined()
  })
  test('that a cluster needs stays', async () => {
    const status = await refusalOf(inside.registry.remove({ ...old, name: 'default' }))
    expect(status).toMatchObject({
      reason: 'Forbidden',
      message: 'namespaces "default" is forbidden: this namespace may not be deleted',
    })
  })
})

test('address and ports of a service are free when it is gone', async () => {
  const draft = kit.service({ spec: { type: 'NodePort', clusterIP: '10.96.5.5', ports: [{ port: 80, nodePort: 31000 }] } })
  await inside.make('services', draft)
  const other = { ...draft, metadata: { name: 'other', namespace: 'default' } }
  expect((await refusalOf(inside.make('services', other))).details?.causes?.map((c) => c.field)).toEqual([
    'spec.clusterIP',
    'spec.ports[0].nodePort',
  ])
  await inside.registry.remove(refOf('services', draft))
  await inside.make('services', other)
})
