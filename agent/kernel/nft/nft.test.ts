import { describe, expect, it } from 'vitest'
import { createLog, silentLog, type Log } from '../../../api/log.ts'
import type { RulesError } from '../../../rules/error.ts'
import { render } from '../../../rules/nft/index.ts'
import type { Operation, Transaction } from '../../../rules/nft/model.ts'
import { describeAsRoot, inNamespace, netnsLab } from '../../../test/kit/netns.ts'
import type { Door } from './door.ts'
import { KernelError, refusalOf } from '../errors.ts'
import { createExec, ExecError, type Exec } from '../exec.ts'
import { attributeOf, messageOf } from '../netlink-messages.ts'
import type { NetlinkTalk } from '../netlink.ts'
import { openLibnftables } from './libnftables.ts'
import { typeOf } from './messages.ts'
import { createNftKernel, openNftKernel } from './nft.ts'

const never = new AbortController().signal
const family = 'ip'
const two: Transaction = { family, operations: [{ kind: 'add-table' }, { kind: 'add-chain', chain: 'idle' }] }
const missing = (): never => {
  throw refusalOf('Error: No such file or directory\n', '')
}

/** A door that notes what goes through it. */
function doorOf(list: () => string): Door & { readonly sent: string[]; readonly asked: unknown[] } {
  const sent: string[] = []
  const asked: unknown[] = []
  return {
    how: 'a door for tests',
    sent,
    asked,
    async run(payload) {
      sent.push(payload)
    },
    async list(...question) {
      asked.push(question.slice(0, 2))
      return list()
    },
    close() {},
  }
}

/** Log lines, parsed. */
function logTo(lines: Record<string, unknown>[], level: 'trace' | 'info' = 'trace'): Log {
  return createLog({ level, write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>), now: () => 0 })
}

describe('a kernel over a door', () => {
  it('sends the rendered text in one piece, and the trace line holds the same text', async () => {
    const door = doorOf(() => '')
    const lines: Record<string, unknown>[] = []
    await createNftKernel({ door, family, log: logTo(lines) }).apply(two, never)
    expect(door.sent).toEqual([render(two)])
    expect(lines.filter((line) => line['level'] === 'trace').map((line) => line['text'])).toEqual(door.sent)
  })

  it('sends nothing for nothing', async () => {
    const door = doorOf(() => '')
    await createNftKernel({ door, family, log: silentLog }).apply({ family, operations: [] }, never)
    expect(door.sent).toEqual([])
  })

  it('refuses a transaction of the other family, naming both', async () => {
    const door = doorOf(() => '')
    const apply = createNftKernel({ door, family, log: silentLog }).apply({ ...two, family: 'ip6' }, never)
    await expect(apply).rejects.toMatchObject({
      code: 'KERNEL_REFUSED',
      message: expect.stringMatching(/family.*ip6.*ip/) as string,
    })
    expect(door.sent).toEqual([])
  })

  it('reads an exact listing and prints one for people', async () => {
    const door = doorOf(() => 'table ip wherry {\n\tchain idle {\n\t}\n}\n')
    const kernel = createNftKernel({ door, family, log: silentLog })
    expect((await kernel.read(never))?.chains.get('idle')).toEqual({ name: 'idle', rules: [] })
    expect(await kernel.print(never)).toContain('chain idle')
    const table = { family, name: 'wherry' }
    expect(door.asked).toEqual([
      [table, 'exact'],
      [table, 'people'],
    ])
  })

  it('tells no table from a table that cannot be read', async () => {
    const kernel = (list: () => string) => createNftKernel({ door: doorOf(list), family, log: silentLog })
    expect(await kernel(missing).read(never)).toBeUndefined()
    expect(await kernel(missing).print(never)).toBe('')
    const forbidden = (): never => {
      throw refusalOf('Operation not permitted (you must be root)\n', '')
    }
    await expect(kernel(forbidden).read(never)).rejects.toMatchObject({ code: 'KERNEL_REFUSED' })
    await expect(kernel(() => 'table ip wherry {\n\tchain').read(never)).rejects.toMatchObject({
      code: 'RULES_UNREADABLE',
    } satisfies Partial<RulesError>)
  })
})

describe('a listing that the kernel tore', () => {
  const table = (...elements: readonly string[]): string =>
    `table ip wherry {\n\tset spare {\n\t\ttype ipv4_addr\n\t\telements = { ${elements.join(',\n\t\t\t     ')} }\n\t}\n}\n`
  const torn = table('10.0.0.1 comment "a, b} {c"', '10.0.0.2', '10.0.0.1 comment "a, b} {c"')
  const whole = table('10.0.0.1 comment "a, b} {c"', '10.0.0.2', '10.0.0.3')

  it('is asked for again', async () => {
    const texts = [torn, torn, whole]
    const door = doorOf(() => texts.shift()!)
    const read = await createNftKernel({ door, family, log: silentLog }).read(never)
    expect([...read!.elements.get('spare')!.keys()]).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    expect(texts).toEqual([])
  })

  it('is never believed', async () => {
    const door = doorOf(() => torn)
    await expect(createNftKernel({ door, family, log: silentLog }).read(never)).rejects.toMatchObject({ code: 'KERNEL_REFUSED' })
    expect(door.asked).toHaveLength(5)
  })

  it('is told from one with several sets, anonymous sets and no elements', async () => {
    const text = [
      'table ip wherry {',
      '\tset empty {',
      '\t\ttype ipv4_addr',
      '\t}',
      '',
      '\tmap endpoints-1 {',
      '\t\ttypeof ip daddr . meta l4proto . th dport . numgen random mod 1 : ip daddr . th dport',
      '\t\tcounter',
      '\t\telements = { 10.96.0.1 . tcp . 80 . 0 counter packets 0 bytes 0 comment "shop/web" : 10.244.0.2 . 8080,',
      '\t\t\t     10.96.0.2 . tcp . 80 . 0 counter : 10.244.0.3 . 8080 }',
      '\t}',
      '',
      '\tmap affinity {',
      '\t\ttypeof meta priority . ip saddr : meta priority',
      '\t\tsize 1048576',
      '\t\tflags dynamic,timeout',
      '\t\telements = { 1234:5000 . 10.0.0.1 timeout 1h : 1234:5001 }',
      '\t}',
      '',
      '\tchain idle {',
      '\t\ttcp dport { 80, 443 } accept',
      '\t}',
      '}',
      '',
    ].join('\n')
    const door = doorOf(() => text)
    expect((await createNftKernel({ door, family, log: silentLog }).read(never))?.elements.get('endpoints-1')?.size).toBe(2)
    expect(door.asked).toHaveLength(1)
  })
})

describe('which door is opened', () => {
  const exec: Exec = {
    run: async ({ args }) => ({
      stdout: args.includes('--version') ? 'nftables v9.8.7 (Nobody)\n' : 'listed by a process',
      stderr: '',
    }),
    stream: () => Promise.reject(new Error('nothing is streamed here')),
  }
  const bare: Exec = {
    ...exec,
    run: (command) => Promise.reject(new ExecError('absent', command, { stderr: '', what: 'is not installed' })),
  }
  const library = async (): Promise<Door> => ({ ...doorOf(() => 'listed in process'), how: 'libnftables in process' })
  const noLibrary = (): Promise<Door> => Promise.reject(new KernelError('SETUP', 'libnftables: cannot be called'))

  const rows = [
    { prefer: 'auto', library, exec, how: 'libnftables in process', lists: 'listed by a process' },
    { prefer: 'auto', library, exec: bare, how: 'libnftables in process', lists: 'listed in process' },
    { prefer: 'auto', library: noLibrary, exec, how: 'nft 9.8.7 as a process', lists: 'listed by a process', warned: true },
    { prefer: 'auto', library: noLibrary, exec: bare, how: undefined },
    { prefer: 'process', library, exec, how: 'nft 9.8.7 as a process', lists: 'listed by a process' },
    { prefer: 'process', library, exec: bare, how: undefined },
    { prefer: 'libnftables', library, exec: bare, how: 'libnftables in process', lists: 'listed in process' },
    { prefer: 'libnftables', library: noLibrary, exec, how: undefined },
  ] as const

  it.each(rows)('$prefer gives $how', async (row) => {
    const lines: Record<string, unknown>[] = []
    const opening = openNftKernel(
      { prefer: row.prefer, family, exec: row.exec, log: logTo(lines, 'info'), openLibrary: row.library },
      never,
    )
    if (row.how === undefined) {
      await expect(opening).rejects.toMatchObject({ code: 'SETUP' })
      return
    }
    const kernel = await opening
    expect(kernel.how).toBe(row.how)
    expect(await kernel.print(never)).toBe(row.lists)
    expect(lines.some((line) => line['level'] === 'warn')).toBe('warned' in row)
    expect(lines.at(-1)).toMatchObject({ level: 'info', how: row.how })
  })
})

it('what is small goes in process, what is large goes to a child, each in one piece', async () => {
  const library = doorOf(() => '')
  const children: string[] = []
  const exec: Exec = {
    async run({ args, input }) {
      if (args[0] === '--version') return { stdout: 'nftables v1.0.6\n', stderr: '' }
      if (input !== undefined) children.push(input)
      return { stdout: '', stderr: '' }
    },
    stream: () => Promise.reject(new Error('nothing here is followed')),
  }
  const kernel = await openNftKernel({ prefer: 'auto', family, exec, log: silentLog, openLibrary: async () => library }, never)
  const elements = Array.from({ length: 90_000 }, (_, i) => ({ key: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }))
  const large: Transaction = { family, operations: [{ kind: 'add-elements', set: 'cluster-ips', elements }] }
  await kernel.apply(two, never)
  await kernel.apply(large, never)
  expect(library.sent).toEqual([render(two)])
  // Compared as a whole, but not printed as a whole when it fails.
  expect(children.map((text) => text === render(large))).toEqual([true])
})

it('an outline is listed in process, until other tables make it large', async () => {
  let text = 'table ip other {\n}\n'
  const library = doorOf(() => text)
  const listedBy: string[] = []
  const exec: Exec = {
    async run({ args }) {
      if (args[0] === '--version') return { stdout: 'nftables v1.0.6\n', stderr: '' }
      listedBy.push('child')
      return { stdout: text, stderr: '' }
    },
    stream: () => Promise.reject(new Error('nothing here is followed')),
  }
  const generation = messageOf({ family, type: typeOf(15), flags: 0 }, [attributeOf(1, Buffer.from([0, 0, 0, 1]))])
  const openTalk = async (): Promise<NetlinkTalk> => ({ ask() {}, answer: () => generation, close() {} })
  const kernel = await openNftKernel({ prefer: 'auto', family, exec, log: silentLog, openLibrary: async () => library, openTalk }, never)
  const readBy = async (): Promise<string> => {
    const before = library.asked.length
    await kernel.read(never)
    return library.asked.length > before ? 'library' : (listedBy.pop() ?? 'nobody')
  }
  const large = `table ip other {\n${'\t# a rule of others\n'.repeat(20_000)}}\n`
  expect([await readBy(), await readBy()]).toEqual(['library', 'library'])
  text = large
  expect([await readBy(), await readBy()]).toEqual(['library', 'child'])
  text = ''
  expect([await readBy(), await readBy()]).toEqual(['child', 'library'])
})

describeAsRoot('libnftables in process', () => {
  const lab = netnsLab()

  it.for([
    { held: 3, children: 0 },
    { held: 5_000, children: 1 },
  ])('a set of $held ranges, whose bytes are not understood, is listed by $children processes', async ({ held, children }) => {
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const real = createExec(silentLog)
      let listings = 0
      const exec: Exec = {
        ...real,
        async run(command, signal) {
          if (command.args.includes('list')) listings++
          return real.run(command, signal)
        },
      }
      const kernel = await openNftKernel({ prefer: 'auto', family, exec, log: silentLog }, never)
      const ranges = { name: 'source-ranges', kind: 'set', type: 'type ipv4_addr; flags interval;' } as const
      const elements = Array.from({ length: held }, (_, i) => ({ key: `10.${i >> 7}.${(i & 127) * 2}.0/24` }))
      await kernel.apply(
        { family, operations: [{ kind: 'add-table' }, { kind: 'add-set', set: ranges }, { kind: 'add-elements', set: ranges.name, elements }] },
        never,
      )
      expect([...(await kernel.read(never))!.elements.get(ranges.name)!.keys()].sort()).toEqual(elements.map(({ key }) => key).sort())
      expect(listings).toBe(children)
      kernel.close()
    })
  })

  it('tells its version, the line of a mistake, and what it read', async () => {
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const door = await openLibnftables()
      expect(door.how).toMatch(/^libnftables \d+\.\d+\S* in process$/)
      const kernel = createNftKernel({ door, family, log: silentLog })
      const wrong: Operation[] = [
        ...two.operations,
        { kind: 'add-rule', chain: 'nowhere', rule: 'accept' },
        { kind: 'add-chain', chain: 'late' },
      ]
      const e: unknown = await kernel.apply({ family, operations: wrong }, never).catch((e: unknown) => e)
      expect(e).toMatchObject({ code: 'KERNEL_NOT_FOUND', line: 3 })
      expect((e as KernelError).excerpt).toContain('> 3: add rule ip wherry nowhere accept')
      expect(await kernel.read(never)).toBeUndefined()
      await kernel.apply(two, never)
      expect([...(await kernel.read(never))!.chains.keys()]).toEqual(['idle'])
      kernel.close()
    })
  })

  it('takes text beyond ASCII and payloads of megabytes', async () => {
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const door = await openLibnftables()
      const kernel = createNftKernel({ door, family, log: silentLog })
      const spare = { name: 'spare', kind: 'set', type: 'type ipv4_addr;' } as const
      const elements = Array.from({ length: 30_000 }, (_, i) => ({ key: `10.1.${i >> 8}.${i & 255}`, comment: `ünïcode/${i}` }))
      await kernel.apply(
        {
          family,
          operations: [{ kind: 'add-table' }, { kind: 'add-set', set: spare }, { kind: 'add-elements', set: 'spare', elements }],
        },
        never,
      )
      const read = (await kernel.read(never))!.elements.get('spare')!
      expect(read.size).toBe(elements.length)
      expect(read.get('10.1.100.7')?.comment).toBe('ünïcode/25607')
      kernel.close()
    })
  })

  it('does nothing after an abort', async () => {
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const kernel = createNftKernel({ door: await openLibnftables(), family, log: silentLog })
      const reason = new Error('stopping')
      await expect(kernel.apply(two, AbortSignal.abort(reason))).rejects.toBe(reason)
      expect(await kernel.read(never)).toBeUndefined()
      kernel.close()
    })
  })
})
