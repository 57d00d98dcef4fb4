/** Requests that become connections of another kind: exec and attach. Everything is checked before the connection is switched. */
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import type { NodeCall } from '../../../api/frames.ts'
import { errorKeys } from '../../../api/log.ts'
import type { Pod } from '../../../api/objects.ts'
import { badRequest } from '../../../api/status.ts'
import type { Call } from '../call.ts'
import { containerOf } from '../logs.ts'
import { flag } from '../query.ts'
import { settle, stored } from '../read.ts'
import type { ResourceTarget, Target } from '../target.ts'
import { channelProtocols, type ChannelProtocol } from './channels.ts'
import { converse } from './client.ts'
import { createSocketClient } from './socket-client.ts'

/** The connection as the request came on it. `take` has to be called before anything is written to it. */
export interface Switch {
  readonly socket: Duplex
  readonly head: Buffer
  readonly take: () => void
}

type Connect = (call: Call, target: ConnectionTarget, wire: Switch) => Promise<void>
type ConnectionTarget = ResourceTarget & { readonly subresource: 'exec' | 'attach' }

const connections: readonly string[] = ['exec', 'attach'] satisfies readonly ConnectionTarget['subresource'][]

export function isConnection(target: Target): target is ConnectionTarget {
  return target.kind === 'resource' && target.subresource !== undefined && connections.includes(target.subresource)
}

/** The answer to a request that should have asked for such a connection. */
export function upgradeRequired(): Promise<never> {
  return Promise.reject(badRequest('Upgrade request required: this is a connection, by WebSocket'))
}

/** ws: what a client may make the hub hold before a message is complete. */
const bounds = { maxPayload: 1024 * 1024, maxFragments: 256, maxBufferedChunks: 16_384, closeTimeout: 5_000 } as const

export function createConnect(): Connect {
  const sockets = new WebSocketServer({
    ...bounds,
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    handleProtocols: (asked) => best(asked, channelProtocols) ?? false,
  })
  return async (call, target, wire) => {
    const { pod, node } = await placed(call, target)
    const asked = target.subresource === 'exec' ? execCall(pod, call.query) : attachCall(pod, call.query)
    const protocol = best(protocolsOf(call), channelProtocols)
    if (!protocol) throw badRequest(`the Sec-WebSocket-Protocol must name one of ${channelProtocols.join(', ')}`)
    const exchange = call.deps.sessions.open(node, asked, call.signal)
    await switched(call, { ...wire, sockets }, (ws) => {
      const client = createSocketClient(ws, protocol, call.deps.clock)
      return converse(call, { client, exchange, wanted: asked })
    })
  }
}

/** Makes a WebSocket of the connection. Resolves when what it is used for is done, or the client is gone. */
function switched(
  call: Call,
  { sockets, socket, head, take }: Switch & { readonly sockets: WebSocketServer },
  use: (ws: WebSocket) => Promise<void>,
): Promise<void> {
  call.res.statusCode = 101
  take()
  return new Promise((resolve, reject) => {
    // The server itself refuses a client that does not ask as RFC 6455 wants it.
    call.signal.addEventListener('abort', () => resolve(), { once: true })
    sockets.handleUpgrade(call.req, socket, head, (ws) => {
      ws.on('error', (e) => call.deps.log.debug('socket failed', errorKeys(e)))
      use(ws).then(resolve, reject)
    })
  })
}

function protocolsOf({ req }: Call): ReadonlySet<string> {
  return new Set((req.headers['sec-websocket-protocol'] ?? '').split(',').map((word) => word.trim()))
}

function best<P extends ChannelProtocol>(asked: ReadonlySet<string>, offered: readonly P[]): P | undefined {
  return offered.find((protocol) => asked.has(protocol))
}

interface Placed {
  readonly pod: Pod
  readonly node: string
}

/** The pod and where it is. @throws StatusError */
async function placed(call: Call, target: ResourceTarget): Promise<Placed> {
  await settle(call)
  const pod = stored(call, target) as Pod
  const node = pod.spec?.nodeName
  if (!node) throw badRequest(`pod ${target.name} does not have a host assigned`)
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
    throw badRequest(`cannot exec in or attach to a container in a completed pod; current phase is ${pod.status.phase}`)
  }
  return { pod, node }
}

type ExecCall = Extract<NodeCall, { method: 'exec' }>
type AttachCall = Extract<NodeCall, { method: 'attach' }>

/** core/v1 PodExecOptions. @throws StatusError BadRequest */
export function execCall(pod: Pod, query: URLSearchParams): ExecCall {
  const command = query.getAll('command')
  if (command.length === 0) throw badRequest('you must specify at least one command for the container')
  return { method: 'exec', ...meant(pod, query), command, ...streamsOf(query) }
}

/** core/v1 PodAttachOptions. @throws StatusError BadRequest */
export function attachCall(pod: Pod, query: URLSearchParams): AttachCall {
  return { method: 'attach', ...meant(pod, query), ...streamsOf(query) }
}

function meant(pod: Pod, query: URLSearchParams): Pick<ExecCall, 'namespace' | 'pod' | 'container'> {
  const { name, namespace = '' } = pod.metadata
  return { namespace, pod: name, container: containerOf(pod, query.get('container')) }
}

/** Outputs are wanted unless the client says otherwise; a terminal has only one. @throws StatusError BadRequest */
export function streamsOf(query: URLSearchParams): Pick<ExecCall, 'stdin' | 'stdout' | 'stderr' | 'tty'> {
  const unless = (name: string): boolean => !query.has(name) || flag(query, name)
  const tty = flag(query, 'tty')
  const streams = { stdin: flag(query, 'stdin'), stdout: unless('stdout'), stderr: unless('stderr') && !tty, tty }
  if (streams.stdin || streams.stdout || streams.stderr) return streams
  throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
}
