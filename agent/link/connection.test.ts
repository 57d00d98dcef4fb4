import { getEventListeners, once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import { decodeAgentFrame, encode } from '../../api/codec.ts'
import { closeCodes, type AgentFrame, type HubFrame } from '../../api/frames.ts'
import { createFakeClock, settled, type FakeClock } from '../../test/kit/clock.ts'
import { holdConnection, type Connection } from './connection.ts'
import type { LinkError } from './error.ts'

let server: http.Server
let sockets: WebSocketServer
let url: string
let clock: FakeClock
beforeEach(async () => {
  server = http.createServer()
  sockets = new WebSocketServer({ noServer: true })
  clock = createFakeClock()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  for (const socket of sockets.clients) socket.terminate()
  server.closeAllConnections()
  server.close()
})

const bounds = { pingMs: 5_000, queueBytes: 100_000, connectMs: 15_000 }
const welcome: HubFrame = { kind: 'welcome', version: 1, node: 'node1', history: 'h', revision: 1, resumed: false, time: 0 }
const ack: AgentFrame = { kind: 'ack', received: 1, applied: 1 }

/** A server that takes every WebSocket, and what is left of its other end. */
async function connect(onFrame: (frame: HubFrame) => void = () => {}) {
  const accepted = new Promise<WebSocket>((resolve) => {
    server.on('upgrade', (req, socket, head) => sockets.handleUpgrade(req, socket, head, resolve))
  })
  const stop = new AbortController()
  const opened = Promise.withResolvers<Connection>()
  const ended = holdConnection({ url, clock, bounds, onOpen: opened.resolve, onFrame }, stop.signal)
  const [hub, connection] = await Promise.all([accepted, opened.promise])
  const closed = once(hub, 'close').then(([code]) => code as number)
  return { hub, connection, ended, stop, closed }
}

const said = (error: LinkError) => ({ code: error.code, message: error.message })

test('frames go both ways', async () => {
  const heard = Promise.withResolvers<HubFrame>()
  const { hub, connection } = await connect(heard.resolve)
  const taken = once(hub, 'message')
  await connection.sent(ack)
  expect(decodeAgentFrame((await taken)[0] as Buffer)).toEqual(ack)
  hub.send(encode(welcome))
  expect(await heard.promise).toEqual(welcome)
})

test.each([
  [closeCodes.leaving, 'LINK_LOST'],
  [closeCodes.replaced, 'LINK_REFUSED'],
  [closeCodes.refused, 'LINK_REFUSED'],
  [closeCodes.malformed, 'LINK_REFUSED'],
])('a hub that closes with %i gives %s, in its own words', async (closeCode, code) => {
  const { hub, ended } = await connect()
  hub.close(closeCode, 'because of this')
  expect(said(await ended)).toEqual({ code, message: expect.stringContaining(`(${closeCode}): because of this`) })
})

test('a connection that is killed is lost, and leaves nothing behind', async () => {
  const { hub, ended, stop } = await connect()
  hub.terminate()
  expect((await ended).code).toBe('LINK_LOST')
  expect([clock.waiting, getEventListeners(stop.signal, 'abort')]).toEqual([0, []])
})

test.each([
  ['bytes that are no frame', new Uint8Array([0xc1])],
  ['text', 'welcome'],
  ['a frame of the other direction', encode(ack)],
])('%s ends the connection', async (_, data) => {
  const { hub, ended, closed } = await connect(() => expect.unreachable())
  hub.send(data)
  expect((await ended).code).toBe('FRAME_MALFORMED')
  expect(await closed).toBe(closeCodes.malformed)
})

test('what the receiver throws ends the connection, and nothing more is handed on', async () => {
  let calls = 0
  const { hub, ended, closed } = await connect(() => {
    calls++
    throw new TypeError('planted')
  })
  hub.send(encode(welcome))
  hub.send(encode(welcome))
  expect(said(await ended)).toEqual({ code: 'FRAME_MALFORMED', message: 'planted' })
  expect([await closed, calls]).toEqual([closeCodes.malformed, 1])
})

test.each(['pongs', 'pings'])('a hub of which only %s are heard stays; one that falls silent is given up', async (what) => {
  sockets.options.autoPong = what === 'pongs'
  const heard = Promise.withResolvers<HubFrame>()
  const { hub, ended } = await connect(heard.resolve)
  hub.send(encode(welcome))
  await heard.promise
  for (let i = 0; i < 5; i++) {
    const ping = once(hub, 'ping')
    await clock.advance(bounds.pingMs)
    await ping
    if (what === 'pings') {
      hub.ping()
      await once(hub, 'pong')
    } else await settled(10)
  }
  expect(hub.readyState).toBe(hub.OPEN)
  hub.pause()
  await clock.advance(3 * bounds.pingMs)
  expect(said(await ended)).toEqual({ code: 'LINK_LOST', message: expect.stringContaining('nothing was heard') })
})

test('a hub that takes the connection and says nothing is given up', async () => {
  const opened = once(server, 'upgrade')
  const ended = holdConnection({ url, clock, bounds: { ...bounds, pingMs: 1e9 }, onOpen: () => {}, onFrame: () => {} }, new AbortController().signal)
  await opened
  await clock.advance(bounds.connectMs)
  expect(said(await ended)).toEqual({ code: 'LINK_LOST', message: 'no welcome within 15000 ms' })
  expect(clock.waiting).toBe(0)
})

test('a hub that does not read is given up when too much waits', async () => {
  const { hub, connection, ended } = await connect()
  hub.pause()
  const long = { kind: 'data', id: 1, bytes: new Uint8Array(1_000_000) } as const
  for (let i = 0; i < 100; i++) connection.send(long)
  expect(said(await ended)).toEqual({ code: 'LINK_LOST', message: expect.stringContaining('100000 bytes wait') })
  await expect(connection.sent(ack)).rejects.toThrow()
})

test.each([
  [403, 'LINK_REFUSED'],
  [503, 'LINK_LOST'],
])('an answer of %i instead of a WebSocket is %s, with its text', async (status, code) => {
  server.on('request', (_req, res) => res.writeHead(status).end('not you'))
  const ended = holdConnection({ url, clock, bounds, onOpen: () => expect.unreachable(), onFrame: () => {} }, new AbortController().signal)
  expect(said(await ended)).toEqual({ code, message: expect.stringMatching(new RegExp(`${status}.*not you`)) })
})

test('a port where nobody listens is a loss', async () => {
  server.close()
  const ended = holdConnection({ url, clock, bounds, onOpen: () => {}, onFrame: () => {} }, new AbortController().signal)
  expect(said(await ended)).toEqual({ code: 'LINK_LOST', message: expect.stringContaining('ECONNREFUSED') })
})

test.each(['before', 'after'])('aborting %s the connection stands ends it, in order where it stands', async (when) => {
  if (when === 'before') {
    const ended = holdConnection({ url, clock, bounds, onOpen: () => {}, onFrame: () => {} }, AbortSignal.abort())
    expect((await ended).message).toBe('the agent stops')
  } else {
    const { stop, ended, closed } = await connect()
    stop.abort()
    expect((await ended).message).toBe('the agent stops')
    expect(await closed).toBe(closeCodes.leaving)
  }
  expect(clock.waiting).toBe(0)
})
