/**
 * HTTP and TLS with as little between the bench and the hub as there can be: what a client spends is not the hub's, and on a
 * machine of few cores it is taken from it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import tls from 'node:tls'

/** PEM texts. */
export interface Credentials {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Those of the administrator of a hub whose `pki` folder this is. */
export function adminIn(pki: string): Credentials {
  const pem = (name: string): string => readFileSync(join(pki, name), 'utf8')
  return { ca: pem('ca.crt'), cert: pem('admin.crt'), key: pem('admin.key') }
}

/** Resolves when the hub and we know each other. */
export function dial(url: string, credentials: Credentials): Promise<tls.TLSSocket> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: hostname, port: Number(port), ...credentials })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.off('error', reject)
      socket.setNoDelay(true)
      resolve(socket)
    })
  })
}

/** One connection that is kept, and one request on it at a time. */
export interface Wire {
  /** @returns the body. Rejects where the answer is not 2xx, and when the connection ends */
  send(method: string, path: string, object?: object): Promise<Buffer>
}

interface Waiting {
  resolve(body: Buffer): void
  reject(e: Error): void
}

export async function openWire(url: string, credentials: Credentials): Promise<Wire> {
  const socket = await dial(url, credentials)
  let parts: Buffer[] = []
  let missing = 0
  let waiting: Waiting | undefined
  const fail = (e: Error): void => {
    waiting?.reject(e)
    waiting = undefined
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the hub ended the connection')))
  socket.on('data', (some: Buffer) => {
    parts.push(some)
    missing -= some.length
    if (missing > 0) return
    const answer = answerIn(parts.length === 1 ? parts[0]! : Buffer.concat(parts))
    if (answer.kind === 'partial') {
      missing = answer.missing
      return
    }
    parts = []
    missing = 0
    const { code, body } = answer
    if (code >= 200 && code < 300) waiting?.resolve(body)
    else waiting?.reject(new Error(`${code}: ${body.toString().slice(0, 500)}`))
  })
  return {
    send: (method, path, object) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        const text = object === undefined ? '' : JSON.stringify(object)
        const head = `${method} ${path} HTTP/1.1\r\nHost: hub\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`
        socket.write(head + text)
      }),
  }
}

type Answer = { readonly kind: 'partial'; readonly missing: number } | { readonly kind: 'whole'; readonly code: number; readonly body: Buffer }

/** The hub says of each answer how long it is. */
function answerIn(bytes: Buffer): Answer {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return { kind: 'partial', missing: 1 }
  const head = bytes.toString('latin1', 0, end)
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
  const body = bytes.subarray(end + 4)
  if (body.length < length) return { kind: 'partial', missing: length - body.length }
  return { kind: 'whole', code: Number(head.slice(9, 12)), body }
}
