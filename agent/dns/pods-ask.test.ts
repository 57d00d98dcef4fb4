/** The name server in the network namespace of a node, asked from that of a pod by the resolvers of Debian. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import type { Pod } from '../../api/objects.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../../test/kit/netns.ts'
import { endpointSlice, service, stored } from '../../test/kit/objects.ts'
import { createIp } from '../net/ip.ts'
import { podResolvText } from '../pods/resolv.ts'
import { createDns, type Dns } from './dns.ts'
import { createHistory } from './fake.ts'

describeAsRoot('a pod asks its node', () => {
  const lab = netnsLab()
  const stop = new AbortController()
  const address = '169.254.20.10'
  let pod: Netns
  let dns: Dns
  let running: Promise<void>
  let folder: string

  beforeAll(async () => {
    const node = await lab.create()
    pod = await lab.create()
    const [, inside] = await lab.cable({ netns: node, address: '10.244.1.1/24' }, { netns: pod, address: '10.244.1.2/24' })
    await lab.route(pod, 'default', '10.244.1.1')
    // The C library asks for IPv6 addresses only where there is one.
    await execIn(pod, 'ip', ['address', 'add', 'fd00::2/64', 'dev', inside, 'nodad'])
    dns = createDns({ address, domain: 'cluster.local', ranges: ['10.244.0.0/16'], readHost: () => [], ip: createIp(node.exec), clock: systemClock, random: Math.random, log: silentLog })
    // A socket stays in the namespace that it was made in.
    await inNamespace(node, async () => {
      running = dns.run(stop.signal)
      await dns.listening
    })
    const endpoints = Array.from({ length: 60 }, (_, i) => ({ addresses: [`10.244.9.${i}`], ...(i === 0 && { hostname: 'db-0' }) }))
    dns.take(
      createHistory().put(
        stored(service({ metadata: { name: 'web', namespace: 'shop' }, spec: { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10', 'fd00:10:96::a'] } })),
        stored(service({ metadata: { name: 'db', namespace: 'shop' }, spec: { clusterIP: 'None' } })),
        stored(endpointSlice({ metadata: { name: 'db-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } }, endpoints })),
      ),
    )
    // `ip netns exec` shows these files to its command as those of /etc (ip-netns(8)).
    folder = `/etc/netns/${pod.name}`
    mkdirSync(folder, { recursive: true })
    const object = { metadata: { name: 'asks', namespace: 'shop' }, spec: { containers: [] } } as unknown as Pod
    writeFileSync(`${folder}/resolv.conf`, podResolvText(object, { address, domain: 'cluster.local' }, () => ({ nameservers: [], searches: ['lab.example'], options: [] })))
    writeFileSync(`${folder}/nsswitch.conf`, 'hosts: dns\n')
  })
  afterAll(async () => {
    stop.abort(new DOMException('the test is over', 'AbortError'))
    await running
    if (folder) rmSync(folder, { recursive: true })
  })

  const inPod = async (...words: readonly string[]): Promise<string> => {
    const [command, ...args] = words
    const { stdout } = await execIn(pod, 'ip', ['netns', 'exec', pod.name, command!, ...args])
    return stdout
  }
  const addresses = (text: string): string[] => [...new Set(text.split('\n').flatMap((line) => line.split(/\s+/)[0] || []))].toSorted()

  test.each(['web', 'web.shop', 'web.shop.svc', 'web.shop.svc.cluster.local', 'WEB.Shop.svc.cluster.local.'])('for %s, by the C library', async (name) => {
    expect(addresses(await inPod('getent', 'ahosts', name))).toEqual(['10.96.0.10', 'fd00:10:96::a'])
  })

  test('for all endpoints of a headless service, of which there are more than a datagram has room for', async () => {
    const before = dns.counters.received.tcp
    expect(addresses(await inPod('getent', 'ahostsv4', 'db'))).toEqual(Array.from({ length: 60 }, (_, i) => `10.244.9.${i}`).toSorted())
    expect(dns.counters.received.tcp).toBeGreaterThan(before)
  })

  test('for one endpoint, and back', async () => {
    expect(addresses(await inPod('getent', 'ahostsv4', 'db-0.db'))).toEqual(['10.244.9.0'])
    expect(await inPod('getent', 'hosts', '10.244.9.0')).toMatch(/^10\.244\.9\.0 +db-0\.db\.shop\.svc\.cluster\.local$/m)
  })

  test('for what there is not', async () => {
    await expect(inPod('getent', 'ahosts', 'nobody.shop.svc.cluster.local.')).rejects.toMatchObject({ code: 'EXEC_FAILED' })
  })

  test('by busybox, as demo pods do', async () => {
    expect(await inPod('busybox', 'nslookup', 'web.shop.svc.cluster.local')).toContain('Address: 10.96.0.10')
  })
})
