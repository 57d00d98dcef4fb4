import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CallInput } from '../../api/call-flow.ts'
import type { NodeReport } from '../../api/frames.ts'
import { silentLog } from '../../api/log.ts'
import type { Pod, PodSpec, PodStatus } from '../../api/objects.ts'
import { createFakeClock, settled, type FakeClock } from '../../test/kit/clock.ts'
import { noForwards } from '../../test/kit/calls.ts'
import { createFakePodNetwork, type FakePodNetwork } from '../net/fake.ts'
import { createFakeObjects } from '../objects/fake.ts'
import { attemptLabels, containerId } from './attempts.ts'
import { createPods, type Pods } from './pods.ts'
import { createFakeRuntime, type FakeRuntime } from './runtime/fake.ts'
import type { ContainerSpec } from './runtime/runtime.ts'
import { createFakeMounts } from './volumes/fake.ts'

const image = 'registry.test/web:1'
let dir: string
let clock: FakeClock
let runtime: FakeRuntime
let network: FakePodNetwork
let reports: NodeReport[]
let pods: Pods

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wp-pods-'))
  clock = createFakeClock()
  runtime = createFakeRuntime(() => clock.now())
  runtime.images.add(image)
  network = createFakePodNetwork()
  network.setRanges(['10.244.1.0/24'])
  reports = []
  pods = agent()
})
afterEach(async () => {
  await pods.close()
  rmSync(dir, { recursive: true })
})

/** A new agent over the same node. */
const agent = (): Pods =>
  createPods({
    node: 'a',
    dir,
    runtime,
    network,
    forwards: noForwards,
    objects: createFakeObjects(() => clock.now()),
    mounts: createFakeMounts(),
    random: () => 0.5,
    serviceVariables: () => [],
    clock,
    log: silentLog,
    cgroupRoot: '/none/wp-pods',
    capacity: { cpuMillis: 1000, memoryBytes: 1e9 },
    hostIPs: () => ['192.0.2.1'],
    report: (report) => reports.push(structuredClone(report)),
  })

function pod(name: string, spec: Partial<PodSpec> = {}, meta: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', ...meta },
    spec: { containers: [{ name: 'web', image }], terminationGracePeriodSeconds: 30, ...spec },
  } as unknown as Pod
}
const deleted = (of: Pod): Pod => ({ ...of, metadata: { ...of.metadata, deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 } })
const id = (name: string, container = 'web', attempt = 0): string => containerId(`uid-${name}`, container, attempt)
const status = (name: string): PodStatus | undefined =>
  reports.flatMap((r) => (r.kind === 'pod' && r.key === `default/${name}` ? [r.status] : [])).at(-1)
const events = (): string[] => reports.flatMap((r) => (r.kind === 'event' ? [r.event.reason] : []))
const condition = (name: string, type: string): string | undefined => status(name)?.conditions?.find((c) => c.type === type)?.status
const container = (name: string, i = 0) => status(name)!.containerStatuses![i]!
const running = async (): Promise<string[]> => (await runtime.list(new AbortController().signal)).flatMap((c) => (c.phase === 'running' ? [c.id] : []))
const wish = async (...all: Pod[]): Promise<void> => {
  pods.setPods(all)
  await settled()
}

describe('a pod that starts', () => {
  test('has a network, a running container and a status that says so', async () => {
    await wish(pod('one'))
    expect(status('one')).toMatchObject({
      phase: 'Running',
      podIP: '10.244.1.2',
      hostIP: '192.0.2.1',
      startTime: '2026-01-01T00:00:00Z',
      qosClass: 'BestEffort',
    })
    expect(['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => condition('one', type))).toEqual(['True', 'True', 'True', 'True'])
    expect(container('one')).toMatchObject({ ready: true, started: true, restartCount: 0, containerID: `containerd://${id('one')}`, imageID: 'registry.test/web@sha256:fake' })
    expect(container('one').state?.running?.startedAt).toBe('2026-01-01T00:00:00Z')
    expect(events()).toEqual(['Pulled', 'Created', 'Started'])
    expect(runtime.started[0]).toMatchObject({ hostname: 'one', netns: '/run/netns/fake-uid-one', cgroup: `/none/wp-pods/poduid-one/${id('one')}` })
  })

  test('waits for the pod range of the node', async () => {
    network.setRanges([])
    await wish(pod('one'))
    expect(container('one').state).toEqual({ waiting: { reason: 'ContainerCreating' } })
    expect(runtime.started).toEqual([])
    pods.setRanges(['10.244.3.0/24'])
    await settled()
    expect(status('one')?.podIP).toBe('10.244.3.2')
  })

  test('on the network of the node it has its address and no namespace', async () => {
    await wish(pod('one', { hostNetwork: true }))
    expect(status('one')).toMatchObject({ podIP: '192.0.2.1', phase: 'Running' })
    expect(runtime.started[0]!.netns).toBeUndefined()
    expect(network.uids()).toEqual([])
  })

  test('a network that fails is tried again after a while, and an event says why', async () => {
    network.failures = 1
    await wish(pod('one'))
    expect(container('one').state).toEqual({ waiting: { reason: 'ContainerCreating', message: 'no address is free' } })
    expect(events()).toEqual(['FailedCreatePodSandBox'])
    await clock.advance(10_000)
    expect(status('one')?.phase).toBe('Running')
  })

  test('init containers run one after the other, before the others', async () => {
    await wish(pod('one', { initContainers: [{ name: 'first', image }, { name: 'second', image }] }))
    expect(await running()).toEqual([id('one', 'first')])
    expect(status('one')).toMatchObject({ phase: 'Pending' })
    expect(container('one').state).toEqual({ waiting: { reason: 'PodInitializing' } })
    expect(condition('one', 'Initialized')).toBe('False')
    runtime.exit(id('one', 'first'), 0)
    await settled()
    expect(await running()).toEqual([id('one', 'second')])
    runtime.exit(id('one', 'second'), 0)
    await settled()
    expect(await running()).toEqual([id('one')])
    expect(status('one')?.initContainerStatuses?.map((c) => [c.ready, c.state?.terminated?.reason])).toEqual([
      [true, 'Completed'],
      [true, 'Completed'],
    ])
  })

  test('probes are not run, and an event says so', async () => {
    await wish(pod('one', { containers: [{ name: 'web', image, readinessProbe: { tcpSocket: { port: 1 } } }] }))
    expect(container('one').ready).toBe(true)
    expect(events()).toContain('ProbeNotSupported')
  })

  test('no more than four at once', async () => {
    let now = 0
    let most = 0
    const quick = runtime
    const slow: FakeRuntime = {
      ...runtime,
      async run(spec: ContainerSpec, signal: AbortSignal) {
        most = Math.max(most, ++now)
        await new Promise((resolve) => setImmediate(resolve))
        await quick.run(spec, signal)
        now--
      },
    }
    await pods.close()
    runtime = slow
    pods = agent()
    await wish(...Array.from({ length: 12 }, (_, i) => pod(`p${i}`)))
    await settled(40)
    expect(await running()).toHaveLength(12)
    expect(most).toBe(4)
  })
})

describe('a container that ends', () => {
  test('is started again at once, then after 10 s, 20 s and so on up to 300 s', async () => {
    await wish(pod('one'))
    runtime.exit(id('one'), 1)
    await settled()
    expect(container('one')).toMatchObject({ restartCount: 1, ready: true, lastState: { terminated: { exitCode: 1, reason: 'Error' } } })
    const delays = [10, 20, 40, 80, 160, 300, 300]
    for (const [i, delay] of delays.entries()) {
      runtime.exit(id('one', 'web', i + 1), 1)
      await settled()
      expect(container('one').state?.waiting?.reason).toBe('CrashLoopBackOff')
      expect(condition('one', 'Ready')).toBe('False')
      await clock.advance(delay * 1000 - 1)
      expect(container('one').restartCount).toBe(i + 1)
      await clock.advance(1)
      expect(container('one').restartCount).toBe(i + 2)
    }
    expect(events().filter((e) => e === 'BackOff')).toHaveLength(delays.length)
    expect((await runtime.list(new AbortController().signal)).length).toBe(2)
  })

  test('changes the conditions that it concerns, with the time of the change, and no others', async () => {
    await wish(pod('one'))
    runtime.exit(id('one'), 1)
    await settled()
    await clock.advance(5_000)
    runtime.exit(id('one', 'web', 1), 1)
    await settled()
    const at = (type: string) => status('one')?.conditions?.find((c) => c.type === type)
    expect(at('Ready')).toMatchObject({ status: 'False', reason: 'ContainersNotReady', lastTransitionTime: '2026-01-01T00:00:05Z' })
    expect(at('Initialized')).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' })
  })

  test('after ten minutes of running the count begins anew', async () => {
    await wish(pod('one'))
    runtime.exit(id('one'), 1)
    await settled()
    await clock.advance(600_000)
    runtime.exit(id('one', 'web', 1), 1)
    await settled()
    expect(container('one')).toMatchObject({ restartCount: 2, ready: true })
  })

  test.each([
    ['Never', 0, 'Succeeded', 'Completed'],
    ['Never', 3, 'Failed', 'Error'],
    ['OnFailure', 0, 'Succeeded', 'Completed'],
  ] as const)('under %s with code %d makes the pod %s', async (restartPolicy, code, phase, reason) => {
    await wish(pod('one', { restartPolicy }))
    runtime.exit(id('one'), code)
    await settled()
    expect(status('one')?.phase).toBe(phase)
    expect(container('one').state?.terminated).toMatchObject({ exitCode: code, reason })
    await clock.advance(600_000)
    expect(runtime.started).toHaveLength(1)
  })

  test('under OnFailure with an error it is started again', async () => {
    await wish(pod('one', { restartPolicy: 'OnFailure' }))
    runtime.exit(id('one'), 3)
    await settled()
    expect(container('one')).toMatchObject({ restartCount: 1, ready: true })
  })

  test('for want of memory it says so', async () => {
    await wish(pod('one', { restartPolicy: 'Never' }))
    runtime.exit(id('one'), 137, 'oom')
    await settled()
    expect(container('one').state?.terminated?.reason).toBe('OOMKilled')
  })

  test('an init container that fails under Never fails the pod', async () => {
    await wish(pod('one', { restartPolicy: 'Never', initContainers: [{ name: 'first', image }] }))
    runtime.exit(id('one', 'first'), 1)
    await settled()
    expect(status('one')?.phase).toBe('Failed')
    expect(await running()).toEqual([])
  })
})

describe('a container that cannot be started', () => {
  const state = () => container('one').state?.waiting

  test('its image cannot be pulled: ErrImagePull, then ImagePullBackOff, and then it can', async () => {
    const missing = 'registry.test/late:1'
    await wish(pod('one', { containers: [{ name: 'web', image: missing }] }))
    expect(state()?.reason).toBe('ErrImagePull')
    await clock.advance(10_000)
    expect(state()?.reason).toBe('ImagePullBackOff')
    runtime.registry.add(missing)
    await clock.advance(20_000)
    expect(status('one')?.phase).toBe('Running')
    expect(events()).toContain('Failed')
    expect(events()).toContain('BackOff')
  })

  test('its image is not there and may not be pulled', async () => {
    await wish(pod('one', { containers: [{ name: 'web', image: 'registry.test/late:1', imagePullPolicy: 'Never' }] }))
    expect(state()?.reason).toBe('ErrImageNeverPull')
  })

  test('it asks for what the node does not offer: the message names the field', async () => {
    const env = [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }]
    await wish(pod('one', { containers: [{ name: 'web', image, env }] }))
    expect(state()).toMatchObject({ reason: 'CreateContainerConfigError', message: expect.stringContaining('spec.containers[0].env[0].valueFrom.secretKeyRef: ') as string })
    expect(runtime.started).toEqual([])
  })

  test.each([
    [{ securityContext: { runAsUser: 1000 } }, 'spec.securityContext.runAsUser'],
    [{ hostPID: true }, 'spec.hostPID'],
    [{ containers: [{ name: 'web', image, volumeDevices: [{ name: 'v', devicePath: '/dev/v' }] }] }, 'spec.containers[0].volumeDevices'],
    [{ initContainers: [{ name: 'side', image, restartPolicy: 'Always' }] }, 'spec.initContainers[0].restartPolicy'],
    [
      { containers: [{ name: 'web', image, volumeMounts: [{ name: 'v', mountPath: '/v' }] }], volumes: [{ name: 'v', configMap: { name: 'c' } }] },
      'spec.volumes[0].configMap',
    ],
    [{ containers: [{ name: 'web', image, volumeMounts: [{ name: 'v', mountPath: '/v' }] }] }, 'spec.containers[0].volumeMounts[0].name'],
  ])('%j is refused by name', async (spec, field) => {
    await wish(pod('one', spec as Partial<PodSpec>))
    const all = [...(status('one')?.containerStatuses ?? []), ...(status('one')?.initContainerStatuses ?? [])]
    expect(all.map((c) => c.state?.waiting?.message)).toContainEqual(expect.stringContaining(`${field}: `))
  })

  test('its command is missing: RunContainerError, tried again later', async () => {
    runtime.brokenCommands.add('/none')
    await wish(pod('one', { containers: [{ name: 'web', image, command: ['/none'] }] }))
    expect(state()?.reason).toBe('RunContainerError')
    runtime.brokenCommands.clear()
    await clock.advance(10_000)
    expect(status('one')?.phase).toBe('Running')
  })
})

describe('a pod that is deleted', () => {
  test('gets SIGTERM, and when it has ended nothing of it is left', async () => {
    await wish(pod('one'))
    await wish(deleted(pod('one')))
    expect(runtime.signals).toEqual([`${id('one')} SIGTERM`])
    expect(events()).toContain('Killing')
    expect(reports.at(-1)).toEqual({ kind: 'podGone', key: 'default/one', uid: 'uid-one' })
    expect(await runtime.list(new AbortController().signal)).toEqual([])
    expect(network.uids()).toEqual([])
  })

  test('gets SIGKILL when its time is over, not before', async () => {
    await wish(pod('one'))
    runtime.stubborn.add(id('one'))
    await wish(deleted(pod('one')))
    await clock.advance(29_999)
    expect(runtime.signals).toEqual([`${id('one')} SIGTERM`])
    await clock.advance(1)
    expect(runtime.signals).toEqual([`${id('one')} SIGTERM`, `${id('one')} SIGKILL`])
    expect(reports.at(-1)?.kind).toBe('podGone')
  })

  test('without a grace period gets SIGKILL at once', async () => {
    await wish(pod('one'))
    const object = deleted(pod('one'))
    await wish({ ...object, metadata: { ...object.metadata, deletionGracePeriodSeconds: 0 } })
    expect(runtime.signals).toEqual([`${id('one')} SIGKILL`])
  })

  test('that is missing from the wish ends, too, and its end is told once', async () => {
    await wish(pod('one'), pod('two'))
    await wish(pod('two'))
    expect(await running()).toEqual([id('two')])
    await wish(pod('two'))
    expect(reports.filter((r) => r.kind === 'podGone')).toHaveLength(1)
  })

  test('its end is told again on demand, until the hub has forgotten it', async () => {
    await wish(pod('one'))
    await wish(deleted(pod('one')))
    pods.repeat()
    expect(reports.filter((r) => r.kind === 'podGone')).toHaveLength(2)
    await wish()
    pods.repeat()
    expect(reports.filter((r) => r.kind === 'podGone')).toHaveLength(2)
  })

  test('while its image is being pulled, does not wait for it', async () => {
    await pods.close()
    const endless: FakeRuntime = { ...runtime, pullImage: (_, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))) }
    runtime = endless
    pods = agent()
    const slow = pod('one', { containers: [{ name: 'web', image: 'registry.test/slow:1' }] })
    await wish(slow)
    await wish(deleted(slow))
    expect(reports.at(-1)?.kind).toBe('podGone')
  })
})

describe('an agent that starts', () => {
  test('removes nothing before it is told what is wished', async () => {
    await wish(pod('one'))
    await pods.close()
    pods = agent()
    await clock.advance(120_000)
    expect(await running()).toEqual([id('one')])
  })

  test('keeps what runs and is wished, and tells its status', async () => {
    await wish(pod('one'))
    await pods.close()
    reports = []
    pods = agent()
    await wish(pod('one'))
    expect(runtime.started).toHaveLength(1)
    expect(status('one')).toMatchObject({ phase: 'Running', podIP: '10.244.1.2' })
    expect(events()).toEqual([])
  })

  test('ends what is not wished any more, and tells nothing of it', async () => {
    await wish(pod('one'), pod('two'))
    await pods.close()
    reports = []
    pods = agent()
    await wish(pod('two'))
    expect(await running()).toEqual([id('two')])
    expect(runtime.signals).toEqual([`${id('one')} SIGTERM`])
    expect(network.uids()).toEqual(['uid-two'])
    expect(reports.every((r) => r.kind === 'pod' && r.key === 'default/two')).toBe(true)
  })

  test('drops the network of a pod that has no containers and is not wished', async () => {
    await network.raise('uid-old', new AbortController().signal)
    await wish(pod('one'))
    expect(network.uids()).toEqual(['uid-one'])
  })

  test('after a crash between making and starting a container begins that one anew', async () => {
    const labels = attemptLabels({ uid: 'uid-one', namespace: 'default', name: 'one', graceSeconds: 30 }, 'web', 0)
    runtime.leaveCreated({ id: id('one'), image, labels } as unknown as ContainerSpec)
    await wish(pod('one'))
    expect(await running()).toEqual([id('one')])
    expect(status('one')?.phase).toBe('Running')
  })

  test('after a crash in the middle of making a network makes it anew', async () => {
    network.failures = 1
    await network.raise('uid-one', new AbortController().signal).catch(() => {})
    expect(network.find('uid-one').kind).toBe('half')
    await wish(pod('one'))
    expect(status('one')).toMatchObject({ phase: 'Running' })
  })

  test('a container whose network is lost is started anew in a new one', async () => {
    await wish(pod('one'))
    network.lose('uid-one')
    await clock.advance(30_000)
    expect(container('one')).toMatchObject({ restartCount: 1, ready: true })
    expect(status('one')?.podIP).toBe('10.244.1.3')
  })

  test('makes a network anew that is not whole, but not under the feet of a container that runs', async () => {
    await wish(pod('one'), pod('two', { restartPolicy: 'OnFailure' }))
    runtime.exit(id('one'), 1)
    await pods.close()
    const kept = status('two')?.podIP
    network.changed.add('uid-one').add('uid-two')
    pods = agent()
    await wish(pod('one'), pod('two', { restartPolicy: 'OnFailure' }))
    expect(status('one')).toMatchObject({ phase: 'Running', podIP: '10.244.1.4' })
    expect(status('two')?.podIP).toBe(kept)
    expect(runtime.signals).toEqual([])
  })

  test('makes a network anew whose link is gone, also where a container runs, which is started anew', async () => {
    await wish(pod('one'))
    await pods.close()
    network.unplugged.add('uid-one')
    pods = agent()
    await wish(pod('one'))
    await clock.advance(30_000)
    expect(status('one')).toMatchObject({ phase: 'Running', podIP: '10.244.1.3' })
    expect(container('one')).toMatchObject({ restartCount: 1, ready: true })
  })

  test('starts nothing of a pod that is over', async () => {
    await wish({ ...pod('one'), status: { phase: 'Succeeded' } } as Pod)
    expect(runtime.started).toEqual([])
    expect(reports).toEqual([])
  })

  test('goes on with a back-off where it cannot know how long it already lasts', async () => {
    await wish(pod('one'))
    for (const attempt of [0, 1]) {
      runtime.exit(id('one', 'web', attempt), 1)
      await settled()
    }
    await pods.close()
    pods = agent()
    await wish(pod('one'))
    expect(container('one').state?.waiting?.reason).toBe('CrashLoopBackOff')
    await clock.advance(10_000)
    expect(container('one').restartCount).toBe(2)
  })
})

describe('an agent that is killed', () => {
  /** A node whose agent dies at its n-th effect: just before it or just after it. From then on it can do nothing. */
  async function killedAt(effect: number, when: 'before' | 'after', work: () => Promise<void>): Promise<boolean> {
    await pods.close()
    const [realRuntime, realNetwork] = [runtime, network]
    let count = 0
    let dead = false
    const dying =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        const last = !dead && ++count === effect
        if (dead || (last && when === 'before')) {
          dead = true
          throw new Error('killed')
        }
        const result = await call(...args)
        if (!last) return result
        dead = true
        throw new Error('killed')
      }
    runtime = {
      ...realRuntime,
      run: dying((...args: Parameters<FakeRuntime['run']>) => realRuntime.run(...args)),
      kill: dying((...args: Parameters<FakeRuntime['kill']>) => realRuntime.kill(...args)),
      remove: dying((...args: Parameters<FakeRuntime['remove']>) => realRuntime.remove(...args)),
    }
    network = {
      ...realNetwork,
      get ready() {
        return realNetwork.ready
      },
      raise: dying((uid: string, signal: AbortSignal) => realNetwork.raise(uid, signal)),
      drop: dying((uid: string, signal: AbortSignal) => realNetwork.drop(uid, signal)),
    }
    pods = agent()
    await work()
    await pods.close()
    ;[runtime, network] = [realRuntime, realNetwork]
    reports = []
    pods = agent()
    return dead
  }

  const spec: Partial<PodSpec> = { initContainers: [{ name: 'first', image }], containers: [{ name: 'web', image }, { name: 'db', image }] }
  const endInit = async (): Promise<void> => {
    await settled()
    if ((await running()).includes(id('one', 'first'))) runtime.exit(id('one', 'first'), 0)
    await settled()
  }

  test.each(['before', 'after'] as const)('%s any effect of a start: the next one completes the pod', async (when) => {
    for (let effect = 1; ; effect++) {
      const died = await killedAt(effect, when, async () => {
        pods.setPods([pod('one', spec)])
        await endInit()
      })
      pods.setPods([pod('one', spec)])
      await endInit()
      expect(new Set(await running()), `effect ${effect}`).toEqual(new Set([id('one'), id('one', 'db')]))
      expect(status('one')).toMatchObject({ phase: 'Running', podIP: network.find('uid-one').kind === 'up' ? expect.any(String) as string : 'none' })
      expect(network.uids()).toEqual(['uid-one'])
      if (!died) return expect(effect).toBeGreaterThan(4)
      await wish()
      expect(await runtime.list(new AbortController().signal)).toEqual([])
    }
  })

  test.each(['before', 'after'] as const)('%s any effect of an end: the next one leaves nothing', async (when) => {
    for (let effect = 1; ; effect++) {
      pods.setPods([pod('one', spec)])
      await endInit()
      const died = await killedAt(effect, when, () => wish(deleted(pod('one', spec))))
      await wish(deleted(pod('one', spec)))
      expect(await runtime.list(new AbortController().signal), `effect ${effect}`).toEqual([])
      expect(network.uids()).toEqual([])
      expect(reports.at(-1)).toMatchObject({ kind: 'podGone' })
      if (!died) return expect(effect).toBeGreaterThan(4)
      await wish()
    }
  })
})

test('a status that has not changed is told once', async () => {
  await wish(pod('one'))
  const before = reports.length
  await clock.advance(300_000)
  expect(reports).toHaveLength(before)
})

test('logs of a pod that is not here, of a container that it does not have, and of one that waits are refused', async () => {
  await wish(pod('one', { containers: [{ name: 'web', image: 'registry.test/none:1' }] }))
  const first = async (name: string, of: string): Promise<string> => {
    const call = { method: 'logs', namespace: 'default', pod: name, container: of, follow: false, previous: false, timestamps: false } as const
    try {
      for await (const _ of pods.calls.logs(call, new AbortController().signal)) return 'bytes'
    } catch (e) {
      return (e as Error).message
    }
    return 'nothing'
  }
  expect(await first('two', 'web')).toContain('is not on this node')
  expect(await first('one', 'db')).toContain('it has: web')
  expect(await first('one', 'web')).toContain('is waiting to start: ErrImagePull')
})

describe('a container that is spoken to', () => {
  const container = { name: 'web', image, command: ['echo'] }
  const call = { method: 'attach', namespace: 'default', pod: 'one', container: 'web', stdin: true, stdout: true, stderr: true, tty: false } as const
  const words = (): AsyncIterable<CallInput> => ReadableStream.from<CallInput>([{ kind: 'bytes', bytes: Buffer.from('hello') }, { kind: 'resize', width: 80, height: 24 }])
  const attach = async (asked: Partial<typeof call> = {}, container = 'web'): Promise<string[]> => {
    const parts = await Array.fromAsync(pods.calls.attach({ ...call, ...asked, container } as typeof call, words(), new AbortController().signal))
    return parts.map((part) => (part.kind === 'exit' ? '' : `${part.kind} ${Buffer.from(part.bytes).toString()}`))
  }
  beforeEach(() => {
    // Says whatever reaches it; ends at the end of its stdin, or when a terminal has a size.
    runtime.mains.set('echo', async function* (spec, input) {
      for await (const part of input) {
        yield { kind: 'out', bytes: part.kind === 'bytes' ? part.bytes : Buffer.from(`${part.width}x${part.height}`) }
        if (part.kind === 'resize') break
      }
      yield { kind: 'exit', code: spec.tty ? 3 : 0 }
    })
  })

  test('its fields reach the runtime, and none where there is none', async () => {
    await wish(pod('one', { containers: [{ ...container, stdin: true, stdinOnce: true, tty: true }] }), pod('two'))
    const [one, two] = runtime.started
    expect(one).toMatchObject({ stdin: true, stdinOnce: true, tty: true })
    for (const field of ['stdin', 'stdinOnce', 'tty']) expect(two).not.toHaveProperty(field)
  })

  test('what is said reaches its stdin; one that is for one ends with it, and so the pod', async () => {
    await wish(pod('one', { containers: [{ ...container, stdin: true, stdinOnce: true }], restartPolicy: 'Never' }))
    expect(await attach()).toEqual(['out hello'])
    await settled()
    expect(status('one')?.phase).toBe('Succeeded')
  })

  test('one that is for many stays open', async () => {
    await wish(pod('one', { containers: [{ ...container, stdin: true }], restartPolicy: 'Never' }))
    for (let i = 0; i < 2; i++) expect(await attach()).toEqual(['out hello'])
    expect(await running()).toEqual([id('one')])
  })

  test('sizes reach its terminal', async () => {
    await wish(pod('one', { containers: [{ ...container, stdin: true, stdinOnce: true, tty: true }], restartPolicy: 'Never' }))
    expect(await attach()).toEqual(['out hello', 'out 80x24'])
    await settled()
    expect(status('one')?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(3)
  })

  test('who only listens says nothing, and an init container may be the one that is spoken to', async () => {
    await wish(pod('one', { initContainers: [{ ...container, name: 'first', stdin: true, stdinOnce: true }] }))
    const listener = attach({ stdin: false } as object, 'first')
    expect(await attach({}, 'first')).toEqual(['out hello'])
    expect(await listener).toEqual(['out hello'])
    await settled()
    expect(await running()).toEqual([id('one')])
  })

  test('one that does not run is refused', async () => {
    await wish(pod('one'))
    await expect(attach({}, 'other')).rejects.toMatchObject({ code: 'CONTAINER_UNKNOWN' })
  })
})
