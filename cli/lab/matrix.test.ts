import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { judge, matrixTable, planQuestions, type Place, type ReadyPod } from './matrix.ts'
import { ask, parseTarget, targetText } from './probe.ts'

const pods: readonly ReadyPod[] = [
  { name: 'web-a', node: 'node1', address: '10.244.0.2', container: 'c1' },
  { name: 'web-b', node: 'node2', address: '10.244.1.2', container: 'c2' },
]
const place: Place = {
  nodes: [
    { name: 'node1', address: '198.18.0.11' },
    { name: 'node2', address: '198.18.0.12' },
  ],
  pods,
  service: { clusterIP: '10.97.0.9', http: { port: 80, nodePort: 30080 }, echo: { port: 80 } },
}
const answered = (body: string) => ({ kind: 'answered', body, ms: 1 }) as const

describe('the questions', () => {
  test('cluster IP from nodes and pods, node ports from outside, UDP from nodes', () => {
    const lines = planQuestions(place).map(
      ({ from, target, what }) => `${from.kind === 'hub' ? 'hub' : from.name} ${targetText(target)} ${what}`,
    )
    expect(lines).toEqual([
      'node1 http:10.97.0.9:80 cluster IP',
      'node2 http:10.97.0.9:80 cluster IP',
      'web-a http:10.97.0.9:80 cluster IP',
      'web-b http:10.97.0.9:80 cluster IP',
      'hub http:198.18.0.11:30080 node port',
      'hub http:198.18.0.12:30080 node port',
      'node1 udp:10.97.0.9:80 UDP echo',
      'node2 udp:10.97.0.9:80 UDP echo',
    ])
  })
})

describe('the verdicts', () => {
  test('right is a ready pod that says where it is', () => {
    expect(judge(answered('pod=web-b node=node2 peer=10.244.0.1\n'), pods)).toEqual({
      kind: 'right',
      pod: 'web-b',
      node: 'node2',
      ms: 1,
    })
  })

  test.each([
    ['pod=web-b node=node1 peer=x', 'web-b says node1 but is on node2'],
    ['pod=web-c node=node1 peer=x', 'web-c, which is not a ready pod'],
    ['<html>', 'unexpected answer "<html>"'],
    ['', 'unexpected answer'],
  ])('%o is wrong', (body, why) => {
    expect(judge(answered(body), pods)).toMatchObject({ kind: 'wrong', why: expect.stringContaining(why) as string })
  })

  test('no answer is wrong', () => {
    expect(judge({ kind: 'failed', reason: 'ECONNREFUSED', ms: 2 }, pods)).toEqual({ kind: 'wrong', why: 'ECONNREFUSED', ms: 2 })
  })

  test('the table names who asked, what, and who answered', () => {
    const [first, ...rest] = planQuestions(place)
    const table = matrixTable([
      { question: first!, verdict: { kind: 'right', pod: 'web-b', node: 'node2', ms: 0.91 } },
      { question: rest.at(-1)!, verdict: { kind: 'wrong', why: 'no answer', ms: 3000 } },
    ])
    expect(table).toBe(
      '     FROM   TO                            ANSWERED BY  ON     MS\n' +
        '  ✓  node1  10.97.0.9:80/TCP  cluster IP  web-b        node2  0.9\n' +
        '  ✗  node2  10.97.0.9:80/UDP  UDP echo    no answer    -      3000.0\n',
    )
  })
})

describe('the probe', () => {
  test('reads targets as it writes them, and refuses others', () => {
    expect(parseTarget(targetText({ kind: 'udp', host: '10.0.0.1', port: 53 }))).toEqual({
      kind: 'udp',
      host: '10.0.0.1',
      port: 53,
    })
    for (const bad of ['ftp:a:1', 'http::1', 'http:a:x', '']) expect(() => parseTarget(bad)).toThrow('is not a target')
  })

  test('asks over HTTP and UDP', async () => {
    const server = createServer((request, response) => response.writeHead(request.url === '/' ? 200 : 404).end('pod=a node=b'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const socket = createSocket('udp4')
    socket.on('message', (message, from) => socket.send(`got ${message.toString()}`, from.port))
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as AddressInfo
      expect(await ask({ kind: 'http', host: '127.0.0.1', port })).toMatchObject({ kind: 'answered', body: 'pod=a node=b' })
      expect(await ask({ kind: 'udp', host: '127.0.0.1', port: socket.address().port })).toMatchObject({
        kind: 'answered',
        body: 'got wherry\n',
      })
    } finally {
      server.close()
      socket.close()
    }
  })

  test('a refusal is an answer of its own kind, over UDP too', async () => {
    const closed = createSocket('udp4')
    await new Promise<void>((resolve) => closed.bind(0, '127.0.0.1', resolve))
    const { port } = closed.address()
    await new Promise<void>((resolve) => closed.close(resolve))
    expect(await ask({ kind: 'udp', host: '127.0.0.1', port })).toMatchObject({ kind: 'failed', reason: 'ECONNREFUSED' })
    expect(await ask({ kind: 'http', host: '127.0.0.1', port: 1 })).toMatchObject({ kind: 'failed', reason: 'ECONNREFUSED' })
  })
})
