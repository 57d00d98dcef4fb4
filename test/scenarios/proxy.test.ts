/**
 * The drop-in proxy as a process, against a real hub as its API server and the real kernel, in a network namespace: its rules
 * appear, outlive it, are not written again by the next one, and go when that is asked for.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { openNetlinkTalk } from '../../agent/kernel/netlink.ts'
import { createStamper } from '../../agent/kernel/nft/stamp.ts'
import { readIfThere } from '../../api/private-file.ts'
import { createApi, type Api } from '../kit/api.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../kit/netns.ts'
import { waitFor } from '../kit/wait.ts'

const root = resolve(import.meta.dirname, '../..')
const vip = '10.96.0.10'
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'

interface Process {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<number | string>
}

/** Started where the test's main thread is. */
function start(command: string, args: readonly string[]): Process {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (d) => (output += String(d)))
  child.stderr.on('data', (d) => (output += String(d)))
  const ended = new Promise<number | string>((done) => child.on('close', (code, signal) => done(code ?? signal ?? 'unknown')))
  return { child, output: () => output, ended }
}

const slice = (name: string, service: string, address: string) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, labels: { 'kubernetes.io/service-name': service } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [address], conditions: { ready: true }, nodeName: 'node1' }],
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
})
const service = (name: string, clusterIP: string) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { clusterIP, ports: [{ name: 'http', port: 80, targetPort: 8080 }] } })

/** The first line of a connection, or how it failed. */
function ask(host: string, port: number): Promise<string> {
  return new Promise((done) => {
    const socket = net.connect({ host, port })
    const end = (what: string): void => {
      socket.resetAndDestroy()
      done(what)
    }
    socket.setTimeout(2_000, () => end('TIMEOUT'))
    socket.once('data', (d) => end(String(d).trim()))
    socket.once('error', (e: NodeJS.ErrnoException) => end(e.code ?? 'ERROR'))
  })
}

function get(port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((done, fail) => {
    http
      .get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
        let body = ''
        response.on('data', (d) => (body += String(d)))
        response.on('end', () => done({ status: response.statusCode!, body }))
      })
      .on('error', fail)
  })
}

describeAsRoot('the drop-in proxy', () => {
  const lab = netnsLab()
  const dir = mkdtempSync(join(tmpdir(), 'wherry-proxy-'))
  const config = join(dir, 'proxy.yaml')
  const notes = join(dir, 'notes')
  const noted = (): readonly string[] => ['ip', 'ip6'].map((family) => readIfThere(join(notes, `rules-${family}.json`)) ?? '')
  const processes: Process[] = []
  let netns: Netns
  let api: Api
  let proxy: Process

  const inside = <T>(run: () => T | Promise<T>): Promise<T> => inNamespace(netns, run)
  const wherry = (...args: readonly string[]): Process => {
    const started = start('sh', [join(root, 'bin/wherry'), ...args])
    processes.push(started)
    return started
  }
  const startProxy = async (): Promise<void> => {
    proxy = wherry('proxy', '--config', config, '--notes-dir', notes)
    const passes = (): number => [...proxy.output().matchAll(/"(rules applied|the kernel already holds the rules)"/g)].length
    await waitFor('both IP families to be served', () => passes() === 2)
  }
  /** With handles, which tell what was written again, and without counters. */
  const rules = async (): Promise<string> => (await execIn(netns, 'nft', ['-a', '-s', 'list', 'ruleset'])).stdout

  beforeAll(async () => {
    netns = await lab.create()
    // Endpoints answer here, and virtual addresses have a route, as they have on a node.
    for (const address of ['198.18.0.11/32', '10.244.1.2/32', '10.244.1.3/32']) await execIn(netns, 'ip', ['address', 'add', address, 'dev', 'lo'])
    await execIn(netns, 'ip', ['route', 'add', '10.96.0.0/12', 'dev', 'lo', 'src', '198.18.0.11'])
    await inside(async () => {
      const hub = start(process.execPath, ['server/main.ts', '--data', join(dir, 'hub'), '--listen', '127.0.0.1:6443'])
      processes.push(hub)
      await waitFor('the hub to serve', () => hub.output().includes('the hub is serving'))
      const pki = (name: string): string => readFileSync(join(dir, 'hub/pki', name), 'utf8')
      api = createApi({ url: 'https://127.0.0.1:6443', tls: { ca: pki('ca.crt'), cert: pki('admin.crt'), key: pki('admin.key') } })
      await api.create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } })
      await api.patch('/api/v1/nodes/node1/status', 'merge', { status: { addresses: [{ type: 'InternalIP', address: '198.18.0.11' }] } })
      await api.create('/api/v1/namespaces/default/services', service('web', vip))
      await api.create(slices, slice('web-1', 'web', '10.244.1.2'))
      for (const address of ['10.244.1.2', '10.244.1.3']) {
        const responder = net.createServer((socket) => socket.on('error', () => {}).end(`${address}\n`))
        await new Promise<void>((done) => void responder.listen(8080, address, done))
        responders.push(responder)
      }
    })
    const settings = { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', hostnameOverride: 'node1', clusterCIDR: '10.244.0.0/16' }
    // Nothing that is the machine's and not the namespace's.
    const quiet = { conntrack: { maxPerCore: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' }, oomScoreAdj: 0 }
    writeFileSync(config, stringify({ ...settings, ...quiet, clientConnection: { kubeconfig: join(dir, 'hub/admin.kubeconfig') }, featureGates: { Some: true } }))
  })
  const responders: net.Server[] = []
  afterAll(async () => {
    api?.close()
    for (const responder of responders) responder.close()
    for (const { child, ended } of processes) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
    }
    rmSync(dir, { recursive: true, force: true })
  })

  test('serves what the API has, and tells of itself', () =>
    inside(async () => {
      await startProxy()
      expect(await ask(vip, 80)).toBe('10.244.1.2')
      expect((await get(10256, '/healthz')).status).toBe(200)
      expect((await get(10249, '/proxyMode')).body).toBe('nftables')
      expect((await get(10249, '/metrics')).body).toMatch(/^kubeproxy_sync_full_proxy_rules_duration_seconds_count 2$/m)
      const moot = proxy.output().split('\n').filter((line) => line.includes('part of the configuration has no effect'))
      expect(moot).toHaveLength(1)
      expect(moot[0]).toContain('featureGates')
    }))

  test('follows a change', () =>
    inside(async () => {
      await api.create('/api/v1/namespaces/default/services', service('late', '10.96.0.11'))
      await api.create(slices, slice('late-1', 'late', '10.244.1.3'))
      await waitFor('the new service', async () => (await ask('10.96.0.11', 80)) === '10.244.1.3')
    }))

  test('is killed under traffic and started again: no connection fails, and the kernel is not written to', () =>
    inside(async () => {
      const failed: string[] = []
      let going = true
      let asked = 0
      const traffic = (async () => {
        while (going) {
          const answer = await ask(vip, 80)
          asked++
          if (answer !== '10.244.1.2') failed.push(answer)
        }
      })()
      const before = await rules()
      const monitor = await watchRules(netns)
      const stamper = createStamper({ openTalk: openNetlinkTalk })
      const stamp = await stamper.stamp()
      stamper.close()
      await waitFor('what the kernel holds to be noted', () => noted().every((text) => text.includes(stamp!)))
      const left = noted()
      proxy.child.kill('SIGKILL')
      expect(await proxy.ended).toBe('SIGKILL')
      expect(await rules(), 'the rules stay').toBe(before)
      await startProxy()
      expect(proxy.output()).not.toContain('rules applied')
      expect(noted(), 'and what was noted holds').toEqual(left)
      going = false
      await traffic
      expect(await monitor.stop()).toEqual([])
      expect(await rules()).toBe(before)
      expect(asked).toBeGreaterThan(0)
      expect(failed).toEqual([])
    }))

  test('stops when it is told to; what changed meanwhile is mended by the next one', () =>
    inside(async () => {
      proxy.child.kill('SIGTERM')
      expect(await proxy.ended).toBe(0)
      expect(await ask(vip, 80), 'the rules stay').toBe('10.244.1.2')
      await api.update(`${slices}/web-1`, slice('web-1', 'web', '10.244.1.3'))
      await api.delete('/api/v1/namespaces/default/services/late')
      await startProxy()
      expect(await ask(vip, 80)).toBe('10.244.1.3')
      expect(await rules()).not.toContain('10.96.0.11')
    }))

  test('ends with an error when its configuration file says something else', () =>
    inside(async () => {
      writeFileSync(config, readFileSync(config, 'utf8').replace('Some', 'Other'))
      expect(await proxy.ended).toBe(1)
      expect(proxy.output()).toContain('was changed: the proxy has to start again')
      expect(await ask(vip, 80)).toBe('10.244.1.3')
    }))

  test('cleans up, also where there is nothing', () =>
    inside(async () => {
      await execIn(netns, 'nft', ['add', 'table', 'ip', 'foreign'])
      for (const when of ['once', 'again']) {
        const cleanup = wherry('proxy', '--config', config, '--cleanup')
        expect(await cleanup.ended, `${when}: ${cleanup.output()}`).toBe(0)
        expect((await execIn(netns, 'nft', ['list', 'tables'])).stdout.trim()).toBe('table ip foreign')
      }
    }))

  describe('says what is wrong', () => {
    test.each([
      [['--proxy-mode=magic'], 2, /mode: magic: expected nftables, iptables or ipvs/],
      [['--ebpf'], 2, /--ebpf: there is no such flag/],
      [['--cluster-cidr=10.244.0.0/16'], 3, /this is no pod of Kubernetes: give --kubeconfig FILE/],
    ])('%j', (flags, code, message) =>
      inside(async () => {
        const refused = wherry('proxy', ...flags)
        expect(await refused.ended).toBe(code)
        expect(refused.output()).toMatch(message)
      }),
    )
  })
})

/** Everything that is done to the rules of a namespace, between two marks of our own. */
async function watchRules(netns: Netns): Promise<{ stop(): Promise<readonly string[]> }> {
  const lines: string[] = []
  const stop = new AbortController()
  const running = netns.exec.stream({ command: 'nft', args: ['monitor'] }, (line) => void lines.push(line), stop.signal).catch(() => {})
  const mark = async (name: string): Promise<number> => {
    await waitFor(`the mark ${name}`, async () => {
      await execIn(netns, 'nft', ['add', 'table', 'inet', name])
      await execIn(netns, 'nft', ['delete', 'table', 'inet', name])
      return lines.some((line) => line.includes(`delete table inet ${name}`))
    })
    return lines.length
  }
  const from = await mark('mark-a')
  return {
    async stop() {
      const end = await mark('mark-b')
      stop.abort()
      await running
      return lines.slice(from, end).filter((line) => !/mark-[ab]|^# new generation \d+ by process \d+ \(nft\)$/.test(line))
    },
  }
}
