/**
 * A hub and agents' links with a real store between them and real sockets on loopback. Between a link and the hub stands a
 * ferry that forwards bytes, and on demand stalls, sinks in the middle of a frame, or takes nobody aboard.
 */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import net from 'node:net'
import { systemClock, type Clock } from '../../api/clock.ts'
import { agentResources, type HubFrame, type StreamFrame } from '../../api/frames.ts'
import { keyOf, type KubeObject } from '../../api/objects.ts'
import { createLink, type CallHandlers, type Link, type LinkDeps } from '../../agent/link/link.ts'
import { createTables, type Tables } from '../../agent/state/tables.ts'
import { createTrim } from '../../agent/state/trim.ts'
import { groups } from '../../server/auth/auth.ts'
import { createHub, type Hub, type HubDeps } from '../../server/hub/hub.ts'
import { wanted } from '../../server/hub/interest.ts'
import { project } from '../../server/hub/project.ts'
import { createUpgrade } from '../../server/hub/upgrade.ts'
import { noCalls } from '../kit/calls.ts'
import { openInside, type Inside } from '../kit/registry.ts'
import { createLines, type Lines } from './link-lines.ts'

/** Real time, twenty times as fast: what waits for a retry need not wait long. Nothing here depends on how fast. */
export const fastClock: Clock = { now: () => Date.now(), after: (ms, call) => systemClock.after(ms / 20, call) }

export interface Stage {
  readonly inside: Inside
  readonly hub: Hub
  readonly url: string
  readonly lines: Lines
  ferry(): Promise<Ferry>
  readonly agent: (node: string, options?: AgentOptions) => Agent
  close(): Promise<void>
}

export interface AgentOptions extends Partial<LinkDeps> {
  readonly handlers?: CallHandlers
}

export interface Agent {
  readonly link: Link
  readonly tables: Tables
  /** Everything that was handed on, in order. */
  readonly frames: readonly StreamFrame[]
  readonly lines: Lines
  /** Resolves when the agent holds this revision, or a later one, in full. */
  reached(revision: number): Promise<void>
  stop(): Promise<void>
}

/** Beats so slow that no test meets one by chance. */
const quiet = { pingMs: 10_000_000 }

export async function openStage(options: Partial<HubDeps> = {}): Promise<Stage> {
  const inside = await openInside()
  const lines = createLines()
  const { store, registry } = inside
  const bounds = { ...quiet, ...options.bounds }
  const hub = createHub({ store, registry, log: lines.log, clock: fastClock, version: '0.1.0', ...options, bounds })
  const upgrade = createUpgrade({
    // In place of a certificate: the name before the host in the agent's URL.
    authenticate(req) {
      const [name] = Buffer.from(req.headers.authorization?.split(' ')[1] ?? '', 'base64').toString().split(':')
      return { name: `system:node:${name}`, groups: [groups.nodes] }
    },
    accept: (socket, node, line) => hub.accept(socket, node, line),
  })
  const server = http.createServer((_req, res) => res.writeHead(404).end())
  server.on('upgrade', (req, socket, head) => upgrade(req, socket, head) || socket.destroy())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const agents: Agent[] = []
  const ferries: Ferry[] = []
  return {
    inside,
    hub,
    url,
    lines,
    async ferry() {
      const ferry = await openFerry(port)
      ferries.push(ferry)
      return ferry
    },
    agent(node, more = {}) {
      const agent = startAgent(node, { ...more, urls: (more.urls ?? [url]).map((u) => as(node, u)) })
      agents.push(agent)
      return agent
    },
    async close() {
      await Promise.all(agents.map((agent) => agent.stop()))
      await hub.close()
      for (const ferry of ferries) ferry.close()
      server.closeAllConnections()
      server.close()
      await inside.close()
    },
  }
}

/** A URL that says who comes. */
export function as(node: string, url: string): string {
  return url.replace('://', `://${node}:@`)
}

/** A link with tables behind it, as an agent has them. */
export function startAgent(node: string, options: AgentOptions & Pick<LinkDeps, 'urls'>): Agent {
  const tables = createTables()
  const frames: StreamFrame[] = []
  const lines = createLines()
  const waiting = new Set<() => void>()
  const link = createLink({
    node,
    version: '0.1.0',
    clock: fastClock,
    random: Math.random,
    log: lines.log,
    lastRevision: () => tables.revision(),
    handlers: noCalls,
    ...options,
    onFrame(frame) {
      frames.push(frame)
      tables.take(frame)
      options.onFrame?.(frame)
      for (const look of waiting) look()
    },
    bounds: { ...quiet, ...options.bounds },
  })
  const stopping = new AbortController()
  const running = link.run(stopping.signal)
  return {
    link,
    tables,
    frames,
    lines,
    reached(revision) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = (): void => {
        if ((tables.revision() ?? -1) < revision) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
      return promise
    },
    stop() {
      stopping.abort()
      return running
    },
  }
}

/** What a node's agent should hold, as key -> object, from the store itself. */
export function rightState(inside: Inside, node: string): ReadonlyMap<string, KubeObject> {
  // Tables keep what nodes read.
  const trim = createTrim()
  return new Map(
    agentResources.flatMap((resource) =>
      inside.store
        .list(resource)
        .filter((object) => wanted(node, { type: 'ADDED', resource, object }) === 'set')
        .map((object) => [`${resource} ${keyOf(object)}`, trim(resource, project(resource, object))] as const),
    ),
  )
}

export function heldState(tables: Tables): ReadonlyMap<string, unknown> {
  return new Map(agentResources.flatMap((resource) => [...tables.all(resource)].map(([key, object]) => [`${resource} ${key}`, object] as const)))
}

export const changesOf = (frames: readonly HubFrame[]) => frames.filter((f) => f.kind === 'set' || f.kind === 'endpoints' || f.kind === 'delete')

export interface Ferry {
  readonly url: string
  /** The passages that are under way. */
  readonly passages: number
  /** Sinks all passages. */
  sink(): void
  /** Each later passage sinks after so many bytes from the hub; undefined for none. */
  sinkAfter(bytes: (() => number) | undefined): void
  /** Takes nothing more from the hub, on the passages that are under way. */
  stall(): void
  /** Whether later passages are possible. */
  open(open: boolean): void
  close(): void
}

async function openFerry(port: number): Promise<Ferry> {
  const passages = new Set<{ readonly agent: net.Socket; readonly hub: net.Socket }>()
  let limit: (() => number) | undefined
  let takes = true
  const server = net.createServer((agent) => {
    if (!takes) return void agent.destroy()
    const hub = net.connect(port, '127.0.0.1')
    const passage = { agent, hub }
    let left = limit?.() ?? Infinity
    passages.add(passage)
    const end = (): void => {
      passages.delete(passage)
      agent.destroy()
      hub.destroy()
    }
    for (const socket of [agent, hub]) socket.on('error', end).on('close', end)
    agent.pipe(hub)
    hub.on('data', (bytes: Buffer) => {
      const part = bytes.subarray(0, left)
      left -= part.length
      agent.write(part, () => {
        if (left === 0) end()
      })
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const sink = (): void => {
    for (const { agent, hub } of passages) {
      agent.destroy()
      hub.destroy()
    }
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get passages() {
      return passages.size
    },
    sink,
    sinkAfter: (bytes) => void (limit = bytes),
    stall() {
      for (const { hub } of passages) hub.pause()
    },
    open: (open) => void (takes = open),
    close() {
      sink()
      server.close()
    },
  }
}
