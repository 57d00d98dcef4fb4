/**
 * The HTTP face of the hub: every request becomes a call on the registry, the store or a node, every failure a Status.
 * Authorization comes first; then the path, the method, the parameters and the body are looked at.
 */
import { ServerResponse } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { errorKeys } from '../../api/log.ts'
import { StatusError, badRequest } from '../../api/status.ts'
import { isWherryError } from '../../api/errors.ts'
import type { User } from '../auth/auth.ts'
import type { Kinds } from '../custom/kinds.ts'
import { audit } from './audit.ts'
import type { Call, RestDeps } from './call.ts'
import { createOpenApi } from './openapi/openapi.ts'
import { createRequestMetrics } from './metrics.ts'
import { beginCall, createInflight, inflightLimits, isStream } from './inflight.ts'
import { impersonated } from './impersonate.ts'
import { flag } from './query.ts'
import { sendFailure } from './reply.ts'
import { authorize } from './permit.ts'
import { route, wishOf } from './routes.ts'
import type { Shared } from './routes.ts'
import { createProxy } from './proxy/proxy.ts'
import { createConnect, isConnection } from './streams/connect.ts'
import { parseTarget } from './target.ts'
import type { Target } from './target.ts'
import { createEventTexts } from './watch/encode.ts'
import { socketSink } from './watch/sink.ts'
import { prepareWatch } from './watch/watch.ts'

export interface Rest {
  /** Answers a request; never throws. Listener for `request` of a node:http or node:https server. */
  handle(req: IncomingMessage, res: ServerResponse): void
  /**
   * Takes a WebSocket upgrade on an API path (a watch). Paths that are not its own it leaves alone and returns false.
   * What it refuses, it answers with a Status.
   */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): boolean
}

/** ws: a WebSocket of a watch is only listened to for its end. */
const incoming = { maxPayload: 1024, maxFragments: 16, maxBufferedChunks: 256, closeTimeout: 5_000 } as const

export function createRest(deps: RestDeps): Rest {
  const shared: Shared = { openapi: createOpenApi(deps.version, deps.kinds), texts: createEventTexts(), requests: createRequestMetrics(deps), proxy: createProxy() }
  const limits = { ...inflightLimits, ...deps.limits }
  const inflight = createInflight(limits)
  const sockets = new WebSocketServer({ ...incoming, noServer: true, clientTracking: false, perMessageDeflate: false })
  const connect = createConnect()
  // Every request ends with it, most of them answered: one is enough for all.
  const wentAway = new StatusError('Timeout', 'the client went away')

  const run = (req: IncomingMessage, res: ServerResponse, answer: Answer): void => {
    answerTo(req, res, answer).catch((e: unknown) => {
      deps.log.error('request failed', { method: req.method, url: req.url, ...errorKeys(e) })
      req.socket.destroy()
    })
  }
  const answerTo = async (req: IncomingMessage, res: ServerResponse, answer: Answer): Promise<void> => {
    const started = deps.clock.now()
    const opened = open(deps, { req, res, wentAway })
    const { gone } = opened
    let { call } = opened
    let end = (): void => undefined
    let ended = (): void => undefined
    const auditor = audit(call)
    const { notes } = auditor
    try {
      const { target, path } = locate(req, deps.kinds)
      const wish = wishOf(call, target, path)
      notes.wish = wish
      ended = shared.requests.begun(call, target, wish)
      end = beginCall(call, wish, { inflight, stallMs: limits.stallMs })
      call = actingAs(call, impersonated(call))
      notes.acting = call.user
      if (target.kind !== 'hubJoin') authorize(call, wish, (verdict) => void (notes.verdict = verdict))
      if (isStream(call, wish)) auditor.started()
      await answer(call, await newest(call, target))
    } catch (e) {
      const failure = fail(call, e)
      if (failure) notes.failure = failure
    }
    // What is answered is under way until the client has it.
    if (!res.writableFinished && !res.destroyed) await gone
    end()
    auditor.complete()
    const ms = deps.clock.now() - started
    ended()
    deps.log.debug('request', { method: req.method, url: req.url, user: call.user.name, code: res.statusCode, ms })
  }

  return {
    handle: (req, res) => run(req, res, (call, target) => route(call, target, shared)),
    upgrade(req, socket, head) {
      if (!/^\/apis?\//.test(req.url ?? '')) return false
      const res = new ServerResponse(req)
      res.assignSocket(socket as Parameters<typeof res.assignSocket>[0])
      res.shouldKeepAlive = false
      res.on('finish', () => socket.end())
      socket.on('error', (e) => deps.log.debug('socket failed', errorKeys(e)))
      run(req, res, async (call, target) => {
        const take = (): void => {
          res.statusCode = 101
          res.detachSocket(socket as Parameters<typeof res.detachSocket>[0])
        }
        if (target.kind === 'proxy') return shared.proxy.upgrade(call, target, { socket, head, take })
        if (isConnection(target)) return connect(call, target, { socket, head, take })
        if (target.kind !== 'resource' || target.subresource || !flag(call.query, 'watch')) {
          throw badRequest('a WebSocket here must be a watch: GET on a collection with ?watch=1')
        }
        const follow = await prepareWatch(call, target, shared.texts)
        if (call.signal.aborted) return
        take()
        sockets.handleUpgrade(req, socket, head, (ws) => {
          ws.on('error', (e) => deps.log.debug('socket failed', errorKeys(e)))
          follow(socketSink(ws)).catch((e: unknown) => {
            deps.log.error('watch failed', errorKeys(e))
            ws.terminate()
          })
        })
      })
      return true
    },
  }
}

type Answer = (call: Call, target: Target) => Promise<void>

interface Arrival {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Why whatever is done for the request stops when its connection is done with it. */
  readonly wentAway: StatusError
}

/** The request with what it needs on its way. `gone` resolves when the connection is done with it. */
function open(deps: RestDeps, { req, res, wentAway }: Arrival): { call: Call; gone: Promise<void> } {
  const { promise: gone, resolve } = Promise.withResolvers<void>()
  const life = new AbortController()
  const end = (): void => {
    life.abort(wentAway)
    resolve()
  }
  res.once('close', end)
  req.socket.once('close', end)
  void gone.then(() => req.socket.off('close', end))
  const query = new URLSearchParams(/\?(.*)$/s.exec(req.url ?? '')?.[1])
  return { call: { deps, req, res, query, user: deps.authenticate(req), signal: life.signal }, gone }
}

/** @throws StatusError BadRequest where the path cannot be decoded */
function locate(req: IncomingMessage, kinds: Kinds): { target: Target; path: string } {
  const path = (req.url ?? '/').split('?', 1)[0]!
  try {
    return { target: parseTarget(path, kinds), path }
  } catch (e) {
    throw new StatusError('BadRequest', 'the path is not percent-encoded correctly', undefined, { cause: e })
  }
}

/** A kind that this hub does not know may have been defined at another one, before this request. @throws StatusError as `authorize` */
async function newest(call: Call, target: Target): Promise<Target> {
  const { deps, req, signal } = call
  if (target.kind !== 'unknown' || !target.group?.includes('.')) return target
  await deps.store.fresh(signal)
  const found = locate(req, deps.kinds)
  if (found.target.kind !== 'unknown') authorize(call, wishOf(call, found.target, found.path))
  return found.target
}

/** The request as one of this user: its writes pass the checks of what the user may write. */
function actingAs(call: Call, user: User): Call {
  const { guard } = call.deps
  if (!guard && user === call.user) return call
  return { ...call, user, deps: guard ? { ...call.deps, registry: guard(user) } : call.deps }
}

/** @returns what the client is told, unless it has gone */
function fail(call: Call, e: unknown): StatusError | undefined {
  const { deps, req, res, user } = call
  if (call.signal.aborted) return undefined
  let failure: StatusError
  if (e instanceof StatusError) {
    failure = e
  } else if (isWherryError(e, 'STORE_LOST') || isWherryError(e, 'STORE_CLOSED')) {
    failure = new StatusError('ServiceUnavailable', `the store is not reached: ${e.message}`, { retryAfterSeconds: 1 })
  } else {
    deps.log.error('request failed', { method: req.method, url: req.url, user: user.name, ...errorKeys(e) })
    failure = new StatusError('InternalError', 'Internal error occurred: the hub has logged it')
  }
  // Too late for a Status: the client is to see that the answer is not whole.
  if (res.headersSent) {
    res.destroy()
    return failure
  }
  res.removeHeader('Content-Length')
  // What is left of the body is not worth reading, but the connection must not be used with it inside.
  if (!req.complete) res.setHeader('Connection', 'close')
  sendFailure(call, failure)
  return failure
}
