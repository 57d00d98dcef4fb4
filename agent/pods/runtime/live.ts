/**
 * What a container says, as it says it, for whoever attaches, and what is said to it: its logger listens on a Unix socket, to
 * which the agent connects (`attach.ts`).
 *
 * Invariants: who only listens and is slow is cut off, the container is not held up; who also speaks is waited for, as a
 * terminal is. Of each speaker one chunk waits at most.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { createChunkReader, writeChunk, type Chunk } from './chunks.ts'
import type { LogStream } from './log-format.ts'
import type { Stdin } from './stdin.ts'

export interface Live {
  /** @returns what to wait for before more is read, if somebody has to be waited for */
  write(stream: LogStream, bytes: Uint8Array): Promise<void> | undefined
  /** Nothing comes any more; who listens gets the rest. */
  close(): void
}

export interface LiveInput {
  readonly stdin: Stdin
  /** Whether stdin ends with the first who speaks. */
  readonly once: boolean
}

/** Who only listens, and lets so many bytes wait, is cut off. */
const slowBytes = 1 << 20

/** Short, because a socket's path has 107 bytes at most (unix(7)). */
export function livePath(stateDir: string, id: string): string {
  return join(stateDir, 'live', createHash('sha256').update(id).digest('hex').slice(0, 16))
}

/** Never fails: a container that nobody can attach to still has its log. */
export function createLive(path: string, input?: LiveInput): Live {
  const sessions = new Set<Session>()
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  rmSync(path, { force: true })
  const server = createServer((socket) => {
    const session = createSession(socket, input)
    sessions.add(session)
    socket.on('error', () => {}).on('close', () => {
      sessions.delete(session)
      session.left()
    })
  })
  server.on('error', () => {})
  server.listen(path)
  return {
    write(stream, bytes) {
      if (sessions.size === 0) return undefined
      const chunk = writeChunk(stream === 'stdout' ? 'out' : 'err', bytes)
      const full = [...sessions].flatMap((session) => session.tell(chunk) ?? [])
      return full.length === 0 ? undefined : Promise.all(full).then(() => {})
    },
    close() {
      server.close()
      for (const { socket } of sessions) socket.end()
      rmSync(path, { force: true })
    },
  }
}

interface Session {
  readonly socket: Socket
  /** @returns when it can be told more, if it has to be waited for */
  tell(chunk: Uint8Array): Promise<void> | undefined
  /** The socket is closed. */
  left(): void
}

function createSession(socket: Socket, input: LiveInput | undefined): Session {
  const reader = createChunkReader()
  const gone = new AbortController()
  let speaks = false
  let full: Promise<void> | undefined

  const hushed = (): void => {
    if (speaks && input?.once) input.stdin.close()
  }
  const take = ({ kind, bytes }: Chunk): void => {
    if (kind === 'inputEnd') return hushed()
    if (kind !== 'input') return
    speaks = true
    void (input?.stdin.write(bytes, gone.signal) ?? Promise.resolve()).then(() => {
      if (!gone.signal.aborted) socket.write(writeChunk('taken'))
    })
  }
  socket.on('data', (part: Buffer) => {
    try {
      for (const chunk of reader(part)) take(chunk)
    } catch {
      socket.destroy()
    }
  })

  return {
    socket,
    tell(chunk) {
      socket.write(chunk)
      if (speaks && socket.writableNeedDrain) full ??= drained(socket).finally(() => (full = undefined))
      if (speaks) return full
      if (socket.writableLength > slowBytes) socket.destroy()
      return undefined
    },
    left() {
      gone.abort()
      hushed()
    },
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.on('drain', done).on('close', done)
  })
}
