/** Elements as messages and as text, in the kernels of network namespaces: they leave the same. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { silentLog } from '../../../api/log.ts'
import { canonicalAddress } from '../../../rules/address.ts'
import type { Family } from '../../../rules/model.ts'
import { adopt, commit, declarationOf, elementForm, plan, render, rulesetOf, type Listing, type Operation } from '../../../rules/nft/index.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../../../test/kit/netns.ts'
import { arbitraryChange, changedView, fullView, nodeConfigOf, nodeView, portView, serviceView, endpointView } from '../../../test/kit/views.ts'
import type { ForeignChange, Kernel } from '../kernel.ts'
import { attributesIn, offsets, type Stretch } from '../netlink-messages.ts'
import { openNetlinkSocket, openNetlinkTalk, type NetlinkTalk } from '../netlink.ts'
import { waitFor } from '../../../test/kit/wait.ts'
import { readElements } from './elements.ts'
import { openLibnftables } from './libnftables.ts'
import { typeOf } from './messages.ts'
import { createNftKernel, openNftKernel } from './nft.ts'
import type { Door } from './door.ts'
import { createElementWriter } from './write.ts'

const never = new AbortController().signal

interface Stage {
  readonly kernel: Kernel<Listing, ReturnType<typeof transactionOf>>
  /** What went through the door as text. */
  readonly texts: string[]
  /** What the door reads, which does not know of messages. */
  readonly held: () => Promise<Listing | undefined>
}

const transactionOf = (family: Family, operations: readonly Operation[]) => ({ family, operations })

async function stageOf(family: Family, writes: 'text' | 'messages'): Promise<Stage> {
  const real = await openLibnftables()
  const texts: string[] = []
  const door: Door = {
    ...real,
    run(payload, signal) {
      texts.push(payload)
      return real.run(payload, signal)
    },
  }
  const options = { door, family, log: silentLog }
  return {
    kernel: createNftKernel({ ...options, openTalk: openNetlinkTalk, writes }),
    texts,
    held: () => createNftKernel(options).read(never),
  }
}

/** Order of elements is the kernel's own. */
function plain(listing: Listing | undefined) {
  return listing && { ...listing, elements: new Map([...listing.elements].map(([set, inside]) => [set, new Map([...inside].toSorted(([a], [b]) => (a < b ? -1 : 1)))])) }
}

/** What a transaction is sent as. */
function sent(operations: readonly Operation[]): Buffer {
  let batch = Buffer.alloc(0)
  const talk: NetlinkTalk = { ask: (message) => void (batch = Buffer.from(message)), answer: () => undefined, close() {} }
  const writer = createElementWriter('ip', talk)
  expect(writer.send(writer.batch({ family: 'ip', operations })!)).toBe(false)
  return batch
}

test('a batch is whole at every length, wherever it had to grow', () => {
  const text = (message: Buffer, { from, to }: Stretch): string => message.toString('latin1', from, to)
  const form = elementForm(declarationOf('ip', 'cluster-ips')!)
  for (let count = 1; count <= 120; count++) {
    // Of different lengths, so that the buffer ends in the middle of everything once.
    const operations = Array.from({ length: count }, (_, n): Operation => ({ kind: 'add-elements', set: 'cluster-ips', elements: [{ key: `10.96.0.${n}`, comment: 'c'.repeat((n * count) % 29) }] }))
    const batch = sent(operations)
    const found: unknown[] = []
    let types: number[] = []
    for (let at = 0; at < batch.length; ) {
      const message = batch.subarray(at, at + batch.readUInt32LE(at))
      types.push(message.readUInt16LE(4))
      const attributes = new Map(attributesIn(message, { from: offsets.attributes, to: message.length }))
      if (attributes.size > 0) expect([text(message, attributes.get(1)!), text(message, attributes.get(2)!)]).toEqual(['wherry\0', 'cluster-ips\0'])
      readElements(message, form, (element) => found.push(element))
      at += message.length
    }
    types = [...new Set(types)]
    expect(types).toEqual([16, typeOf(12), 17])
    expect(found).toEqual(operations.flatMap((operation) => ('elements' in operation ? operation.elements : [])))
  }
})

describeAsRoot('messages of elements', () => {
  const lab = netnsLab()
  const inside = async (run: (netns: Netns) => Promise<void>): Promise<void> => {
    const netns = await lab.create()
    await inNamespace(netns, () => run(netns))
  }
  const set = { name: 'cluster-ips', kind: 'set', type: 'type ipv4_addr;' } as const
  const base: readonly Operation[] = [{ kind: 'add-table' }, { kind: 'add-set', set }]
  const add = (...keys: readonly string[]): Operation => ({ kind: 'add-elements', set: set.name, elements: keys.map((key) => ({ key })) })
  const remove = (...keys: readonly string[]): Operation => ({ kind: 'delete-elements', set: set.name, keys })
  const keysIn = (listing: Listing | undefined): readonly string[] => [...listing!.elements.get(set.name)!.keys()].toSorted()

  it.each(['ip', 'ip6'] as const)('load all that services of %s can ask for', (family) =>
    inside(async () => {
      const { kernel, texts, held } = await stageOf(family, 'messages')
      const view = fullView(family)
      const { operations } = plan(adopt(family, undefined), view, 'all').transaction!
      await kernel.apply({ family, operations }, never)
      expect(plain(await held())).toEqual(plain(rulesetOf(family, view)))
      // The layout, and what is in ranges. The rest did not come as text.
      expect(texts).toHaveLength(1)
      expect(new Set([...texts[0]!.matchAll(/^add element \S+ wherry (\S+)/gm)].map(([, name]) => name))).toEqual(
        new Set(['service-ranges', 'external-ranges', 'pod-ranges', 'node-port-addresses', 'source-ranges']),
      )
      kernel.close()
    }),
  )

  it('take courses of changes to where text takes them', async () => {
    const courses = fc.sample(fc.array(fc.array(arbitraryChange, { minLength: 1, maxLength: 4 }), { minLength: 30, maxLength: 30 }), { numRuns: 3, seed: 5 })
    let spared = 0
    for (const course of courses) {
      const ends: unknown[] = []
      for (const writes of ['text', 'messages'] as const) {
        await inside(async () => {
          const { kernel, texts, held } = await stageOf('ip', writes)
          let accepted = adopt('ip', undefined)
          let view = nodeView([])
          let transactions = 0
          const listings: unknown[] = []
          for (const changes of course) {
            const next = changedView(view, changes)
            view = next.view
            const made = plan(accepted, view, next.changed)
            if (made.transaction) {
              transactions++
              await kernel.apply(made.transaction, never)
            }
            accepted = commit(accepted, made)
            listings.push(plain(await held()))
          }
          ends.push(listings)
          if (writes === 'messages') spared += transactions - texts.length
          else expect(texts).toHaveLength(transactions)
          kernel.close()
        })
      }
      expect(ends[1]).toEqual(ends[0])
    }
    expect(spared).toBeGreaterThan(10)
  })

  it('carry values of all kinds', async () => {
    const any = (most: number): fc.Arbitrary<number> => fc.oneof(fc.constantFrom(1, most), fc.integer({ min: 1, max: most }))
    const word = fc.oneof(fc.constantFrom(0, 0, 1, 0xffff), fc.nat(0xffff))
    const last = fc.tuple(word, any(0xffff)).map((words) => words.map((each) => each.toString(16)).join(':'))
    const port = fc.record({ address: last, port: any(65_535), to: any(65_535), seconds: fc.constantFrom(undefined, 1, 10_800, 86_399), protocol: fc.constantFrom('tcp', 'udp', 'sctp') })
    const rows = fc.sample(fc.uniqueArray(port, { minLength: 200, maxLength: 200, selector: ({ address }) => address }), { numRuns: 1, seed: 3 })[0]!
    const view = nodeView(
      rows.map((row, n) =>
        serviceView({
          key: `${'n'.repeat(n % 63)}/s${n}`,
          clusterIPs: [canonicalAddress('ip6', `fd00:10:96::${row.address}`)!],
          ...(row.seconds !== undefined && { affinitySeconds: row.seconds }),
          ports: [portView({ name: 'p'.repeat(n % 15), protocol: row.protocol as 'tcp', port: row.port, endpoints: [endpointView(canonicalAddress('ip6', `fd00:244::${row.address}`)!, { port: row.to, node: n % 2 ? 'here' : 'elsewhere' })] })],
        }),
      ),
      nodeConfigOf({ pods: { kind: 'cidrs', cidrs: ['fd00:244::/32'] }, nodePortAddresses: ['::/0'] }),
    )
    await inside(async () => {
      const { kernel, texts, held } = await stageOf('ip6', 'messages')
      const made = plan(adopt('ip6', undefined), view, 'all')
      expect(made.problems).toEqual([])
      await kernel.apply(made.transaction!, never)
      expect(plain(await held())).toEqual(plain(rulesetOf('ip6', view)))
      expect(texts).toHaveLength(1)
      kernel.close()
    })
  })

  it('are as many as it takes for one set', () =>
    inside(async () => {
      const { kernel, texts, held } = await stageOf('ip', 'messages')
      const keys = Array.from({ length: 20_000 }, (_, n) => `10.96.${n >> 8}.${n & 255}`)
      await kernel.apply(transactionOf('ip', base), never)
      await kernel.apply(transactionOf('ip', [{ kind: 'add-elements', set: set.name, elements: keys.map((key) => ({ key, comment: `default/${'x'.repeat(100)}` })) }]), never)
      expect(keysIn(await held())).toEqual(keys.toSorted())
      await kernel.apply(transactionOf('ip', [remove(...keys.slice(1))]), never)
      expect(keysIn(await held())).toEqual(keys.slice(0, 1))
      expect(texts).toHaveLength(1)
      kernel.close()
    }))

  it('happen all or not at all, and what is refused is told in the words of nft', () =>
    inside(async () => {
      const { kernel, texts, held } = await stageOf('ip', 'messages')
      await kernel.apply(transactionOf('ip', [...base, add('10.96.0.1')]), never)
      const wrong = transactionOf('ip', [add('10.96.0.2'), remove('10.96.0.1'), remove('10.96.0.9')])
      await expect(kernel.apply(wrong, never)).rejects.toMatchObject({ code: 'KERNEL_NOT_FOUND', line: 3 })
      expect(texts.at(-1)).toBe(render(wrong))
      expect(keysIn(await held())).toEqual(['10.96.0.1'])
      kernel.close()
    }))

  it.each([
    ['a set of ranges', 'source-ranges', { key: '10.96.0.1 . tcp . 80 . 10.0.0.0/8' }],
    ['a set of no name of ours', 'spare', { key: '10.96.0.1' }],
    ['a key that is not understood', 'cluster-ips', { key: '10.96.0.1-10.96.0.1' }],
    ['a comment that fits in no message', 'cluster-ips', { key: '10.96.0.1', comment: 'x'.repeat(300) }],
    ['a value where none belongs', 'cluster-ips', { key: '10.96.0.1', value: '80' }],
  ] as const)('are not made of %s: that goes as text, and all that goes with it', (_, name, element) =>
    inside(async () => {
      const { kernel, texts } = await stageOf('ip', 'messages')
      await kernel.apply(transactionOf('ip', base), never)
      const mixed = transactionOf('ip', [add('10.96.0.5'), { kind: 'add-elements', set: name, elements: [element] }])
      // Most of these are nothing that nft takes, either.
      await kernel.apply(mixed, never).catch(() => {})
      expect(texts).toEqual([render(transactionOf('ip', base)), render(mixed)])
      kernel.close()
    }),
  )

  it('come after a table where none was, and with it where one is replaced', () =>
    inside(async () => {
      const { kernel } = await stageOf('ip', 'messages')
      const counter = await openNetlinkSocket()
      const transactions = async (operations: readonly Operation[]): Promise<number> => {
        const before = counter.generation()
        await kernel.apply(transactionOf('ip', operations), never)
        return counter.generation() - before
      }
      expect(await transactions([...base, add('10.96.0.1')])).toBe(2)
      expect(await transactions([add('10.96.0.2')])).toBe(1)
      expect(await transactions([{ kind: 'delete-table' }, ...base, add('10.96.0.3')])).toBe(1)
      expect(keysIn(await kernel.read(never))).toEqual(['10.96.0.3'])
      counter.close()
      kernel.close()
    }))

  it('are not taken for those of somebody else', () =>
    inside(async (netns) => {
      const { kernel } = await stageOf('ip', 'messages')
      const stop = new AbortController()
      const told: ForeignChange[] = []
      const watching = kernel.watch((change) => told.push(change), stop.signal)
      await kernel.apply(transactionOf('ip', base), never)
      for (let n = 0; n < 5; n++) await kernel.apply(transactionOf('ip', [add(`10.96.0.${n}`)]), never)
      await execIn(netns, 'nft', ['add element ip wherry cluster-ips { 10.96.1.1 }'])
      await waitFor('the change of nft to be told', () => told.length > 0)
      expect(told.map(({ what, by }) => [what, by?.name])).toEqual([['add element ip wherry cluster-ips', 'nft']])
      stop.abort()
      await watching
      kernel.close()
    }))

  describe('are what the agent', () => {
    const rows = [
      { prefer: 'auto', sent: 0 },
      { prefer: 'libnftables', sent: 0 },
      { prefer: 'process', sent: 1 },
    ] as const
    it.each(rows)('sends with the door $prefer, or not', ({ prefer, sent }) =>
      inside(async (netns) => {
        const lines: string[] = []
        const exec: typeof netns.exec = {
          ...netns.exec,
          run(command, signal) {
            if (command.input !== undefined) lines.push(command.input)
            return netns.exec.run(command, signal)
          },
        }
        const kernel = await openNftKernel({ prefer, family: 'ip', exec, log: silentLog }, never)
        await kernel.apply(transactionOf('ip', base), never)
        lines.length = 0
        await kernel.apply(transactionOf('ip', [add('10.96.0.7')]), never)
        expect(lines).toHaveLength(sent)
        expect(keysIn(await kernel.read(never))).toEqual(['10.96.0.7'])
        kernel.close()
      }),
    )
  })
})
