/** pods/NAME/proxy and services/NAME/proxy: an HTTP request goes on to a pod, through the agent of its node, and the answer back. */
import { request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect as startTls } from 'node:tls'
import { StatusError } from '../../../api/status.ts'
import type { Call } from '../call.ts'
import type { Wire } from '../streams/switch.ts'
import type { ProxyTarget } from '../target.ts'
import { duplexOf } from './duplex.ts'
import { placeOf, type ProxyPlace } from './place.ts'

export interface Proxy {
  /** Carries a request and its answer. @throws StatusError */
  pass(call: Call, target: ProxyTarget): Promise<void>
  /** The same for one that asks for another protocol; if the pod agrees, bytes pass both ways from then on. */
  upgrade(call: Call, target: ProxyTarget, wire: Wire): Promise<void>
}

/** Of one connection only (RFC 9110, 7.6.1), and the client's right to use the hub, which is no concern of a pod. */
const ownHeaders: ReadonlySet<string> = new Set(
  'connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade authorization host'.split(' '),
)

export function createProxy(): Proxy {
  let turn = 0
  const begin = async (call: Call, target: ProxyTarget, more: OutgoingHttpHeaders = {}) => {
    await call.deps.store.fresh(call.signal)
    const place = placeOf(call.deps.store, target, turn++)
    const exchange = call.deps.sessions.open(place.node, { method: 'forward', ...placeWords(place), to: 'address' }, call.signal)
    return ask(call, target, { place, wire: duplexOf(exchange), more })
  }
  return {
    async pass(call, target) {
      if (target.rest === '') return redirect(call)
      const asked = await begin(call, target)
      // A body that breaks off is met as an answer that does not come.
      pipeline(call.req, asked).catch(() => {})
      await relay(call, target, await answerOf(asked))
    },
    async upgrade(call, target, wire) {
      const { upgrade } = call.req.headers
      const asked = await begin(call, target, { connection: 'Upgrade', upgrade })
      asked.end()
      const switched = await Promise.race([switchOf(asked), answerOf(asked)])
      if ('answer' in switched) await join(call, switched, wire)
      else await relay(call, target, switched)
    },
  }
}

const placeWords = ({ namespace, pod, port }: ProxyPlace) => ({ namespace, pod, port })

/** Relative links of what is served below need the slash at the end. */
function redirect({ req, res }: Call): void {
  const [path = '', query] = (req.url ?? '').split('?', 2)
  res.writeHead(301, { Location: `${path}/${query === undefined ? '' : `?${query}`}`, 'Content-Length': 0 })
  res.end()
}

interface Asked {
  readonly place: ProxyPlace
  readonly wire: Duplex
  readonly more: OutgoingHttpHeaders
}

function ask({ req, signal }: Call, target: ProxyTarget, { place, wire, more }: Asked) {
  const query = /\?.*$/s.exec(req.url ?? '')?.[0] ?? ''
  const kept = Object.entries(req.headers).filter(([name]) => !ownHeaders.has(name))
  const host = place.address.includes(':') ? `[${place.address}]` : place.address
  const forwarded = { 'x-forwarded-host': req.headers.host ?? '', 'x-forwarded-uri': req.url ?? '', 'x-forwarded-for': req.socket.remoteAddress ?? '' }
  // The certificate of a pod is nobody's that is known here.
  const secure = (): Duplex => startTls({ socket: wire, rejectUnauthorized: false, servername: '' })
  const asked = request({
    method: req.method,
    path: `${target.rest || '/'}${query}`,
    headers: { ...Object.fromEntries(kept), ...forwarded, host: `${host}:${place.port}`, connection: 'close', ...more },
    setHost: false,
    signal,
    createConnection: () => (target.scheme === 'https' ? secure() : wire),
  })
  asked.once('close', () => wire.destroy())
  return asked
}

type Answering = ReturnType<typeof ask>

function answerOf(asked: Answering): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asked.once('response', resolve)
    asked.on('error', (e) => reject(e instanceof StatusError ? e : new StatusError('ServiceUnavailable', `the pod gave no answer: ${e.message}`, undefined, { cause: e })))
  })
}

interface Switched {
  readonly answer: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

function switchOf(asked: Answering): Promise<Switched> {
  return new Promise((resolve) => asked.once('upgrade', (answer, socket, head) => resolve({ answer, socket, head })))
}

async function relay({ res, req }: Call, target: ProxyTarget, answer: IncomingMessage): Promise<void> {
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !ownHeaders.has(name)) res.setHeader(name, name === 'location' ? located(target, value as string) : value)
  }
  res.writeHead(answer.statusCode ?? 502)
  if (req.method === 'HEAD') return void res.end()
  // What breaks off is to look broken to the client as well.
  await pipeline(answer, res).catch(() => res.destroy())
}

/** A redirect to a path of the pod's own leads below the proxy again. */
function located({ prefix }: ProxyTarget, location: string): string {
  return location.startsWith('/') && !location.startsWith('//') ? `${prefix}${location}` : location
}

async function join(call: Call, { answer, socket, head }: Switched, { socket: client, head: early, take }: Wire): Promise<void> {
  call.res.statusCode = 101
  take()
  const lines = Array.from({ length: answer.rawHeaders.length / 2 }, (_, i) => `${answer.rawHeaders[2 * i]}: ${answer.rawHeaders[2 * i + 1]}`)
  client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
  client.write(head)
  socket.write(early)
  await Promise.all([pipeline(socket, client), pipeline(client, socket)]).catch(() => {
    client.destroy()
    socket.destroy()
  })
}
