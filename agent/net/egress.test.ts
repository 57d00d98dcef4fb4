import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Node } from '../../api/objects.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../../test/kit/netns.ts'
import type { Command } from '../kernel/exec.ts'
import { createEgress, egressText } from './egress.ts'

const node = (...addresses: readonly string[]): Node =>
  ({ metadata: { name: addresses[0] }, status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) } }) as unknown as Node
const wish = { clusterCIDRs: ['10.244.0.0/16', 'fd00:1::/64'], nodes: [node('192.0.2.2', 'fd00:9::2'), node('192.0.2.1')] }

describe('the table', () => {
  test('of each family says who knows the way to pods: pods, nodes, and what never goes out', () => {
    expect(egressText('ipv4', wish)).toContain('elements = { 10.244.0.0/16, 169.254.0.0/16, 192.0.2.1, 192.0.2.2, 224.0.0.0/4 }')
    expect(egressText('ipv4', wish)).toContain('ip saddr { 10.244.0.0/16 } ip daddr != @inside masquerade')
    expect(egressText('ipv6', wish)).toContain('elements = { fd00:1::/64, fd00:9::2, fe80::/10, ff00::/8 }')
  })

  test('does not depend on the order of nodes, and is none where there are no pods of that family', () => {
    expect(egressText('ipv4', { ...wish, nodes: wish.nodes.toReversed() })).toBe(egressText('ipv4', wish))
    expect(egressText('ipv6', { ...wish, clusterCIDRs: ['10.244.0.0/16'] })).toBeUndefined()
  })
})

describeAsRoot('in the kernel', () => {
  const lab = netnsLab()
  const signal = (): AbortSignal => AbortSignal.timeout(20_000)
  const only = { clusterCIDRs: ['10.244.0.0/16'], nodes: [node('192.0.2.1'), node('192.0.2.2')] }
  let [here, pod, peer, outside]: Netns[] = []

  beforeAll(async () => {
    ;[here, pod, peer, outside] = await Promise.all([lab.create(), lab.create(), lab.create(), lab.create()])
    await lab.cable({ netns: here!, address: '10.244.1.1/24' }, { netns: pod!, address: '10.244.1.2/24' })
    await lab.cable({ netns: here!, address: '192.0.2.1/25' }, { netns: peer!, address: '192.0.2.2/25' })
    await lab.cable({ netns: here!, address: '192.0.2.129/25' }, { netns: outside!, address: '192.0.2.130/25' })
    await lab.route(pod!, 'default', '10.244.1.1')
    await lab.route(peer!, '10.244.1.0/24', '192.0.2.1')
    await lab.sysctl(here!, 'net.ipv4.ip_forward', '1')
  })

  /** As whom a server at that address sees the pod. */
  async function seen(at: Netns, address: string): Promise<string> {
    const server = createServer((socket) => socket.end(String(socket.remoteAddress)))
    await inNamespace(at, () => once(server.listen(0, address), 'listening'))
    try {
      const { port } = server.address() as AddressInfo
      const socket = await inNamespace(pod!, async () => {
        const connecting = connect({ port, host: address, timeout: 5_000 })
        await once(connecting, 'connect')
        return connecting
      })
      socket.setEncoding('utf8')
      return (await socket.toArray()).join('')
    } finally {
      server.close()
    }
  }

  test('who is outside sees the node, and its answer arrives; other nodes see the pod', async () => {
    await createEgress(here!.exec).sync(only, signal())
    expect([await seen(outside!, '192.0.2.130'), await seen(peer!, '192.0.2.2')]).toEqual(['192.0.2.129', '10.244.1.2'])
  })

  test('what others changed is put back, what is right is not written again, and another agent takes it over', async () => {
    const commands: Command[] = []
    const exec = { ...here!.exec, run: (command: Command, stop: AbortSignal) => (commands.push(command), here!.exec.run(command, stop)) }
    const writes = (): number => commands.filter((c) => c.args.includes('-f')).length
    const egress = createEgress(exec)
    await egress.sync(only, signal())
    await egress.sync(only, signal())
    expect(writes()).toBe(1)
    for (const change of [['delete', 'table', 'ip', 'wherry-egress'], ['flush', 'chain', 'ip', 'wherry-egress', 'postrouting']]) {
      const before = writes()
      await execIn(here!, 'nft', change)
      await egress.sync(only, signal())
      expect(writes()).toBe(before + 1)
      expect(await seen(outside!, '192.0.2.130')).toBe('192.0.2.129')
    }
    await egress.sync({ ...only, nodes: [...only.nodes, node('192.0.2.130')] }, signal())
    const { stdout } = await execIn(here!, 'nft', ['list', 'table', 'ip', 'wherry-egress'])
    expect(stdout).toContain('192.0.2.130')
  })
})
