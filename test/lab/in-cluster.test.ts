/** What programs in pods find of the cluster: a real hub, a real agent, a real containerd, each in a network namespace of the test's own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { execPath } from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../../api/objects.ts'
import { joinNode, publicKeyHash } from '../../cli/join.ts'
import { echoImageName } from '../../cli/lab/image/image.ts'
import { createApi, failureOf, type Api } from '../kit/api.ts'
import { netnsLab } from '../kit/netns.ts'
import { waitFor } from '../kit/wait.ts'
import { noContainerd, startContainerd, type TestContainerd } from './containerd.ts'

const root = resolve(import.meta.dirname, '../..')
const [nodeAddress, hubAddress] = ['198.51.100.1', '198.51.100.10']
const account = '/var/run/secrets/kubernetes.io/serviceaccount'

describe.skipIf(noContainerd)(`programs in pods${noContainerd ? ` (skipped: ${noContainerd})` : ''}`, () => {
  const lab = netnsLab()
  let containerd: TestContainerd
  let api: Api
  let agent: ChildProcess
  const children: ChildProcess[] = []
  const path = (...names: string[]): string => join(containerd.dir, ...names)

  function start(namespace: string, args: readonly string[], fd?: number): { readonly child: ChildProcess; said(): string } {
    const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning']
    const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/wherry') }
    const stdio = ['ignore', 'pipe', 'pipe', ...(fd === undefined ? [] : [fd])] as ('ignore' | 'pipe' | number)[]
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, '--', execPath, ...flags, ...args], { cwd: root, stdio, env })
    children.push(child)
    let said = ''
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (part) => (said += String(part)))
    return { child, said: () => said }
  }
  async function end(child: ChildProcess | undefined, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await ended
  }
  function startAgent(): void {
    const { netns, cgroup, address } = containerd
    const places = ['--credentials', path('credentials'), '--state', path('agent'), '--containerd-address', address, '--cgroup-root', cgroup]
    const flags = ['--node', 'a', '--hub', `https://${hubAddress}:6443`, '--netns-prefix', `wherry-${netns}-`]
    agent = start(netns, ['agent/main.ts', ...flags, ...places]).child
  }
  /** The hub is where pods reach it, and at a socket of loopback, which it inherits, for the test. */
  async function startHub(namespace: string): Promise<void> {
    const door = createServer()
    await new Promise<void>((done) => door.listen(0, '127.0.0.1', done))
    const { port } = door.address() as AddressInfo
    const { fd } = (door as unknown as { readonly _handle: { readonly fd: number } })._handle
    const hub = start(namespace, ['server/main.ts', '--data', path('hub'), '--listen', `${hubAddress}:6443`, '--listen-fd', '3'], fd)
    await waitFor('the hub to serve', () => {
      if (hub.child.exitCode !== null) throw new Error(`the hub ended: ${hub.said()}`)
      return hub.said().includes('the hub is serving')
    })
    door.close()
    const pem = (name: string): string => readFileSync(path('hub/pki', name), 'utf8')
    const ca = pem('ca.crt')
    api = createApi({ url: `https://127.0.0.1:${port}`, tls: { ca, cert: pem('admin.crt'), key: pem('admin.key') } })
    const token = readFileSync(path('hub/join-token'), 'utf8').trim()
    const signal = AbortSignal.timeout(20_000)
    await joinNode({ url: api.url, hub: `https://${hubAddress}:6443`, token, caHash: publicKeyHash(ca), node: 'a', dir: path('credentials'), signal })
  }

  beforeAll(async () => {
    containerd = await startContainerd('inside', 'wherry')
    const hub = await lab.create()
    const node = { name: containerd.netns, path: `/run/netns/${containerd.netns}`, exec: containerd.exec }
    await lab.cable({ netns: node, address: `${nodeAddress}/24` }, { netns: hub, address: `${hubAddress}/24` })
    await startHub(hub.name)
    startAgent()
  })
  afterAll(async () => {
    api?.close()
    for (const child of children.toReversed()) await end(child, 'SIGTERM')
    await containerd?.stop()
  })

  const pods = '/api/v1/namespaces/default/pods'
  const get = (): Promise<Pod> => api.get<Pod>(`${pods}/client`)
  const log = async (): Promise<string> => (await api.send('GET', `${pods}/client/log`)).text
  const running = (): Promise<void> =>
    waitFor('the pod to run', async () => (await get()).status?.containerStatuses?.[0]?.ready === true, 60_000)

  /** A file as the container sees it. */
  let pid = ''
  const inside = (file: string): string => `/proc/${pid}/root${file}`

  /** A request from the network of the pod, with the token and the CA of its files, to a name that its resolver knows. */
  async function ask(question: string): Promise<{ readonly code: number; readonly body: { readonly message?: string; readonly items?: readonly unknown[] } }> {
    const script = `
      const { readFileSync } = require('node:fs')
      const read = (name) => readFileSync('${inside(account)}/' + name, 'utf8')
      const resolver = new (require('node:dns').Resolver)()
      resolver.setServers([/nameserver (\\S+)/.exec(readFileSync('${inside('/etc/resolv.conf')}', 'utf8'))[1]])
      const lookup = (name, options, done) =>
        resolver.resolve4(name + '.cluster.local', (e, found) => done(e, options.all ? found?.map((address) => ({ address, family: 4 })) : found?.[0], 4))
      const headers = { authorization: 'Bearer ' + read('token') }
      require('node:https').get('https://kubernetes.default.svc${question}', { ca: read('ca.crt'), headers, lookup, timeout: 10_000 }, async (answer) => {
        console.log(JSON.stringify({ code: answer.statusCode, body: JSON.parse((await answer.setEncoding('utf8').toArray()).join('')) }))
      })`
    const said = await containerd.exec.run({ command: 'nsenter', args: [`--net=/proc/${pid}/ns/net`, '--', execPath, '-e', script], timeoutMs: 20_000 }, AbortSignal.timeout(20_000))
    return JSON.parse(said.stdout) as Awaited<ReturnType<typeof ask>>
  }

  test('a pod that names a ConfigMap and a Secret waits for them, and has them in variables and files', async () => {
    await api.create('/api/v1/namespaces/default/secrets', { metadata: { name: 'keys' }, stringData: { password: 'sesame' } })
    const mounts = { settings: '/mnt/settings', keys: '/mnt/keys' }
    await api.create(pods, {
      metadata: { name: 'client' },
      spec: {
        terminationGracePeriodSeconds: 0,
        volumes: [
          { name: 'settings', configMap: { name: 'settings' } },
          { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
        ],
        containers: [
          {
            name: 'web',
            image: echoImageName,
            imagePullPolicy: 'Never',
            command: ['/bin/sh', '-c', 'env; stat -L -c "%a %n" /mnt/*/* ; while :; do sleep 1; done'],
            envFrom: [{ secretRef: { name: 'keys' } }],
            env: [{ name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'colour' } } }],
            volumeMounts: Object.entries(mounts).map(([name, mountPath]) => ({ name, mountPath })),
          },
        ],
      },
    })
    const events = async (): Promise<readonly string[]> =>
      (await api.list<{ reason: string; message: string }>('/api/v1/namespaces/default/events')).map((e) => `${e.reason}: ${e.message}`)
    await waitFor('the word that something is missing', async () => (await events()).includes('FailedMount: spec.volumes[0].configMap: configmap "settings" not found'), 60_000)
    expect((await get()).status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('ContainerCreating')
    await api.create('/api/v1/namespaces/default/configmaps', { metadata: { name: 'settings' }, data: { colour: 'blue' } })
    await running()
    await waitFor('the container to have spoken', async () => (await log()).includes('/mnt/settings/colour'))
    const said = await log()
    for (const line of ['COLOUR=blue', 'password=sesame', 'KUBERNETES_SERVICE_HOST=10.96.0.1', 'KUBERNETES_SERVICE_PORT=443', '400 /mnt/keys/password', '644 /mnt/settings/colour'])
      expect(said.split('\n')).toContain(line)
    const tasks = await containerd.exec.run({ command: 'ctr', args: ['-a', containerd.address, '-n', 'wherry', 'tasks', 'ls'] }, AbortSignal.timeout(20_000))
    pid = /^web-\S+ +(\d+) +RUNNING/m.exec(tasks.stdout)![1]!
    expect(readFileSync(inside('/mnt/keys/password'), 'utf8')).toBe('sesame')
  })

  test('its service account is known to the API by the name that programs use, and roles decide', async () => {
    expect(readFileSync(inside(`${account}/namespace`), 'utf8')).toBe('default')
    expect((await ask('/api')).code).toBe(200)
    const refused = await ask('/api/v1/namespaces/default/configmaps')
    expect([refused.code, refused.body.message]).toEqual([403, expect.stringContaining('system:serviceaccount:default:default')])
    const subjects = [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }]
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }
    await api.create('/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', { metadata: { name: 'view' }, subjects, roleRef })
    expect((await ask('/api/v1/namespaces/default/configmaps')).body.items?.length).toBe(2)
  })

  test('a node that runs no such pod may not read them', async () => {
    const key = (name: string): string => readFileSync(path('credentials', name), 'utf8')
    const node = createApi({ url: api.url, tls: { ca: key('ca.crt'), cert: key('node.crt'), key: key('node.key') } })
    await api.create('/api/v1/namespaces/default/secrets', { metadata: { name: 'others' } })
    expect((await failureOf(node.get('/api/v1/namespaces/default/secrets/others'))).reason).toBe('Forbidden')
    expect(await node.get('/api/v1/namespaces/default/secrets/keys')).toMatchObject({ data: { password: 'c2VzYW1l' } })
    node.close()
  })

  test('what is mounted stays where the agent is killed, and goes with the pod', async () => {
    const dir = path('agent/pods/pods', (await get()).metadata.uid)
    const mounts = (): readonly string[] => readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(` ${dir}/`))
    const links = (): readonly string[] => readdirSync(join(dir, 'written')).map((name) => readlinkSync(join(dir, 'written', name, '..data')))
    const before = [mounts(), links()]
    expect(before.map((all) => all.length)).toEqual([1, 3])
    await end(agent, 'SIGKILL')
    startAgent()
    await waitFor('the new agent to be there', async () => (await log().catch(() => '')).includes('COLOUR=blue'), 60_000)
    expect([mounts(), links()]).toEqual(before)
    expect((await get()).status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, ready: true })
    await api.delete(`${pods}/client`)
    await waitFor('its end', () => mounts().length === 0 && !existsSync(dir), 60_000)
  })
})
