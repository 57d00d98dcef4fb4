import { networkInterfaces } from 'node:os'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { once } from 'node:events'
import { afterAll, expect, it } from 'vitest'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from './netns.ts'

const where = (): string => readlinkSync('/proc/thread-self/ns/net')

describeAsRoot('network namespaces for tests', () => {
  const paths: string[] = []
  // Hooks of one describe run last to first: this one after the lab's own.
  afterAll(() => expect(paths.filter((path) => existsSync(path))).toEqual([]))
  const lab = netnsLab()
  const create = async (): Promise<Netns> => {
    const netns = await lab.create()
    paths.push(netns.path)
    return netns
  }

  it('have names of their own and nothing but loopback', async () => {
    const netns = await create()
    expect(netns.name).toMatch(/^wt-[0-9a-f]{8}$/)
    expect(await inNamespace(netns, () => Object.keys(networkInterfaces()))).toEqual(['lo'])
    expect((await execIn(netns, 'ip', ['-o', 'link'])).stdout.trim().split('\n')).toHaveLength(1)
  })

  it('are left again, also after an error and from within each other', async () => {
    const [a, b] = [await create(), await create()]
    const home = where()
    await expect(
      inNamespace(a, async () => {
        const inA = where()
        await inNamespace(b, async () => expect(where()).not.toBe(inA))
        expect(where()).toBe(inA)
        throw new Error('planted')
      }),
    ).rejects.toThrow('planted')
    expect(where()).toBe(home)
  })

  it('are where children and sockets of the main thread are made', async () => {
    const netns = await create()
    const child = await execIn(netns, 'readlink', ['/proc/self/ns/net'])
    expect(child.stdout.trim()).toBe(await inNamespace(netns, where))
  })

  it('speak over cables and routes: a router between two hosts', async () => {
    const [left, router, right] = [await create(), await create(), await create()]
    await lab.cable({ netns: left, address: '10.7.0.2/24' }, { netns: router, address: '10.7.0.1/24' })
    await lab.cable({ netns: right, address: '10.8.0.2/24' }, { netns: router, address: '10.8.0.1/24' })
    await lab.route(left, 'default', '10.7.0.1')
    await lab.route(right, '10.7.0.0/24', '10.8.0.1')
    await lab.sysctl(router, 'net.ipv4.ip_forward', '1')
    const server = createServer((socket) => socket.end(String(socket.remoteAddress)))
    await inNamespace(right, async () => once(server.listen(80, '10.8.0.2'), 'listening'))
    try {
      const socket = await inNamespace(left, async () => {
        const client = connect(80, '10.8.0.2')
        await once(client, 'connect')
        return client
      })
      expect(String((await once(socket, 'data'))[0])).toBe('10.7.0.2')
    } finally {
      server.close()
    }
  })

  it('keep their kernel variables to themselves', async () => {
    const netns = await create()
    const before = readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8')
    await lab.sysctl(netns, 'net.ipv4.ip_default_ttl', '33')
    expect((await execIn(netns, 'cat', ['/proc/sys/net/ipv4/ip_default_ttl'])).stdout).toBe('33\n')
    expect(readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8')).toBe(before)
  })
})
