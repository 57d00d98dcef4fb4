/**
 * The stage of the bench: a network namespace with a real hub, a real agent that serves virtual IPs, and a responder that
 * answers on every pod address. What connects to anything on it does so in `inside`.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { joinNode, publicKeyHash } from '../../../cli/join.ts'
import { createApi, type Api } from '../../kit/api.ts'
import { inNamespace } from '../../kit/netns.ts'
import { ask } from './ask.ts'
import { ownNode, podsOf, populate, vipOf, type Pod } from './cluster.ts'
import { createCrew, hubUrl, type Crew } from './crew.ts'
import type { Member } from './member.ts'
import { openNamespace } from './namespace.ts'
import { openPods, type Pods } from './pods.ts'

export interface Stage extends Pick<Crew, 'startHub' | 'startAgent' | 'run'> {
  readonly hub: Member
  readonly agent: Member
  readonly api: Api
  /** How many services there are. */
  readonly services: number
  /** Makes more of them. */
  grow(services: number, pods?: (i: number) => readonly Pod[]): Promise<void>
  /** An agent of the real hub that serves: the one that runs, or another. */
  serving(): Promise<Member>
  /** Ends the agent and takes its rules away. */
  clear(): Promise<void>
  /** Two pods in place of the node that has every pod address, for a while. */
  pods(): Promise<Pods>
  /** The folder of the hub's certificates. */
  readonly pki: string
  /** The PEM text of a file that the hub made. */
  pem(name: string): string
  /** Asks again and again. @throws Error naming `what` when that takes too long, and when the stage closes */
  until(what: string, done: () => boolean | Promise<boolean>, options?: UntilOptions): Promise<void>
  /** Lets time pass. Rejects when the stage closes. */
  rest(ms: number): Promise<void>
  /** Aborts when the stage closes. */
  readonly signal: AbortSignal
  /** Runs a function with this process inside the namespace. Calls may be nested, also of several stages, but not overlap. */
  inside<T>(run: () => Promise<T>): Promise<T>
  /** Ends everything, at once and whatever goes on. May be called again. */
  close(): Promise<void>
}

export interface UntilOptions {
  /** A minute unless told. */
  readonly withinMs?: number
  /** How long to rest between two questions; 10 unless told. */
  readonly everyMs?: number
}

export async function openStage(): Promise<Stage> {
  const namespace = openNamespace()
  const crew = createCrew(namespace)
  const stop = new AbortController()
  const { signal } = stop
  const pki = join(namespace.dir, 'hub', 'pki')
  const pem = (name: string): string => readFileSync(join(pki, name), 'utf8')
  const inside = <T>(run: () => Promise<T>): Promise<T> => inNamespace(namespace, run)
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    stop.abort(new Error('the stage was closed'))
    return (closed ??= crew.kill().finally(() => namespace.remove()))
  }
  try {
    await Promise.all([crew.startHub(), crew.answerIn(namespace)])
    const token = readFileSync(join(namespace.dir, 'hub', 'join-token'), 'utf8').trim()
    const dir = join(namespace.dir, ownNode)
    await inside(() => joinNode({ url: hubUrl, token, caHash: publicKeyHash(pem('ca.crt')), node: ownNode, dir, signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) }))
  } catch (e) {
    await close()
    throw e
  }
  const api = createApi({ url: hubUrl, tls: { ca: pem('ca.crt'), cert: pem('admin.crt'), key: pem('admin.key') } })
  signal.addEventListener('abort', () => api.close())
  const pods = (): Promise<Pods> => openPods(namespace, (annex) => crew.answerIn(annex))
  return faceOf(crew, { api, pods, pki, pem, signal, inside, close })
}

function faceOf(crew: Crew, own: Pick<Stage, 'api' | 'pods' | 'pki' | 'pem' | 'signal' | 'inside' | 'close'>): Stage {
  const { api, signal } = own
  let services = 0
  const rest = (ms: number): Promise<void> => sleep(ms, undefined, { signal })
  const until: Stage['until'] = async (what, done, { withinMs = 60_000, everyMs = 10 } = {}) => {
    const limit = performance.now() + withinMs
    while (!(await done())) {
      signal.throwIfAborted()
      if (performance.now() > limit) throw new Error(`waited ${withinMs} ms in vain for ${what}`)
      if (everyMs > 0) await rest(everyMs)
    }
  }
  return {
    ...own,
    get hub() {
      return crew.hub
    },
    get agent() {
      return crew.agent
    },
    startHub: () => crew.startHub(),
    startAgent: (options) => crew.startAgent(options),
    run: (file, ...args) => crew.run(file, ...args),
    get services() {
      return services
    },
    async grow(to, pods = podsOf) {
      await populate(api, { from: services, to, pods, signal })
      services = Math.max(services, to)
    },
    async serving() {
      const agent = crew.serves ? crew.agent : crew.startAgent()
      await agent.said(['rules applied', 'the kernel already holds the rules'])
      const host = vipOf(services - 1)
      await until('the last service to answer', async () => (await ask({ host })).startsWith('10.244.'))
      return agent
    },
    async clear() {
      await crew.dismissAgent()
      await own.inside(async () => void execFileSync('nft', ['flush ruleset']))
    },
    until,
    rest,
  }
}
