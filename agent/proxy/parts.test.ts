/** The small parts of the proxy, each by itself. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import { createFakeClock, settled } from '../../test/kit/clock.ts'
import { complete } from './config/complete.ts'
import { readFlags } from './config/flags.ts'
import type { ProxyConfig } from './config/proxy-config.ts'
import { configChange } from './config-watch.ts'
import { createEventRecorder, type ProxyEvent } from './events.ts'
import { familyConfig } from './family-config.ts'
import { ApiFailure } from './kube/failure.ts'
import type { Question } from './kube/client.ts'
import { addressesIn } from './local-addresses.ts'
import { applySettings, settingsOf } from './settings.ts'

const configured = (...argv: readonly string[]): ProxyConfig => complete(readFlags(argv).fields, { source: 'flags', hostname: 'node1' })

describe('kernel settings', () => {
  const dirs: string[] = []
  afterEach(() => {
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
  })
  const root = (files: Readonly<Record<string, string>>): string => {
    const dir = mkdtempSync(join(tmpdir(), 'wherry-proxy-settings-'))
    dirs.push(dir)
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, name)), { recursive: true })
      writeFileSync(join(dir, name), text)
    }
    return dir
  }
  const set = (config: ProxyConfig, cores = 2): Readonly<Record<string, number>> => Object.fromEntries(settingsOf(config, cores).map((s) => [s.file.replace(/^proc\/sys\/net\//, ''), s.value]))

  test('of connection tracking are kube-proxy’s', () => {
    expect(set(configured())).toEqual({
      'netfilter/nf_conntrack_max': 131072,
      'sys/module/nf_conntrack/parameters/hashsize': 32768,
      'netfilter/nf_conntrack_tcp_timeout_established': 86400,
      'netfilter/nf_conntrack_tcp_timeout_close_wait': 3600,
    })
    expect(set(configured(), 8)['netfilter/nf_conntrack_max']).toBe(262144)
  })

  test('that are 0 are left alone, and others set where they are asked for', () => {
    const none = ['--conntrack-max-per-core=0', '--conntrack-tcp-timeout-established=0', '--conntrack-tcp-timeout-close-wait=0']
    expect(set(configured(...none))).toEqual({})
    expect(set(configured(...none, '--conntrack-udp-timeout=90s', '--conntrack-udp-timeout-stream=2m', '--conntrack-tcp-be-liberal'))).toEqual({
      'netfilter/nf_conntrack_udp_timeout': 90,
      'netfilter/nf_conntrack_udp_timeout_stream': 120,
      'netfilter/nf_conntrack_tcp_be_liberal': 1,
    })
  })

  test('of a mode are its own', () => {
    const none = ['--conntrack-max-per-core=0', '--conntrack-tcp-timeout-established=0', '--conntrack-tcp-timeout-close-wait=0']
    expect(set(configured(...none, '--proxy-mode=iptables'))).toEqual({ 'ipv4/conf/all/route_localnet': 1 })
    expect(set(configured(...none, '--proxy-mode=iptables', '--iptables-localhost-nodeports=false'))).toEqual({})
    expect(set(configured(...none, '--proxy-mode=ipvs', '--ipvs-strict-arp'))).toEqual({
      'ipv4/vs/conntrack': 1,
      'ipv4/vs/expire_nodest_conn': 1,
      'ipv4/vs/expire_quiescent_template': 1,
      'ipv4/ip_forward': 1,
      'ipv4/conf/all/arp_ignore': 1,
      'ipv4/conf/all/arp_announce': 2,
    })
  })

  test('are written where they differ; a limit is only raised; what is not there is told', () => {
    const dir = root({ 'a/low': '5\n', 'a/high': '50\n', 'a/other': '50\n' })
    const problems = applySettings(
      [
        { file: 'a/low', value: 10, raise: true },
        { file: 'a/high', value: 10, raise: true },
        { file: 'a/other', value: 10 },
        { file: 'a/none', value: 10 },
      ],
      dir,
    )
    expect(['low', 'high', 'other'].map((name) => readFileSync(join(dir, 'a', name), 'utf8').trim())).toEqual(['10', '50', '10'])
    expect(problems).toEqual([{ setting: 'a/none', wanted: 10, message: expect.stringContaining('ENOENT') }])
  })
})

describe('the configuration of a family', () => {
  const facts = { podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'], addresses: ['198.18.0.11', '198.18.0.12', '2001:db8::11'] }
  const of = (family: 'ip' | 'ip6', ...argv: readonly string[]) => familyConfig(configured(...argv), facts, family)

  test('of nothing more than the node', () => {
    expect(of('ip')).toEqual({
      pods: { kind: 'none' },
      masqueradeAll: false,
      masqueradeBit: 14,
      nodePortAddresses: ['198.18.0.11'],
      localhostNodePorts: false,
      nodeAddresses: ['198.18.0.11'],
      dropInvalid: true,
    })
    expect(of('ip6')).toMatchObject({ nodePortAddresses: ['2001:db8::11'], nodeAddresses: ['2001:db8::11'] })
  })

  test.each<[readonly string[], object, object]>([
    [['--cluster-cidr=10.244.0.0/16,fd00::/48'], { pods: { kind: 'cidrs', cidrs: ['10.244.0.0/16'] } }, { pods: { kind: 'cidrs', cidrs: ['fd00::/48'] } }],
    [['--cluster-cidr=10.244.0.0/16'], { pods: { kind: 'cidrs', cidrs: ['10.244.0.0/16'] } }, { pods: { kind: 'none' } }],
    [['--detect-local-mode=NodeCIDR'], { pods: { kind: 'cidrs', cidrs: ['10.244.1.0/24'] } }, { pods: { kind: 'cidrs', cidrs: ['fd00:1::/64'] } }],
    [['--detect-local-mode=BridgeInterface', '--pod-bridge-interface=cni0'], { pods: { kind: 'interface', name: 'cni0', match: 'exact' } }, { pods: { kind: 'interface', name: 'cni0' } }],
    [['--nodeport-addresses=192.0.2.0/24,primary'], { nodePortAddresses: ['198.18.0.11', '192.0.2.0/24'] }, { nodePortAddresses: ['2001:db8::11'] }],
    [['--nodeport-addresses=192.0.2.0/24'], { nodePortAddresses: ['192.0.2.0/24'] }, { nodePortAddresses: ['::/0'] }],
    [['--nodeport-addresses=0.0.0.0/0,192.0.2.0/24'], { nodePortAddresses: ['0.0.0.0/0'] }, { nodePortAddresses: ['::/0'] }],
    [['--proxy-mode=iptables'], { nodePortAddresses: ['0.0.0.0/0'], localhostNodePorts: true }, { nodePortAddresses: ['::/0'], localhostNodePorts: false }],
    [['--bind-address=198.18.0.99'], { nodeAddresses: ['198.18.0.99'], nodePortAddresses: ['198.18.0.99'] }, { nodeAddresses: ['2001:db8::11'] }],
    [['--conntrack-tcp-be-liberal'], { dropInvalid: false }, { dropInvalid: false }],
  ])('%j', (argv, ip, ip6) => {
    expect(of('ip', ...argv)).toMatchObject(ip)
    expect(of('ip6', ...argv)).toMatchObject(ip6)
  })

  test('ranges stand for the machine’s addresses inside them', () => {
    const machine = ['127.0.0.1', '198.18.0.11', '192.0.2.7', '::1', '2001:db8::11']
    expect(addressesIn(['198.18.0.99', '192.0.2.0/24', '2001:db8::/32'], machine)).toEqual(['198.18.0.99', '192.0.2.7', '2001:db8::11'])
    expect(addressesIn(['0.0.0.0/0'], machine)).toEqual(['127.0.0.1', '198.18.0.11', '192.0.2.7'])
  })
})

describe('the configuration file', () => {
  const watched = () => {
    const clock = createFakeClock()
    const files = new Map([['/f', 'one']])
    const stop = new AbortController()
    let ended: unknown
    configChange({ path: '/f', text: 'one' }, { clock, readFile: (path) => files.get(path) ?? fail() }, stop.signal).catch((e: unknown) => (ended = e))
    return { clock, files, stop, ended: async () => (await settled(), ended) }
  }
  const fail = (): never => {
    throw new Error('ENOENT')
  }

  test('that says something else ends the process', async () => {
    const { clock, files, ended } = watched()
    await clock.advance(10_000)
    files.delete('/f')
    await clock.advance(10_000)
    expect(await ended(), 'one that is exchanged is away for a moment').toBeUndefined()
    files.set('/f', 'one')
    await clock.advance(2_000)
    expect(await ended()).toBeUndefined()
    files.set('/f', 'two')
    await clock.advance(2_000)
    expect(await ended()).toMatchObject({ code: 'RESTART_NEEDED', message: expect.stringContaining('/f') })
    expect(clock.waiting).toBe(0)
  })

  test('is looked at until the end', async () => {
    const { clock, stop, ended } = watched()
    stop.abort(new Error('over'))
    expect(await ended()).toMatchObject({ message: 'over' })
    expect(clock.waiting).toBe(0)
  })
})

describe('events', () => {
  const recorder = (answer: (question: Question) => void = () => {}) => {
    const clock = createFakeClock()
    const posts: Question[] = []
    const made = createEventRecorder({
      client: {
        async ask(question) {
          posts.push(question)
          answer(question)
        },
      },
      node: 'node1',
      clock,
      random: () => 0.5,
      log: silentLog,
      signal: new AbortController().signal,
    })
    return { clock, posts, made }
  }
  const event = (note = 'a port is taken'): ProxyEvent => ({
    type: 'Warning',
    reason: 'FailedToStartServiceHealthcheck',
    action: 'Listen',
    note,
    about: { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' },
  })

  test('are told in the words of events.k8s.io/v1', async () => {
    const { posts, made } = recorder()
    made.tell(event())
    await settled()
    expect(posts).toEqual([
      {
        method: 'POST',
        path: '/apis/events.k8s.io/v1/namespaces/default/events',
        body: {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { name: expect.stringMatching(/^web\.[0-9a-f]+$/), namespace: 'default' },
          eventTime: '2026-01-01T00:00:00.000000Z',
          reportingController: 'wherry-proxy',
          reportingInstance: 'wherry-proxy-node1',
          type: 'Warning',
          reason: 'FailedToStartServiceHealthcheck',
          action: 'Listen',
          note: 'a port is taken',
          regarding: { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' },
        },
      },
    ])
  })

  test('are told in those of core/v1 where the server has no others', async () => {
    const { posts, made } = recorder(({ path }) => {
      if (path.startsWith('/apis/')) throw new ApiFailure('API_REFUSED', 'not found', { status: 404 })
    })
    made.tell(event('one'))
    await settled()
    made.tell(event('two'))
    await settled()
    expect(posts.map((p) => p.path.split('/')[1])).toEqual(['apis', 'api', 'api'])
    expect(posts[1]!.body).toMatchObject({ involvedObject: { name: 'web' }, message: 'one', count: 1, source: { component: 'wherry-proxy', host: 'node1' } })
  })

  test('are not told twice within ten minutes, and a flood is cut off', async () => {
    const { clock, posts, made } = recorder()
    made.tell(event())
    made.tell(event())
    await clock.advance(9 * 60_000)
    made.tell(event())
    await settled()
    expect(posts).toHaveLength(1)
    await clock.advance(60_000)
    made.tell(event())
    for (let i = 0; i < 100; i++) made.tell(event(`flood ${i}`))
    await settled()
    expect(posts).toHaveLength(26)
    await clock.advance(10_000)
    made.tell(event('later'))
    made.tell(event('too soon'))
    await settled()
    expect(posts).toHaveLength(27)
  })

  test('that cannot be told are dropped', async () => {
    const { posts, made } = recorder(() => {
      throw new ApiFailure('API_LOST', 'away')
    })
    made.tell(event())
    await settled()
    expect(posts).toHaveLength(1)
  })

  test('are cut at what the API takes', async () => {
    const { posts, made } = recorder()
    made.tell(event('x'.repeat(5_000)))
    await settled()
    expect((posts[0]!.body as { note: string }).note).toHaveLength(1_024)
  })
})
