/** How the connection of a request becomes one of another kind: a WebSocket (RFC 6455), or SPDY/3.1, which kubectl spoke before. */
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { errorKeys } from '../../../api/log.ts'
import { badRequest } from '../../../api/status.ts'
import type { Call } from '../call.ts'

/** The connection as the request came on it. `take` has to be called before anything is written to it. */
export interface Wire {
  readonly socket: Duplex
  readonly head: Buffer
  readonly take: () => void
}

/** The protocol that is spoken on the connection, of those that were asked for. */
export type Switched =
  | { readonly kind: 'websocket'; readonly ws: WebSocket; readonly protocol: string }
  | { readonly kind: 'spdy'; readonly wire: Duplex; readonly protocol: string }

/** For each kind, the protocols that are offered, the best first. */
export interface Offer {
  readonly websocket: readonly string[]
  readonly spdy: readonly string[]
}

/** ws: what a client may make the hub hold before a message is complete. */
const bounds = { maxPayload: 1024 * 1024, maxFragments: 256, maxBufferedChunks: 16_384, closeTimeout: 5_000 } as const
const spdyName = 'SPDY/3.1'
const keepAliveMs = 30_000

export interface Switcher {
  /**
   * What the client can be offered. Nothing is written yet. @throws StatusError BadRequest where it asks for nothing of the offer
   * @returns switches, and resolves when `use` has, or when the client is gone
   */
  agree(call: Call, offer: Offer): (wire: Wire, use: (switched: Switched) => Promise<void>) => Promise<void>
}

export function createSwitcher(): Switcher {
  return {
    agree(call, offer) {
      const kind = (call.req.headers.upgrade ?? '').toLowerCase()
      if (kind === 'websocket') {
        const protocol = chosen(call, 'sec-websocket-protocol', offer.websocket)
        return (wire, use) => toWebSocket(call, { ...wire, protocol }, use)
      }
      if (kind === spdyName.toLowerCase()) {
        const protocol = chosen(call, 'x-stream-protocol-version', offer.spdy)
        return (wire, use) => toSpdy(call, { ...wire, protocol }, use)
      }
      throw badRequest(`Upgrade must be websocket or ${spdyName}, not ${JSON.stringify(call.req.headers.upgrade ?? '')}`)
    },
  }
}

function chosen({ req }: Call, header: string, offered: readonly string[]): string {
  const asked = String(req.headers[header] ?? '').split(',').map((word) => word.trim())
  const best = offered.find((protocol) => asked.includes(protocol))
  if (best !== undefined) return best
  throw badRequest(`unable to upgrade: the header ${header} names none of: ${offered.join(', ')}`)
}

type Use = (switched: Switched) => Promise<void>
type Agreed = Wire & { readonly protocol: string }

function toWebSocket(call: Call, { socket, head, take, protocol }: Agreed, use: Use): Promise<void> {
  const server = new WebSocketServer({ ...bounds, noServer: true, clientTracking: false, perMessageDeflate: false })
  // kubectl's name for its tunnel has a slash, which no token has (RFC 7230), and the server would refuse it.
  delete call.req.headers['sec-websocket-protocol']
  server.once('headers', (lines) => void lines.push(`Sec-WebSocket-Protocol: ${protocol}`))
  call.res.statusCode = 101
  take()
  call.req.socket.setKeepAlive(true, keepAliveMs)
  return new Promise((resolve, reject) => {
    // The server itself refuses a client that does not ask as RFC 6455 wants it.
    call.signal.addEventListener('abort', () => resolve(), { once: true })
    server.handleUpgrade(call.req, socket, head, (ws) => {
      ws.on('error', (e) => call.deps.log.debug('socket failed', errorKeys(e)))
      use({ kind: 'websocket', ws, protocol }).then(resolve, reject)
    })
  })
}

async function toSpdy({ res, req }: Call, { socket, head, take, protocol }: Agreed, use: Use): Promise<void> {
  res.statusCode = 101
  take()
  req.socket.setKeepAlive(true, keepAliveMs)
  req.socket.setNoDelay(true)
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', `Upgrade: ${spdyName}`, `X-Stream-Protocol-Version: ${protocol}`]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  if (head.length > 0) socket.unshift(head)
  await use({ kind: 'spdy', wire: socket, protocol })
}
