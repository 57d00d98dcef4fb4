/**
 * What a container says, as it says it, for whoever attaches: its logger listens on a Unix socket (`createLive`), and the agent
 * connects to it (`follow`). A chunk is one byte for the output (1 or 2), four for its length, and its bytes.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import type { LogStream } from './log-format.ts'
import { RuntimeError } from './error.ts'

export interface Live {
  write(stream: LogStream, bytes: Uint8Array): void
  /** Nothing comes any more; who listens gets the rest. */
  close(): void
}

const outputs: readonly LogStream[] = ['stdout', 'stderr']
const headBytes = 5
/** Who lets so many bytes wait is cut off: the container is not held up. */
const slowBytes = 1 << 20
/** More than the logger reads at a time; a longer chunk is none of ours. */
const maxChunk = 1 << 20

/** Short, because a socket's path has 107 bytes at most (unix(7)). */
export function livePath(stateDir: string, id: string): string {
  return join(stateDir, 'live', createHash('sha256').update(id).digest('hex').slice(0, 16))
}

/** Never fails: a container that nobody can attach to still has its log. */
export function createLive(path: string): Live {
  const listeners = new Set<Socket>()
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  rmSync(path, { force: true })
  const server = createServer((socket) => {
    listeners.add(socket)
    socket.on('error', () => {}).on('close', () => listeners.delete(socket))
    socket.resume()
  })
  server.on('error', () => {})
  server.listen(path)
  return {
    write(stream, bytes) {
      if (listeners.size === 0) return
      const head = Buffer.alloc(headBytes)
      head.writeUInt8(outputs.indexOf(stream) + 1)
      head.writeUInt32BE(bytes.length, 1)
      const chunk = Buffer.concat([head, bytes])
      for (const socket of listeners) {
        socket.write(chunk)
        if (socket.writableLength > slowBytes) socket.destroy()
      }
    },
    close() {
      server.close()
      for (const socket of listeners) socket.end()
      rmSync(path, { force: true })
    },
  }
}

export interface LiveChunk {
  readonly kind: 'out' | 'err'
  readonly bytes: Uint8Array
}

/**
 * What comes from now on, until the container has ended.
 * @throws RuntimeError CONTAINER_UNKNOWN where nobody listens there; the signal's reason
 */
export async function* follow(path: string, signal: AbortSignal): AsyncGenerator<LiveChunk> {
  signal.throwIfAborted()
  const socket = connect(path)
  const abort = (): void => void socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  let rest = Buffer.alloc(0)
  try {
    for await (const part of socket as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, part])
      while (rest.length >= headBytes) {
        const length = rest.readUInt32BE(1)
        if (length > maxChunk) throw new RuntimeError('CONTAINER_UNKNOWN', `${path} is no socket of a container's logger`)
        if (rest.length < headBytes + length) break
        yield { kind: rest[0] === 1 ? 'out' : 'err', bytes: rest.subarray(headBytes, headBytes + length) }
        rest = rest.subarray(headBytes + length)
      }
    }
  } catch (e) {
    signal.throwIfAborted()
    const { code } = e as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw e
    throw new RuntimeError('CONTAINER_UNKNOWN', 'the container cannot be attached to: it has ended, or its outputs are not followed', { cause: e })
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}
