/** What the IPVS mode stands on, in a stock kernel: virtual servers, the dummy device, ipset, and both kinds of iptables. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { execIn, inNamespace, netnsLab, type Netns } from '../kit/netns.ts'
import { answer } from './answer.ts'

const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'sh', 'dh', 'sed', 'nq', 'mh']
const lab = netnsLab()
let node: Netns
let backends: readonly Netns[]
const servers: ReturnType<typeof createServer>[] = []

/** @param args a command line without quotes */
const run = async (netns: Netns, line: string): Promise<string> => {
  const [command, ...args] = line.split(' ') as [string, ...string[]]
  return (await execIn(netns, command, args)).stdout
}

beforeAll(async () => {
  node = await lab.create()
  backends = await Promise.all([lab.create(), lab.create()])
  for (const [i, backend] of backends.entries()) {
    await lab.cable({ netns: node, address: `10.244.${i}.1/24` }, { netns: backend, address: `10.244.${i}.2/24` })
    await lab.route(backend, 'default', `10.244.${i}.1`)
    const server = createServer((socket) => socket.on('error', () => {}).end(`backend ${i}`))
    await inNamespace(backend, () => once(server.listen(8080, '0.0.0.0'), 'listening'))
    servers.push(server)
  }
})
afterAll(() => servers.forEach((server) => server.close()))

test('the kernel is Debian’s own', () => {
  expect(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()).toBe(process.env.WHERRY_VM)
  expect(readFileSync('/proc/version', 'utf8')).toContain('Debian')
})

describe('IPVS', () => {
  test('a virtual server on a dummy device sends to one backend after the other', async () => {
    await run(node, 'ip link add wherry-ipvs type dummy')
    await run(node, 'ip address add 10.96.0.10/32 dev wherry-ipvs')
    await run(node, 'ipvsadm -A -t 10.96.0.10:80 -s rr')
    for (const i of [0, 1]) await run(node, `ipvsadm -a -t 10.96.0.10:80 -r 10.244.${i}.2:8080 -m`)
    const answers = []
    for (let n = 0; n < 4; n++) answers.push(await answer(node, '10.96.0.10', 80))
    expect(answers.toSorted()).toEqual(['backend 0', 'backend 0', 'backend 1', 'backend 1'])
    expect(answers[0]).not.toBe(answers[1])
  })

  test('a server without backends refuses', async () => {
    await run(node, 'ipvsadm -A -t 10.96.0.10:81 -s rr')
    await expect(answer(node, '10.96.0.10', 81)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('every scheduler is there', async () => {
    const servers = schedulers.map((name, i) => `-A -u 10.96.0.11:${i + 1} -s ${name}`)
    const netns = await lab.create()
    await netns.exec.run({ command: 'ipvsadm', args: ['-R'], input: `${servers.join('\n')}\n` }, AbortSignal.timeout(20_000))
    expect((await run(netns, 'ipvsadm -S -n')).trim().split('\n').toSorted()).toEqual(servers.toSorted())
  })

  test('serves IPv6, and affinity', async () => {
    await run(node, 'ipvsadm -A -t [fd00:96::10]:80 -s wrr -p 600')
    await run(node, 'ipvsadm -a -t [fd00:96::10]:80 -r [fd00:244::2]:8080 -m -w 0')
    expect(await run(node, 'ipvsadm -S -n')).toMatch(/-A -t \[fd00:96::10\]:80 -s wrr -p 600\n-a -t \[fd00:96::10\]:80 -r \[fd00:244::2\]:8080 -m -w 0/)
  })
})

describe('what stands beside it', () => {
  test.each(['iptables-legacy', 'iptables-nft', 'ip6tables-legacy', 'ip6tables-nft'])('%s', async (iptables) => {
    const netns = await lab.create()
    await run(netns, `${iptables} -t nat -N WHERRY`)
    await run(netns, `${iptables} -t nat -A WHERRY -p tcp -m comment --comment why -m statistic --mode random --probability 0.5 -j MARK --set-xmark 0x4000/0x4000`)
    await run(netns, `${iptables} -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully`)
    await run(netns, `${iptables} -t filter -A FORWARD -m conntrack --ctstate INVALID -j REJECT`)
    await run(netns, `${iptables} -t nat -A WHERRY -m recent --name why --rcheck --seconds 60 --reap`)
    expect(await run(netns, `${iptables} -t nat -S`)).toContain('-A WHERRY -p tcp -m comment --comment why')
  })

  test('iptables matches sets of ipset', async () => {
    const netns = await lab.create()
    await run(netns, 'ipset create local hash:ip')
    await run(netns, 'ipset create cluster hash:ip,port,ip')
    await run(netns, 'ipset create ranges hash:ip,port,net')
    await run(netns, 'ipset create ports bitmap:port range 0-65535')
    await run(netns, 'ipset create sctp hash:ip,port family inet6')
    await run(netns, 'ipset add cluster 10.96.0.10,tcp:80,10.96.0.10')
    for (const iptables of ['iptables-legacy', 'iptables-nft']) {
      await run(netns, `${iptables} -t nat -A POSTROUTING -m set --match-set cluster dst,dst,src -j MASQUERADE`)
    }
    expect(await run(netns, 'ipset save cluster')).toContain('add cluster 10.96.0.10,tcp:80,10.96.0.10')
  })
})
