import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import { describeAsRoot, netnsLab, type Netns } from '../../test/kit/netns.ts'
import { ExecError, type Command, type Exec } from '../kernel/exec.ts'
import { createCni, ptpConfig } from './cni.ts'
import { createFakePodNetwork } from './fake.ts'
import { netnsName } from './netns.ts'
import { createPodNetwork, type PodNetwork } from './pod-network.ts'

const signal = (): AbortSignal => AbortSignal.timeout(20_000)
const [one, two] = ['11111111-aaaa-bbbb-cccc-000000000000', '22222222-aaaa-bbbb-cccc-000000000000']

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (e: unknown) => {
      if (!isWherryError(e)) throw e
      return e.code
    },
  )

describe('the plugins', () => {
  const answering = (answer: (command: Command) => string): Exec => ({
    run: async (command) => ({ stdout: await Promise.resolve(answer(command)), stderr: '' }),
    stream: () => Promise.reject(new Error('nothing here streams')),
  })
  const config = { ranges: ['10.244.1.0/24', 'fd00:1::/64'], dataDir: '/data', mtu: 1450 }

  test('get a routed pair of links for each pod, addresses from its ranges, and no masquerading', () => {
    expect(ptpConfig(config)).toEqual({
      cniVersion: '1.0.0',
      name: 'wherry-pods',
      type: 'ptp',
      ipMasq: false,
      mtu: 1450,
      ipam: {
        type: 'host-local',
        dataDir: '/data',
        ranges: [[{ subnet: '10.244.1.0/24' }], [{ subnet: 'fd00:1::/64' }]],
        routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      },
    })
  })

  test('are told by CNI variables, and both addresses of their answer are given', async () => {
    const seen: Command[] = []
    const exec = answering((command) => {
      seen.push(command)
      return JSON.stringify({ ips: [{ address: '10.244.1.2/24' }, { address: 'fd00:1::2/64' }] })
    })
    const result = await createCni(exec, '/plugins', config).add({ containerId: one, netns: '/run/netns/x' }, signal())
    expect(result.addresses).toEqual(['10.244.1.2', 'fd00:1::2'])
    expect(seen[0]).toMatchObject({
      command: '/plugins/ptp',
      env: { CNI_COMMAND: 'ADD', CNI_CONTAINERID: one, CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0', CNI_PATH: '/plugins' },
    })
  })

  test("a plugin's own words are in the error", async () => {
    const failing: Exec = {
      ...answering(() => ''),
      run: (command) =>
        Promise.reject(new ExecError('exit', command, { exitCode: 1, stderr: '', stdout: '{"code":11,"msg":"no IP addresses available"}', what: 'failed' })),
    }
    const added = createCni(failing, '/plugins', config).add({ containerId: one, netns: '/x' }, signal())
    await expect(added).rejects.toMatchObject({ code: 'SANDBOX_NETWORK', message: expect.stringContaining('no IP addresses available') as string })
  })
})

test("a namespace's name has the prefix and the beginning of the uid", () => {
  expect(netnsName('wherry-node-a-', one)).toBe('wherry-node-a-11111111aaaa')
})

/** The laws that both networks keep. */
function laws(network: () => PodNetwork): void {
  test('without a range nothing is raised', async () => {
    expect(network().ready).toBe(false)
    expect(await codeOf(network().raise(one, signal()))).toBe('SANDBOX_NETWORK')
  })

  test('two pods have two addresses, and both are found again', async () => {
    network().setRanges(['10.244.1.0/24'])
    const raised = [await network().raise(one, signal()), await network().raise(two, signal())]
    expect(new Set(raised.map((r) => r.addresses[0])).size).toBe(2)
    expect(raised.every((r) => r.addresses[0]!.startsWith('10.244.1.'))).toBe(true)
    expect(network().find(one)).toEqual({ kind: 'up', network: raised[0] })
    expect(await network().check(one, signal())).toBe(true)
    expect(new Set(network().uids())).toEqual(new Set([one, two]))
  })

  test('what is dropped is gone, and dropping it again is no error', async () => {
    network().setRanges(['10.244.1.0/24'])
    await network().raise(one, signal())
    for (let i = 0; i < 2; i++) await network().drop(one, signal())
    expect(network().find(one)).toEqual({ kind: 'none' })
    expect(network().uids()).toEqual([])
    expect(await network().check(one, signal())).toBe(false)
  })
}

describe('networks in memory', () => {
  let network: PodNetwork
  beforeEach(() => {
    network = createFakePodNetwork()
  })
  laws(() => network)
})

describeAsRoot('networks in a kernel', () => {
  const lab = netnsLab()
  let host: Netns
  let dir: string
  let network: PodNetwork
  const make = (): PodNetwork =>
    createPodNetwork({ exec: host.exec, netnsPrefix: `${host.name}-`, dir, pluginDir: '/usr/lib/cni', mtu: 1400 })
  const taken = (): string[] => readdirSync(join(dir, 'addresses/wherry-pods')).filter((name) => /^\d/.test(name))
  const ip = async (...args: string[]): Promise<string> => (await host.exec.run({ command: 'ip', args }, signal())).stdout

  beforeAll(async () => {
    host = await lab.create()
  })
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'wp-network-'))
    network = make()
  })
  afterEach(async () => {
    for (const uid of [one, two]) await network.drop(uid, signal())
    rmSync(dir, { recursive: true })
  })
  afterAll(() => expect(readdirSync('/run/netns').filter((name) => name.startsWith(`${host.name}-`))).toEqual([]))

  laws(() => network)

  test('a pod has its link, its loopback and a way out; the node has a route to it', async () => {
    network.setRanges(['10.244.1.0/24'])
    const { addresses, netns } = await network.raise(one, signal())
    const name = netns.split('/').at(-1)!
    const links = await ip('-netns', name, '-json', 'link')
    expect(JSON.parse(links)).toEqual([
      expect.objectContaining({ ifname: 'lo', operstate: 'UNKNOWN' }),
      expect.objectContaining({ ifname: 'eth0', operstate: 'UP', mtu: 1400 }),
    ])
    expect(await ip('-netns', name, 'route', 'show', 'default')).toContain('via 10.244.1.1 dev eth0')
    expect(await ip('route', 'show', addresses[0]!)).toContain('dev veth')
  })

  test('remains of a crash are found, and completed by raising', async () => {
    network.setRanges(['10.244.1.0/24'])
    await ip('netns', 'add', netnsName(`${host.name}-`, one))
    expect(network.find(one)).toEqual({ kind: 'half' })
    await network.raise(one, signal())
    expect(network.find(one).kind).toBe('up')
    expect(taken()).toHaveLength(1)
  })

  test('a crash between ADD and its record does not keep an address for ever', async () => {
    network.setRanges(['10.244.1.0/24'])
    await network.raise(one, signal())
    writeFileSync(join(dir, 'pods', `${one}.json`), JSON.stringify({ uid: one, ranges: ['10.244.1.0/24'] }))
    expect(network.find(one)).toEqual({ kind: 'half' })
    await network.raise(one, signal())
    expect(taken()).toHaveLength(1)
  })

  test('a machine that was restarted has no namespaces; the address is given back', async () => {
    network.setRanges(['10.244.1.0/24'])
    await network.raise(one, signal())
    await ip('netns', 'delete', netnsName(`${host.name}-`, one))
    const later = make()
    expect(later.find(one)).toEqual({ kind: 'half' })
    expect(later.uids()).toEqual([one])
    await later.drop(one, signal())
    expect(taken()).toEqual([])
  })

  test('a link that somebody took away is noticed by a check', async () => {
    network.setRanges(['10.244.1.0/24'])
    const { netns } = await network.raise(one, signal())
    expect(await network.isCut(one, signal())).toBe(false)
    await ip('-netns', netns.split('/').at(-1)!, 'link', 'delete', 'eth0')
    expect(await network.check(one, signal())).toBe(false)
    expect(await network.isCut(one, signal())).toBe(true)
  })
})
