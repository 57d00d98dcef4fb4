/** One connection to the hub, from the first packet to the last. */
import { Buffer } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import type { Clock } from '../../api/clock.ts'
import { decodeHubFrame, encode } from '../../api/codec.ts'
import { closeCodes, limits, type AgentFrame, type HubFrame } from '../../api/frames.ts'
import { hubPaths } from '../../api/hub.ts'
import { LinkError } from './error.ts'
import { startPulse } from '../../api/pulse.ts'

/** PEM texts. */
export interface LinkTls {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export interface LinkBounds {
  readonly pingMs: number
  /** What may wait to be sent before the hub is taken for gone. */
  readonly queueBytes: number
  /** From the first packet to the hub's first frame. */
  readonly connectMs: number
}

export interface ConnectionDeps {
  /** http or https URL of the hub. */
  readonly url: string
  readonly tls?: LinkTls
  readonly clock: Clock
  readonly bounds: LinkBounds
  readonly onOpen: (connection: Connection) => void
  /** Throwing ends the connection with that error. */
  readonly onFrame: (frame: HubFrame) => void
}

export interface Connection {
  send(frame: AgentFrame): void
  /** Resolves when the kernel has taken the frame; rejects when the connection is gone. */
  sent(frame: AgentFrame): Promise<void>
}

/** ws: what the hub may make the agent hold before a frame is complete. */
const ws = { maxPayload: limits.frameBytes, maxFragments: 256, maxBufferedChunks: 16_384, closeTimeout: 5_000 } as const

/**
 * Connects and stays so as long as it can. Never rejects.
 * @returns why it ended: LINK_REFUSED where trying again will hardly help
 */
export function holdConnection(deps: ConnectionDeps, signal: AbortSignal): Promise<LinkError> {
  const { clock, bounds } = deps
  const { promise, resolve } = Promise.withResolvers<LinkError>()
  const socket = new WebSocket(new URL(hubPaths.agent, deps.url), { ...ws, ...deps.tls, perMessageDeflate: false })
  let why: LinkError | undefined

  /** Ends the connection without waiting for the hub. */
  const drop = (error: LinkError): void => {
    why ??= error
    socket.terminate()
  }
  /** Ends it with a word to the hub. */
  const leave = (code: number, error: LinkError): void => {
    why ??= error
    if (socket.readyState !== WebSocket.OPEN) return socket.terminate()
    socket.close(code, code === closeCodes.leaving ? 'the agent stops' : 'the agent cannot follow')
  }
  const connection: Connection = {
    send(frame) {
      if (why || socket.readyState !== WebSocket.OPEN) return
      socket.send(encode(frame))
      if (socket.bufferedAmount > bounds.queueBytes) drop(lost(`more than ${bounds.queueBytes} bytes wait for the hub`))
    },
    sent: (frame) => new Promise((done, fail) => socket.send(encode(frame), (e) => (e ? fail(e) : done()))),
  }
  const silent = (): void => drop(lost('nothing was heard from the hub for two beats'))
  const ping = (): void => void (socket.readyState === WebSocket.OPEN && socket.ping())
  const pulse = startPulse({ clock, everyMs: bounds.pingMs, beat: ping, silent })
  const cancelDeadline = clock.after(bounds.connectMs, () => drop(lost(`no welcome within ${bounds.connectMs} ms`)))
  const stop = (): void => leave(closeCodes.leaving, lost('the agent stops'))
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })

  socket.on('open', () => deps.onOpen(connection))
  socket.on('message', (data: Buffer, isBinary) => {
    if (why) return
    pulse.heard()
    cancelDeadline()
    try {
      deps.onFrame(decodeHubFrame(isBinary ? data : new Uint8Array()))
    } catch (e) {
      leave(closeCodes.malformed, e instanceof LinkError ? e : new LinkError('FRAME_MALFORMED', messageOf(e), { cause: e }))
    }
  })
  socket.on('ping', () => pulse.heard())
  socket.on('pong', () => pulse.heard())
  socket.on('unexpected-response', (_request, response) => void refusalOf(response).then(drop))
  socket.on('error', (e) => (why ??= notReached(deps.url, e)))
  socket.on('close', (code, reason) => {
    pulse.stop()
    cancelDeadline()
    signal.removeEventListener('abort', stop)
    resolve(why ?? closedBy(code, reason.toString()))
  })
  return promise
}

const lost = (message: string, options?: ErrorOptions): LinkError => new LinkError('LINK_LOST', message, options)

const messageOf = (e: unknown): string => (e instanceof Error ? e.message : String(e))

/** Codes of TLS errors that no second try will heal: somebody's certificate is not the right one. */
const certificateFault = /^(ERR_SSL_|ERR_TLS_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/

function notReached(url: string, e: Error): LinkError {
  const code = (e as NodeJS.ErrnoException).code ?? ''
  const message = `the hub at ${url} is not reached: ${e.message || code}`
  return certificateFault.test(code) ? new LinkError('LINK_REFUSED', message, { cause: e }) : lost(message, { cause: e })
}

/** The hub's close codes, in words. */
function closedBy(code: number, reason: string): LinkError {
  const refused: readonly number[] = [closeCodes.refused, closeCodes.replaced, closeCodes.malformed]
  const message = `the hub ended the connection (${code})${reason && `: ${reason}`}`
  return new LinkError(refused.includes(code) ? 'LINK_REFUSED' : 'LINK_LOST', message)
}

/** What an HTTP answer says that should have been a WebSocket. */
async function refusalOf(response: IncomingMessage): Promise<LinkError> {
  let text = ''
  try {
    for await (const part of response) {
      text += String(part)
      if (text.length > 1_000) break
    }
  } catch {
    // The status alone has to do.
  }
  const status = response.statusCode ?? 0
  const message = `the hub answered ${status} ${response.statusMessage ?? ''}${text && `: ${text.slice(0, 1_000)}`}`
  return new LinkError(status >= 400 && status < 500 ? 'LINK_REFUSED' : 'LINK_LOST', message)
}
