/** What the nftables mode stands on, in the oldest stock kernel that is served. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { KernelError } from '../../agent/kernel/errors.ts'
import { openNetlinkTalk } from '../../agent/kernel/netlink.ts'
import { openNftKernel } from '../../agent/kernel/nft/nft.ts'
import { createStamper } from '../../agent/kernel/nft/stamp.ts'
import { silentLog } from '../../api/log.ts'
import { adopt, commit, plan, rulesetOf } from '../../rules/nft/index.ts'
import { inNamespace, netnsLab, type Netns } from '../kit/netns.ts'
import { fullView, nodeView } from '../kit/views.ts'
import { answer } from './answer.ts'

const lab = netnsLab()
const nft = async (netns: Netns, args: readonly string[], input = ''): Promise<string> =>
  (await netns.exec.run({ command: 'nft', args, input }, AbortSignal.timeout(20_000))).stdout

test('the scratch number of a packet, learning into a map, counters of elements, one lookup for the endpoint', async () => {
  const netns = await lab.create()
  await nft(
    netns,
    ['-f', '-'],
    `table ip ground {
      map endpoints { typeof ip daddr . meta l4proto . th dport . numgen random mod 1 : ip daddr . th dport; counter;
        elements = { 127.0.0.9 . tcp . 80 . 0 comment "default/web" : 127.0.0.1 . 8080 } }
      map learned { typeof meta priority . ip saddr : meta priority; flags dynamic,timeout; size 65536; }
      chain output { type nat hook output priority -100
        meta priority set 0x00010050
        update @learned { meta priority & 0xffff . ip saddr timeout 1h : meta priority }
        meta priority set none
        dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints
      }
    }`,
  )
  const server = createServer((socket) => socket.end('here'))
  await inNamespace(netns, () => once(server.listen(8080, '127.0.0.1'), 'listening'))
  try {
    expect(await answer(netns, '127.0.0.9', 80)).toBe('here')
  } finally {
    server.close()
  }
  expect(await nft(netns, ['list', 'map', 'ip', 'ground', 'endpoints'])).toContain('. 0 counter packets 1 bytes 60 comment "default/web" : 127.0.0.1 . 8080')
  expect(await nft(netns, ['list', 'map', 'ip', 'ground', 'learned'])).toMatch(/ 0:50 \. 127\.0\.0\.1 timeout 1h expires \S+ : 1:50 /)
})

test.each(['ip', 'ip6'] as const)('elements of %s as messages of our own, and the stamp that tells whether anything changed', async (family) => {
  const netns = await lab.create()
  const never = new AbortController().signal
  await inNamespace(netns, async () => {
    const texts: string[] = []
    const exec: typeof netns.exec = {
      ...netns.exec,
      run(command, signal) {
        if (command.input !== undefined) texts.push(command.input)
        return netns.exec.run(command, signal)
      },
    }
    const stamper = createStamper({ openTalk: openNetlinkTalk })
    const stamp = (): Promise<string | undefined> => stamper.stamp()
    const stamps = [await stamp()]
    // The door is nft, so whatever does not go as messages is seen.
    const kernel = await openNftKernel({ prefer: 'auto', family, exec, log: silentLog, openLibrary: () => Promise.reject(new KernelError('SETUP', 'not here')) }, never)
    const view = fullView(family)
    const accepted = adopt(family, undefined)
    const first = plan(accepted, view, 'all')
    await kernel.apply(first.transaction!, never)
    commit(accepted, first)
    stamps.push(await stamp(), await stamp())
    expect(plan(adopt(family, await kernel.read(never)), view, 'all').transaction).toBeUndefined()
    expect(texts).toHaveLength(1)
    expect(texts[0]).not.toMatch(/^add element \S+ wherry (endpoints|cluster-ips|external |affinity-ids)/m)

    const less = nodeView([...view.services.values()].slice(1), view.config)
    const next = plan(accepted, less, new Set(view.services.keys()))
    const small = { family, operations: next.transaction!.operations.filter((operation) => operation.kind === 'delete-elements' && !operation.set.endsWith('ranges')) }
    await kernel.apply(small, never)
    stamps.push(await stamp())
    expect(texts).toHaveLength(1)
    const held = await kernel.read(never)
    for (const [set, inside] of rulesetOf(family, less).elements) {
      if (!set.endsWith('ranges')) expect([set, [...held!.elements.get(set)!.keys()].toSorted()]).toEqual([set, [...inside.keys()].toSorted()])
    }
    expect(stamps.map((each) => typeof each)).toEqual(stamps.map(() => 'string'))
    expect(stamps.map((each, i) => each === stamps[i - 1])).toEqual([false, false, true, false])
    stamper.close()
    kernel.close()
  })
})
