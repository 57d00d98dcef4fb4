import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Pod, PodSpec } from '../../api/objects.ts'
import { settled } from '../../test/kit/clock.ts'
import { pod, serviceAccount } from '../../test/kit/objects.ts'
import { openInside, refusalOf, type Inside } from '../../test/kit/registry.ts'
import type { Ref } from '../store/store.ts'
import { createAccounts } from './accounts.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside({ accounts: createAccounts })
  await inside.make('serviceaccounts', serviceAccount({ metadata: { name: 'default' } }))
})
afterEach(() => inside.close())

const path = '/var/run/secrets/kubernetes.io/serviceaccount'
const make = async (spec: Partial<PodSpec> = {}): Promise<PodSpec> =>
  ((await inside.make('pods', pod({ spec: spec as object }))) as unknown as Pod).spec!
const tokenMounts = ({ containers, initContainers = [] }: PodSpec) =>
  [...initContainers, ...containers].map((c) => (c.volumeMounts ?? []).filter((m) => m.mountPath === path))

describe('the account of a pod', () => {
  test('is `default` where it names none, and its token is where clients look', async () => {
    const spec = await make({ initContainers: [{ name: 'first', image: 'i' }] })
    expect(spec).toMatchObject({ serviceAccountName: 'default', serviceAccount: 'default' })
    const name = spec.volumes![0]!.name
    expect(name).toMatch(/^kube-api-access-[a-z0-9]{5}$/)
    expect(tokenMounts(spec)).toEqual([[{ name, readOnly: true, mountPath: path }], [{ name, readOnly: true, mountPath: path }]])
    expect(spec.volumes).toEqual([
      {
        name,
        projected: {
          defaultMode: 0o644,
          sources: [
            { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
          ],
        },
      },
    ])
  })

  test.each([
    [{ serviceAccountName: 'robot' }, 'robot'],
    [{ serviceAccount: 'robot' }, 'robot'],
  ])('is the one that it names: %j', async (spec, name) => {
    await inside.make('serviceaccounts', serviceAccount({ metadata: { name }, imagePullSecrets: [{ name: 'pull' }] }))
    expect(await make(spec)).toMatchObject({ serviceAccountName: name, serviceAccount: name, imagePullSecrets: [{ name: 'pull' }] })
  })

  test('keeps its own pull secrets to itself where the pod has others', async () => {
    await inside.make('serviceaccounts', serviceAccount({ metadata: { name: 'robot' }, imagePullSecrets: [{ name: 'pull' }] }))
    expect((await make({ serviceAccountName: 'robot', imagePullSecrets: [{ name: 'own' }] })).imagePullSecrets).toEqual([{ name: 'own' }])
  })

  test('that is not there: the pod is refused', async () => {
    expect(await refusalOf(make({ serviceAccountName: 'none' }))).toMatchObject({
      reason: 'Forbidden',
      message: 'pods "web-1" is forbidden: error looking up service account default/none: serviceaccount "none" not found',
    })
  })

  test('of a namespace that has just been made is waited for, but not for ever', async () => {
    await inside.registry.remove({ resource: 'serviceaccounts', namespace: 'default', name: 'default' } as Ref)
    const waits = make()
    await settled()
    await inside.clock.advance(300)
    await inside.make('serviceaccounts', serviceAccount({ metadata: { name: 'default' } }))
    await inside.clock.advance(100)
    expect((await waits).serviceAccountName).toBe('default')
    await inside.registry.remove({ resource: 'serviceaccounts', namespace: 'default', name: 'default' } as Ref)
    const refused = refusalOf(inside.make('pods', pod({ metadata: { name: 'late' } })))
    await inside.clock.advance(2_000)
    expect(await refused).toMatchObject({ reason: 'Forbidden' })
  })

  test('is not asked for in a namespace that is not there', async () => {
    expect(await refusalOf(inside.make('pods', pod({ metadata: { namespace: 'none' } })))).toMatchObject({ reason: 'NotFound' })
  })
})

describe('no token', () => {
  test.each([
    [true, false, false],
    [undefined, false, false],
    [false, true, true],
    [undefined, undefined, true],
  ])('where the account says %s and the pod %s: %s', async (ofAccount, ofPod, mounted) => {
    await inside.make('serviceaccounts', serviceAccount({ metadata: { name: 'robot' }, automountServiceAccountToken: ofAccount }))
    const spec = await make({ serviceAccountName: 'robot', automountServiceAccountToken: ofPod })
    expect([tokenMounts(spec)[0]!.length > 0, (spec.volumes ?? []).length > 0]).toEqual([mounted, mounted])
  })

  test('where something is mounted there already', async () => {
    const volumes = [{ name: 'own', emptyDir: {} }]
    const own = { name: 'web', image: 'i', volumeMounts: [{ name: 'own', mountPath: path }] }
    const spec = await make({ volumes, containers: [own] })
    expect(spec.volumes).toEqual(volumes)
    const mixed = await inside.make('pods', pod({ metadata: { name: 'mixed' }, spec: { volumes, containers: [own, { name: 'other', image: 'i' }] } }))
    expect(tokenMounts((mixed as unknown as Pod).spec!).map((m) => m[0]!.name)).toEqual(['own', expect.stringMatching(/^kube-api-access-/)])
  })

  test('twice: a volume that the pod brings is used', async () => {
    const first = await make()
    const { containers: _c, ...rest } = first
    const again = await inside.make('pods', pod({ metadata: { name: 'copy' }, spec: { ...(rest as object), containers: [{ name: 'web', image: 'i' }] } }))
    expect((again as unknown as Pod).spec!.volumes).toEqual(first.volumes)
  })
})
