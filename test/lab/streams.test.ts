/** Stock kubectl against a hub and the kubelet half of an agent with a real containerd: what is neither read nor written, but held open. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { goArchitecture } from '../../agent/metrics/node-facts.ts'
import { createLink } from '../../agent/link/link.ts'
import { createPodNetwork } from '../../agent/net/pod-network.ts'
import { createPods, type Pods } from '../../agent/pods/pods.ts'
import { createCtrRuntime } from '../../agent/pods/runtime/ctr.ts'
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
  let url: string
  let home: string
  const stop = new AbortController()

  interface RunOptions {
    readonly program?: string
    readonly onOutput?: (text: string) => void
  }
  const kubectl = (args: readonly string[], input: string | Uint8Array = '', { program = kubectlPath!, onOutput }: RunOptions = {}): Promise<Ended> =>
    new Promise((done, fail) => {
      const env = { HOME: home, KUBECONFIG: '/dev/null', PATH: process.env.PATH }
      const child = spawn(program, ['--server', url, ...args], { env, timeout: 20_000 })
      const out: Buffer[] = []
      let err = ''
      child.stdout.on('data', (d: Buffer) => out.push(d)).on('data', (d) => onOutput?.(String(d)))
      child.stderr.on('data', (d) => (err += String(d))).on('data', (d) => onOutput?.(String(d)))
      child.on('error', fail)
      child.on('close', (code) => done({ code, out: Buffer.concat(out).toString('latin1'), err }))
      child.stdin.on('error', () => {}).end(input)
    })
  /** kubectl on a terminal of 31 rows and 97 columns (script(1)). Input is typed when there is a prompt. */
  const inTerminal = (args: readonly string[], input: string): Promise<{ code: number | null; out: string }> =>
    new Promise((done, fail) => {
      const words = `stty rows 31 cols 97; exec ${kubectlPath!} --server ${url} ${args.join(' ')}`
      const child = spawn('script', ['--quiet', '--return', '--command', words, '/dev/null'], { env: { HOME: home, KUBECONFIG: '/dev/null', PATH: process.env.PATH }, timeout: 20_000 })
      let out = ''
      let typed = false
      child.stdout.on('data', (d) => {
        out += String(d)
        if (typed || !out.includes('# ')) return
        typed = true
        child.stdin.write(input)
      })
      child.on('error', fail)
      child.on('close', (code) => done({ code, out }))
    })
  const ctr = async (...args: string[]): Promise<string> =>
    (await containerd.exec.run({ command: 'ctr', args: ['-a', containerd.address, '-n', 'streams', ...args] }, AbortSignal.timeout(10_000))).stdout

  async function startHub(): Promise<void> {
    inside = await openInside()
    const { store, registry } = inside
    hub = createHub({ store, registry, log: silentLog, clock: systemClock, version: '0.1.0' })
    const rest = createRest({
      store,
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
      accept: (socket, node) => hub.accept(socket, node),
    })
    server = http.createServer((req, res) => rest.handle(req, res))
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
      clock: systemClock,
      log: silentLog,
      cgroupRoot: containerd.cgroup,
      capacity: { cpuMillis: 1000, memoryBytes: 1e9 },
      hostIPs: () => ['192.0.2.1'],
      dns: { address: '169.254.20.10', domain: 'cluster.local' },
      report: (report) => link.send({ kind: 'report', report }),
    })
    pods.setRanges(['10.244.8.0/24'])
    const tables = createTables()
    const link = createLink({
      url,
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
        attach: (call, signal) => pods.calls.attach(call, signal),
        exec: (call, signal, input) => pods.calls.exec(call, input, signal),
      },
    })
    void link.run(stop.signal)
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
    await pods?.close()
    await hub?.close()
    server?.closeAllConnections()
    server?.close()
    await inside?.close()
    await containerd?.stop()
    rmSync(home, { recursive: true, force: true })
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
      const child = spawn(kubectlPath!, ['--server', url, 'exec', '-i', 'web', '--', 'sh', '-c', 'echo begun; exec sleep 600'], { env: { HOME: home, KUBECONFIG: '/dev/null' } })
      await once(child.stdout, 'data')
      expect(await ctr('tasks', 'ps', idOf('web'))).not.toBe(tasks)
      child.kill('SIGKILL')
      await waitFor('the process to be ended', async () => (await ctr('tasks', 'ps', idOf('web'))) === tasks)
    })
  })

  describe('attach', () => {
    test('both outputs from then on, until the container ends', async () => {
      // Said again and again: what was said before a client came is not for it.
      const command = ['/bin/sh', '-c', 'while [ ! -e /end ]; do echo out; echo err >&2; sleep 0.1; done; printf last']
      await kubectl(['create', '-f', '-'], manifest('talks', { command }, { restartPolicy: 'Never' }))
      await waitFor('the pod to run', async () => (await kubectl(['get', 'pod', 'talks', '-o', 'jsonpath={.status.phase}'])).out === 'Running')
      let heard = ''
      const attached = kubectl(['attach', 'talks'], '', { onOutput: (text) => (heard += text) })
      await waitFor('the words', () => heard.includes('out') && heard.includes('err'))
      await kubectl(['exec', 'talks', '--', 'sh', '-c', 'echo >/end'])
      expect(await attached).toMatchObject({ code: 0, out: expect.stringMatching(/^(out\n)+last$/), err: expect.stringMatching(/(err\n)+/) })
      await waitFor('the pod to have ended', async () => (await kubectl(['get', 'pod', 'talks', '-o', 'jsonpath={.status.phase}'])).out === 'Succeeded')
      expect((await kubectl(['attach', 'talks'])).err).toContain('completed pod')
    })
  })

  describe('cp', () => {
    test('a folder to a pod and back is the same', async () => {
      await kubectl(['exec', 'web', '--', 'busybox', 'ln', '-sf', '/bin/busybox', '/bin/tar'])
      const [here, back] = [join(home, 'here'), join(home, 'back')]
      mkdirSync(here)
      writeFileSync(join(here, 'small'), 'small\n')
      writeFileSync(join(here, 'large'), Buffer.alloc(2_500_000, 'wherry '))
      expect(await kubectl(['cp', here, 'web:/tmp-copy'])).toMatchObject({ code: 0 })
      expect((await kubectl(['exec', 'web', '--', 'cat', '/tmp-copy/small'])).out).toBe('small\n')
      expect(await kubectl(['cp', 'web:/tmp-copy', back])).toMatchObject({ code: 0 })
      for (const name of ['small', 'large']) expect(Buffer.compare(readFileSync(join(back, name)), readFileSync(join(here, name)))).toBe(0)
    })
  })

  const idOf = (name: string): string => pods.running().find((pod) => pod.key === `default/${name}`)!.containers[0]!.id
})
