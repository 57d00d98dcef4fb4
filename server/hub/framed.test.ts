import { once } from 'node:events'
import { expect, test } from 'vitest'
import { socketPair } from '../../test/scenarios/link-sockets.ts'
import { framed } from './framed.ts'

test('what is framed here, a WebSocket reads as one message for each', async () => {
  const { hub, agent, line } = await socketPair()
  const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]
  const payloads = sizes.map((size, i) => new Uint8Array(size).fill(i + 1))
  const seen: Buffer[] = []
  agent.on('message', (data: Buffer, isBinary) => isBinary && seen.push(data))
  line.write(framed(payloads))
  hub.send('end')
  while (seen.length < sizes.length) await once(agent, 'message')
  expect(seen.map((data) => [data.length, [...new Set(data)]])).toEqual(sizes.map((size, i) => [size, size === 0 ? [] : [i + 1]]))
  agent.terminate()
})
