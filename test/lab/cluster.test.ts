/**
 * The main job, tried as a new user would: `wherry up` beside any lab that runs already, stock kubectl, kills, `wherry down`.
 * Every test builds on the cluster that the first one made; they run in order.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../kit/wait.ts'
import { smokeSuite, type Ended } from './smoke.ts'

const root = resolve(import.meta.dirname, '../..')
const name = 'wherrytest'
const port = 16443
const stateDir = `/var/lib/wherry/${name}`
const kubeconfig = `${stateDir}/kubeconfig`
const isRoot = process.getuid?.() === 0

function run(file: string, args: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<Ended> {
  return new Promise((done, fail) => {
    const child = spawn(file, args, { cwd: root, timeout: options.timeoutMs ?? 60_000, env: { ...process.env, KUBECONFIG: kubeconfig } })
    let out = ''
    let err = ''
    child.stdout.on('data', (d) => (out += String(d)))
    child.stderr.on('data', (d) => (err += String(d)))
    child.on('error', fail)
    child.on('close', (code) => done({ code, out, err }))
    // A process that ends before it reads is told by its exit code.
    child.stdin.on('error', () => {}).end(options.input ?? '')
  })
}

const wherry = (...args: string[]): Promise<Ended> => run('bin/wherry', args, { timeoutMs: 240_000 })

/** Stock kubectl; a failing command fails the test with kubectl's words. */
async function kubectl(args: string, input?: string): Promise<string> {
  const { code, out, err } = await run('kubectl', args.split(' '), { ...(input && { input }) })
  expect(code, `kubectl ${args}: ${err}`).toBe(0)
  return out.trim()
}
const json = async <T>(args: string): Promise<T> => JSON.parse(await kubectl(`${args} -o json`)) as T

interface PodList {
  readonly items: readonly { metadata: { name: string; uid: string }; spec: { nodeName: string }; status: { phase: string; podIP: string; containerStatuses: { restartCount: number; ready: boolean }[] } }[]
}
const pods = (): Promise<PodList> => json<PodList>('get pods -l app=web')
const running = (list: PodList) => list.items.filter((p) => p.status.phase === 'Running' && p.status.containerStatuses.every((c) => c.ready))

const inNode = (node: string, ...argv: string[]): [string, string[]] => ['nsenter', [`--net=/run/netns/${name}-${node}`, '--', ...argv]]
const inNodeRun = (node: string, ...argv: string[]): Promise<Ended> => run(...inNode(node, ...argv))

/** One connection from a node: the pod that answered, or the error's code. */
async function ask(node: string, host: string, targetPort: number): Promise<string> {
  const script = `
    const s = require('node:net').connect({ host: '${host}', port: ${targetPort} })
    let t = ''
    s.setTimeout(2000, () => { console.log('TIMEOUT'); process.exit() })
    s.on('connect', () => s.write('GET / HTTP/1.0\\r\\n\\r\\n'))
    s.on('data', (d) => (t += d)).on('error', (e) => { console.log(e.code); process.exit() })
    s.on('close', () => console.log(/pod=(\\S+)/.exec(t)?.[1] ?? 'GARBLED'))`
  return (await inNodeRun(node, process.execPath, '-e', script)).out.trim()
}

interface Traffic {
  stop(): Promise<{ ok: number; failed: number; errors: Record<string, number>; pods: string[] }>
}

async function traffic(node: string, host: string, targetPort: number): Promise<Traffic> {
  const [file, args] = inNode(node, process.execPath, join(root, 'test/lab/traffic.ts'), host, String(targetPort), '60')
  const child: ChildProcess = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  let out = ''
  child.stdout!.on('data', (d) => (out += String(d)))
  const ended = new Promise<void>((done) => child.on('close', () => done()))
  await waitFor('traffic to start', () => out.includes('started'))
  return {
    async stop() {
      child.stdin!.end()
      await ended
      return JSON.parse(out.split('\n')[1]!) as Awaited<ReturnType<Traffic['stop']>>
    },
  }
}

/** A process of the lab by its record: pid and start time. */
function processOf(member: string): number {
  const dir = `/run/wherry/${name}`
  const file = readdirSync(dir, { recursive: true }).map(String).find((f) => f.endsWith(`${member}.json`))
  expect(file, `a record of ${member} in ${dir}`).toBeDefined()
  return (JSON.parse(readFileSync(join(dir, file!), 'utf8')) as { pid: number }).pid
}
const alive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
const startTimes = (pids: readonly number[]): string[] => pids.map((pid) => (alive(pid) ? readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[21]! : 'dead'))

/** Namespaces of tests that run at the same time. */
const otherTests = /^(wt|wp|wl[0-9a-z]*)-/

/** What the machine has that a lab must leave as it was. */
async function traces(): Promise<Record<string, string>> {
  const text = async (file: string, ...args: string[]): Promise<string> => (await run(file, args)).out
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((l) => l.split(' ')[4]).filter((m) => m?.includes(name)).join()
  return {
    namespaces: (await text('ip', 'netns')).split('\n').filter((line) => !otherTests.test(line)).join('\n'),
    links: (await text('ip', '-br', 'link')).replace(/ +[0-9a-f:]{17}.*/g, ''),
    rules: await text('nft', 'list', 'ruleset'),
    mounts,
  }
}

describe.skipIf(!isRoot)('a cluster on one machine (needs root)', () => {
  let before: Record<string, string>
  let up: Ended
  let vip = ''

  beforeAll(async () => {
    before = await traces()
    up = await wherry('up', '--name', name, '--port', String(port))
    if (up.code === 0) vip = await kubectl('get service web -o jsonpath={.spec.clusterIP}')
  }, 300_000)
  afterAll(async () => {
    await wherry('down', '--name', name)
  }, 120_000)

  test('`wherry up` ends well and shows who answered, and the rules', () => {
    expect(up.code, up.out + up.err).toBe(0)
    expect(up.out).toMatch(/endpoints-3/)
    expect(up.out).toContain(vip)
    for (const node of ['node1', 'node2', 'node3']) expect(up.out).toContain(node)
  })

  test('three nodes are ready, each with its own address, pod range and measured load', async () => {
    interface Node { metadata: { name: string }; spec: { podCIDR: string }; status: { addresses: { type: string; address: string }[]; conditions: { type: string; status: string }[] } }
    const { items } = await json<{ items: Node[] }>('get nodes')
    expect(items.map((n) => [n.metadata.name, n.status.addresses.find((a) => a.type === 'InternalIP')?.address])).toEqual([
      ['node1', '198.18.0.11'],
      ['node2', '198.18.0.12'],
      ['node3', '198.18.0.13'],
    ])
    expect(new Set(items.map((n) => n.spec.podCIDR)).size).toBe(3)
    expect(items.map((n) => n.status.conditions.find((c) => c.type === 'Ready')?.status)).toEqual(['True', 'True', 'True'])
    const status = await wherry('status', '--name', name)
    expect(status.code, status.err).toBe(0)
    expect(status.out).toMatch(/node3.*live/)
  })

  test('the scheduler says why, with measured load, and spreads the replicas', async () => {
    expect(new Set(running(await pods()).map((p) => p.spec.nodeName)).size).toBe(3)
    expect(await kubectl('get events --field-selector reason=Scheduled')).toMatch(/Successfully assigned default\/web-\S+ to node\d \(cpu \d+%, memory \d+% measured/)
  })

  test('kubectl get -o wide, describe and logs show what people know', async () => {
    expect(await kubectl('get pods -o wide')).toMatch(/web-\S+ +1\/1 +Running +0 +\S+ +10\.244\.\d+\.\d+ +node\d/)
    const [first] = running(await pods())
    const description = await kubectl(`describe pod ${first!.metadata.name}`)
    expect(description).toMatch(/Controlled By: +ReplicaSet\/web-/)
    expect(description).toMatch(/Normal +Started/)
    expect(await kubectl('describe service web')).toMatch(/Endpoints: +10\.244\.\d+\.\d+:8080/)
    await ask('node1', first!.status.podIP, 8080)
    await waitFor('the pod to log the request', async () => (await kubectl(`logs ${first!.metadata.name}`)).length > 0)
  })

  test('a second `wherry up` finds everything as it should be', async () => {
    const containers = running(await pods()).map((p) => p.metadata.uid)
    const again = await wherry('up', '--name', name, '--port', String(port))
    expect(again.code, again.out + again.err).toBe(0)
    expect(running(await pods()).map((p) => p.metadata.uid)).toEqual(containers)
  }, 240_000)

  smokeSuite({ stateDir, url: `https://127.0.0.1:${port}`, kubeconfig, run, inNode: inNodeRun })

  test('get -w tells of a scale as it happens', async () => {
    const watch = spawn('kubectl', ['get', 'deployment', 'web', '-w', '--no-headers'], { env: { ...process.env, KUBECONFIG: kubeconfig } })
    let seen = ''
    watch.stdout.on('data', (d) => (seen += String(d)))
    try {
      await waitFor('the first line of the watch', () => /3\/3/.test(seen))
      await kubectl('scale deployment web --replicas=4')
      await waitFor('the watch to show four', () => /4\/4/.test(seen), 60_000)
      await kubectl('scale deployment web --replicas=3')
      await waitFor('the watch to show three', () => /4\/4[^]*3\/3/.test(seen), 60_000)
    } finally {
      watch.kill()
    }
  }, 150_000)

  test('scaled to nothing, the virtual IP refuses at once, on every node and by name of the port', async () => {
    await kubectl('scale deployment web --replicas=0')
    await waitFor('the endpoints to be gone', async () => !(await kubectl('get endpointslices -l kubernetes.io/service-name=web -o jsonpath={.items[*].endpoints}')).includes('"ready":true'))
    for (const node of ['node1', 'node2', 'node3']) {
      await waitFor(`${node} to refuse`, async () => (await ask(node, vip, 80)) === 'ECONNREFUSED')
    }
    expect(await ask('node1', vip, 81), 'a port that the service does not have').toBe('ECONNREFUSED')
    await kubectl('scale deployment web --replicas=3')
    await kubectl('rollout status deployment web --timeout=60s')
    await waitFor('the virtual IP to answer again', async () => (await ask('node2', vip, 80)).startsWith('web-'))
  }, 150_000)

  test('a pod finds a service by its name, short and long', async () => {
    const [asker] = running(await pods())
    const ctr = ['-a', `/run/wherry/${name}/${asker!.spec.nodeName}/containerd.sock`, '-n', 'wherry', 'task']
    const tasks = (await run('ctr', [...ctr, 'ls', '-q'])).out.trim().split('\n')
    for (const [n, host] of ['web', 'web.default', 'web.default.svc.cluster.local'].entries()) {
      const { code, out, err } = await run('ctr', [...ctr, 'exec', '--exec-id', `name-${n}`, tasks[0]!, 'wget', '-qO-', `http://${host}/`])
      expect({ host, code, out, err }).toMatchObject({ code: 0, out: expect.stringContaining('pod=web-') as string })
    }
  }, 60_000)

  test('a container that is killed comes back', async () => {
    const [victim] = running(await pods())
    const socket = `/run/wherry/${name}/${victim!.spec.nodeName}/containerd.sock`
    const tasks = (await run('ctr', ['-a', socket, '-n', 'wherry', 'task', 'ls'])).out
    const pid = tasks.split('\n').slice(1).find((l) => l.includes(victim!.metadata.uid) || l.includes('RUNNING'))!.split(/\s+/)[1]!
    process.kill(Number(pid), 'SIGKILL')
    await waitFor('a restart', async () => (await pods()).items.some((p) => p.status.containerStatuses.some((c) => c.restartCount === 1)))
    await waitFor('three running pods', async () => running(await pods()).length === 3, 60_000)
  }, 120_000)

  test('kill -9 of an agent under traffic loses no container, no rule and no connection', async () => {
    const rules = async (): Promise<string> => (await inNodeRun('node1', 'nft', '--stateless', 'list', 'table', 'ip', 'wherry')).out
    const containers = async (): Promise<string> =>
      (await run('ctr', ['-a', `/run/wherry/${name}/node1/containerd.sock`, '-n', 'wherry', 'task', 'ls'])).out.split('\n').slice(1).toSorted().join('\n')
    const load = await traffic('node1', vip, 80)
    const [rulesBefore, containersBefore] = [await rules(), await containers()]
    const agent = processOf('agent-node1')
    process.kill(agent, 'SIGKILL')
    await waitFor('another agent', () => processOf('agent-node1') !== agent && alive(processOf('agent-node1')))
    await waitFor('the new agent to be live', async () => /node1.*live/.test((await wherry('status', '--name', name)).out))
    const seen = await load.stop()
    expect(seen).toMatchObject({ failed: 0, errors: {} })
    expect(seen.ok).toBeGreaterThan(50)
    expect(await containers()).toBe(containersBefore)
    expect(await rules()).toBe(rulesBefore)
  }, 90_000)

  test('kill -9 of the hub under traffic loses no acknowledged write and no connection; agents resume', async () => {
    const load = await traffic('node3', vip, 80)
    const members = ['agent-node1', 'agent-node2', 'agent-node3'].map(processOf)
    const started = startTimes(members)
    const hub = processOf('hub')
    for (let i = 0; i < 5; i++) await kubectl(`create configmap written-${i} --from-literal=n=${i}`)
    process.kill(hub, 'SIGKILL')
    await waitFor('another hub', () => processOf('hub') !== hub && alive(processOf('hub')))
    const names = await kubectl('get configmaps -o name')
    for (let i = 0; i < 5; i++) expect(names).toContain(`written-${i}`)
    await waitFor('all agents to be live', async () => ((await wherry('status', '--name', name)).out.match(/node\d.*live/g) ?? []).length === 3, 60_000)
    await kubectl('scale deployment web --replicas=2')
    await waitFor('the change to go all the way', async () => running(await pods()).length === 2, 60_000)
    await kubectl('scale deployment web --replicas=3')
    await kubectl('rollout status deployment web --timeout=60s')
    const seen = await load.stop()
    expect(seen).toMatchObject({ failed: 0, errors: {} })
    expect(startTimes(members), 'agents outlive the hub').toEqual(started)
  }, 150_000)

  test('bad input gets a Status that names the field, and nothing is lost', async () => {
    const bad = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'bad' }, spec: { ports: [{ port: 70000 }] } }
    const { code, err } = await run('kubectl', ['create', '-f', '-'], { input: JSON.stringify(bad) })
    expect(code).not.toBe(0)
    expect(err).toContain('spec.ports[0].port')
    expect(running(await pods())).toHaveLength(3)
  })

  test('`wherry up` repairs a lab without its supervisor, its hub and one of its namespaces', async () => {
    for (const member of ['supervisor', 'hub', 'agent-node3']) process.kill(processOf(member), 'SIGKILL')
    expect((await run('ip', ['netns', 'delete', `${name}-node2`])).code).toBe(0)
    const again = await wherry('up', '--name', name, '--port', String(port))
    expect(again.code, again.out + again.err).toBe(0)
    expect(running(await pods())).toHaveLength(3)
    for (const node of ['node1', 'node2', 'node3']) expect(await ask(node, vip, 80)).toMatch(/^web-/)
  }, 240_000)

  test('`wherry up --proxy-mode iptables` changes over under traffic, leaves nothing of the mode before, and is remembered', async () => {
    const tables = async (): Promise<string> => (await inNodeRun('node1', 'nft', 'list', 'tables')).out
    const load = await traffic('node1', vip, 80)
    const other = await wherry('up', '--name', name, '--proxy-mode', 'iptables')
    expect(other.code, other.out + other.err).toBe(0)
    expect(other.out).toMatch(/restarted agent-node1, agent-node2, agent-node3/)
    expect(other.out).toContain('-A WHERRY')
    expect(await load.stop()).toMatchObject({ failed: 0, errors: {} })
    expect(await tables()).not.toMatch(/ wherry$/m)
    const again = await wherry('up', '--name', name)
    expect(again.out).toContain('-A WHERRY')
    expect(again.out).not.toContain('restarted')
    const back = await wherry('up', '--name', name, '--proxy-mode', 'nftables')
    expect(back.code, back.out + back.err).toBe(0)
    expect(await tables()).toMatch(/ wherry$/m)
  }, 240_000)

  test('kubectl delete removes the pods and their rules', async () => {
    await kubectl('delete -f vagrant/demo/web.yaml --wait=true')
    await waitFor('the pods to be gone', async () => (await pods()).items.length === 0, 60_000)
    await waitFor('the rules to be gone', async () => !(await wherry('rules', 'node1', '--name', name)).out.includes('default/web'))
  }, 120_000)

  test('`wherry down` leaves the machine as it was', async () => {
    const recorded = ['hub', 'agent-node1', 'agent-node2', 'agent-node3'].map(processOf)
    const down = await wherry('down', '--name', name)
    expect(down.code, down.out + down.err).toBe(0)
    expect(await traces()).toEqual(before)
    expect(recorded.filter(alive)).toEqual([])
    expect([existsSync(stateDir), existsSync(`/run/wherry/${name}`)]).toEqual([false, false])
  }, 120_000)
})
