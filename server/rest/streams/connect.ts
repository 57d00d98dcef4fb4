/** Requests that become connections: exec, attach, port-forward. Everything is checked before the connection is switched. */
import { createWebSocketStream } from 'ws'
import type { Pod } from '../../../api/objects.ts'
import { badRequest } from '../../../api/status.ts'
import type { Call } from '../call.ts'
import { settle, stored } from '../read.ts'
import { createSpdySession } from '../spdy/session.ts'
import type { ResourceTarget, Target } from '../target.ts'
import { channelProtocols, type ChannelProtocol } from './channels.ts'
import { converse, type StreamClient } from './client.ts'
import { attachCall, execCall, type AttachCall, type ExecCall } from './containers.ts'
import { forwardChannels, forwardProtocols, forwardStreams, portsOf } from './port-forward.ts'
import { createSocketClient } from './socket-client.ts'
import { openSpdyClient } from './spdy-client.ts'
import { createSwitcher, type Switched, type Switcher, type Wire } from './switch.ts'

type Connect = (call: Call, target: ConnectionTarget, wire: Wire) => Promise<void>
type ConnectionTarget = ResourceTarget & { readonly subresource: 'exec' | 'attach' | 'portforward' }

const connections: readonly string[] = ['exec', 'attach', 'portforward'] satisfies readonly ConnectionTarget['subresource'][]

export function isConnection(target: Target): target is ConnectionTarget {
  return target.kind === 'resource' && target.subresource !== undefined && connections.includes(target.subresource)
}

/** The answer to a request that should have asked for such a connection. */
export function upgradeRequired(): Promise<never> {
  return Promise.reject(badRequest('Upgrade request required: this is a connection, by WebSocket or SPDY/3.1'))
}

export function createConnect(): Connect {
  const switcher = createSwitcher()
  return async (call, target, wire) => {
    const place = await placed(call, target)
    return target.subresource === 'portforward' ? portForward(call, { place, switcher, wire }) : container(call, { place, switcher, wire, target })
  }
}

interface Asked {
  readonly place: Placed
  readonly switcher: Switcher
  readonly wire: Wire
}

async function container(call: Call, { place, switcher, wire, target }: Asked & { readonly target: ConnectionTarget }): Promise<void> {
  const asked = target.subresource === 'exec' ? execCall(place.pod, call.query) : attachCall(place.pod, call.query)
  const change = switcher.agree(call, { websocket: channelProtocols, spdy: [channelProtocols[1]] })
  const exchange = call.deps.sessions.open(place.node, asked, call.signal)
  await change(wire, async (switched) => {
    const client = await clientOf(call, asked, switched)
    await converse(call, { client, exchange, wanted: asked })
  })
}

function clientOf({ deps: { clock } }: Call, asked: ExecCall | AttachCall, switched: Switched): StreamClient | Promise<StreamClient> {
  if (switched.kind === 'websocket') return createSocketClient(switched.ws, switched.protocol as ChannelProtocol, clock)
  return openSpdyClient(createSpdySession(switched.wire, clock), asked, clock)
}

async function portForward(call: Call, { place, switcher, wire }: Asked): Promise<void> {
  const { tunnel, channels, spdy } = forwardProtocols
  const change = switcher.agree(call, { websocket: [tunnel, channels], spdy: [spdy] })
  const { name, namespace = '' } = place.pod.metadata
  const where = { node: place.node, namespace, pod: name }
  // Only the channels name their ports beforehand.
  const ports = call.query.has('ports') ? portsOf(call.query) : []
  await change(wire, async (switched) => {
    if (switched.kind === 'spdy') return forwardStreams(call, where, switched.wire)
    if (switched.protocol === channels) return forwardChannels(call, where, { ws: switched.ws, ports })
    return forwardStreams(call, where, createWebSocketStream(switched.ws))
  })
}

interface Placed {
  readonly pod: Pod
  readonly node: string
}

/** The pod and where it is. @throws StatusError */
async function placed(call: Call, target: ConnectionTarget): Promise<Placed> {
  await settle(call)
  const pod = stored(call, target) as Pod
  const node = pod.spec?.nodeName
  if (!node) throw badRequest(`pod ${target.name} does not have a host assigned`)
  const { phase } = pod.status ?? {}
  if (phase === 'Succeeded' || phase === 'Failed') {
    throw badRequest(`cannot ${target.subresource} to a completed pod; current phase is ${phase}`)
  }
  return { pod, node }
}
