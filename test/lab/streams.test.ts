/** Stock kubectl against a hub and the kubelet half of an agent with a real containerd: what is neither read nor written, but held open. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile as readFileAsync } from 'node:fs/promises'
import http from 'node:http'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { Readable, PassThrough } from 'node:stream'
import { Exec, KubeConfig, Log, type V1Status } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { createExec } from '../../agent/kernel/exec.ts'
import { createPodUsage } from '../../agent/metrics/pod-usage.ts'
import { goArchitecture } from '../../agent/metrics/node-facts.ts'
import { createLink, type Link } from '../../agent/link/link.ts'
import { createPodNetwork } from '../../agent/net/pod-network.ts'
import { createFakeObjects } from '../../agent/objects/fake.ts'
import { createForwards } from '../../agent/pods/forward/forwards.ts'
import { createPods, type Pods } from '../../agent/pods/pods.ts'
import { createCtrRuntime } from '../../agent/pods/runtime/ctr.ts'
import { createMounts } from '../../agent/pods/volumes/mounts.ts'
import { createTables } from '../../agent/state/tables.ts'
import { echoImageName } from '../../cli/lab/image/image.ts'
import { createHub, type Hub } from '../../server/hub/hub.ts'
import { createUpgrade } from '../../server/hub/upgrade.ts'
import { createRest } from '../../server/rest/rest.ts'
import { noCalls } from '../kit/calls.ts'
import { openInside, type Inside } from '../kit/registry.ts'
import { waitFor } from '../kit/wait.ts'
import { noContainerd, startContainerd, type TestContainerd } from './containerd.ts'

const kubectls = (process.env.PATH ?? '').split(':').map((folder) => join(folder, 'kubectl')).filter((file) => existsSync(file))
const kubectlPath = kubectls[0]
const missing = noContainerd ?? (kubectlPath ? undefined : 'no kubectl')

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

describe.skipIf(missing)(`kubectl holds connections to pods${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let containerd: TestContainerd
  let inside: Inside
  let hub: Hub
  let server: http.Server
  let pods: Pods
  let link: Link
  let url: string
  let home: string
  const stop = new AbortController()
  let linked: Promise<void> | undefined

  /** How connections were asked for. */
  const upgrades: string[] = []
  /** kubectl is told by its environment to speak as older ones do. */
  let speaks: Readonly<Record<string, string>> = {}
  const environment = () => ({ HOME: home, KUBECONFIG: '/dev/null', PATH: process.env.PATH, ...speaks })
  interface RunOptions {
    readonly onOutput?: (text: string) => void
  }
  const kubectl = (args: readonly string[], input: string | Uint8Array = '', { onOutput }: RunOptions = {}): Promise<Ended> =>
    new Promise((done, fail) => {
      const child = spawn(kubectlPath!, ['--server', url, ...args], { env: environment(), timeout: 20_000 })
      const out: Buffer[] = []
      let err = ''
      child.stdout.on('data', (d: Buffer) => out.push(d)).on('data', (d) => onOutput?.(String(d)))
      child.stderr.on('data', (d) => (err += String(d))).on('data', (d) => onOutput?.(String(d)))
      child.on('error', fail)
      child.on('close', (code) => done({ code, out: Buffer.concat(out).toString('latin1'), err }))
      child.stdin.on('error', () => {}).end(input)
    })
  /** kubectl on a terminal of 31 rows and 97 columns (script(1)). Input is typed when `begun`: there is a prompt. */
  const inTerminal = (args: readonly string[], input: string, begun = (out: string) => out.includes('# ')): Promise<{ code: number | null; out: string }> =>
    new Promise((done, fail) => {
      const words = `stty rows 31 cols 97; exec ${kubectlPath!} --server ${url} ${args.join(' ')}`
      const child = spawn('script', ['--quiet', '--return', '--command', words, '/dev/null'], { env: environment(), timeout: 20_000 })
      let out = ''
      let typed = false
      child.stdout.on('data', (d) => {
        out += String(d)
        if (typed || !begun(out)) return
        typed = true
        child.stdin.write(input)
      })
      child.on('error', fail)
      child.on('close', (code) => done({ code, out }))
    })
  /** kubectl on a free port of loopback, and that port. */
  async function forward(to: string): Promise<{ readonly port: number; readonly said: () => string; readonly stop: () => Promise<void> }> {
    const child = spawn(kubectlPath!, ['--server', url, 'port-forward', 'web', `:${to}`], { env: environment() })
    let text = ''
    child.stdout.on('data', (d) => (text += String(d)))
    child.stderr.on('data', (d) => (text += String(d)))
    const ended = once(child, 'close')
    await waitFor('kubectl to listen', () => /Forwarding from 127/.test(text))
    return {
      port: Number(/127\.0\.0\.1:(\d+)/.exec(text)![1]),
      said: () => text,
      async stop() {
        child.kill()
        await ended
      },
    }
  }
  const ctr = async (...args: string[]): Promise<string> =>
    (await containerd.exec.run({ command: 'ctr', args: ['-a', containerd.address, '-n', 'streams', ...args] }, AbortSignal.timeout(10_000))).stdout

  async function startHub(): Promise<void> {
    inside = await openInside()
    const { store, kinds, registry } = inside
    hub = createHub({ store, registry, log: silentLog, clock: systemClock, version: '0.1.0' })
    const rest = createRest({
      store,
      kinds,
      registry,
      sessions: hub,
      authenticate: () => ({ name: 'system:anonymous', groups: [] }),
      authorize: () => ({ allowed: true, why: '' }),
      log: silentLog,
      clock: systemClock,
      version: '0.1.0',
    })
    const agents = createUpgrade({
      authenticate: () => ({ name: 'system:node:a', groups: ['system:nodes'] }),
      accept: (socket, node, line) => hub.accept(socket, node, line),
    })
    server = http.createServer((req, res) => rest.handle(req, res))
    server.on('upgrade', (req) => upgrades.push(`${req.method} ${req.headers.upgrade} ${req.headers['sec-websocket-protocol'] ?? ''}`))
    server.on('upgrade', (req, socket, head) => agents(req, socket, head) || rest.upgrade(req, socket, head) || socket.destroy())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  function startAgent(): void {
    const { exec, dir, address } = containerd
    const runtime = createCtrRuntime({
      exec,
      clock: systemClock,
      log: silentLog,
      address,
      namespace: 'streams',
      stateDir: join(dir, 'agent', 'runtime'),
      runcRoot: join(dir, 'runc'),
      node: execPath,
      architecture: goArchitecture(),
    })
    const network = createPodNetwork({ exec, netnsPrefix: `${containerd.netns}-`, dir: join(dir, 'agent', 'network'), pluginDir: '/usr/lib/cni', mtu: 1500 })
    pods = createPods({
      node: 'a',
      dir: join(dir, 'agent'),
      runtime,
      network,
      forwards: createForwards({ exec: createExec(silentLog), log: silentLog, node: execPath, dir: join(dir, 'forward') }),
      clock: systemClock,
      log: silentLog,
      objects: createFakeObjects(Date.now),
      mounts: createMounts(exec),
      random: Math.random,
      serviceVariables: () => [],
      cgroupRoot: containerd.cgroup,
      capacity: { cpuMillis: 1000, memoryBytes: 1e9 },
      hostIPs: () => ['192.0.2.1'],
      dns: { address: '169.254.20.10', domain: 'cluster.local' },
      report: (report) => link.send({ kind: 'report', report }),
    })
    pods.setRanges(['10.244.8.0/24'])
    const tables = createTables()
    link = createLink({
      urls: [url],
      node: 'a',
      version: '0.1.0',
      clock: systemClock,
      random: Math.random,
      log: silentLog,
      onFrame(frame) {
        if (tables.take(frame)) pods.setPods([...tables.all('pods').values()])
      },
      lastRevision: () => tables.revision(),
      handlers: {
        ...noCalls,
        logs: (call, signal) => pods.calls.logs(call, signal),
        forward: (call, signal, input) => pods.calls.forward(call, input, signal),
        attach: (call, signal, input) => pods.calls.attach(call, input, signal),
        exec: (call, signal, input) => pods.calls.exec(call, input, signal),
      },
    })
    linked = link.run(stop.signal)
  }

  const manifest = (name: string, container: object = {}, spec: object = {}): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec: { nodeName: 'a', terminationGracePeriodSeconds: 1, containers: [{ name: 'web', image: echoImageName, imagePullPolicy: 'Never', ports: [{ name: 'http', containerPort: 8080 }], ...container }], ...spec },
    })

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'wstr-'))
    containerd = await startContainerd('strm', 'streams')
    await startHub()
    startAgent()
    const made = await kubectl(['create', '-f', '-'], manifest('web'))
    expect(made.err).toBe('')
    await waitFor('the pod to be ready', async () => (await kubectl(['get', 'pod', 'web', '-o', 'jsonpath={.status.containerStatuses[0].ready}'])).out === 'true')
  })
  afterAll(async () => {
    stop.abort()
    await linked
    // Their networks would outlive the containerd.
    pods?.setPods([])
    await waitFor('an empty node', () => !containerd || !readdirSync('/run/netns').some((name) => name.startsWith(`${containerd.netns}-`)))
    await pods?.close()
    await hub?.close()
    server?.closeAllConnections()
    server?.close()
    await inside?.close()
    await containerd?.stop()
    rmSync(home, { recursive: true, force: true })
  })

  describe.each([
    ['WebSocket', {}],
    ['SPDY, as before 1.30', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }],
  ])('by %s', (name, words) => {
    beforeAll(() => {
      speaks = words
      upgrades.length = 0
    })

    test('as its name says', async () => {
      await kubectl(['exec', 'web', '--', 'sh', '-c', ':'])
      await (await forward('http')).stop()
      const sockets = ['GET websocket v5.channel.k8s.io', 'GET websocket SPDY/3.1+portforward.k8s.io']
      await waitFor('two connections', () => upgrades.length >= 2)
      // Before 1.31 there is no WebSocket for port-forward, whatever is asked for.
      const { out } = await kubectl(['version', '--client', '-o', 'json'])
      const { clientVersion } = JSON.parse(out) as { clientVersion: { minor: string } }
      const speaksSockets = name === 'WebSocket' && parseInt(clientVersion.minor) >= 31
      expect(upgrades).toEqual(speaksSockets ? sockets : ['POST SPDY/3.1 ', 'POST SPDY/3.1 '])
    })

    describe('exec', () => {
      const exec = (args: readonly string[], input?: string | Uint8Array): Promise<Ended> => kubectl(['exec', ...args], input)

      test('both outputs and the exit code', async () => {
        expect(await exec(['web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])).toEqual({
          code: 7,
          out: 'out\n',
          err: 'err\ncommand terminated with exit code 7\n',
        })
        expect(await exec(['web', '--', 'sh', '-c', ':'])).toEqual({ code: 0, out: '', err: '' })
      })

      test('stdin to its end, whole, in both directions', async () => {
        const bytes = Buffer.alloc(3_000_000, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))
        const { code, out, err } = await exec(['-i', 'web', '--', 'cat'], bytes)
        expect({ code, err, same: Buffer.compare(Buffer.from(out, 'latin1'), bytes) }).toEqual({ code: 0, err: '', same: 0 })
      })

      test('a process that closes its stdin does not hold up the rest', async () => {
        expect(await exec(['-i', 'web', '--', 'sh', '-c', 'exec <&-; echo done'], Buffer.alloc(2_000_000))).toMatchObject({ code: 0, out: 'done\n' })
      })

      test('a command, a container and a pod that are not there', async () => {
        const absent = await exec(['web', '--', 'nonesuch'])
        expect(absent.code).not.toBe(0)
        expect(absent.err).toContain('"nonesuch": executable file not found in $PATH')
        expect((await exec(['web', '-c', 'other', '--', 'ls'])).err).toContain('container other is not valid for pod web')
        expect((await exec(['none', '--', 'ls'])).err).toContain('pods "none" not found')
      })

      test('a terminal: one output, its size, and the exit code of the shell', async () => {
        const { code, out } = await inTerminal(['exec', '-it', 'web', '--', 'sh'], 'stty size; echo $((40+2)) >&2; exit 5\n')
        expect(code).toBe(5)
        expect(out).toContain('31 97\r\n')
        expect(out).toContain('42\r\n')
      })

      test('nothing is left behind, also of a client that goes away', async () => {
        const tasks = await ctr('tasks', 'ps', idOf('web'))
        const child = spawn(kubectlPath!, ['--server', url, 'exec', '-i', 'web', '--', 'sh', '-c', 'echo begun; exec sleep 600'], { env: environment() })
        await once(child.stdout, 'data')
        expect(await ctr('tasks', 'ps', idOf('web'))).not.toBe(tasks)
        child.kill('SIGKILL')
        await waitFor('the process to be ended', async () => (await ctr('tasks', 'ps', idOf('web'))) === tasks)
      })
    })

    describe('attach', () => {
      test('both outputs from then on, until the container ends', async () => {
        const talks = `talks-${Object.keys(words).length}`
        // Said again and again: what was said before a client came is not for it.
        const command = ['/bin/sh', '-c', 'while [ ! -e /end ]; do echo out; echo err >&2; sleep 0.1; done; printf last']
        await kubectl(['create', '-f', '-'], manifest(talks, { command }, { restartPolicy: 'Never' }))
        await waitFor('the pod to run', async () => (await kubectl(['get', 'pod', talks, '-o', 'jsonpath={.status.phase}'])).out === 'Running')
        let heard = ''
        const attached = kubectl(['attach', talks], '', { onOutput: (text) => (heard += text) })
        await waitFor('the words', () => heard.includes('out') && heard.includes('err'))
        await kubectl(['exec', talks, '--', 'sh', '-c', 'echo >/end'])
        expect(await attached).toMatchObject({ code: 0, out: expect.stringMatching(/^(out\n)+last$/), err: expect.stringMatching(/(err\n)+/) })
        await waitFor('the pod to have ended', async () => (await kubectl(['get', 'pod', talks, '-o', 'jsonpath={.status.phase}'])).out === 'Succeeded')
        expect((await kubectl(['attach', talks])).err).toContain('completed pod')
      })
    })

    describe('containers that are spoken to', () => {
      const mode = (): string => String(Object.keys(words).length)
      const image = ['--image', echoImageName, '--image-pull-policy', 'Never', '--restart', 'Never', '--overrides', '{"spec":{"nodeName":"a","terminationGracePeriodSeconds":1}}']
      const run = (name: string, ...command: readonly string[]): readonly string[] => ['run', name, ...image, '--rm', ...command]
      const phaseOf = async (name: string): Promise<string> => (await kubectl(['get', 'pod', name, '-o', 'jsonpath={.status.phase}'])).out
      /** Typed first: what is typed may come before the size of the terminal, which kubectl first tells wrong, so that it changes. */
      const sized = '\runtil [ "$(stty size)" = "31 97" ]; do sleep 0.1; done\r'
      const quoted = (args: readonly string[]): readonly string[] => args.map((arg) => (/^[\w./:=-]+$/.test(arg) ? arg : `'${arg}'`))

      test('run -it gives a shell on a terminal; its end ends the session, and the pod goes', async () => {
        const name = `shell-${mode()}`
        const { code, out } = await inTerminal(quoted(run(name, '-it', '--command', '--', 'sh')), `${sized}stty size; exit 5\r`, (text) => text.includes('command prompt'))
        expect(out).toContain('31 97\r\n')
        expect(out).toContain(`pod "${name}" deleted`)
        expect(code).toBe(5)
        expect((await kubectl(['get', 'pod', name])).err).toContain('not found')
      })

      test('run -i passes a pipe to its end, and the outputs and the exit code back', async () => {
        const bytes = Buffer.alloc(1_000_000, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))
        const sum = await kubectl(run(`sum-${mode()}`, '-i', '--command', '--', 'busybox', 'sha256sum'), bytes)
        expect(sum.out).toContain(`${createHash('sha256').update(bytes).digest('hex')}  -\n`)
        const hello = await kubectl(run(`hello-${mode()}`, '-i', '--quiet', '--command', '--', 'cat'), 'hello\n')
        expect(hello).toMatchObject({ code: 0, out: expect.stringMatching(/^hello\n/) as string })
        expect((await kubectl(run(`code-${mode()}`, '-i', '--command', '--', 'sh', '-c', 'read line; exit 7'), 'x\n')).code).toBe(7)
      })

      test('attach: several speak and all hear; a stdin that is for many outlives them; a terminal is fallen back from', async () => {
        const name = `many-${mode()}`
        const command = ['/bin/sh', '-c', 'while read line; do echo "heard $line"; done']
        await kubectl(['create', '-f', '-'], manifest(name, { command, stdin: true }))
        await waitFor('the pod to run', async () => (await phaseOf(name)) === 'Running')
        let heard = ''
        const listener = spawn(kubectlPath!, ['--server', url, 'attach', name], { env: environment() })
        listener.stdout.on('data', (text) => (heard += String(text)))
        try {
          await waitFor('the listener', async () => (await kubectl(['attach', '-i', name], 'knock\n')).code === 0 && heard.includes('heard knock'))
          expect(await kubectl(['attach', '-i', name], 'one\n')).toMatchObject({ code: 0, out: 'heard one\n' })
          expect(await kubectl(['attach', '-i', '-t', name], 'two\n')).toMatchObject({ code: 0, out: 'heard two\n', err: expect.stringContaining('Unable to use a TTY') as string })
          await waitFor('the listener', () => heard.includes('heard one\nheard two\n'))
          expect(await phaseOf(name)).toBe('Running')
        } finally {
          listener.kill()
          await once(listener, 'close')
        }
        await kubectl(['delete', 'pod', name, '--now'])
      })

      test('attach -i to a container without a stdin hears it, and what is said is passed over', async () => {
        const name = `deaf-${mode()}`
        await kubectl(['create', '-f', '-'], manifest(name, { command: ['/bin/sh', '-c', 'while [ ! -e /end ]; do echo here; sleep 0.1; done; echo "read: $(cat)"'] }, { restartPolicy: 'Never' }))
        await waitFor('the pod to run', async () => (await phaseOf(name)) === 'Running')
        let heard = ''
        const attached = kubectl(['attach', '-i', name], 'nobody reads it\n', { onOutput: (text) => (heard += text) })
        await waitFor('the words', () => heard.includes('here'))
        await kubectl(['exec', name, '--', 'sh', '-c', 'echo >/end'])
        expect(await attached).toMatchObject({ code: 0, out: expect.stringMatching(/here\nread: \n$/) as string })
      })

      test('attach -it to a terminal that goes on; its log is what it said', async () => {
        const name = `screen-${mode()}`
        await kubectl(['create', '-f', '-'], manifest(name, { command: ['/bin/sh'], stdin: true, tty: true }, { restartPolicy: 'Never' }))
        await waitFor('the pod to run', async () => (await phaseOf(name)) === 'Running')
        const begun = (text: string): boolean => text.includes('command prompt')
        // kubectl's own way out of a session is to be ended: the terminal stays.
        expect(await kubectl(['attach', '-i', name], 'echo $((40+2))\n')).toMatchObject({ code: 0, out: expect.stringContaining('42\r\n') as string })
        expect(await phaseOf(name)).toBe('Running')
        const { out } = await inTerminal(['attach', '-it', name], `${sized}stty size; exit\r`, begun)
        expect(out).toContain('31 97\r\n')
        await waitFor('the pod to end', async () => (await phaseOf(name)) === 'Succeeded')
        expect((await kubectl(['logs', name])).out).toMatch(/42\r\n[^]*31 97\r\n/)
      })
    })

    describe('cp', () => {
      test('a folder to a pod and back is the same', async () => {
        await kubectl(['exec', 'web', '--', 'busybox', 'ln', '-sf', '/bin/busybox', '/bin/tar'])
        const there = `/copy-${Object.keys(words).length}`
        const [here, back] = [mkdtempSync(join(home, 'here-')), mkdtempSync(join(home, 'back-'))]
        writeFileSync(join(here, 'small'), 'small\n')
        writeFileSync(join(here, 'large'), Buffer.alloc(2_500_000, 'wherry '))
        expect(await kubectl(['cp', here, `web:${there}`])).toMatchObject({ code: 0 })
        expect((await kubectl(['exec', 'web', '--', 'cat', `${there}/small`])).out).toBe('small\n')
        expect(await kubectl(['cp', `web:${there}`, back])).toMatchObject({ code: 0 })
        for (const name of ['small', 'large']) expect(Buffer.compare(readFileSync(join(back, name)), readFileSync(join(here, name)))).toBe(0)
      })
    })

    describe('port-forward', () => {
      const get = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5_000), headers: { connection: 'close' } })).text()

      test('any number of connections, one after the other and at once', async () => {
        const { port, stop } = await forward('http')
        try {
          expect(await get(port)).toMatch(/pod=unknown .*peer=.*127\.0\.0\.1/)
          expect(new Set((await Promise.all(Array.from({ length: 12 }, () => get(port)))).map((text) => text.split(' ')[0]))).toEqual(new Set(['pod=unknown']))
        } finally {
          await stop()
        }
      })

      test('megabytes both ways, and the end of either side', async () => {
        const echoPort = String(9000 + Object.keys(words).length)
        await kubectl(['exec', 'web', '--', 'sh', '-c', `nc -l -p ${echoPort} -e cat >/dev/null 2>&1 &`])
        const { port, stop } = await forward(echoPort)
        try {
          const bytes = Buffer.alloc(2_000_000, 'wherry ')
          const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
          socket.end(bytes)
          const parts: Buffer[] = []
          for await (const part of socket as AsyncIterable<Buffer>) parts.push(part)
          expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0)
        } finally {
          await stop()
        }
      })

      test('a port where nobody listens is told', async () => {
        const { port, said, stop } = await forward('9')
        try {
          await expect(get(port)).rejects.toThrow()
          await waitFor('the words', () => /connection refused: nothing listens there/.test(said()))
        } finally {
          await stop()
        }
      })
    })
  })

  test('top shows what cgroups say of pods, and what nodes report', async () => {
    const amounts = { cpu: '1', memory: '1Gi' }
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, status: { capacity: amounts, allocatable: amounts } }
    await inside.registry.create({ resource: 'nodes', namespace: '', name: 'a' }, node)
    link.send({ kind: 'report', report: { kind: 'usage', usage: { cpuMillis: 250, memoryBytes: 512 * 2 ** 20, cpuCapacityMillis: 1000, memoryCapacityBytes: 2 ** 30 } } })
    const sampler = createPodUsage({ mount: '/sys/fs/cgroup', readFile: (path) => readFileAsync(path, 'utf8'), now: () => performance.now() })
    await sampler.sample(pods.running())
    await kubectl(['exec', 'web', '--', 'sh', '-c', 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'])
    const report = await sampler.sample(pods.running())
    expect(report?.pods.find((pod) => pod.key === 'default/web')?.containers[0]?.cpuMillis).toBeGreaterThan(10)
    link.send({ kind: 'report', report: report! })
    await waitFor('top of pods', async () => /^web +\d+m +\d+Mi/m.test((await kubectl(['top', 'pod', 'web', '--containers=false'])).out))
    expect((await kubectl(['top', 'nodes'])).out).toMatch(/^a +250m +25% +512Mi +50%/m)
    expect((await kubectl(['top', 'pod', 'web', '--containers'])).out).toMatch(/^web +web +\d+m +\d+Mi/m)
  })

  describe('proxy', () => {
    const base = '/api/v1/namespaces/default'
    const raw = (path: string): Promise<Ended> => kubectl(['get', '--raw', `${base}/${path}`])
    const slice = (name: string, endpoint: object): string =>
      JSON.stringify({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 8080 }],
        endpoints: [endpoint],
      })

    beforeAll(async () => {
      const ports = [{ name: 'http', port: 80, targetPort: 8080 }]
      for (const name of ['web', 'empty']) {
        await kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { app: name }, ports } }))
      }
      const ip = (await kubectl(['get', 'pod', 'web', '-o', 'jsonpath={.status.podIP}'])).out
      const made = await kubectl(['create', '-f', '-'], slice('web', { addresses: [ip], nodeName: 'a', conditions: { ready: true }, targetRef: { kind: 'Pod', name: 'web', namespace: 'default' } }))
      expect(made.err).toBe('')
      const page = 'mkdir -p /www/dir; echo page >/www/dir/index.html; printf "#!/bin/sh\\nprintf \\"Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n\\"; echo \\"\\$REQUEST_METHOD \\$QUERY_STRING\\"; cat\\n" >/www/cgi-bin/say; chmod 755 /www/cgi-bin/say'
      const written = await kubectl(['exec', 'web', '--', 'busybox', 'sh', '-c', page.replaceAll('mkdir', 'busybox mkdir').replaceAll('chmod', 'busybox chmod')])
      expect(written.err).toBe('')
    })

    test('kubectl get --raw, of a pod by number, name and nothing, and of a service', async () => {
      for (const name of ['pods/web:8080', 'pods/web:http', 'pods/web', 'services/web:http', 'services/web:80', 'services/web', 'services/http:web:http']) {
        expect(await raw(`${name}/proxy/`), name).toMatchObject({ code: 0, out: expect.stringMatching(/^pod=unknown/) })
      }
    })

    test('what cannot be reached is a Status', async () => {
      expect((await raw('pods/none:80/proxy/')).err).toContain('pods "none" not found')
      expect((await raw('pods/web:tea/proxy/')).err).toContain('no port named')
      expect((await raw('pods/web:9/proxy/')).err).toContain('connection refused')
      expect((await raw('services/empty/proxy/')).err).toContain('no endpoints available for service')
      expect((await raw('services/web:tea/proxy/')).err).toContain('no port')
    })

    test('bodies, queries, codes and redirects pass', async () => {
      const at = `${url}${base}/pods/web:8080/proxy`
      const body = 'wherry '.repeat(50_000)
      const posted = await fetch(`${at}/cgi-bin/say?a=b%20c`, { method: 'POST', body })
      expect([posted.status, await posted.text()]).toEqual([200, `POST a=b%20c\n${body}`])
      expect((await fetch(`${at}/none`)).status).toBe(404)
      const bare = await fetch(`${at}?x=1`, { redirect: 'manual' })
      expect([bare.status, bare.headers.get('location')]).toEqual([301, `${base}/pods/web:8080/proxy/?x=1`])
      const moved = await fetch(`${at}/dir`, { redirect: 'manual' })
      expect([moved.status, moved.headers.get('location')]).toEqual([302, `${base}/pods/web:8080/proxy/dir/`])
      expect(await (await fetch(`${at}/dir`)).text()).toBe('page\n')
    })

    test('another protocol passes both ways once the pod agrees', async () => {
      await kubectl(['exec', 'web', '--', 'sh', '-c', '(printf "HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: tea\\r\\nConnection: Upgrade\\r\\n\\r\\n"; cat) | nc -l -p 9100 >/dev/null 2>&1 &'])
      const request = http.request(`${url}${base}/pods/web:9100/proxy/`, { headers: { connection: 'Upgrade', upgrade: 'tea' } })
      request.end()
      const [answer, socket] = (await once(request, 'upgrade')) as [http.IncomingMessage, import('node:net').Socket]
      expect([answer.statusCode, answer.headers.upgrade]).toEqual([101, 'tea'])
      socket.destroy()
      const declined = http.get(`${url}${base}/pods/web:8080/proxy/`, { headers: { connection: 'Upgrade', upgrade: 'tea' } })
      const [plain] = (await once(declined, 'response')) as [http.IncomingMessage]
      expect((await Array.fromAsync(plain as AsyncIterable<Buffer>)).join('')).toMatch(/^pod=unknown/)
    })
  })

  describe('other clients by WebSocket', () => {
    interface Talk {
      readonly ws: WebSocket
      /** The bytes of a channel so far. */
      of(channel: number): string
      readonly closed: Promise<number>
    }
    async function open(path: string, protocols: readonly string[]): Promise<Talk> {
      const ws = new WebSocket(`${url}/api/v1/namespaces/default/pods/web/${path}`, [...protocols])
      const channels = new Map<number, Buffer[]>()
      ws.on('message', (data: Buffer) => void channels.set(data[0]!, [...(channels.get(data[0]!) ?? []), data.subarray(1)]))
      const closed = once(ws, 'close').then(([code]) => code as number)
      await once(ws, 'open')
      return { ws, of: (channel) => Buffer.concat(channels.get(channel) ?? []).toString('latin1'), closed }
    }

    test('exec in version 4 of the channels, whose input ends with the connection', async () => {
      const talk = await open('exec?command=cat&stdin=true', ['v4.channel.k8s.io', 'channel.k8s.io'])
      expect(talk.ws.protocol).toBe('v4.channel.k8s.io')
      talk.ws.send(Buffer.from('\0hello'))
      await waitFor('the echo', () => talk.of(1) === 'hello')
      talk.ws.close()
      await talk.closed
    })

    test('the client of JavaScript programs: exec with its exit code, and a log', async () => {
      const config = new KubeConfig()
      config.loadFromClusterAndUser({ name: 'trial', server: url, skipTLSVerify: true }, { name: 'nobody' })
      const output = new PassThrough()
      const said: string[] = []
      output.on('data', (d) => said.push(String(d)))
      const { promise: ended, resolve } = Promise.withResolvers<V1Status>()
      await new Exec(config).exec('default', 'web', 'web', ['sh', '-c', 'read line; echo "$line back"; exit 4'], output, output, Readable.from(['hello\n']), false, resolve)
      expect(await ended).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ message: '4' }] } })
      expect(said.join('')).toBe('hello back\n')
      const log = new PassThrough()
      const lines: string[] = []
      log.on('data', (d) => lines.push(String(d)))
      await new Log(config).log('default', 'web', 'web', log)
      await waitFor('its first line', () => lines.join('').includes('answers HTTP and UDP on port 8080'))
    })

    test('the exit code comes as a Status, and the connection ends in order', async () => {
      const talk = await open('exec?command=sh&command=-c&command=exit%203', ['v5.channel.k8s.io'])
      expect(await talk.closed).toBe(1000)
      expect(JSON.parse(talk.of(3))).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '3' }] } })
    })

    test('port-forward in channels: the port first, then data, or the error', async () => {
      const talk = await open('portforward?ports=8080,9', ['v4.channel.k8s.io'])
      talk.ws.send(Buffer.from('\0GET / HTTP/1.0\r\n\r\n'))
      expect(await talk.closed).toBe(1000)
      expect(talk.of(0).slice(0, 2)).toBe('\x90\x1f')
      expect(talk.of(0).slice(2)).toMatch(/^HTTP\/1\.[01] 200 OK[^]*pod=unknown/)
      expect(talk.of(3).slice(0, 2)).toBe('\t\0')
      expect(talk.of(3).slice(2)).toMatch(/^error forwarding port 9 to pod default\/web: .*connection refused/)
    })

    test('what is not offered is a Status, before the connection is switched', async () => {
      const refused = async (path: string, headers: Record<string, string>): Promise<string> => {
        const request = http.get(`${url}/api/v1/namespaces/default/pods/${path}`, { headers: { connection: 'Upgrade', ...headers } })
        const [response] = (await once(request, 'response')) as [http.IncomingMessage]
        return (await Array.fromAsync(response as AsyncIterable<Buffer>)).join('')
      }
      const socket = { upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': Buffer.alloc(16).toString('base64') }
      expect(await refused('web/exec?command=ls', { ...socket, 'sec-websocket-protocol': 'v3.channel.k8s.io' })).toContain('names none of: v5.channel.k8s.io, v4.channel.k8s.io')
      expect(await refused('web/exec?command=ls', { upgrade: 'SPDY/3.1' })).toContain('names none of: v4.channel.k8s.io')
      expect(await refused('web/exec?command=ls', { upgrade: 'tea' })).toContain('Upgrade must be websocket or SPDY/3.1')
      expect(await refused('web/exec', { ...socket, 'sec-websocket-protocol': 'v5.channel.k8s.io' })).toContain('at least one command')
      expect(await refused('web/portforward?ports=0', { ...socket, 'sec-websocket-protocol': 'v4.channel.k8s.io' })).toContain('from 1 to 65535')
      expect(await refused('web/exec?command=ls', { connection: 'close' })).toContain('Upgrade request required')
    })
  })

  const idOf = (name: string): string => pods.running().find((pod) => pod.key === `default/${name}`)!.containers[0]!.id
})
