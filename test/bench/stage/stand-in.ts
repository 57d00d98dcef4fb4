/**
 * A local stand-in for the hub: the same frames over the same kind of connection (WebSocket on TLS), made ready without a
 * store, so that it has more to send than an agent can take. It takes one agent.
 */
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { decodeAgentFrame, encode } from '../../../api/codec.ts'
import { protocolVersion, type AgentResource, type HubFrame } from '../../../api/frames.ts'
import type { KubeObject } from '../../../api/objects.ts'
import { ownNode, podsOf, serviceOf, sliceOf, type Pod } from './cluster.ts'

export interface StandIn {
  readonly url: string
  /** Sends the endpoints of these services, and a `sync`. @returns its revision */
  change(changes: readonly { readonly service: number; readonly pods: readonly Pod[] }[]): number
  /** Has this called, and nothing else, whenever the agent says which revision the kernel has. */
  onApplied(listen: (revision: number) => void): void
  close(): Promise<void>
}

export interface StandInOptions {
  readonly services: number
  readonly key: string
  readonly cert: string
}

export async function openStandIn({ services, key, cert }: StandInOptions): Promise<StandIn> {
  const server = createServer({ key, cert })
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  let revision = 0
  let listener = (_revision: number): void => {}
  let socket: WebSocket | undefined
  const send = (frame: HubFrame): void => socket?.send(encode(frame))
  const set = (resource: AgentResource, object: object): void => {
    revision++
    send({ kind: 'set', resource, revision, object: stored(object, revision) })
  }
  const sync = (): number => {
    send({ kind: 'sync', revision })
    return revision
  }
  const greet = (): void => {
    send({ kind: 'welcome', version: protocolVersion, history: 'bench', node: ownNode, revision, resumed: false, time: Date.now() })
    send({ kind: 'reset' })
    for (let i = 0; i < services; i++) {
      set('services', serviceOf(i))
      set('endpointslices.discovery.k8s.io', sliceOf(i, podsOf(i)))
    }
    sync()
  }
  sockets.on('connection', (opened) => {
    socket = opened
    opened.on('message', (data: Buffer) => {
      const frame = decodeAgentFrame(data)
      if (frame.kind === 'hello') greet()
      if (frame.kind === 'ack') listener(frame.applied)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    change(changes) {
      for (const { service, pods } of changes) set('endpointslices.discovery.k8s.io', sliceOf(service, pods))
      return sync()
    },
    onApplied(listen) {
      listener = listen
    },
    async close() {
      for (const client of sockets.clients) client.terminate()
      sockets.close()
      await new Promise((done) => server.close(done))
    },
  }
}

/** What a store adds. */
function stored(object: object, revision: number): KubeObject {
  const { metadata, ...rest } = object as KubeObject
  const { name } = metadata
  const own = { uid: `00000000-0000-4000-8000-${name.padStart(12, '0').slice(-12)}`, creationTimestamp: '2026-01-01T00:00:00Z' }
  return { ...rest, metadata: { ...metadata, namespace: 'default', ...own, resourceVersion: String(revision) } }
}
