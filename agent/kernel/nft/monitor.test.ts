import { once } from 'node:events'
import { createSocket } from 'node:dgram'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { silentLog } from '../../../api/log.ts'
import type { Family } from '../../../rules/model.ts'
import type { Operation } from '../../../rules/nft/model.ts'
import { createFakeClock, settled } from '../../../test/kit/clock.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../../../test/kit/netns.ts'
import type { Door } from './door.ts'
import { createOwnHands } from './hands.ts'
import type { ForeignChange } from '../kernel.ts'
import { openLibnftables } from './libnftables.ts'
import { createMonitor } from './monitor.ts'
import { openNetlinkSocket, type NetlinkSocket } from '../netlink.ts'
import { createNftKernel } from './nft.ts'
import { openNftProcess } from './process.ts'

const never = new AbortController().signal
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

// ── messages, written by hand ────────────────────────────────────────────────

interface Said {
  readonly type: number
  readonly sender: number
  readonly family?: number
  readonly attributes: readonly (readonly [type: number, value: string | number])[]
}

function messageOf({ type, sender, family = 2, attributes }: Said): Buffer {
  const parts = attributes.map(([kind, value]) => {
    const text = typeof value === 'number' ? Buffer.alloc(4) : Buffer.from(`${value}\0`)
    if (typeof value === 'number') text.writeUInt32BE(value)
    const part = Buffer.alloc(4 + Math.ceil(text.length / 4) * 4)
    part.writeUInt16LE(4 + text.length, 0)
    part.writeUInt16LE(kind, 2)
    text.copy(part, 4)
    return part
  })
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(20)
  head.writeUInt32LE(20 + body.length, 0)
  head.writeUInt16LE((10 << 8) | type, 4)
  head.writeUInt32LE(sender, 12)
  head[16] = family
  return Buffer.concat([head, body])
}

const [deleteTable, addRule, deleteElement] = [2, 6, 14]
const change = (sender: number, type: number, named: string, part: Partial<Said> = {}): Buffer =>
  messageOf({ type, sender, attributes: [[1, 'wherry'], ...(named === '' ? [] : ([[2, named]] as const))], ...part })
const generation = (sender: number, pid: number, name: string): Buffer =>
  messageOf({ type: 15, sender, family: 0, attributes: [[1, 7], [2, pid], [3, name]] })

function stage() {
  const waiting: Buffer[] = []
  let own: number[] = [100]
  let lost = false
  const ignored: number[][] = []
  const wishes: string[] = []
  let generation = 40
  let closed = false
  const socket: NetlinkSocket = {
    ignore: (senders) => void ignored.push([...senders]),
    listen: (wish) => void wishes.push(wish),
    generation: () => generation,
    read(take) {
      for (const datagram of waiting.splice(0)) take(datagram)
      const was = lost
      lost = false
      return was
    },
    ownAddresses: () => new Set(own),
    close: () => void (closed = true),
  }
  const clock = createFakeClock()
  const hands = createOwnHands()
  const told: ForeignChange[] = []
  const stop = new AbortController()
  const monitor = createMonitor({ socket, table: { family: 'ip', name: 'wherry' }, hands, clock })
  const watching = monitor.run((c) => told.push(c), stop.signal)
  stops.push(async () => {
    stop.abort()
    await watching
    expect(closed).toBe(true)
  })
  return {
    hands,
    monitor,
    ignored,
    wishes,
    told,
    /** Transactions of anybody, of which nothing is heard. */
    unheard: (count: number) => void (generation += count),
    end: stop,
    move: (...addresses: number[]) => void (own = addresses),
    lose: () => void (lost = true),
    async hear(...datagrams: Buffer[]) {
      waiting.push(...datagrams)
      await clock.advance(250)
      await settled()
    },
  }
}

describe('what is told of a transaction', () => {
  it('names what was done first, how much more, and the process', async () => {
    const s = stage()
    const changes = [change(7, addRule!, 'nat-output'), change(7, deleteElement!, 'endpoints-3'), change(7, addRule!, 'refuse')]
    await s.hear(Buffer.concat(changes), generation(7, 4711, 'nft'))
    expect(s.told).toEqual([{ what: 'add rule ip wherry nat-output and 2 more', by: { pid: 4711, name: 'nft' } }])
  })
  it('says that the table is gone before all else', async () => {
    const s = stage()
    await s.hear(Buffer.concat([change(7, 8, 'nat-output'), change(7, deleteTable!, '')]), generation(7, 4711, 'nft'))
    expect(s.told.map(({ what }) => what)).toEqual(['delete table ip wherry and 1 more'])
  })
  it('is once for all transactions of a process since the last look', async () => {
    const s = stage()
    const once = (sender: number, pid: number) => [
      change(sender, deleteElement!, 'external'),
      generation(sender, pid, 'firewalld'),
    ]
    await s.hear(...once(7, 70), ...once(7, 70), ...once(8, 80), ...once(7, 70))
    expect(s.told.map(({ what, by }) => `${what} by ${by?.pid}`)).toEqual([
      'delete element ip wherry external and 2 more by 70',
      'delete element ip wherry external by 80',
    ])
  })
  it('waits for the end of a transaction, but not for long', async () => {
    const s = stage()
    await s.hear(change(7, deleteElement!, 'external'))
    expect(s.told).toEqual([])
    await s.hear(generation(7, 70, 'nft'))
    expect(s.told).toEqual([{ what: 'delete element ip wherry external', by: { pid: 70, name: 'nft' } }])
    await s.hear(change(8, deleteElement!, 'external'))
    for (let i = 0; i < 3; i++) await s.hear()
    expect(s.told.slice(1)).toEqual([{ what: 'delete element ip wherry external' }])
  })
  it('is nothing of other tables, other families, other subsystems and garbage', async () => {
    const s = stage()
    const other = messageOf({ type: 14, sender: 7, attributes: [[1, 'wherry2'], [2, 'external']] })
    const otherSubsystem = change(7, deleteElement!, 'external')
    otherSubsystem.writeUInt16LE((1 << 8) | 14, 4)
    const cut = change(7, deleteElement!, 'external').subarray(0, 30)
    const otherFamily = change(7, deleteElement!, 'external', { family: 10 })
    await s.hear(Buffer.concat([other, otherFamily, otherSubsystem, cut]), Buffer.from([1, 2, 3]), Buffer.alloc(40))
    await s.hear(generation(7, 70, 'nft'))
    expect(s.told).toEqual([])
  })
  it('is nothing of our own: sockets of this process, its children, and where only the number of the process tells', async () => {
    const s = stage()
    const ended = s.hands.addChild(200)
    await s.hear(change(100, deleteElement!, 'external'), generation(100, 1, 'node'))
    await s.hear(change(200, deleteElement!, 'external'), generation(200, 200, 'nft'))
    await s.hear(change(7, deleteElement!, 'external'), generation(7, 200, 'nft'))
    await s.hear(change(8, deleteElement!, 'external'), generation(8, process.pid, 'node'))
    expect(s.told).toEqual([])
    ended()
    await s.hear(change(200, deleteElement!, 'external'), generation(200, 200, 'nft'))
    expect(s.told, 'the number belongs to somebody else now').toHaveLength(1)
  })
  it('is nothing of a socket that this process opened later', async () => {
    const s = stage()
    s.move(100, 300)
    await s.hear(change(300, deleteElement!, 'external'), generation(300, 1, 'node'))
    expect(s.told).toEqual([])
  })
  it('says so when the kernel could not keep all of it', async () => {
    const s = stage()
    s.lose()
    s.unheard(1)
    await s.hear()
    expect(s.told).toEqual([{ what: 'more changes to the rules than could be followed' }])
    await s.hear()
    expect(s.told).toHaveLength(1)
  })
  it('is nothing where all that the kernel could not keep was ours', async () => {
    const s = stage()
    for (const others of [0, 0, 1]) {
      const end = s.hands.begin()
      s.unheard(1 + others)
      end()
      s.lose()
      await s.hear()
      expect(s.told).toHaveLength(others)
    }
  })
  it('lets the kernel ignore a socket of ours from its first word on, whichever address it has got', async () => {
    const s = stage()
    s.move(100, 300)
    await s.hear(change(300, deleteElement!, 'external'), generation(300, process.pid, 'node'))
    expect(s.ignored.at(-1)).toEqual([process.pid, 100, 300])
  })
  it('lets the kernel ignore our own', () => {
    const s = stage()
    s.hands.addChild(200)()
    expect(s.ignored).toEqual([[process.pid, 100], [process.pid, 100, 200], [process.pid, 100]])
  })
})

describe('while a large change of ours is made', () => {
  const large = (s: ReturnType<typeof stage>, own: number, others: number): void => {
    const resume = s.monitor.pause()
    const ends = Array.from({ length: own }, () => s.hands.begin())
    s.unheard(own + others)
    expect(s.wishes.at(-1)).toBe('off')
    resume()
    for (const end of ends) end()
    expect(s.wishes.at(-1)).toBe('on')
  }
  it('nothing is told where all transactions were ours', async () => {
    const s = stage()
    s.hands.begin()()
    large(s, 1, 0)
    await s.hear()
    large(s, 3, 0)
    await s.hear()
    expect(s.told).toEqual([])
  })
  it('counts a transaction of ours that began before', async () => {
    const s = stage()
    const end = s.hands.begin()
    large(s, 1, 1)
    end()
    await s.hear()
    expect(s.told).toEqual([])
  })
  it('what others did is told of once, without a name', async () => {
    const s = stage()
    large(s, 1, 1)
    await s.hear()
    await s.hear()
    expect(s.told).toEqual([{ what: 'more changes to the rules than could be followed' }])
  })
  it('the watch may end', async () => {
    const s = stage()
    const resume = s.monitor.pause()
    s.end.abort()
    await settled()
    resume()
    s.monitor.pause()()
    expect(s.wishes).toEqual(['on', 'off'])
  })
})

// ── the real kernel ──────────────────────────────────────────────────────────

const words = {
  ip: { loopback: '127.0.0.1', one: '10.96.0.1', type: 'ipv4_addr', each: (n: number) => `10.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}` },
  ip6: { loopback: '::1', one: 'fd00:96::1', type: 'ipv6_addr', each: (n: number) => `fd00:1:${1 + (n >> 16)}::${(n & 0xffff).toString(16)}` },
} as const

describeAsRoot('other hands on the real table', () => {
  describe.each(['ip', 'ip6'] as const)('of family %s', (family) => otherHands(family))
})

function otherHands(family: Family): void {
  const lab = netnsLab()
  const { loopback, one, type, each } = words[family]
  let netns: Netns
  beforeAll(async () => {
    netns = await lab.create()
  })

  const table: readonly Operation[] = [
    { kind: 'add-table' },
    { kind: 'add-set', set: { name: 'external', kind: 'set', type: `type ${type};` } },
    { kind: 'add-set', set: { name: 'affinity', kind: 'set', type: `type ${type}; size 100; flags dynamic,timeout;` } },
    { kind: 'add-chain', chain: 'output', base: 'type filter hook output priority 0; policy accept;' },
    { kind: 'add-rule', chain: 'output', rule: `update @affinity { ${family} saddr timeout 1h }` },
    { kind: 'add-elements', set: 'external', elements: [{ key: one }] },
  ]
  const many = (from: number): Operation => ({
    kind: 'add-elements',
    set: 'external',
    elements: Array.from({ length: 120_000 }, (_, n) => ({ key: each(from + n) })),
  })

  interface Circumstances {
    /** Happens while a large change is made. */
    readonly meanwhile?: () => Promise<unknown>
    readonly bufferBytes?: number
  }
  async function watched(way: 'libnftables' | 'process', { meanwhile, bufferBytes }: Circumstances = {}) {
    const clock = createFakeClock()
    const hands = createOwnHands()
    const told: ForeignChange[] = []
    const stop = new AbortController()
    return inNamespace(netns, async () => {
      const real = way === 'libnftables' ? await openLibnftables() : await openNftProcess(netns.exec, never, hands)
      const door: Door = {
        ...real,
        async run(payload, signal) {
          if (payload.length > 500_000) await meanwhile?.()
          await real.run(payload, signal)
        },
      }
      const listening = Promise.withResolvers<void>()
      const openSocket = async (): Promise<NetlinkSocket> => {
        const socket = await openNetlinkSocket(bufferBytes)
        return { ...socket, read: (take) => (listening.resolve(), socket.read(take)) }
      }
      const kernel = createNftKernel({ door, family, log: silentLog, hands, clock, openSocket })
      await kernel.remove(never)
      await kernel.apply({ family, operations: table }, never)
      const watching = kernel.watch((c) => told.push(c), stop.signal)
      await listening.promise
      stops.push(async () => {
        stop.abort()
        await watching
        kernel.close()
      })
      return {
        kernel,
        /** What was told since the last call. */
        news: async (): Promise<readonly ForeignChange[]> => {
          await clock.advance(250)
          await settled()
          return told.splice(0)
        },
      }
    })
  }
  /** Another program changes something. Gives its number. */
  const nft = async (...args: readonly string[]): Promise<number> => {
    let pid = 0
    await netns.exec.run({ command: 'nft', args, onStart: (started) => (pid = started) }, AbortSignal.timeout(20_000))
    return pid
  }
  const ours = `${family} wherry`

  it.each([
    { args: ['delete', 'element', ...ours.split(' '), 'external', `{ ${one} }`], what: `delete element ${ours} external` },
    { args: ['add', 'element', ...ours.split(' '), 'external', `{ ${each(7)} }`], what: `add element ${ours} external` },
    { args: ['add', 'rule', ...ours.split(' '), 'output', 'accept'], what: `add rule ${ours} output` },
    { args: ['add', 'chain', ...ours.split(' '), 'theirs'], what: `add chain ${ours} theirs` },
    { args: ['flush', 'table', ...ours.split(' ')], what: `delete rule ${ours} output` },
    { args: ['flush', 'set', ...ours.split(' '), 'external'], what: `delete element ${ours} external` },
    {
      args: ['delete', 'table', ...ours.split(' ')],
      what: expect.stringMatching(`^delete table ${ours} and \\d+ more$`) as string,
    },
    { args: ['flush', 'ruleset'], what: expect.stringMatching(`^delete table ${ours} and \\d+ more$`) as string },
    {
      args: ['add table inet a; add chain inet a b; delete element', ...ours.split(' '), `external { ${one} }`],
      what: `delete element ${ours} external`,
    },
  ])('$args.0 $args.1 $args.4: noticed, with the name of the process', async ({ args, what }) => {
    const { news } = await watched('libnftables')
    expect(await news()).toEqual([])
    const pid = await nft(...args)
    expect(await news()).toEqual([{ what, by: { pid, name: 'nft' } }])
    expect(await news()).toEqual([])
  })

  const ways = ['libnftables', 'process'] as const
  it.each(ways)('our own through %s are not, small or large; the next foreign one is', async (way) => {
    const { kernel, news } = await watched(way)
    await inNamespace(netns, async () => {
      await kernel.apply({ family, operations: [{ kind: 'add-elements', set: 'external', elements: [{ key: each(1) }] }] }, never)
      await kernel.apply({ family, operations: [many(2)] }, never)
      await kernel.remove(never)
      await kernel.apply({ family, operations: table }, never)
    })
    expect(await news()).toEqual([])
    await nft('add', 'chain', ...ours.split(' '), 'theirs')
    expect(await news()).toHaveLength(1)
  })

  it('what others do while we load much is, without a name', async () => {
    const { kernel, news } = await watched('process', { meanwhile: () => nft('add', 'chain', ...ours.split(' '), 'theirs') })
    await inNamespace(netns, () => kernel.apply({ family, operations: [many(2)] }, never))
    expect(await news()).toEqual([{ what: 'more changes to the rules than could be followed' }])
    await nft('add', 'chain', ...ours.split(' '), 'theirs-too')
    expect(await news()).toHaveLength(1)
  })

  it('those of other tables are not, however many', async () => {
    const { news } = await watched('libnftables')
    const other = family === 'ip' ? 'ip6' : 'ip'
    const others = [`${other} wherry`, 'inet wherry', `${family} wherr`, `${family} wherry2`, `${family} w`]
    await nft(others.map((name) => `add table ${name}; add chain ${name} external`).join('; '))
    const elements = (many(0) as { elements: readonly { key: string }[] }).elements.map(({ key }) => key)
    const input = `add set ${family} w e { type ${type}; }\nadd element ${family} w e { ${elements.join(', ')} }\n`
    await netns.exec.run({ command: 'nft', args: ['-f', '-'], input }, AbortSignal.timeout(20_000))
    await nft(others.map((name) => `delete table ${name}`).join('; '))
    expect(await news()).toEqual([])
  })

  it('what packets write to a set is not', async () => {
    const { news } = await watched('libnftables')
    const socket = createSocket(family === 'ip' ? 'udp4' : 'udp6')
    await inNamespace(netns, async () => {
      socket.bind(0, loopback)
      await once(socket, 'listening')
    })
    await new Promise<void>((resolve, reject) => socket.send('?', 9, loopback, (e) => (e ? reject(e) : resolve())))
    socket.close()
    const { stdout } = await execIn(netns, 'nft', ['list', 'set', ...ours.split(' '), 'affinity'])
    expect(stdout).toContain(`elements = { ${loopback} timeout 1h`)
    expect(await news()).toEqual([])
  })

  it('more than the kernel keeps is told of, too', async () => {
    const { news } = await watched('libnftables', { bufferBytes: 64 << 10 })
    const elements = (many(0) as { elements: readonly { key: string }[] }).elements.map(({ key }) => key)
    const input = `add element ${ours} external { ${elements.join(', ')} }\n`
    await netns.exec.run({ command: 'nft', args: ['-f', '-'], input }, AbortSignal.timeout(20_000))
    expect((await news()).map(({ what }) => what)).toContain('more changes to the rules than could be followed')
    await nft('delete', 'element', ...ours.split(' '), 'external', `{ ${one} }`)
    expect((await news()).map(({ what }) => what)).toContain(`delete element ${ours} external`)
  })
}
