/** The kubelet half with a real containerd, real CNI plugins and the demo's own image, in a network namespace. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../api/clock.ts'
import type { NodeReport } from '../../api/frames.ts'
import { silentLog } from '../../api/log.ts'
import type { Pod, PodSpec, PodStatus } from '../../api/objects.ts'
import { createDns } from '../../agent/dns/dns.ts'
import { goArchitecture } from '../../agent/metrics/node-facts.ts'
import { createIp } from '../../agent/net/ip.ts'
import { createPodNetwork } from '../../agent/net/pod-network.ts'
import { createFakeObjects } from '../../agent/objects/fake.ts'
import type { LogCall } from '../../agent/pods/logs.ts'
import { createPods, type Pods } from '../../agent/pods/pods.ts'
import { createCtrRuntime } from '../../agent/pods/runtime/ctr.ts'
import { createMounts } from '../../agent/pods/volumes/mounts.ts'
import type { ContainerState, Runtime } from '../../agent/pods/runtime/runtime.ts'
import { createTables } from '../../agent/state/tables.ts'
import { echoImageName } from '../../cli/lab/image/image.ts'
import { inNamespace } from '../kit/netns.ts'
import { noForwards } from '../kit/calls.ts'
import { endpointSlice, service, stored } from '../kit/objects.ts'
import { waitFor } from '../kit/wait.ts'
import { noContainerd, startContainerd, type TestContainerd } from './containerd.ts'

/** Real time, of which a test can skip some. */
interface SkippingClock extends Clock {
  skip(ms: number): void
}

function createSkippingClock(): SkippingClock {
  let skipped = 0
  const due = new Map<object, { readonly at: number; readonly call: () => void; timer: NodeJS.Timeout }>()
  const now = (): number => Date.now() + skipped
  const arm = (id: object, at: number, call: () => void): NodeJS.Timeout =>
    setTimeout(() => due.delete(id) && call(), Math.max(0, at - now()))
  return {
    now,
    after(ms, call) {
      const id = {}
      const at = now() + ms
      due.set(id, { at, call, timer: arm(id, at, call) })
      return () => {
        clearTimeout(due.get(id)?.timer)
        due.delete(id)
      }
    },
    skip(ms) {
      skipped += ms
      for (const [id, entry] of due) {
        clearTimeout(entry.timer)
        entry.timer = arm(id, entry.at, entry.call)
      }
    },
  }
}

describe.skipIf(noContainerd)(`pods on containerd${noContainerd ? ` (skipped: ${noContainerd})` : ''}`, () => {
  let containerd: TestContainerd
  let runtime: Runtime
  let clock: SkippingClock
  let pods: Pods
  let reports: NodeReport[] = []
  const objects = createFakeObjects(Date.now)
  const dns = { address: '169.254.20.10', domain: 'cluster.local' }
  const deadline = (): AbortSignal => AbortSignal.timeout(20_000)

  const agent = (): Pods => {
    runtime = createCtrRuntime({
      exec: containerd.exec,
      clock,
      log: silentLog,
      address: containerd.address,
      namespace: 'pods',
      stateDir: join(containerd.dir, 'agent', 'runtime'),
      runcRoot: join(containerd.dir, 'runc'),
      node: execPath,
      architecture: goArchitecture(),
    })
    const network = createPodNetwork({
      exec: containerd.exec,
      netnsPrefix: `${containerd.netns}-`,
      dir: join(containerd.dir, 'agent', 'network'),
      pluginDir: '/usr/lib/cni',
      mtu: 1500,
    })
    const made = createPods({
      node: 'a',
      dir: join(containerd.dir, 'agent'),
      runtime,
      network,
      forwards: noForwards,
      clock,
      log: silentLog,
      objects,
      mounts: createMounts(containerd.exec),
      random: Math.random,
      serviceVariables: () => [],
      cgroupRoot: containerd.cgroup,
      capacity: { cpuMillis: 1000, memoryBytes: 1e9 },
      hostIPs: () => ['192.0.2.1'],
      dns,
      report: (report) => reports.push(report),
    })
    made.setRanges(['10.244.7.0/24'])
    return made
  }

  beforeAll(async () => {
    containerd = await startContainerd('pods', 'pods')
    clock = createSkippingClock()
  })
  afterAll(() => containerd?.stop())
  beforeEach(() => {
    reports = []
    pods = agent()
  })
  afterEach(async () => {
    pods.setPods([])
    await waitFor('an empty node', async () => (await states()).length === 0 && networks().length === 0)
    await pods.close()
  })

  const states = (): Promise<readonly ContainerState[]> => runtime.list(deadline())
  const networks = (): string[] => readdirSync('/run/netns').filter((name) => name.startsWith(`${containerd.netns}-`))
  const addresses = (): string[] => readdirSync(join(containerd.dir, 'agent/network/addresses/wherry-pods')).filter((name) => /^\d/.test(name))
  const status = (name: string): PodStatus | undefined =>
    reports.flatMap((r) => (r.kind === 'pod' && r.key === `default/${name}` ? [r.status] : [])).at(-1)
  const isReady = (name: string): boolean => status(name)?.conditions?.find((c) => c.type === 'Ready')?.status === 'True'
  const ready = (name: string): Promise<void> => waitFor(`${name} to be ready`, () => isReady(name))
  const logs = async (pod: string, more: Partial<LogCall> = {}): Promise<string> => {
    const call = { method: 'logs', namespace: 'default', pod, container: 'web', follow: false, previous: false, timestamps: false, ...more } as const
    const parts: Uint8Array[] = []
    for await (const part of pods.calls.logs(call, deadline())) parts.push(part)
    return Buffer.concat(parts).toString()
  }
  /** From the node, until somebody answers: a container that runs does not have to listen yet. */
  const askHttp = async (ip: string): Promise<string> => {
    let body = ''
    await waitFor(`an answer of ${ip}`, async () => {
      const asked = containerd.exec.run({ command: 'busybox', args: ['wget', '-qO-', `http://${ip}:8080/`] }, deadline())
      body = await asked.then(
        (output) => output.stdout,
        () => '',
      )
      return body !== ''
    })
    return body
  }
  const askUdp = async (ip: string): Promise<string> => {
    const script = `
      const socket = require('node:dgram').createSocket('udp4')
      const again = setInterval(() => socket.send('?', 8080, '${ip}'), 50)
      socket.once('message', (m) => { clearInterval(again); process.stdout.write(m); socket.close() })`
    return (await containerd.exec.run({ command: execPath, args: ['-e', script] }, deadline())).stdout
  }
  const env = [
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
  ]
  const pod = (name: string, spec: Partial<PodSpec> = {}, uid = `00000000-aaaa-bbbb-cccc-${name.padEnd(12, '0')}`): Pod =>
    ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', uid: uid.replace('00000000', Buffer.from(name.padEnd(4, '0')).toString('hex')), resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { containers: [{ name: 'web', image: echoImageName, env }], terminationGracePeriodSeconds: 5, ...spec },
    }) as unknown as Pod
  const shell = (line: string, name = 'web'): PodSpec['containers'][number] => ({ name, image: echoImageName, command: ['/bin/sh', '-c', `trap exit TERM; ${line}`] })

  test('two containers share an address that answers, over TCP and UDP', async () => {
    pods.setPods([pod('pair', { containers: [{ name: 'web', image: echoImageName, env }, shell('while :; do wget -qO- 127.0.0.1:8080; sleep 1; done', 'beside')] })])
    await ready('pair')
    const ip = status('pair')!.podIP!
    expect(ip).toMatch(/^10\.244\.7\.\d+$/)
    expect(await askHttp(ip)).toBe('pod=pair node=a peer=10.244.7.1\n')
    expect(await askUdp(ip)).toBe('pod=pair node=a peer=10.244.7.1\n')
    await waitFor('the neighbour to have asked', async () => (await logs('pair', { container: 'beside' })).includes('pod=pair node=a peer=127.0.0.1'))
    expect(status('pair')).toMatchObject({ phase: 'Running', hostIP: '192.0.2.1' })
  })

  test('a pod finds a service by its short name, where its resolv.conf says', async () => {
    const stop = new AbortController()
    const netns = { name: containerd.netns, path: `/run/netns/${containerd.netns}`, exec: containerd.exec }
    const names = createDns({ ...dns, ranges: [], readHost: () => [], ip: createIp(containerd.exec), clock: systemClock, random: Math.random, log: silentLog })
    const running = await inNamespace(netns, async () => {
      const ended = names.run(stop.signal)
      await names.listening
      return { ended }
    })
    try {
      pods.setPods([pod('found'), pod('seeks', { containers: [shell('cat /etc/resolv.conf; while ! wget -qO- http://named:8080/; do sleep 0.2; done; nslookup named.default.svc.cluster.local; while :; do sleep 1; done')] })])
      await Promise.all([ready('found'), ready('seeks')])
      const metadata = { name: 'named-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'named' } }
      const objects = {
        services: stored(service({ metadata: { name: 'named', namespace: 'default' }, spec: { clusterIP: 'None' } })),
        'endpointslices.discovery.k8s.io': stored(endpointSlice({ metadata, endpoints: [{ addresses: [status('found')!.podIP!] }] })),
      } as const
      const tables = createTables()
      tables.take({ kind: 'reset' })
      for (const [resource, object] of Object.entries(objects)) tables.take({ kind: 'set', resource: resource as keyof typeof objects, revision: 1, object })
      names.take(tables.take({ kind: 'sync', revision: 1 })!)
      await waitFor('an answer to the name', async () => (await logs('seeks')).includes('pod=found'))
      await waitFor('the address of the name', async () => (await logs('seeks')).includes(`Address: ${status('found')!.podIP}\n`))
      expect(await logs('seeks')).toMatch(/^nameserver 169\.254\.20\.10\nsearch default\.svc\.cluster\.local svc\.cluster\.local cluster\.local.*\noptions ndots:5\n/)
    } finally {
      stop.abort(new DOMException('the test is over', 'AbortError'))
      await running.ended
    }
  })

  test('the demo answers a hundred times without a restart, and ends at once when it is told to', async () => {
    pods.setPods([pod('busy', { terminationGracePeriodSeconds: 60 })])
    await ready('busy')
    const ip = status('busy')!.podIP!
    await askHttp(ip)
    const script = `
      const { get } = require('node:http')
      const one = () => new Promise((resolve, reject) => get('http://${ip}:8080/', { agent: false }, (a) => a.resume().on('end', resolve)).on('error', reject))
      ;(async () => { for (let i = 0; i < 25; i++) await Promise.all([one(), one(), one(), one()]) })()`
    await containerd.exec.run({ command: execPath, args: ['-e', script], timeoutMs: 20_000 }, deadline())
    expect(await askUdp(ip)).toContain('pod=busy')
    expect(status('busy')?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, ready: true })
    const said = (await logs('busy')).trimEnd().split('\n')
    expect(said.filter((line) => !/^(pod busy on a answers|GET from 10\.244\.)/.test(line))).toEqual([])
    expect(said.length).toBeGreaterThan(100)
    pods.setPods([])
    await waitFor('its end, long before its time is over', async () => (await states()).length === 0)
  })

  test('host name, files of its own and an emptyDir that containers share', async () => {
    const volumeMounts = [{ name: 'shared', mountPath: '/shared' }]
    const first = { ...shell('echo made > /shared/file', 'first'), volumeMounts }
    const line = 'hostname; cat /etc/hostname; cat /etc/hosts; cat /shared/file; while :; do sleep 1; done'
    pods.setPods([pod('files', { initContainers: [first], containers: [{ ...shell(line), volumeMounts }], volumes: [{ name: 'shared', emptyDir: {} }], terminationGracePeriodSeconds: 0 })])
    await ready('files')
    await waitFor('the container to have spoken', async () => (await logs('files')).includes('made'))
    const said = await logs('files')
    expect(said.split('\n').slice(0, 2)).toEqual(['files', 'files'])
    expect(said).toContain('made\n')
    expect(said).toContain(`${status('files')!.podIP}\tfiles`)
  })

  test('a container that ends is restarted, at once and then after its back-off; its code, its restarts and its logs are told', async () => {
    pods.setPods([pod('crash', { containers: [shell('echo attempt; exit 3')] })])
    const looping = () => status('crash')?.containerStatuses?.[0]
    await waitFor('a crash loop', () => looping()?.state?.waiting?.reason === 'CrashLoopBackOff')
    expect(looping()).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 3, reason: 'Error' } } })
    expect(await logs('crash', { previous: true })).toBe('attempt\n')
    clock.skip(10_000)
    await waitFor('the next restart', () => (looping()?.restartCount ?? 0) >= 2)
  })

  test('logs can be cut, dated and followed to the end of the container', async () => {
    pods.setPods([pod('talk', { restartPolicy: 'Never', containers: [shell('for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done')] })])
    await waitFor('the first line', async () => (await logs('talk').catch(() => '')).includes('line 1'))
    expect(await logs('talk', { follow: true })).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n')
    expect(await logs('talk', { tailLines: 2 })).toBe('line 4\nline 5\n')
    expect(await logs('talk', { limitBytes: 9 })).toBe('line 1\nli')
    expect(await logs('talk', { timestamps: true, tailLines: 1 })).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]{18}Z line 5\n$/)
    await waitFor('the pod to have succeeded', () => status('talk')?.phase === 'Succeeded')
  })

  test('a deleted pod has its time, then nothing of it is left', async () => {
    const object = pod('stays', { containers: [shell('trap "echo asked" TERM; while :; do sleep 0.1; done')] })
    pods.setPods([object])
    await ready('stays')
    const uid = object.metadata.uid
    pods.setPods([{ ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:05Z', deletionGracePeriodSeconds: 60 } }])
    await waitFor('SIGTERM to have come', async () => (await logs('stays')).includes('asked'))
    expect((await states()).map((c) => c.phase)).toEqual(['running'])
    clock.skip(60_000)
    await waitFor('its end', () => reports.some((r) => r.kind === 'podGone' && r.uid === uid))
    expect(await states()).toEqual([])
    expect([networks(), addresses()]).toEqual([[], []])
    expect(existsSync(join(containerd.dir, 'agent/pods', uid))).toBe(false)
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(`${containerd.dir}/agent/`)
    expect(existsSync(join('/sys/fs/cgroup/memory', containerd.cgroup, `pod${uid}`))).toBe(false)
  })

  test('a new agent keeps what is right, ends what is not wished, and completes what was cut short', async () => {
    const all = [pod('keep'), pod('drop')]
    pods.setPods(all)
    await Promise.all([ready('keep'), ready('drop')])
    const before = await states()
    await pods.close()
    // A crash left a namespace, a record without a result and a container that was never started.
    const half = pod('half')
    const name = `${containerd.netns}-${half.metadata.uid.replaceAll('-', '').slice(0, 12)}`
    await containerd.exec.run({ command: 'ip', args: ['netns', 'add', name] }, deadline())

    reports = []
    pods = agent()
    expect((await states()).map((c) => c.phase)).toEqual(['running', 'running'])
    pods.setPods([all[0]!, half])
    await Promise.all([ready('keep'), ready('half')])
    await waitFor('the end of what is not wished', async () => (await states()).length === 2)
    const kept = before.find((c) => c.labels['wherry.io/pod-name'] === 'keep')!
    expect(await states()).toContainEqual(kept)
    expect(status('keep')!.podIP).not.toBe(status('half')!.podIP)
    // The address of a pod is given back after its containers ended.
    const wished = new Set([status('keep')!.podIP, status('half')!.podIP])
    await waitFor('the other addresses to be free', () => addresses().length === wished.size)
    expect(new Set(addresses())).toEqual(wished)
    expect(await askHttp(status('half')!.podIP!)).toContain('pod=half')
  })

  test('a pod on the network of the node has its names and no address of its own', async () => {
    pods.setPods([pod('host', { hostNetwork: true, containers: [shell('ip -o link; while :; do sleep 1; done')], terminationGracePeriodSeconds: 0 })])
    await ready('host')
    await waitFor('the container to have spoken', async () => (await logs('host')).includes('lo'))
    expect(status('host')?.podIP).toBe('192.0.2.1')
    expect(networks()).toEqual([])
    expect(await logs('host')).not.toContain('eth0')
  })

  test('ConfigMaps and Secrets in variables and files: with their modes, in memory, and changing with their objects', async () => {
    objects.put('ConfigMap', 'settings', { colour: 'blue' })
    objects.put('Secret', 'keys', { password: 'sesame' })
    const volumes = [
      { name: 'settings', configMap: { name: 'settings' } },
      { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
      { name: 'fast', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    ] as NonNullable<PodSpec['volumes']>
    const volumeMounts = [
      ...volumes.map(({ name }) => ({ name, mountPath: `/mnt/${name}` })),
      { name: 'settings', mountPath: '/mnt/one/colour', subPath: 'colour' },
    ]
    const lines = [
      // One output, or what it complains of comes between what it says.
      'exec 2>&1; echo env $COLOUR $password; cat /mnt/one/colour; echo; ls -lL /mnt/keys/password; cat /mnt/keys/password; echo',
      'touch /mnt/settings/new; grep " /mnt/" /proc/mounts; dd if=/dev/zero of=/mnt/fast/much bs=64k count=32; ls -l /mnt/fast',
      'while :; do cat /mnt/settings/colour; echo; sleep 0.2; done',
    ]
    const variables = { env: [{ name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'colour' } } }], envFrom: [{ secretRef: { name: 'keys' } }] }
    const object = pod('objs', { containers: [{ ...shell(lines.join('; ')), ...variables, volumeMounts }], volumes, terminationGracePeriodSeconds: 0 })
    pods.setPods([object])
    await ready('objs')
    const dir = join(containerd.dir, 'agent/pods', object.metadata.uid)
    const mounts = (): readonly string[] => readFileSync('/proc/mounts', 'utf8').split('\n').filter((line) => line.includes(` ${dir}/`))
    await waitFor('the container to have read', async () => (await logs('objs')).includes('\nblue\nblue\n'))
    const said = await logs('objs')
    expect(said).toContain('env blue sesame\n')
    expect(said).toMatch(/\n-r-------- +1 root +0 +6 .*\/mnt\/keys\/password\nsesame\n/)
    expect(said).toContain('/mnt/settings/new: Read-only file system')
    expect(said).toMatch(/wherry \/mnt\/keys tmpfs ro,/)
    expect(said).toMatch(/No space left on device/)
    expect(mounts().map((line) => line.split(' ').slice(0, 3))).toEqual([
      ['wherry', `${dir}/volumes/fast`, 'tmpfs'],
      ['wherry', `${dir}/written`, 'tmpfs'],
    ])
    objects.put('ConfigMap', 'settings', { colour: 'green' })
    clock.skip(60_000)
    await waitFor('the change to come', async () => (await logs('objs')).includes('\ngreen\n'))
    expect((await states()).map((c) => c.phase)).toEqual(['running'])
    pods.setPods([])
    await waitFor('its end', async () => (await states()).length === 0 && mounts().length === 0)
    await waitFor('its folder to be gone', () => !existsSync(dir))
  })
})
