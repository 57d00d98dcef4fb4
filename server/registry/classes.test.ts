import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as kinds from '../../test/kit/kinds.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refOf, refusalOf, type Inside } from '../../test/kit/registry.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside()
})
afterEach(() => inside.close())

const classes = 'priorityclasses.scheduling.k8s.io'
const makeClass = (name: string, part: object = {}) => inside.make(classes, kinds.priorityClass({ metadata: { name }, ...part }))
const makePod = (spec: object = {}) => inside.make('pods', kit.pod({ spec }))

describe('the priority of a pod', () => {
  test('is nothing where there is no class', async () => {
    expect((await makePod()).spec).toMatchObject({ priority: 0, preemptionPolicy: 'PreemptLowerPriority' })
  })
  test('is that of its class', async () => {
    await makeClass('high', { value: 100, preemptionPolicy: 'Never' })
    expect((await makePod({ priorityClassName: 'high' })).spec).toMatchObject({ priority: 100, preemptionPolicy: 'Never' })
  })
  test('is that of the class for all where it names none', async () => {
    await makeClass('usual', { value: 7, globalDefault: true })
    expect((await makePod()).spec).toMatchObject({ priorityClassName: 'usual', priority: 7 })
  })
  test('of a class that is not there is refused', async () => {
    expect(await refusalOf(makePod({ priorityClassName: 'none' }))).toMatchObject({ code: 403, message: expect.stringContaining('no PriorityClass with name none was found') })
  })
  test.each([{ priority: 5 }, { preemptionPolicy: 'Never' }])('is not said by its user: %j', async (spec) => {
    expect(await refusalOf(makePod(spec))).toMatchObject({ code: 403, message: expect.stringContaining('must not be provided in pod spec') })
  })
  test('stays over an update that does not speak of it', async () => {
    await makeClass('high', { value: 100 })
    const pod = kit.pod({ spec: { priorityClassName: 'high' } })
    await inside.make('pods', pod)
    await inside.registry.remove({ resource: classes, namespace: '', name: 'high' })
    const next = await inside.registry.update(refOf('pods', pod), () => ({ ...pod, metadata: { ...pod.metadata, labels: { a: 'b' } } }))
    expect(next.spec).toMatchObject({ priority: 100, preemptionPolicy: 'PreemptLowerPriority' })
  })
})

test('one class of priority is for all', async () => {
  await makeClass('usual', { globalDefault: true })
  expect(await refusalOf(makeClass('other', { globalDefault: true }))).toMatchObject({ code: 403, message: expect.stringContaining('PriorityClass usual is already marked as default') })
  await makeClass('other')
  const ref = { resource: classes, namespace: '', name: 'other' } as const
  expect((await refusalOf(inside.registry.update(ref, (c) => ({ ...c, globalDefault: true })))).code).toBe(403)
  await inside.registry.update({ ...ref, name: 'usual' }, (c) => ({ ...c, description: 'again' }))
})

test('the classes of the system stay', async () => {
  await makeClass('system-node-critical', { value: 2_000_001_000 })
  expect(await refusalOf(inside.registry.remove({ resource: classes, namespace: '', name: 'system-node-critical' }))).toMatchObject({ code: 403, reason: 'Forbidden' })
})

describe('a default class', () => {
  const annotated = (word: string, name: string) => ({ metadata: { name, annotations: { [`${word}.kubernetes.io/is-default-class`]: 'true' } } })
  test('of storage is given to claims that name none: the newest, and not to those that want none', async () => {
    await inside.make('storageclasses.storage.k8s.io', kinds.storageClass(annotated('storageclass', 'a-old')))
    await inside.clock.advance(5_000)
    await inside.make('storageclasses.storage.k8s.io', kinds.storageClass(annotated('storageclass', 'b-new')))
    await inside.make('storageclasses.storage.k8s.io', kinds.storageClass({ metadata: { name: 'c-other' } }))
    expect((await inside.make('persistentvolumeclaims', kinds.persistentVolumeClaim())).spec).toMatchObject({ storageClassName: 'b-new' })
    const none = kinds.persistentVolumeClaim({ metadata: { name: 'none' }, spec: { storageClassName: '' } })
    expect((await inside.make('persistentvolumeclaims', none)).spec).toMatchObject({ storageClassName: '' })
  })
  test('of ingresses likewise', async () => {
    await inside.make('ingressclasses.networking.k8s.io', kinds.ingressClass(annotated('ingressclass', 'front')))
    expect((await inside.make('ingresses.networking.k8s.io', kinds.ingress())).spec).toMatchObject({ ingressClassName: 'front' })
    const older = kinds.ingress({ metadata: { name: 'y', annotations: { 'kubernetes.io/ingress.class': 'mine' } } })
    expect((await inside.make('ingresses.networking.k8s.io', older)).spec).not.toHaveProperty('ingressClassName')
  })
})
