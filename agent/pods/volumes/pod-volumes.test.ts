import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isWherryError } from '../../../api/errors.ts'
import { mountPoints } from '../../../api/mountinfo.ts'
import type { Pod } from '../../../api/objects.ts'
import { createFakeClock, type FakeClock } from '../../../test/kit/clock.ts'
import { createFakeObjects, type FakeObjects } from '../../objects/fake.ts'
import { createFakeMounts, type FakeMounts } from './fake.ts'
import type { Mounts } from './mounts.ts'
import { createPodVolumes, writtenDir, type PodVolumes } from './pod-volumes.ts'

const never = new AbortController().signal
let podsDir: string
let clock: FakeClock
let objects: FakeObjects
let mounts: FakeMounts
let volumes: PodVolumes

beforeEach(() => {
  podsDir = mkdtempSync(join(tmpdir(), 'wp-volumes-'))
  clock = createFakeClock()
  objects = createFakeObjects(() => clock.now())
  mounts = createFakeMounts()
  volumes = agent()
})
afterEach(() => rmSync(podsDir, { recursive: true }))

const agent = (over: Mounts = mounts): PodVolumes => {
  const downward = (of: Pod) => ({ pod: of, node: 'a', hostIPs: [], podIPs: [], capacity: { cpuMillis: 1000, memoryBytes: 1e9 } })
  return createPodVolumes({ podsDir, objects, mounts: over, now: () => clock.now(), downward })
}
/** Mounts the volumes that it has. */
function pod(all: Readonly<Record<string, object>>, meta: object = {}): Pod {
  const list = Object.entries(all).map(([name, volume]) => ({ name, ...volume }))
  const volumeMounts = list.map(({ name }) => ({ name, mountPath: `/${name}` }))
  const metadata = { name: 'one', namespace: 'default', uid: 'u1', labels: { b: '2', a: 'x"y' }, ...meta }
  return { metadata, spec: { serviceAccountName: 'robot', containers: [{ name: 'web', image: 'i', volumeMounts }], volumes: list } } as unknown as Pod
}
const provide = (of: Pod): Promise<void> => volumes.provide(of, clock.now(), never)
const refresh = (of: Pod): Promise<void> => volumes.refresh(of, clock.now(), never)
const at = (volume: string, path = ''): string => join(writtenDir(join(podsDir, 'u1'), volume), path)
const text = (volume: string, path: string): string => readFileSync(at(volume, path), 'utf8')
const failure = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
  } catch (e) {
    if (isWherryError(e)) return `${e.code} ${e.message}`
    throw e
  }
  return 'none'
}
const configMap = (more: object = {}) => ({ configMap: { name: 'settings', ...more } })

describe('what a volume holds', () => {
  beforeEach(() => {
    objects.put('ConfigMap', 'settings', { colour: 'blue', size: '3' })
    objects.put('Secret', 'keys', { password: 'sesame' })
  })

  test('a ConfigMap under its keys, or some of them under other names', async () => {
    await provide(pod({ all: configMap(), some: configMap({ items: [{ key: 'size', path: 'deep/number', mode: 0o600 }] }) }))
    expect([text('all', 'colour'), text('all', 'size'), text('some', 'deep/number')]).toEqual(['blue', '3', '3'])
    expect(readdirSync(at('some')).filter((name) => !name.startsWith('..'))).toEqual(['deep'])
    expect(statSync(at('some', 'deep/number')).mode & 0o777).toBe(0o600)
    expect([...mounts.held]).toEqual([[writtenDir(join(podsDir, 'u1')), { mode: 0o755 }]])
  })

  test('a Secret with its mode', async () => {
    await provide(pod({ keys: { secret: { secretName: 'keys', defaultMode: 0o400 } } }))
    expect(text('keys', 'password')).toBe('sesame')
    expect(statSync(at('keys', 'password')).mode & 0o777).toBe(0o400)
  })

  test('what the pod is', async () => {
    const items = [
      { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
      { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
      { path: 'memory', resourceFieldRef: { containerName: 'web', resource: 'limits.memory' } },
    ]
    await provide(pod({ me: { downwardAPI: { items } } }))
    expect([text('me', 'name'), text('me', 'labels'), text('me', 'memory')]).toEqual(['one', 'a="x\\"y"\nb="2"', '1000000000'])
  })

  test('all of these in one, and a token', async () => {
    const sources = [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
      { configMap: { name: 'settings', items: [{ key: 'colour', path: 'ca.crt' }] } },
      { secret: { name: 'keys' } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
    ]
    await provide(pod({ api: { projected: { sources } } }))
    expect(readdirSync(at('api')).filter((name) => !name.startsWith('..')).toSorted()).toEqual(['ca.crt', 'namespace', 'password', 'token'])
    expect([text('api', 'ca.crt'), text('api', 'namespace')]).toEqual(['blue', 'default'])
    expect(objects.asked).toContain('token default/robot')
  })

  test.each([
    [{ configMap: { name: 'none' } }, 'OBJECT_ABSENT spec.volumes[0].configMap: configmap "none" not found'],
    [configMap({ items: [{ key: 'none', path: 'x' }] }), 'OBJECT_ABSENT spec.volumes[0].configMap.items[0].key: configmap "settings" has no key "none"'],
    [{ secret: { secretName: 'none' } }, 'OBJECT_ABSENT spec.volumes[0].secret: secret "none" not found'],
    [{ projected: { sources: [{ secret: { name: 'none' } }] } }, 'OBJECT_ABSENT spec.volumes[0].projected.sources[0].secret: secret "none" not found'],
    [{ projected: { sources: [{ clusterTrustBundle: {} }] } }, 'CONTAINER_CONFIG spec.volumes[0].projected.sources[0].clusterTrustBundle'],
    [configMap({ items: [{ key: 'size', path: '../out' }] }), 'CONTAINER_CONFIG spec.volumes[0]: the path "../out"'],
    [configMap({ items: [{ key: 'size', path: 'a/../../out' }] }), 'CONTAINER_CONFIG spec.volumes[0]: the path "a/../../out"'],
  ])('what cannot be is named: %j', async (volume, message) => {
    expect(await failure(provide(pod({ v: volume })))).toContain(message)
    expect(volumes.stand(pod({ v: volume }))).toBe(false)
  })

  test('what is optional may be missing', async () => {
    const of = pod({ none: { configMap: { name: 'none', optional: true } }, key: configMap({ optional: true, items: [{ key: 'none', path: 'x' }, { key: 'size', path: 'y' }] }) })
    await provide(of)
    expect(volumes.stand(of)).toBe(true)
    expect(readdirSync(at('none'))).toHaveLength(2)
    expect(text('key', 'y')).toBe('3')
  })

  test('a volume that nobody mounts is not made', async () => {
    const of = pod({ v: { configMap: { name: 'none' } } })
    const idle = { ...of, spec: { ...of.spec!, containers: [{ name: 'web', image: 'i' }] } }
    expect(volumes.stand(idle)).toBe(true)
    await provide(idle)
    expect([mounts.held.size, objects.asked]).toEqual([0, []])
  })
})

test('an emptyDir in memory is as large as it may be', async () => {
  const of = pod({ fast: { emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } }, any: { emptyDir: { medium: 'Memory' } }, disk: { emptyDir: {} } })
  expect(volumes.stand(of)).toBe(false)
  await provide(of)
  await provide(of)
  const dir = join(podsDir, 'u1/volumes')
  expect([...mounts.held]).toEqual([[join(dir, 'fast'), { mode: 0o777, bytes: 16 << 20 }], [join(dir, 'any'), { mode: 0o777 }]])
  expect(volumes.stand(of)).toBe(true)
})

describe('changes', () => {
  const of = pod({ all: configMap(), api: { projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 1000 } }] } } })
  beforeEach(async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await provide(of)
  })
  const data = (volume: string): string => readlinkSync(at(volume, '..data'))

  test('of an object come to its files, and only there is anything written', async () => {
    const before = [data('all'), data('api')]
    objects.put('ConfigMap', 'settings', { colour: 'green' })
    await refresh(of)
    expect(text('all', 'colour')).toBe('green')
    expect([data('all') === before[0], data('api') === before[1]]).toEqual([false, true])
  })

  test('that cannot be made leave everything as it is', async () => {
    const before = [data('all'), data('api')]
    objects.remove('ConfigMap', 'settings')
    expect(await failure(refresh(of))).toContain('OBJECT_ABSENT')
    objects.away = true
    expect(await failure(refresh(of))).toContain('LINK_LOST')
    expect([data('all'), data('api'), text('all', 'colour')]).toEqual([...before, 'blue'])
  })

  test('of a token come after 80 percent of its life, also where the agent is another one meanwhile', async () => {
    const first = text('api', 'token')
    await clock.advance(799_000)
    volumes = agent()
    await refresh(of)
    expect(text('api', 'token')).toBe(first)
    await clock.advance(1_000)
    await refresh(of)
    expect(text('api', 'token')).not.toBe(first)
    expect(objects.asked.filter((question) => question.startsWith('token'))).toHaveLength(2)
  })

  test('do not come to what an earlier agent made, and what is there is not made again', async () => {
    const before = [data('all'), data('api')]
    const asked = objects.asked.length
    volumes = agent()
    expect(volumes.stand(of)).toBe(true)
    expect(objects.asked).toHaveLength(asked)
    await volumes.provide(of, clock.now(), never)
    expect([data('all'), data('api')]).toEqual(before)
  })

  test('are written to memory alone: where the mount is gone nothing is, and it is made anew', async () => {
    const root = writtenDir(join(podsDir, 'u1'))
    await mounts.unmount(root, never)
    expect(volumes.stand(of)).toBe(false)
    await refresh(of)
    expect(readdirSync(root)).toEqual([])
    await provide(of)
    expect(text('all', 'colour')).toBe('blue')
  })

  test('that are asked for when the pod ends come nowhere', async () => {
    const slow = Promise.withResolvers<void>()
    volumes = agent({ ...mounts, unmount: (point, signal) => slow.promise.then(() => mounts.unmount(point, signal)) })
    const before = data('all')
    objects.put('ConfigMap', 'settings', { colour: 'late' })
    const dropped = volumes.drop('u1', never)
    await refresh(of)
    expect(data('all')).toBe(before)
    slow.resolve()
    await dropped
    expect(mounts.held.size).toBe(0)
    expect(readdirSync(writtenDir(join(podsDir, 'u1')))).toEqual([])
  })
})

test('mounts go with their pod, and with those that nobody wishes; one that is in use is tried again', async () => {
  objects.put('ConfigMap', 'settings', { colour: 'blue' })
  const [one, two] = [pod({ a: configMap() }), pod({ a: configMap() }, { uid: 'u2' })]
  await provide(one)
  await provide(two)
  mounts.busy = 1
  await expect(volumes.drop('u1', never)).rejects.toThrow('busy')
  expect(volumes.stand(one)).toBe(true)
  await volumes.drop('u1', never)
  expect([volumes.stand(one), volumes.stand(two)]).toEqual([false, true])
  await volumes.keepOnly(new Set(['u1']), never)
  expect(mounts.held.size).toBe(0)
  expect(existsSync(join(podsDir, 'u2/written'))).toBe(true)
})

test("the kernel's list of mounts, with its way to write blanks", () => {
  const lines = ['22 1 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw', '99 1 0:50 / /var/lib/a\\040b/written rw - tmpfs wherry rw,mode=755', '']
  expect(mountPoints(lines.join('\n'))).toEqual(['/sys', '/var/lib/a b/written'])
})
