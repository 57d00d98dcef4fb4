/** How an agent's HTTPS connection becomes a WebSocket. Who it is has been settled by its certificate before that. */
import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { limits } from '../../api/frames.ts'
import { hubPaths } from '../../api/hub.ts'
import type { User } from '../auth/auth.ts'
import { nodeOf } from '../auth/authorize.ts'

export interface UpgradeDeps {
  /** Who is asking; never throws. */
  readonly authenticate: (req: IncomingMessage) => User
  /** `line` is the connection under the WebSocket. */
  readonly accept: (socket: WebSocket, node: string, line: Duplex) => void
}

/** Takes an upgrade on the agents' path. Paths that are not its own it leaves alone and returns false. */
export type Upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => boolean

/** ws: what one agent may make the hub hold before a frame is complete. */
const bounds = { maxPayload: limits.frameBytes, maxFragments: 256, maxBufferedChunks: 16_384, closeTimeout: 5_000 } as const

export function createUpgrade({ authenticate, accept }: UpgradeDeps): Upgrade {
  const server = new WebSocketServer({ ...bounds, noServer: true, clientTracking: false, perMessageDeflate: false })
  return (req, socket, head) => {
    if (req.url?.split('?', 1)[0] !== hubPaths.agent) return false
    const node = nodeOf(authenticate(req))
    if (node === undefined) refuse(socket, 'only the certificate of a node opens this door; make one with: wherry join')
    else server.handleUpgrade(req, socket, head, (ws) => accept(ws, node, socket))
    return true
  }
}

function refuse(socket: Duplex, reason: string): void {
  const code = 403
  // The other side may be gone already.
  socket.on('error', () => socket.destroy())
  const head = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code]}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(reason)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${reason}`)
}
