/** Two hubs, as processes, on one real etcd. */
import { execFile } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterStatus } from '../../api/hub.ts'
import type { CustomResourceDefinition, KubeObject, Lease, Service } from '../../api/objects.ts'
import { groups } from '../../server/auth/auth.ts'
import { issue, makeKey } from '../../server/auth/certificate.ts'
import { failureOf } from '../kit/api.ts'
import { noCalls } from '../kit/calls.ts'
import { cronTab, customResourceDefinition } from '../kit/custom.ts'
import { etcdFlags, freePorts, noEtcd, startEtcd, type EtcdServer } from '../kit/etcd.ts'
import { bytesOf } from '../kit/hexdump.ts'
import { startHub, type HubProcess } from '../kit/hub.ts'
import { waitFor } from '../kit/wait.ts'
import { startAgent, type Agent } from './link-stage.ts'

/** What `wherry join` would have made. */
function issueNode(pki: string, node: string) {
  const ca = { certificate: readFileSync(join(pki, 'ca.crt'), 'utf8'), key: readFileSync(join(pki, 'ca.key'), 'utf8') }
  const key = makeKey()
  const subject = { commonName: `system:node:${node}`, organization: groups.nodes }
  return { ca: ca.certificate, key, cert: issue(ca, { subject, purpose: { kind: 'client' }, publicKey: createPublicKey(key) }, Date.now()) }
}

const kubectl = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'kubectl')).find((path) => existsSync(path))
const services = '/api/v1/namespaces/default/services'
const configmaps = '/api/v1/namespaces/default/configmaps'
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const leasePath = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/wherry-controllers'

describe.skipIf(noEtcd)(`two hubs on one etcd${noEtcd && ` (skipped: ${noEtcd})`}`, { timeout: 90_000 }, () => {
  let etcd: EtcdServer
  let dir: string
  let ports: readonly [number, number]
  let hubs: [HubProcess, HubProcess]

  const start = (which: 0 | 1): Promise<HubProcess> => {
    return startHub({ data: join(dir, `hub${which}`), port: ports[which], flags: etcdFlags(etcd) })
  }
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'wherry-hubs-'))
    etcd = await startEtcd()
    ports = await freePorts()
    const first = await start(0)
    // Hubs of one cluster have one CA, sign tokens with one key, and open each other's secrets.
    for (const shared of ['pki', 'encryption.yaml']) cpSync(join(dir, 'hub0', shared), join(dir, 'hub1', shared), { recursive: true })
    hubs = [first, await start(1)]
  })
  afterAll(async () => {
    await Promise.all((hubs ?? []).map((hub) => hub.end('SIGKILL')))
    await etcd?.end()
    rmSync(dir, { recursive: true, force: true })
  })

  test('a kind that is defined at one hub is served by both, and ends at both', async () => {
    const [one, other] = hubs
    const crontabs = '/apis/stable.example.com/v1/namespaces/default/crontabs'
    const at = `${definitions}/crontabs.stable.example.com`
    await one.api.create(definitions, customResourceDefinition())
    await other.api.create(crontabs, cronTab())
    expect(await one.api.get(`${crontabs}/nightly`)).toMatchObject({ spec: { replicas: 1 } })
    const events = await other.api.watch(crontabs)
    expect((await events.next()).value).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'nightly' } } })
    await one.api.delete(at)
    expect((await events.next()).value).toMatchObject({ type: 'DELETED' })
    expect((await events.next()).done).toBe(true)
    await waitFor('the definition to go', async () => (await other.api.send('GET', crontabs)).code === 404)
  })

  test('of two kinds of one name that both hubs are given at once, one gets it', async () => {
    const accepted = async (plural: string): Promise<string | undefined> => {
      const { status } = await hubs[0].api.get<CustomResourceDefinition>(`${definitions}/${plural}.stable.example.com`)
      return status?.conditions?.find(({ type }) => type === 'NamesAccepted')?.status
    }
    for (let round = 0; round < 10; round++) {
      const plurals = [`herds${round}`, `flocks${round}`]
      await Promise.all(plurals.map((plural, i) => {
        const names = { plural, singular: plural, kind: `Herd${round}`, listKind: `Herd${round}List`, shortNames: [] }
        return hubs[i]!.api.create(definitions, customResourceDefinition({ metadata: { name: `${plural}.stable.example.com` }, spec: { names } }))
      }))
      expect(new Set(await Promise.all(plurals.map(accepted))), `round ${round}`).toEqual(new Set(['True', 'False']))
    }
  })

  test('a secret, a token and a role of one hub count at the other', async () => {
    const [one, other] = hubs
    const secrets = '/api/v1/namespaces/default/secrets'
    await one.api.create(secrets, { metadata: { name: 'shared' }, stringData: { a: 'sesame' } })
    expect(await other.api.get(`${secrets}/shared`)).toMatchObject({ data: { a: Buffer.from('sesame').toString('base64') } })
    expect(await failureOf(other.api.create('/wherry/v1/secrets/rotate', {}))).toMatchObject({ code: 405, message: expect.stringContaining('every hub') })

    // As one looks after it by hand: etcdctl get … | hexdump -C
    const env = { ETCDCTL_API: '3', PATH: process.env['PATH'] }
    const seen = async (key: string): Promise<string> => {
      const certificates = ['--cacert', join(etcd.pki, 'ca.crt'), '--cert', join(etcd.pki, 'admin.crt'), '--key', join(etcd.pki, 'admin.key')]
      const { stdout } = await execa('etcdctl', ['--endpoints', etcd.url, ...certificates, 'get', key], { env, encoding: 'buffer', timeout: 10_000 })
      return bytesOf((await execa('hexdump', ['-C', '-v'], { input: stdout })).stdout).toString('latin1')
    }
    await one.api.create(configmaps, configMap('beside-it'))
    expect(await seen('/registry/configmaps/default/beside-it')).toContain('"beside-it"')
    const sealed = await seen('/registry/secrets/default/shared')
    expect(sealed).toMatch(/^\/registry\/secrets\/default\/shared\nk8s:enc:aesgcm:v1:key1:/)
    for (const word of ['sesame', Buffer.from('sesame').toString('base64')]) expect(sealed).not.toContain(word)

    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    await one.api.create(accounts, { metadata: { name: 'robot' } })
    const { status } = await one.api.create<{ status: { token: string } }>(`${accounts}/robot/token`, { spec: {} })
    const review = (hub: HubProcess) => hub.api.create('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: status.token } })
    // A read waits until this hub has what etcd has; who is who is decided on what it has already.
    await other.api.get(`${accounts}/robot`)
    expect(await review(other)).toMatchObject({ status: { authenticated: true, user: { username: 'system:serviceaccount:default:robot' } } })

    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' }
    await one.api.create(`${rbac}/namespaces/default/rolebindings`, { metadata: { name: 'v' }, roleRef, subjects: [{ kind: 'User', apiGroup: roleRef.apiGroup, name: 'vi' }] })
    const may = { spec: { user: 'vi', resourceAttributes: { namespace: 'default', verb: 'list', resource: 'pods' } } }
    await waitFor('the other hub to let her', async () => {
      const answer = await other.api.create<{ status: { allowed: boolean } }>('/apis/authorization.k8s.io/v1/subjectaccessreviews', may)
      return answer.status.allowed
    })
  })

  const names = (agent: Agent): string[] =>
    agent.frames.flatMap((f) => (f.kind === 'set' && f.resource === 'services' ? [f.object.metadata.name] : []))
  const make = (name: string, spec: object = {}) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } })
  const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { name } })
  const leader = async (hub: HubProcess): Promise<string> => (await hub.api.get<Lease>(leasePath)).spec?.holderIdentity ?? ''

  test('what is written through one is read and watched through the other', async () => {
    const [a, b] = hubs
    const stop = new AbortController()
    const events = await b.api.watch(`${configmaps}?watch=true&fieldSelector=metadata.name=told`, stop.signal)
    const made = await a.api.create(configmaps, configMap('told'))
    expect(await b.api.get(`${configmaps}/told`)).toEqual(made)
    expect((await events.next()).value).toEqual({ type: 'ADDED', object: made })
    const changed = await b.api.patch(`${configmaps}/told`, 'merge', { data: { more: 'yes' } })
    expect((await events.next()).value).toEqual({ type: 'MODIFIED', object: changed })
    // A conflict is one on every hub.
    const stale = { ...made, data: { stale: 'yes' } }
    await expect(a.api.update(`${configmaps}/told`, stale)).rejects.toMatchObject({ status: { reason: 'Conflict' } })
    await a.api.delete(`${configmaps}/told`)
    expect(((await events.next()).value as { type: string }).type).toBe('DELETED')
    expect((await b.api.send('GET', `${configmaps}/told`)).code).toBe(404)
    stop.abort()
  })

  test.skipIf(!kubectl)(`stock kubectl writes through one and reads through the other${kubectl ? '' : ' (skipped: there is no kubectl)'}`, async () => {
    const run = async (which: 0 | 1, ...args: readonly string[]): Promise<string> => {
      const env = { ...process.env, KUBECONFIG: join(dir, `hub${which}/admin.kubeconfig`), HOME: dir }
      return (await promisify(execFile)(kubectl!, [...args], { env, timeout: 20_000 })).stdout.trim()
    }
    await run(0, 'create', 'configmap', 'by-kubectl', '--from-literal=a=b')
    expect(await run(1, 'get', 'configmap', 'by-kubectl', '-o', 'jsonpath={.data.a}')).toBe('b')
    await run(1, 'delete', 'configmap', 'by-kubectl')
  })

  test('an agent goes on at the other hub when its own dies, where it was, and hears of nothing twice', async () => {
    const credentials = issueNode(join(dir, 'hub0/pki'), 'node1')
    const urls = hubs.map((hub) => hub.url)
    const agent = startAgent('node1', { urls, tls: credentials, random: () => 0 })
    try {
      await hubs[1].api.create(services, make('before'))
      await waitFor('the first service', () => names(agent).includes('before'))
      await hubs[0].end('SIGKILL')
      await hubs[1].api.create(services, make('during'))
      await waitFor('what happened meanwhile', () => names(agent).includes('during'))
      expect(agent.frames.filter((f) => f.kind === 'reset')).toHaveLength(1)
      expect(agent.lines.of('connected to the hub').map(({ hub, resumed }) => ({ hub, resumed }))).toEqual([
        { hub: urls[0], resumed: false },
        { hub: urls[1], resumed: true },
      ])
      expect(names(agent).filter((name) => name === 'during')).toHaveLength(1)
    } finally {
      await agent.stop()
    }
    hubs[0] = await start(0)
  })

  test('a node answers through both hubs, and no call to one is disturbed when the other dies and comes back', async () => {
    const pods = '/api/v1/namespaces/default/pods'
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node2' } }
    const container = { name: 'c', image: 'x' }
    await hubs[0].api.create('/api/v1/nodes', node)
    await hubs[0].api.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'talker' }, spec: { nodeName: 'node2', containers: [container] } })
    const running = { ...container, ready: true, restartCount: 0, imageID: '', state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }
    await hubs[0].api.patch(`${pods}/talker/status`, 'merge', { status: { phase: 'Running', containerStatuses: [running] } })

    /** What the container says; how often somebody began to listen. */
    const lines = new TransformStream<Uint8Array, Uint8Array>()
    const mouth = lines.writable.getWriter()
    const say = (word: number): Promise<void> => mouth.write(Buffer.from(`${word}\n`))
    let listeners = 0
    const agent = startAgent('node2', {
      urls: hubs.map((hub) => hub.url),
      tls: issueNode(join(dir, 'hub0/pki'), 'node2'),
      random: () => 0,
      handlers: {
        ...noCalls,
        rules: () => ReadableStream.from([Buffer.from('table ip x')]),
        logs(call) {
          listeners++
          return call.follow ? lines.readable : ReadableStream.from([Buffer.from('once')])
        },
      },
    })
    const isAsked = async (hub: HubProcess): Promise<boolean> => (await hub.api.send('GET', '/wherry/v1/nodes/node2/rules')).text === 'table ip x'
    const link = async (hub: HubProcess) => (await hub.api.get<ClusterStatus>('/wherry/v1/status')).nodes.filter(({ name }) => name === 'node2')
    const isMeasured = async (hub: HubProcess): Promise<boolean> => {
      agent.link.send({ kind: 'report', report: { kind: 'usage', usage: { cpuMillis: 7, memoryBytes: 1024, cpuCapacityMillis: 1_000, memoryCapacityBytes: 4096 } } })
      agent.link.send({ kind: 'report', report: { kind: 'podUsage', windowMs: 1_000, pods: [{ key: 'default/talker', containers: [{ name: 'c', cpuMillis: 7, memoryBytes: 1024 }] }] } })
      const [ofNode, ofPod] = await Promise.all(['nodes/node2', 'namespaces/default/pods/talker'].map((path) => hub.api.send('GET', `/apis/metrics.k8s.io/v1beta1/${path}`)))
      return ofNode!.text.includes('"7000000n"') && ofPod!.text.includes('"7000000n"')
    }
    try {
      for (const hub of hubs) {
        await waitFor('the node to answer', () => isAsked(hub))
        expect((await hub.api.send('GET', `${pods}/talker/log`)).text).toBe('once')
        await waitFor('its load', () => isMeasured(hub))
      }
      expect(agent.lines.of('connected to the hub')).toMatchObject([{ hub: hubs[0].url }])
      expect(await link(hubs[0])).toMatchObject([{ connected: true }])
      expect(await link(hubs[1])).toMatchObject([{ connected: false, aside: true }])

      const heard = await hubs[1].api.watch<number>(`${pods}/talker/log?follow=true`) as unknown as AsyncGenerator<number>
      await say(1)
      expect((await heard.next()).value).toBe(1)
      const before = listeners
      await hubs[0].end('SIGKILL')
      await agent.lines.until('connected to the hub', 2)
      expect(await link(hubs[1])).toMatchObject([{ connected: true }])
      await say(2)
      expect((await heard.next()).value).toBe(2)
      expect(listeners).toBe(before)
      await mouth.close()
      expect(await heard.next()).toMatchObject({ done: true })
      expect(await isAsked(hubs[1])).toBe(true)
      expect(agent.lines.of('there is no side link to a hub; it is tried again')).toMatchObject([{ hub: hubs[0].url }])

      hubs[0] = await start(0)
      await waitFor('the node to answer at the hub that came back', () => isAsked(hubs[0]))
      await waitFor('its load', () => isMeasured(hubs[0]))
      expect(await link(hubs[0])).toMatchObject([{ connected: false, aside: true }])
      expect(agent.lines.of('connected to the hub')).toHaveLength(2)
    } finally {
      await agent.stop()
    }
    await hubs[1].api.delete(`${pods}/talker?gracePeriodSeconds=0`)
    await hubs[1].api.delete('/api/v1/nodes/node2')
  })

  test('of services that are made through both at once no two have the same address or node port', async () => {
    const make100 = (hub: HubProcess, by: string) =>
      Promise.all(Array.from({ length: 50 }, (_, i) => hub.api.create<Service>(services, make(`${by}-${i}`, { type: 'NodePort' }))))
    const made = (await Promise.all([make100(hubs[0], 'a'), make100(hubs[1], 'b')])).flat()
    expect(new Set(made.map((s) => s.spec!.clusterIP)).size).toBe(100)
    expect(new Set(made.map((s) => s.spec!.ports![0]!.nodePort)).size).toBe(100)
    // The one address that both are asked for is given once, each time, and the other is told so as on one hub.
    for (let round = 0; round < 20; round++) {
      const wish = { clusterIP: `10.96.0.${20 + round}` }
      const outcomes = await Promise.allSettled(hubs.map((hub, i) => hub.api.create(services, make(`wish-${round}-${i}`, wish))))
      expect(outcomes.map((o) => o.status).toSorted()).toEqual(['fulfilled', 'rejected'])
      const refused = outcomes.find((o) => o.status === 'rejected')
      expect(refused?.reason).toMatchObject({ status: { reason: 'Invalid', message: expect.stringContaining('provided IP is already allocated') } })
    }
  })

  test('one of them leads; when it is killed nothing is lost and the other leads', async () => {
    await waitFor('a leader', async () => (await leader(hubs[0])) !== '')
    const was = await leader(hubs[0])
    const leading = (hub: HubProcess): boolean => hub.output().includes('this hub leads') && hub.output().includes(was)
    const [dying, staying] = leading(hubs[0]) ? hubs : [hubs[1], hubs[0]]
    expect(leading(staying)).toBe(false)

    const acknowledged: KubeObject[] = []
    const write = async (by: number): Promise<void> => {
      for (let i = 0; ; i++) acknowledged.push(await dying.api.create(configmaps, configMap(`w-${by}-${i}`)))
    }
    const writing = Promise.allSettled(Array.from({ length: 8 }, (_, by) => write(by)))
    await waitFor('some writes', () => acknowledged.length > 100)
    await dying.end('SIGKILL')
    await writing
    const present = new Map((await staying.api.list(configmaps)).map((o) => [o.metadata.name, o.metadata.resourceVersion]))
    expect(acknowledged.filter((o) => present.get(o.metadata.name) !== o.metadata.resourceVersion)).toEqual([])

    await waitFor('the other hub to lead', () => staying.output().includes('this hub leads'), 40_000)
    expect(await leader(staying)).not.toBe(was)
    // Its controllers work: a deployment gets its replica set.
    const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'x' }] } }
    const spec = { replicas: 1, selector: { matchLabels: { app: 'x' } }, template }
    await staying.api.create('/apis/apps/v1/namespaces/default/deployments', { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec })
    await waitFor('a pod', async () => (await staying.api.list('/api/v1/namespaces/default/pods')).length === 1)

    // A leader that stops in order gives the lease back.
    const which = dying === hubs[0] ? 0 : 1
    hubs[which] = await start(which)
    await staying.end('SIGTERM')
    await waitFor('the first hub to lead again', () => hubs[which].output().includes('this hub leads'), 10_000)
  })
})
