/** Two ends of one real WebSocket without a network in between, for tests in which time stands still. */
import { once } from 'node:events'
import http from 'node:http'
import type { Socket } from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'

export interface SocketPair {
  readonly hub: WebSocket
  readonly agent: WebSocket
  /** The connection under the hub's end. */
  readonly line: Duplex
}

export async function socketPair(): Promise<SocketPair> {
  const [near, far] = duplexPair()
  // As a connection does, and a pair by itself does not: when one end is destroyed, so is the other.
  near.on('close', () => far.destroy())
  far.on('close', () => near.destroy())
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false })
  const server = http.createServer()
  const accepted = new Promise<WebSocket>((resolve) => {
    server.on('upgrade', (req, socket, head) => sockets.handleUpgrade(req, socket, head, resolve))
  })
  server.emit('connection', far)
  const agent = new WebSocket('ws://hub', { perMessageDeflate: false, createConnection: () => near as Socket })
  const [hub] = await Promise.all([accepted, once(agent, 'open')])
  return { hub, agent, line: far }
}
