/**
 * Stock kubectl at a hub that a node has only a side link to, while its session is with the other one: two hubs on one etcd, an agent
 * and a containerd, all real, in a network namespace of the test's own.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { execPath } from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterStatus } from '../../api/hub.ts'
import { joinNode, publicKeyHash } from '../../cli/join.ts'
import { echoImageName } from '../../cli/lab/image/image.ts'
import { etcdFlags, noEtcd, startEtcd, type EtcdServer } from '../kit/etcd.ts'
import { startHub, type HubProcess } from '../kit/hub.ts'
import { kubectlFile } from '../kit/kubectl.ts'
import { inNamespace } from '../kit/netns.ts'
import { waitFor } from '../kit/wait.ts'
import { noContainerd, startContainerd, type TestContainerd } from './containerd.ts'

const root = resolve(import.meta.dirname, '../..')
const [nodeAddress, ...hubAddresses] = ['198.51.100.3', '198.51.100.1', '198.51.100.2'] as const
const missing = noContainerd ?? noEtcd ?? (kubectlFile ? undefined : 'no kubectl')

describe.skipIf(missing)(`kubectl at a hub without the node's session${missing ? ` (skipped: ${missing})` : ''}`, { timeout: 60_000 }, () => {
  let containerd: TestContainerd
  let etcd: EtcdServer | undefined
  let agent: ChildProcess | undefined
  const hubs: HubProcess[] = []
  const path = (...names: string[]): string => join(containerd.dir, ...names)
  const inside = <T>(run: () => Promise<T>): Promise<T> => inNamespace({ name: containerd.netns, path: `/run/netns/${containerd.netns}` }, run)
  const signal = (): AbortSignal => AbortSignal.timeout(30_000)
  const environment = (which: number) => ({ HOME: containerd.dir, KUBECONFIG: path(`hub${which}/admin.kubeconfig`) })
  /** What it says on stdout; it must succeed. */
  const kubectl = async (which: number, args: readonly string[], input?: string): Promise<string> =>
    (await containerd.exec.run({ command: kubectlFile!, args, env: environment(which), timeoutMs: 20_000, ...(input !== undefined && { input }) }, signal())).stdout
  const nodesAt = (which: number): Promise<ClusterStatus['nodes']> =>
    inside(async () => (await hubs[which]!.api.get<ClusterStatus>('/wherry/v1/status')).nodes)

  async function start(which: 0 | 1): Promise<void> {
    hubs[which] = await startHub({ data: path(`hub${which}`), host: hubAddresses[which], port: 6443, flags: etcdFlags(etcd!) })
  }
  async function startAgent(): Promise<void> {
    const token = readFileSync(path('hub0/join-token'), 'utf8').trim()
    const caHash = publicKeyHash(readFileSync(path('hub0/pki/ca.crt'), 'utf8'))
    const { url } = hubs[0]!
    await joinNode({ url, hub: url, token, caHash, node: 'a', dir: path('credentials'), signal: signal() })
    const places = ['--credentials', path('credentials'), '--state', path('agent'), '--containerd-address', containerd.address]
    const flags = ['--node', 'a', '--hub', url, '--cgroup-root', containerd.cgroup, '--netns-prefix', `wherry-${containerd.netns}-`]
    const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/wherry') }
    const node = [execPath, '--experimental-ffi', '--disable-warning=ExperimentalWarning', 'agent/main.ts']
    agent = spawn(node[0]!, [...node.slice(1), ...flags, ...places], { cwd: root, stdio: 'ignore', env })
  }
  const pod = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        { name: 'web', image: echoImageName, imagePullPolicy: 'Never', ports: [{ containerPort: 8080 }] },
        { name: 'ear', image: echoImageName, imagePullPolicy: 'Never', stdin: true, command: ['/bin/sh', '-c', 'while read -r line; do echo "heard $line"; done; sleep 600'] },
      ],
    },
  })
  const readyAt = (which: number) => async (): Promise<boolean> => (await kubectl(which, ['get', 'pod', 'web', '-o', 'jsonpath={.status.containerStatuses[*].ready}'])) === 'true true'

  beforeAll(async () => {
    containerd = await startContainerd('two', 'wherry')
    for (const address of [nodeAddress, ...hubAddresses]) await containerd.exec.run({ command: 'ip', args: ['address', 'add', `${address}/32`, 'dev', 'lo'] }, signal())
    await inside(async () => {
      etcd = await startEtcd()
      await start(0)
      for (const shared of ['pki', 'encryption.yaml']) cpSync(path('hub0', shared), path('hub1', shared), { recursive: true })
      await start(1)
      await startAgent()
    })
    await waitFor('the node at both hubs', async () => (await nodesAt(0))[0]?.connected === true && (await nodesAt(1))[0]?.aside === true)
    await kubectl(1, ['create', '-f', '-'], pod)
    await waitFor('the pod to be ready', readyAt(1), 60_000)
  })
  afterAll(async () => {
    await inside(async () => {
      if (agent?.kill('SIGTERM')) await once(agent, 'close')
      for (const hub of hubs) await hub.end('SIGKILL')
      await etcd?.end()
    })
    await containerd?.stop()
  })

  const exec = (which: number): Promise<string> => kubectl(which, ['exec', '-i', 'web', '-c', 'web', '--', 'sh', '-c', 'read -r word; echo "it is $word"'], 'sesame\n')

  test('exec, with input and the exit code', async () => {
    expect(await exec(1)).toBe('it is sesame\n')
    await expect(kubectl(1, ['exec', 'web', '-c', 'web', '--', 'sh', '-c', 'exit 7'])).rejects.toMatchObject({ exitCode: 7 })
  })

  test('attach to a container that listens, and its log', async () => {
    const attached = spawn('nsenter', [`--net=/run/netns/${containerd.netns}`, '--', kubectlFile!, 'attach', '-i', 'web', '-c', 'ear'], { env: { ...process.env, ...environment(1) } })
    let heard = ''
    attached.stdout.on('data', (part) => (heard += String(part)))
    try {
      attached.stdin.write('a word\n')
      await waitFor('an answer', () => heard.includes('heard a word'))
    } finally {
      attached.kill('SIGKILL')
    }
    expect(await kubectl(1, ['logs', 'web', '-c', 'ear'])).toContain('heard a word\n')
  })

  test('a forwarded port, and the way through the proxy of the API', async () => {
    const forward = spawn('nsenter', [`--net=/run/netns/${containerd.netns}`, '--', kubectlFile!, 'port-forward', 'web', ':8080'], { env: { ...process.env, ...environment(1) } })
    let said = ''
    forward.stdout.on('data', (part) => (said += String(part)))
    try {
      await waitFor('kubectl to listen', () => /127\.0\.0\.1:\d+/.test(said))
      const url = `http://${/127\.0\.0\.1:\d+/.exec(said)![0]}/`
      const { stdout } = await containerd.exec.run({ command: 'busybox', args: ['wget', '-q', '-O', '-', url] }, signal())
      expect(stdout).toContain('peer=127.0.0.1')
      expect(await kubectl(1, ['get', '--raw', '/api/v1/namespaces/default/pods/web:8080/proxy/'])).toContain('peer=')
    } finally {
      forward.kill('SIGKILL')
    }
  })

  test('and when the hub of the session dies, the other goes on', async () => {
    await inside(() => hubs[0]!.end('SIGKILL'))
    expect(await exec(1)).toBe('it is sesame\n')
    await kubectl(1, ['delete', 'pod', 'web'])
    await waitFor('the pod to go', async () => (await kubectl(1, ['get', 'pods', '-o', 'name'])) === '')
  })
})
