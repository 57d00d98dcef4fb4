import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Clock } from '../../api/clock.ts'
import { encode } from '../../api/codec.ts'
import { closeCodes, protocolVersion } from '../../api/frames.ts'
import { noCalls } from '../../test/kit/calls.ts'
import { createLines } from '../../test/scenarios/link-lines.ts'
import { createLink } from './link.ts'

let server: http.Server
let sockets: WebSocketServer
let stop: AbortController
let running: Promise<void>
/** What the hub of the test does with each WebSocket, and how far its time has gone. */
let serve: (socket: WebSocket) => void
let now: number
beforeEach(async () => {
  server = http.createServer()
  sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket: WebSocket) => serve(socket))
  stop = new AbortController()
  now = 0
  await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterEach(async () => {
  stop.abort()
  await running
  for (const socket of sockets.clients) socket.terminate()
  server.closeAllConnections()
  server.close()
})

/** Waits for the next connection take no time; deadlines and beats never come. */
const clock: Clock = {
  now: () => now,
  after(ms, call) {
    const soon = ms < 5_000 ? setImmediate(call) : undefined
    return () => clearImmediate(soon)
  },
}

function start(...ports: readonly number[]) {
  const lines = createLines()
  const { port } = (server.address() ?? {}) as AddressInfo
  const link = createLink({
    urls: (ports.length > 0 ? ports : [port]).map((p) => `http://127.0.0.1:${p}`),
    node: 'node1',
    version: '0.1.0',
    clock,
    // Just short of the longest wait.
    random: () => 0.99,
    log: lines.log,
    onFrame: () => {},
    lastRevision: () => undefined,
    handlers: noCalls,
  })
  running = link.run(stop.signal)
  return { link, lines }
}

const welcome = encode({ kind: 'welcome', version: protocolVersion, node: 'node1', history: 'h', revision: 1, resumed: false, time: 0 })
/** Welcomes the agent, and ends the connection after so much of its time. */
const standFor = (ms: number) => (socket: WebSocket) => {
  socket.once('message', () => {
    socket.send(welcome)
    socket.ping()
    socket.once('pong', () => {
      now += ms
      socket.terminate()
    })
  })
}

test('connections that break at once are tried ever more slowly', async () => {
  serve = standFor(1_000)
  const { lines } = start()
  await lines.until('the connection to the hub is lost', 4)
  const waits = lines.of('the connection to the hub is lost').map((line) => line['waitMs'] as number)
  expect(waits.slice(0, 4)).toEqual([199, 397, 793, 1_585].map((ms) => expect.closeTo(ms, -1)))
})

test('a connection that stood is back within 200 ms', async () => {
  serve = standFor(5_000)
  const { lines } = start()
  await lines.until('the connection to the hub is lost', 4)
  for (const line of lines.of('the connection to the hub is lost')) expect(line['waitMs']).toBeLessThanOrEqual(200)
})

test('a hub that refuses is asked seldom, and the log has its words', async () => {
  serve = (socket) => socket.close(closeCodes.refused, 'node node1 has the address of node other')
  const { link, lines } = start()
  await lines.until('the hub refuses this agent')
  const [line] = lines.of('the hub refuses this agent')
  expect(line).toMatchObject({ code: 'LINK_REFUSED', error: expect.stringContaining('the address of node other') })
  expect(line!['waitMs']).toBeGreaterThan(2_500)
  expect(link.connected).toBe(false)
})

test('a hub that is not there is waited for', async () => {
  serve = (socket) => socket.send(welcome)
  const { port } = server.address() as AddressInfo
  server.close()
  const { link, lines } = start(port)
  await lines.until('the hub is not reached', 3)
  server.listen(port, '127.0.0.1')
  await lines.until('connected to the hub')
  expect(link.connected).toBe(true)
})

test('of several hubs the next one is tried when one is lost, and again the first', async () => {
  const gone = http.createServer()
  await once(gone.listen(0, '127.0.0.1'), 'listening')
  const { port: nobody } = gone.address() as AddressInfo
  await once(gone.close(), 'close')
  const { port } = server.address() as AddressInfo
  serve = standFor(5_000)
  // Chance says: begin with the last of them.
  const { lines } = start(port, nobody)
  await lines.until('the connection to the hub is lost', 2)
  const told = [...lines.of('the hub is not reached'), ...lines.of('the connection to the hub is lost')].map((line) => line['hub'])
  expect(told.slice(0, 1)).toEqual([`http://127.0.0.1:${nobody}`])
  expect(told.filter((hub) => hub === `http://127.0.0.1:${port}`).length).toBeGreaterThanOrEqual(2)
})
