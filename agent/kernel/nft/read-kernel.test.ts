/** Both ways of reading the table, in the kernel of a network namespace: they give the same. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLog, silentLog } from '../../../api/log.ts'
import type { Family } from '../../../rules/model.ts'
import { adopt, commit, plan, render, rulesetOf, type Listing } from '../../../rules/nft/index.ts'
import { describeAsRoot, inNamespace, netnsLab } from '../../../test/kit/netns.ts'
import { arbitraryChange, changedView, fullView, nodeView } from '../../../test/kit/views.ts'
import { waitFor } from '../../../test/kit/wait.ts'
import type { Door } from './door.ts'
import { noted } from '../fake/noted.ts'
import { openLibnftables } from './libnftables.ts'
import { openNetlinkTalk } from '../netlink.ts'
import { openNftProcess } from './process.ts'
import { createTableReader } from './read.ts'

const never = new AbortController().signal

describeAsRoot('in the kernel', () => {
  const lab = netnsLab()
  const both = async (door: Door, family: Family) => {
    const lines: string[] = []
    const log = createLog({ level: 'debug', write: (line) => lines.push(line), now: () => 0 })
    const quickly = noted(door)
    const bytes = await createTableReader({ door: quickly, family, log, openTalk: openNetlinkTalk }).read(never)
    const text = await createTableReader({ door, family, log: silentLog }).read(never)
    return { bytes, text, asked: quickly.asked, lines }
  }
  /** Both ways must have been gone, and to the same place. @param asText sets of which no bytes are known */
  const same = async (door: Door, family: Family, asText: readonly string[]): Promise<Listing> => {
    const { bytes, text, asked, lines } = await both(door, family)
    expect(lines).toEqual([])
    expect(asked.toSorted()).toEqual(['outline everything', ...asText.map((name) => `exact ${name}`)].toSorted())
    expect(bytes).toEqual(text)
    return bytes!
  }

  describe.each(['libnftables', 'process'] as const)('through %s', (way) => {
    it.each(['ip', 'ip6'] as const)('all that services of %s can ask for', async (family) => {
      const netns = await lab.create()
      await inNamespace(netns, async () => {
        const door = way === 'libnftables' ? await openLibnftables() : await openNftProcess(netns.exec, never)
        expect((await both(door, family)).bytes).toBeUndefined()
        const view = fullView(family)
        await door.run(render(plan(adopt(family, undefined), view, 'all').transaction!), never)
        const ranges = ['service-ranges', 'external-ranges', 'pod-ranges', 'node-port-addresses', 'source-ranges']
        expect(await door.list({ family }, 'outline', never)).not.toContain('elements')
        const listing = await same(door, family, ranges)
        expect(listing).toEqual(rulesetOf(family, view))
        const empty = [...listing.elements].filter(([, inside]) => inside.size === 0).map(([name]) => name)
        expect(empty).toEqual(['affinity'])
        expect(plan(adopt(family, listing), view, 'all').transaction).toBeUndefined()
        door.close()
      })
    })
  })

  it('courses of changes', async () => {
    const courses = fc.sample(fc.array(fc.array(arbitraryChange, { minLength: 1, maxLength: 4 }), { minLength: 6, maxLength: 6 }), { numRuns: 8, seed: 11 })
    for (const course of courses) {
      const netns = await lab.create()
      await inNamespace(netns, async () => {
        const door = await openLibnftables()
        let accepted = adopt('ip', undefined)
        let view = nodeView([])
        for (const changes of course) {
          const next = changedView(view, changes)
          view = next.view
          const made = plan(accepted, view, next.changed)
          if (made.transaction) await door.run(render(made.transaction), never)
          accepted = commit(accepted, made)
          const { bytes, text } = await both(door, 'ip')
          expect(bytes).toEqual(text)
        }
        door.close()
      })
    }
  })

  it('addresses, protocols, ports and numbers of all kinds', async () => {
    const any = (most: number): fc.Arbitrary<number> => fc.oneof(fc.constantFrom(0, 1, most), fc.nat(most))
    const address6 = fc.array(fc.oneof(fc.constantFrom(0, 0, 1, 0xffff), fc.nat(0xffff)), { minLength: 8, maxLength: 8 }).map((words) => words.map((word) => word.toString(16)).join(':'))
    const special = ['::', '::1', '::0.1.0.2', '::ffff:10.0.0.1', '::ffff:0:1:2', '1::']
    const element = fc.tuple(address6, any(255), any(65_535), any(0xffff_ffff), any(0xffff_ffff), fc.constantFrom('', 'a/b', 'ünï: {,} = \\'))
    const rows = fc.sample(fc.uniqueArray(element, { minLength: 400, maxLength: 400, selector: ([address]) => address }), { numRuns: 1, seed: 3 })[0]!
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const door = await openLibnftables()
      const number = (value: number): string => `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`
      const key = ([address, protocol, port, priority]: (typeof rows)[number]): string => `${address} . ${protocol} . ${port} . ${number(priority)}`
      const lines = [
        'add table ip6 wherry',
        'add map ip6 wherry m { typeof ip6 daddr . meta l4proto . th dport . meta priority : ip6 daddr . th dport; counter; }',
        'add map ip6 wherry n { type ipv6_addr . inet_proto . inet_service : classid; }',
        'add set ip6 wherry o { typeof numgen random mod 3 . ip6 saddr; }',
        'add set ip6 wherry p { type ipv6_addr; }',
        'add set ip6 wherry q { type inet_service; }',
        ...rows.map((row) => `add element ip6 wherry m { ${key(row)} comment "${row[5]}" : ${row[0]} . ${row[2]} }`),
        ...rows.map(([address, protocol, port, priority]) => `add element ip6 wherry n { ${address} . ${protocol} . ${port} : ${number(priority)} }`),
        ...rows.map(([address, , , , count, comment]) => `add element ip6 wherry o { ${count} . ${address} comment "${comment}" }`),
        ...[...special, ...rows.map(([address]) => address)].map((address) => `add element ip6 wherry p { ${address} }`),
        ...rows.map(([, , port]) => `add element ip6 wherry q { ${port} }`),
      ]
      await door.run(lines.map((line) => `${line}\n`).join(''), never)
      const { elements } = await same(door, 'ip6', [])
      expect([...elements.get('p')!.keys()]).toEqual(expect.arrayContaining(special))
      expect(['m', 'n', 'o'].map((name) => elements.get(name)!.size)).toEqual([400, 400, 400])
      door.close()
    })
  })

  it('what somebody else put into the table, and beside it', async () => {
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const door = await openLibnftables()
      const lines = [
        'add table ip aside',
        'add chain ip aside deep { comment "table ip wherry {"; }',
        'add set ip aside cluster-ips { type ipv4_addr; elements = { 1.1.1.1 }; }',
        'add table ip6 wherry',
        'add table ip wherry',
        'add set ip wherry timed { type ipv4_addr; flags timeout; elements = { 10.0.0.1 timeout 1h, 10.0.0.2 }; }',
        'add set ip wherry ranges { type inet_service; flags interval; elements = { 0-5, 80, 1000-65535 }; }',
        'add map ip wherry verdicts { type inet_service : verdict; elements = { 80 : accept, 81 : drop }; }',
        'add set ip wherry marks { type mark; elements = { 5 }; }',
        'add set ip wherry kinds { type inet_proto; elements = { 1, tcp, 47 }; }',
        'add set ip wherry learned { type ipv4_addr; flags dynamic; elements = { 10.0.0.9 }; }',
        'add set ip wherry none { type mark; }',
        'add counter ip wherry spare',
        'add map ip wherry objects { type ipv4_addr : counter; elements = { 10.0.0.1 : "spare" }; }',
        'add chain ip wherry idle { type filter hook input priority 7; policy accept; comment "spare"; }',
        'add rule ip wherry idle ip saddr { 10.0.0.1, 10.0.0.2 } counter accept comment "two"',
        'add rule ip wherry idle tcp dport vmap { 80 : accept, 81 : drop }',
        'add rule ip wherry idle ip saddr @timed ip daddr @learned drop',
      ]
      await door.run(lines.map((line) => `${line}\n`).join(''), never)
      const { elements, chains, sets } = await same(door, 'ip', ['timed', 'ranges', 'verdicts', 'marks', 'objects'])
      expect(Object.fromEntries([...elements].map(([name, inside]) => [name, inside.size]))).toEqual(
        { timed: 2, ranges: 3, verdicts: 2, marks: 1, kinds: 3, learned: 0, none: 0, objects: 1 },
      )
      expect([chains.size, sets.size]).toEqual([1, 8])
      door.close()
    })
  })

  it('what changed since it was prepared', async () => {
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const door = noted(await openLibnftables())
      const reader = createTableReader({ door, family: 'ip', log: silentLog, openTalk: openNetlinkTalk })
      const keys = async (): Promise<readonly string[]> => [...((await reader.read(never))?.elements.get('spare')?.keys() ?? [])]
      await door.run('add table ip wherry\nadd set ip wherry spare { type ipv4_addr; }\nadd element ip wherry spare { 10.0.0.1 }\n', never)
      reader.prepare(never)
      expect(await keys()).toEqual(['10.0.0.1'])
      reader.prepare(never)
      await waitFor('the preparation', () => door.asked.length === 2)
      await door.run('add element ip wherry spare { 10.0.0.2 }\n', never)
      expect(await keys()).toEqual(expect.arrayContaining(['10.0.0.1', '10.0.0.2']))
      door.close()
    })
  })

  it('a large set, read as soon as it is loaded', async () => {
    const netns = await lab.create()
    await inNamespace(netns, async () => {
      const door = await openNftProcess(netns.exec, never)
      const count = 20_000
      const elements = Array.from({ length: count }, (_, n) => `10.96.${n >> 8}.${n & 255} . tcp . 80 . ${n % 3} comment "default/s${n}" : 10.244.${n >> 8}.${n & 255} . 8080`)
      const declared = 'typeof ip daddr . meta l4proto . th dport . numgen random mod 3 : ip daddr . th dport; counter;'
      await door.run(`add table ip wherry\nadd map ip wherry endpoints-3 { ${declared} }\nadd element ip wherry endpoints-3 { ${elements.join(', ')} }\n`, never)
      const { bytes, text } = await both(door, 'ip')
      expect(bytes!.elements.get('endpoints-3')!.size).toBe(count)
      // Compared as a whole, but not printed as a whole when it fails.
      const sorted = (listing: Listing): string => [...listing.elements.get('endpoints-3')!.values()].map((each) => JSON.stringify(each)).toSorted().join('\n')
      expect(sorted(bytes!) === sorted(text!)).toBe(true)
      door.close()
    })
  })
})
