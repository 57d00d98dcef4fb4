import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CallInput } from '../../../api/call-flow.ts'
import { silentLog } from '../../../api/log.ts'
import { describeAsRoot, inNamespace, netnsLab, type Netns } from '../../../test/kit/netns.ts'
import { createExec } from '../../kernel/exec.ts'
import { carry } from './connection.ts'
import { createForwards, type Forwards } from './forwards.ts'

const never = new AbortController().signal

/** A server that sends back what it gets; `started` inside of a namespace. */
function echo(host: string): Promise<Server> {
  return new Promise((resolve) => {
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => void socket.on('error', () => {}).pipe(socket)).listen(0, host, () => resolve(server))
  })
}
const portOf = (server: Server): number => (server.address() as { port: number }).port

async function said(socket: Socket, text: string): Promise<string> {
  const parts = await Array.fromAsync(carry(socket, ReadableStream.from<CallInput>([{ kind: 'bytes', bytes: Buffer.from(text) }]), never))
  return Buffer.concat(parts.flatMap((part) => (part.kind === 'exit' ? [] : [part.bytes]))).toString()
}

describeAsRoot('connections into a network namespace', () => {
  const lab = netnsLab()
  let netns: Netns
  let dir: string
  let forwards: Forwards
  let inside: Server

  beforeAll(async () => {
    netns = await lab.create()
    dir = mkdtempSync(join(tmpdir(), 'wstr-fwd-'))
    forwards = createForwards({ exec: createExec(silentLog), log: silentLog, node: execPath, dir })
    inside = await inNamespace(netns, () => echo('127.0.0.1'))
  })
  afterAll(async () => {
    await forwards.close()
    inside.close()
    rmSync(dir, { recursive: true })
  })

  test('what listens on the loopback inside is reached, by several at once, and ends as they end', async () => {
    const connect = () => forwards.connect({ netns: netns.path, host: 'loopback', port: portOf(inside) }, never)
    const sockets = await Promise.all([connect(), connect(), connect()])
    expect(await Promise.all(sockets.map((socket, i) => said(socket, `hello ${i}`)))).toEqual(['hello 0', 'hello 1', 'hello 2'])
  })

  test('the other family of the loopback is reached too', async () => {
    const server = await inNamespace(netns, () => echo('::1'))
    try {
      expect(await said(await forwards.connect({ netns: netns.path, host: 'loopback', port: portOf(server) }, never), 'six')).toBe('six')
    } finally {
      server.close()
    }
  })

  test('a port where nobody listens is refused in words, and the next connection works', async () => {
    await expect(forwards.connect({ netns: netns.path, host: 'loopback', port: 9 }, never)).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      message: 'port 9 of the pod: connection refused: nothing listens there',
    })
    expect(await said(await forwards.connect({ netns: netns.path, host: '127.0.0.1', port: portOf(inside) }, never), 'again')).toBe('again')
  })

  test('a namespace that is gone is refused', async () => {
    await expect(forwards.connect({ netns: '/run/netns/wt-none', host: 'loopback', port: 9 }, never)).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
  })

  test('an abort closes what was connected', async () => {
    const stop = new AbortController()
    const socket = await forwards.connect({ netns: netns.path, host: 'loopback', port: portOf(inside) }, never)
    const parts = Array.fromAsync(carry(socket, new ReadableStream<CallInput>(), stop.signal))
    stop.abort()
    await parts.catch(() => {})
    expect(socket.destroyed).toBe(true)
  })

  test('without a namespace, the connection is made from here', async () => {
    const server = await echo('127.0.0.1')
    try {
      expect(await said(await forwards.connect({ host: 'loopback', port: portOf(server) }, never), 'here')).toBe('here')
    } finally {
      server.close()
    }
  })
})
