/** Pods that name ConfigMaps, Secrets and tokens, from their coming to their end, over the fake runtime. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NodeReport } from '../../api/frames.ts'
import { silentLog } from '../../api/log.ts'
import type { Pod, PodSpec } from '../../api/objects.ts'
import { noForwards } from '../../test/kit/calls.ts'
import { createFakeClock, settled, type FakeClock } from '../../test/kit/clock.ts'
import { createFakePodNetwork, type FakePodNetwork } from '../net/fake.ts'
import { createFakeObjects, type FakeObjects } from '../objects/fake.ts'
import { createObjects, type Objects } from '../objects/objects.ts'
import { containerId } from './attempts.ts'
import { createPods, type Pods } from './pods.ts'
import { createFakeRuntime, type FakeRuntime } from './runtime/fake.ts'
import { createFakeMounts, type FakeMounts } from './volumes/fake.ts'

const image = 'registry.test/web:1'
let dir: string
let clock: FakeClock
let runtime: FakeRuntime
let objects: FakeObjects
let mounts: FakeMounts
let reports: NodeReport[]
let pods: Pods
let network: FakePodNetwork

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wp-objects-'))
  clock = createFakeClock()
  runtime = createFakeRuntime(() => clock.now())
  runtime.images.add(image)
  network = createFakePodNetwork()
  objects = createFakeObjects(() => clock.now())
  mounts = createFakeMounts()
  reports = []
  pods = agent()
})
afterEach(async () => {
  await pods.close()
  rmSync(dir, { recursive: true })
})

const agent = (reads: Objects = objects): Pods => {
  const made = createPods({
    node: 'a',
    dir,
    runtime,
    network,
    forwards: noForwards,
    objects: reads,
    mounts,
    random: () => 0,
    serviceVariables: () => [{ name: 'KUBERNETES_SERVICE_HOST', value: '10.96.0.1' }],
    clock,
    log: silentLog,
    cgroupRoot: '/none/wp-objects',
    capacity: { cpuMillis: 1000, memoryBytes: 1e9 },
    hostIPs: () => ['192.0.2.1'],
    report: (report) => reports.push(structuredClone(report)),
  })
  made.setRanges(['10.244.1.0/24'])
  return made
}
const pod = (spec: Partial<PodSpec>, name = 'one'): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { containers: [{ name: 'web', image }], ...spec },
  }) as unknown as Pod
const mounting = (volume: object, more: object = {}, name = 'one'): Pod =>
  pod({ containers: [{ name: 'web', image, volumeMounts: [{ name: 'v', mountPath: '/v', ...more }] }], volumes: [{ name: 'v', ...volume }] }, name)
const settings = { configMap: { name: 'settings' } }
const wish = async (...all: Pod[]): Promise<void> => {
  pods.setPods(all)
  await settled()
}
const status = (name = 'one') => reports.flatMap((r) => (r.kind === 'pod' && r.key === `default/${name}` ? [r.status] : [])).at(-1)
const waiting = () => status()!.containerStatuses![0]!.state!.waiting
const events = (reason: string): string[] => reports.flatMap((r) => (r.kind === 'event' && r.event.reason === reason ? [r.event.message] : []))
const folder = (name = 'one'): string => join(dir, 'pods', `uid-${name}`, 'written/v')
const questions = (about: string): number => objects.asked.filter((question) => question === about).length

describe('variables', () => {
  const naming = (optional = false): Pod =>
    pod({ containers: [{ name: 'web', image, env: [{ name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'colour', optional } } }] }] })

  test('come from objects and services', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await wish(naming())
    expect(runtime.started[0]!.env).toEqual([{ name: 'KUBERNETES_SERVICE_HOST', value: '10.96.0.1' }, { name: 'COLOUR', value: 'blue' }])
  })

  test('of an object that is not there: the container waits, and goes on when it is', async () => {
    await wish(naming())
    const message = 'spec.containers[0].env[0].valueFrom.configMapKeyRef: configmap "settings" not found'
    expect(waiting()).toEqual({ reason: 'CreateContainerConfigError', message })
    expect(events('Failed')).toEqual([`Error: ${message}`])
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await clock.advance(1_000)
    expect(status()?.phase).toBe('Running')
  })

  test('of an object that nobody gives wait as well', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    objects.away = true
    await wish(naming())
    expect(waiting()).toEqual({ reason: 'CreateContainerConfigError', message: 'no hub answers' })
    objects.away = false
    await clock.advance(1_000)
    expect(status()?.phase).toBe('Running')
  })

  test('under names that cannot be are told', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await wish(pod({ containers: [{ name: 'web', image, envFrom: [{ configMapRef: { name: 'settings' }, prefix: '=' }] }] }))
    expect(events('InvalidEnvironmentVariableNames')).toEqual(['Keys [colour] of configmap "settings" were left out: no variable can have such a name'])
    expect(status()?.phase).toBe('Running')
  })
})

describe('files', () => {
  test('are there, to be read, before the container starts', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await wish(mounting(settings))
    expect(runtime.started[0]!.mounts.find((m) => m.target === '/v')).toEqual({ source: folder(), target: '/v', readOnly: true })
    expect(readFileSync(join(folder(), 'colour'), 'utf8')).toBe('blue')
  })

  test('of an object that is not there: the pod waits without a network, and goes on when it is', async () => {
    await wish(mounting(settings))
    const message = 'spec.volumes[0].configMap: configmap "settings" not found'
    expect(waiting()).toEqual({ reason: 'ContainerCreating', message })
    expect(events('FailedMount')).toEqual([message])
    expect(network.uids()).toEqual([])
    await clock.advance(3_000)
    expect(events('FailedMount')).toHaveLength(3)
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await clock.advance(4_000)
    expect(status()?.phase).toBe('Running')
  })

  test('follow their object within a minute; a hub that is away, or an object that is gone, changes nothing, and is told once', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await wish(mounting(settings))
    const read = (): string => readFileSync(join(folder(), 'colour'), 'utf8')
    objects.put('ConfigMap', 'settings', { colour: 'green' })
    await clock.advance(60_000)
    expect(read()).toBe('green')
    objects.away = true
    await clock.advance(120_000)
    objects.away = false
    objects.remove('ConfigMap', 'settings')
    await clock.advance(180_000)
    expect(read()).toBe('green')
    expect(events('FailedMount')).toEqual(['spec.volumes[0].configMap: configmap "settings" not found'])
    expect(runtime.started).toHaveLength(1)
  })

  test('of thirty pods that come together are asked for once, and once a minute', async () => {
    await pods.close()
    let asked = 0
    const ask = () => Promise.resolve({ code: 200, body: { data: { colour: String(++asked) } } })
    pods = agent(createObjects({ api: { ask }, clock, closing: new AbortController().signal }))
    await wish(...Array.from({ length: 30 }, (_, i) => mounting(settings, {}, `p${i}`)))
    await settled(60)
    expect([runtime.started.length, asked]).toEqual([30, 1])
    await clock.advance(60_000)
    await settled(60)
    expect(asked).toBe(2)
    expect(readFileSync(join(folder('p29'), 'colour'), 'utf8')).toBe('2')
    await clock.advance(1)
    await wish(mounting(settings, {}, 'late'), mounting(settings, {}, 'p0'))
    expect(readFileSync(join(folder('late'), 'colour'), 'utf8')).toBe('3')
  })

  test('of a pod that has ended, or is gone, are asked for no more', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await wish(mounting(settings))
    await wish()
    await clock.advance(40_000)
    const asked = questions('ConfigMap default/settings')
    await clock.advance(300_000)
    expect(questions('ConfigMap default/settings')).toBe(asked)
    expect(mounts.held.size).toBe(0)
    expect(existsSync(join(dir, 'pods/uid-one'))).toBe(false)
  })

  test('that are mounted stay where the agent is another one, and a restart of the container needs no hub', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await wish(mounting(settings))
    await pods.close()
    objects.away = true
    const held = new Map(mounts.held)
    pods = agent()
    await wish(mounting(settings))
    expect(mounts.held).toEqual(held)
    runtime.exit(containerId('uid-one', 'web', 0), 1)
    await settled()
    expect(status()).toMatchObject({ phase: 'Running', containerStatuses: [{ restartCount: 1 }] })
    await wish(mounting(settings, {}, 'two'))
    expect(status('two')?.phase).toBe('Pending')
  })

  test('of pods that ended while nobody looked are taken away by the next agent', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await wish(mounting(settings), mounting(settings, {}, 'two'))
    await pods.close()
    for (const name of ['one', 'two']) {
      const id = containerId(`uid-${name}`, 'web', 0)
      runtime.exit(id, 0)
      await runtime.remove(id, new AbortController().signal)
    }
    pods = agent()
    await wish(mounting(settings, {}, 'two'))
    expect([...mounts.held.keys()]).toEqual([join(dir, 'pods/uid-two/written')])
    expect(existsSync(join(dir, 'pods/uid-one'))).toBe(false)
  })

  test('one of them alone, by its name in the volume; a name that is not there is an error', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    await wish(mounting(settings, { subPath: 'colour' }))
    expect(runtime.started[0]!.mounts.find((m) => m.target === '/v')?.source).toBe(join(folder(), 'colour'))
    await wish(mounting(settings, { subPath: 'none' }, 'two'))
    expect(status('two')!.containerStatuses![0]!.state!.waiting).toEqual({
      reason: 'CreateContainerConfigError',
      message: 'spec.containers[0].volumeMounts[0].subPath: the volume holds nothing by that name',
    })
  })
})
