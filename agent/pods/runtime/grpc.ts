/** Questions to containerd over gRPC on its socket: what `ctr` cannot do for us. One HTTP/2 connection, made when it is needed. */
import { connect as dial } from 'node:net'
import { connect, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { RuntimeError } from './error.ts'

export interface Grpc {
  /**
   * Asks once. @param path `/package.Service/Method`; @param body and what it resolves to are protobuf messages
   * @throws GrpcError as containerd says; the signal's reason
   */
  ask(path: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array>
}

/** The codes of gRPC that somebody here looks at. */
export const grpcCodes = { notFound: 5, alreadyExists: 6, unavailable: 14 } as const

export class GrpcError extends RuntimeError {
  readonly grpcCode: number

  constructor(grpcCode: number, message: string, options?: ErrorOptions) {
    super(grpcCode === grpcCodes.notFound ? 'CONTAINER_UNKNOWN' : 'CONTAINER_EXEC', message, options)
    this.grpcCode = grpcCode
  }
}

/** An answer is a few hundred bytes, or a container's spec. */
const maxAnswer = 16 << 20
/** A frame of gRPC: not compressed, and its length. */
const headBytes = 5

/** @param address of containerd's socket; @param namespace containerd's own kind of namespace */
export function createGrpc(address: string, namespace: string): Grpc {
  let session: ClientHttp2Session | undefined

  const open = (): ClientHttp2Session => {
    if (session && !session.destroyed && !session.closed) return session
    const fresh = connect('http://containerd', { createConnection: () => dial(address) })
    // Each request is told of it; without a listener it would end the agent.
    fresh.on('error', () => {})
    // An idle connection keeps nobody awake.
    fresh.unref()
    return (session = fresh)
  }

  return {
    ask(path, body, signal) {
      signal.throwIfAborted()
      const stream = open().request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        'containerd-namespace': namespace,
        te: 'trailers',
      })
      const head = Buffer.alloc(headBytes)
      head.writeUInt32BE(body.length, 1)
      stream.end(Buffer.concat([head, body]))
      return answerOf(stream, { path, address, signal })
    },
  }
}

interface Question {
  readonly path: string
  readonly address: string
  readonly signal: AbortSignal
}

function answerOf(stream: ClientHttp2Stream, { path, address, signal }: Question): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const parts: Buffer[] = []
  let bytes = 0
  let status: string | undefined
  let message = ''
  const look = (headers: IncomingHttpHeaders): void => {
    const { 'grpc-status': code, 'grpc-message': words } = headers
    if (code === undefined) return
    status = String(code)
    message = decoded(String(words ?? ''))
  }
  const abort = (): void => stream.close()
  signal.addEventListener('abort', abort, { once: true })
  stream.on('response', look)
  stream.on('trailers', look)
  stream.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes > maxAnswer) stream.destroy()
    else parts.push(part)
  })
  stream.on('error', (e) => reject(new GrpcError(grpcCodes.unavailable, `containerd at ${address}: ${e.message}`, { cause: e })))
  stream.on('close', () => {
    signal.removeEventListener('abort', abort)
    if (status === '0') return resolve(new Uint8Array(Buffer.concat(parts).subarray(headBytes)))
    if (signal.aborted) return reject(signal.reason as Error)
    if (status === undefined) return reject(new GrpcError(grpcCodes.unavailable, `containerd at ${address} did not answer ${path}`))
    reject(new GrpcError(Number(status), message))
  })
  return promise
}

/** gRPC percent-encodes what is not ASCII. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
