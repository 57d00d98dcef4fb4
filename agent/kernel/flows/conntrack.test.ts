import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sleep } from '../../../api/clock.ts'
import { createLog, silentLog } from '../../../api/log.ts'
import type { Family } from '../../../rules/model.ts'
import { createFakeClock } from '../../../test/kit/clock.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../../../test/kit/netns.ts'
import { createConntrack, type Expected } from './conntrack.ts'
import { KernelError } from '../errors.ts'
import { createExec, ExecError, type Command, type Exec } from '../exec.ts'
import { openFlowNetlink } from './netlink.ts'
import { createFlowProcess } from './process.ts'
import { createFlowTable, type Flow, type FlowTable, type Place } from './table.ts'
import { openNetlinkTalk } from '../netlink.ts'
import { openNftProcess } from '../nft/process.ts'

const never = new AbortController().signal
const at = (text: string): Place => {
  const [address, port] = text.split(':') as [string, string]
  return { address, port: Number(port) }
}

/** Services by address, each with its live endpoints. */
function services(wish: Readonly<Record<string, readonly string[]>>): Expected {
  const text = ({ address, port }: Place): string => `${address}:${port}`
  return {
    begin: () => () => {},
    isVirtual: (address, port) => text({ address, port }) in wish,
    isLive: (service, target) => wish[text(service)]?.includes(text(target)) ?? false,
  }
}

const byProcess = (exec: Exec): FlowTable => createFlowProcess({ exec, family: 'ip' })

/** A conntrack that lists these flows (`service > target`), deletes by tuple, and remembers what it was asked for. */
function tableOf(...lines: readonly string[]): { exec: Exec; commands: Command[]; left: () => readonly string[] } {
  const commands: Command[] = []
  let left = lines
  const exec: Exec = {
    async run(command) {
      commands.push(command)
      const value = (name: string): string => command.args[command.args.indexOf(name) + 1]!
      const flow = `${value('--orig-dst')}:${value('--orig-port-dst')} > ${value('--reply-src')}:${value('--reply-port-src')}`
      const kept = left.filter((line) => line !== flow)
      const said = `conntrack v1.4.7 (conntrack-tools): ${left.length - kept.length} flow entries have been deleted.\n`
      if (kept.length === left.length)
        throw new ExecError('exit', command, { exitCode: 1, stderr: said, what: 'ended with code 1' })
      left = kept
      return { stdout: '', stderr: said }
    },
    async stream(command, onLine) {
      commands.push(command)
      for (const [i, line] of left.entries()) {
        const [service, target] = line.split(' > ').map(at) as [Place, Place]
        onLine(
          `udp      17 29 src=10.0.0.${i} dst=${service.address} sport=4000 dport=${service.port} ` +
            `[UNREPLIED] src=${target.address} dst=10.0.0.${i} sport=${target.port} dport=4000 mark=0 use=1`,
        )
      }
    },
  }
  return { exec, commands, left: () => left }
}

const dns = '10.96.0.10:53'

describe('which UDP flows are deleted', () => {
  const rows: readonly { name: string; flow: string; now: Readonly<Record<string, readonly string[]>>; goes: boolean }[] = [
    { name: 'to an endpoint that stays', flow: `${dns} > 10.244.0.2:53`, now: { [dns]: ['10.244.0.2:53'] }, goes: false },
    { name: 'to an endpoint that is gone', flow: `${dns} > 10.244.0.2:53`, now: { [dns]: ['10.244.1.3:53'] }, goes: true },
    { name: 'to the last endpoint, which is gone', flow: `${dns} > 10.244.0.2:53`, now: { [dns]: [] }, goes: true },
    { name: 'to the old port of an endpoint', flow: `${dns} > 10.244.0.2:53`, now: { [dns]: ['10.244.0.2:5353'] }, goes: true },
    { name: 'that began before the first endpoint', flow: `${dns} > ${dns}`, now: { [dns]: ['10.244.0.2:53'] }, goes: true },
    {
      name: 'to that endpoint but of another service',
      flow: '10.96.0.11:53 > 10.244.0.2:53',
      now: { [dns]: [], '10.96.0.11:53': ['10.244.0.2:53'] },
      goes: false,
    },
    {
      name: 'to another port of the address',
      flow: '10.96.0.10:99 > 10.96.0.10:99',
      now: { [dns]: ['10.244.0.2:53'] },
      goes: false,
    },
    { name: 'straight to the endpoint', flow: '10.244.0.2:53 > 10.244.0.2:53', now: { [dns]: [] }, goes: false },
    { name: 'to anywhere else', flow: '192.0.2.1:53 > 192.0.2.1:53', now: { [dns]: ['10.244.0.2:53'] }, goes: false },
  ]
  it.each(rows)('$name: $goes', async ({ flow, now, goes }) => {
    const table = tableOf(flow, '192.0.2.9:9 > 192.0.2.9:9')
    const removed = await createConntrack({ table: byProcess(table.exec), log: silentLog }).reconcile(services(now), never)
    expect(table.left().includes(flow)).toBe(!goes)
    expect(removed).toBe(goes ? 1 : 0)
    expect(table.left()).toContain('192.0.2.9:9 > 192.0.2.9:9')
  })

  it('one command deletes all clients of the same translation, and all are counted', async () => {
    const gone = `${dns} > 10.244.0.2:53`
    const table = tableOf(gone, gone, `${dns} > 10.244.0.3:53`, gone)
    const conntrack = createConntrack({ table: byProcess(table.exec), log: silentLog })
    expect(await conntrack.reconcile(services({ [dns]: ['10.244.0.3:53'] }), never)).toBe(3)
    expect(table.commands).toHaveLength(2)
    expect(table.left()).toEqual([`${dns} > 10.244.0.3:53`])
  })

  it('nothing to delete costs one listing', async () => {
    const table = tableOf(`${dns} > 10.244.0.3:53`)
    await createConntrack({ table: byProcess(table.exec), log: silentLog }).reconcile(
      services({ [dns]: ['10.244.0.3:53'] }),
      never,
    )
    expect(table.commands.map((c) => c.args)).toEqual([['-L', '-f', 'ipv4', '-p', 'udp', '-w', '0']])
  })

  it('is told at its beginning which addresses the host has, and at its end that all of it was done', async () => {
    const table = tableOf(`${dns} > 10.244.0.2:53`)
    const log: string[] = []
    const expected: Expected = {
      ...services({ [dns]: [] }),
      begin: (local) => {
        log.push(`begin with ${[...local].join()}, ${table.left().length} left`)
        return () => log.push(`done, ${table.left().length} left`)
      },
    }
    const conntrack = (exec: Exec) =>
      createConntrack({ table: byProcess(exec), log: silentLog, localAddresses: () => new Set(['192.0.2.1']) })
    const failing: Exec = {
      ...table.exec,
      run: (command) => Promise.reject(new ExecError('exit', command, { exitCode: 1, stderr: '', what: 'ended' })),
    }
    await expect(conntrack(failing).reconcile(expected, never)).rejects.toMatchObject({ code: 'EXEC_FAILED' })
    await conntrack(table.exec).reconcile(expected, never)
    expect(log).toEqual(['begin with 192.0.2.1, 1 left', 'begin with 192.0.2.1, 1 left', 'done, 0 left'])
  })

  it('what was deleted is added up', async () => {
    const { exec } = tableOf(`${dns} > 10.244.0.2:53`, `${dns} > 10.244.0.3:53`)
    const conntrack = createConntrack({ table: byProcess(exec), log: silentLog })
    await conntrack.reconcile(services({ [dns]: ['10.244.0.3:53'] }), never)
    await conntrack.reconcile(services({ [dns]: [] }), never)
    expect(conntrack.total()).toBe(2)
  })

  it('counts and words between the two halves of an entry do not matter', async () => {
    const counted = (from: string, to: string): string =>
      `udp      17 29 src=10.0.0.1 dst=${from} sport=4000 dport=53 packets=3 bytes=90 ` +
      `[UNREPLIED] src=${to} dst=10.0.0.1 sport=53 dport=4000 packets=0 bytes=0 [OFFLOAD] mark=0 use=1`
    const asked: string[] = []
    const exec: Exec = {
      run: async ({ args }) => (asked.push(args.slice(-8).join(' ')), { stdout: '', stderr: '1 flow entries have been deleted' }),
      async stream(_command, onLine) {
        const targets = ['10.244.0.2', '10.244.0.3']
        for (const line of ['conntrack v1.4.7', '', ...targets.map((target) => counted('10.96.0.10', target))]) onLine(line)
      },
    }
    await createConntrack({ table: byProcess(exec), log: silentLog }).reconcile(services({ [dns]: ['10.244.0.3:53'] }), never)
    expect(asked).toEqual(['--orig-dst 10.96.0.10 --orig-port-dst 53 --reply-src 10.244.0.2 --reply-port-src 53'])
  })

  it('looking takes a quarter of the time at most', async () => {
    const clock = createFakeClock()
    const table = tableOf()
    let [begun, lasts] = [0, 100]
    const exec: Exec = {
      ...table.exec,
      async stream() {
        begun++
        if (lasts > 0) await sleep(clock, lasts, never)
      },
    }
    const conntrack = createConntrack({ table: byProcess(exec), log: silentLog, clock })
    const look = (): Promise<number> => conntrack.reconcile(services({}), never)
    const first = look()
    await clock.advance(100)
    await first
    const second = look()
    await clock.advance(299)
    expect(begun).toBe(1)
    lasts = 0
    await clock.advance(1)
    expect(begun).toBe(2)
    await second
    await look()
    expect(begun, 'nothing to rest from').toBe(3)
  })

  it('a flow that ended by itself meanwhile is no failure', async () => {
    const table = tableOf(`${dns} > 10.244.0.2:53`)
    const exec: Exec = {
      ...table.exec,
      run: (command, signal) => table.exec.run(command, signal).then(() => table.exec.run(command, signal)),
    }
    expect(await createConntrack({ table: byProcess(exec), log: silentLog }).reconcile(services({ [dns]: [] }), never)).toBe(0)
  })
})

describe('conntrack(8)', () => {
  /** An entry ends by itself while others are deleted: conntrack leaves the rest. */
  const interrupted = (times: number) => {
    const table = tableOf(`${dns} > 10.244.0.2:53`)
    const stderr = "conntrack v1.4.7 (conntrack-tools): Operation failed: such conntrack doesn't exist"
    const run: Exec['run'] = (command, signal) =>
      times-- > 0 ? Promise.reject(new ExecError('exit', command, { exitCode: 1, stderr, what: 'ended' })) : table.exec.run(command, signal)
    return createConntrack({ table: byProcess({ ...table.exec, run }), log: silentLog })
  }

  it('is asked again when it left entries because another one ended, but not forever', async () => {
    expect(await interrupted(2).reconcile(services({ [dns]: [] }), never)).toBe(1)
    await expect(interrupted(1000).reconcile(services({ [dns]: [] }), never)).rejects.toMatchObject({ code: 'EXEC_FAILED' })
  })

  it('does it where the kernel cannot be asked in process; other failures of that are told', async () => {
    const failure = (code: 'SETUP' | 'KERNEL_REFUSED') => () => Promise.reject(new KernelError(code, 'no'))
    const { exec, commands } = tableOf(`${dns} > 10.244.0.2:53`)
    const reconcile = (openNetlink: () => Promise<never>): Promise<number> =>
      createConntrack({ table: createFlowTable({ exec, family: 'ip', openNetlink }), log: silentLog }).reconcile(services({ [dns]: [] }), never)
    await expect(reconcile(failure('KERNEL_REFUSED'))).rejects.toMatchObject({ code: 'KERNEL_REFUSED' })
    expect(commands).toEqual([])
    expect(await reconcile(failure('SETUP'))).toBe(1)
  })
})

describe('a node on which conntrack', () => {
  it('is not installed is told so once, and goes on', async () => {
    const lines: string[] = []
    const log = createLog({ level: 'warn', write: (line) => lines.push(line), now: () => 0 })
    const exec = createExec(silentLog)
    const bare: Exec = {
      ...exec,
      stream: (command, onLine, signal) => exec.stream({ ...command, command: 'wherry-no-such-program' }, onLine, signal),
    }
    const conntrack = createConntrack({ table: byProcess(bare), log })
    for (let i = 0; i < 3; i++) expect(await conntrack.reconcile(services({ [dns]: [] }), never)).toBe(0)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('install the package conntrack')
  })

  it('fails otherwise makes reconciling fail', async () => {
    const { exec } = tableOf()
    const failing: Exec = {
      ...exec,
      stream: (command) =>
        Promise.reject(new ExecError('exit', command, { exitCode: 1, stderr: 'Operation not permitted', what: 'ended' })),
    }
    const reconciling = createConntrack({ table: byProcess(failing), log: silentLog }).reconcile(services({}), never)
    await expect(reconciling).rejects.toMatchObject({ code: 'EXEC_FAILED' })
  })
})

describeAsRoot('real conntrack entries', () => {
  const lab = netnsLab()
  let node: Netns
  const sockets: Socket[] = []

  /** The rules of one UDP service, written by hand: what is under test is the tracking, not the rules. */
  const route = async (...lines: readonly string[]): Promise<void> => {
    const nft = await openNftProcess(node.exec, never)
    const chain = 'chain ip probe output { type nat hook output priority -100; policy accept; }'
    await nft.run(
      ['add table ip probe', 'delete table ip probe', 'add table ip probe', `add ${chain}`, ...lines, ''].join('\n'),
      never,
    )
  }
  const client = async (port: number): Promise<Socket> => {
    const socket = createSocket('udp4')
    sockets.push(socket)
    await inNamespace(node, async () => {
      socket.bind(port, '10.244.0.1')
      await once(socket, 'listening')
    })
    return socket
  }
  const send = (socket: Socket, to: Place): Promise<void> =>
    new Promise((resolve, reject) => socket.send('?', to.port, to.address, (e) => (e ? reject(e) : resolve())))
  const entries = async (): Promise<readonly string[]> => {
    const { stdout } = await execIn(node, 'conntrack', ['-L', '-p', 'udp'])
    return stdout
      .split('\n')
      .flatMap((line) => {
        const [original, reply] = [...line.matchAll(/src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g)]
        return original && reply ? [`${original[3]} to ${original[2]}:${original[4]} by ${reply[1]}:${reply[3]}`] : []
      })
      .toSorted()
  }

  beforeAll(async () => {
    node = await lab.create()
    const pods = await lab.create()
    await lab.cable({ netns: node, address: '10.244.0.1/24' }, { netns: pods, address: '10.244.0.2/24' })
    await lab.route(node, 'default', '10.244.0.2')
  })
  afterAll(() => sockets.forEach((socket) => socket.close()))

  /** Each door on the table of the node. */
  const byNetlink = (family: Family): Promise<FlowTable> => openFlowNetlink(family, { open: () => inNamespace(node, () => openNetlinkTalk()) })
  const doors: readonly { readonly how: string; readonly open: (family: Family) => Promise<FlowTable> }[] = [
    { how: 'by netlink', open: byNetlink },
    { how: 'by conntrack(8)', open: async (family) => createFlowProcess({ exec: node.exec, family }) },
  ]
  const forget = (): Promise<unknown> => execIn(node, 'conntrack', ['-F'])

  it.each(doors)('go where they contradict the rules, and only there: $how', async ({ open }) => {
    await forget()
    const conntrack = createConntrack({ table: await open('ip'), log: silentLog })
    const [early, late, other] = [await client(4001), await client(4002), await client(4003)]
    // Tracking of packets begins with the first rule that needs it.
    await route('add rule ip probe output ip daddr 192.0.2.1 dnat to 192.0.2.2')
    await send(early, at(dns))
    await route('add rule ip probe output ip daddr 10.96.0.10 udp dport 53 dnat to 10.244.0.2:5353')
    await send(early, at(dns))
    await send(late, at(dns))
    await send(other, at('10.244.0.2:5353'))
    const stuck = `4001 to ${dns} by ${dns}`
    const translated = `4002 to ${dns} by 10.244.0.2:5353`
    const direct = '4003 to 10.244.0.2:5353 by 10.244.0.2:5353'
    expect(await entries()).toEqual([stuck, translated, direct])

    expect(await conntrack.reconcile(services({ [dns]: ['10.244.0.2:5353'] }), never)).toBe(1)
    expect(await entries()).toEqual([translated, direct])

    await route('add rule ip probe output ip daddr 10.96.0.10 udp dport 53 dnat to 10.244.0.3:53')
    expect(await conntrack.reconcile(services({ [dns]: ['10.244.0.3:53'] }), never)).toBe(1)
    await send(late, at(dns))
    expect(await entries()).toEqual([`4002 to ${dns} by 10.244.0.3:53`, direct])
    expect(await conntrack.reconcile(services({ [dns]: ['10.244.0.3:53'] }), never)).toBe(0)
    for (const socket of [early, late, other]) socket.close()
    sockets.length = 0
  })

  it.each(doors)('of other protocols, families and zones stay, however alike: $how', async ({ open }) => {
    await forget()
    const make = (protocol: string, [from, to]: readonly [string, string], ...more: readonly string[]): Promise<unknown> => {
      const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : []
      const ports = ['--sport', '4001', '--dport', '53', '--reply-port-src', '5353', '--reply-port-dst', '4001']
      const ends = ['-s', from, '-d', to, '-r', to.includes(':') ? 'fd00::2' : '10.244.0.2', '-q', from]
      return execIn(node, 'conntrack', ['-I', '-p', protocol, '-t', '100', ...ends, ...ports, ...state, ...more])
    }
    const [four, six] = [['10.244.0.1', '10.96.0.10'], ['fd00::1', 'fd00:96::a']] as const
    await make('udp', four)
    await make('udp', four, '-w', '7')
    await make('tcp', four)
    await make('udp', six)
    const left = async (): Promise<readonly string[]> => {
      const listings = await Promise.all(['ipv4', 'ipv6'].map((family) => execIn(node, 'conntrack', ['-L', '-f', family])))
      const lines = listings.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line.includes('dport=53')))
      return lines.map((line) => `${line.slice(0, 3)} ${/dst=(\S+)/.exec(line)![1]!}${/ zone=\d+/.exec(line)?.[0] ?? ''}`).toSorted()
    }
    const all = ['tcp 10.96.0.10', 'udp 10.96.0.10', 'udp 10.96.0.10 zone=7', 'udp fd00:96::a']
    expect(await left()).toEqual(all)
    const seen: Flow[] = []
    const removeAll = async (family: Family): Promise<void> =>
      (await open(family)).remove({ isStale: (flow) => seen.push(flow) > 0, onRemoved: () => {} }, never)
    await removeAll('ip6')
    expect(await left()).toEqual(all.filter((line) => line !== 'udp fd00:96::a'))
    await removeAll('ip')
    expect(await left()).toEqual(['tcp 10.96.0.10', 'udp 10.96.0.10 zone=7'])
    const [flow4, flow6] = [seen.at(-1)!, seen[0]!]
    expect([seen.length, flow6.service, flow6.target, flow4.service, flow4.target]).toEqual([
      2,
      { address: 'fd00:96::a', port: 53 },
      { address: 'fd00::2', port: 5353 },
      at(dns),
      at('10.244.0.2:5353'),
    ])
  })

  it('are deleted in any number, in one turn after another', async () => {
    await forget()
    const ends = '-s 10.244.0.1 -d 10.96.0.10 -r 10.244.0.2 -q 10.244.0.1 --dport 53 --reply-port-src 53'
    const lines = Array.from({ length: 3000 }, (_, i) => `-I -p udp -t 100 ${ends} --sport ${i + 1000} --reply-port-dst ${i + 1000}`)
    const file = join(mkdtempSync(join(tmpdir(), 'wherry-conntrack-')), 'entries')
    try {
      writeFileSync(file, `${lines.join('\n')}\n`)
      await execIn(node, 'conntrack', ['-R', file])
    } finally {
      rmSync(dirname(file), { recursive: true })
    }
    let turns = 0
    const count = (): void => void (turns++, (waiting = setImmediate(count)))
    let waiting = setImmediate(count)
    const conntrack = createConntrack({ table: await byNetlink('ip'), log: silentLog })
    const removed = await conntrack.reconcile(services({ [dns]: [] }), never)
    clearImmediate(waiting)
    expect([removed, turns > 10, await entries()]).toEqual([3000, true, []])
  })
})
