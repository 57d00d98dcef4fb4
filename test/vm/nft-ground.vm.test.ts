/** What the nftables mode stands on, in the oldest stock kernel that is served. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { inNamespace, netnsLab, type Netns } from '../kit/netns.ts'
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
