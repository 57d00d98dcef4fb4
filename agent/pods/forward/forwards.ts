/**
 * Connections to ports inside of pods. A process cannot be in two network namespaces at once, so a small one is started in a
 * pod's (`forwarder.ts`) when it is needed; it serves all connections to that pod, and ends by itself.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { errorKeys, type Log } from '../../../api/log.ts'
import type { Exec } from '../../kernel/exec.ts'
import { PodError } from '../error.ts'
import { connectTo } from './dial.ts'

export interface Forwards {
  /** @throws PodError CONNECT_FAILED; the signal's reason */
  connect(to: ForwardTarget, signal: AbortSignal): Promise<Socket>
  /** Ends the helpers. */
  close(): Promise<void>
}

export interface ForwardTarget {
  /** Path of the pod's network namespace; undefined for the one that the agent is in. */
  readonly netns?: string
  /** An address, or `loopback`. */
  readonly host: string
  readonly port: number
}

export interface ForwardsDeps {
  readonly exec: Exec
  readonly log: Log
  /** What runs the helper: a program, whose first argument is a script. */
  readonly node: string
  /** Of our own; short, because a socket's path has 107 bytes at most (unix(7)). */
  readonly dir: string
}

interface Helper {
  readonly path: string
  readonly ready: Promise<void>
  readonly ended: Promise<void>
}

export function createForwards({ exec, log, node, dir }: ForwardsDeps): Forwards {
  const helpers = new Map<string, Helper>()
  const closing = new AbortController()

  const start = (netns: string): Helper => {
    const path = join(dir, createHash('sha256').update(netns).digest('hex').slice(0, 16))
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    rmSync(path, { force: true })
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
    const args = [`--net=${netns}`, '--', node, join(import.meta.dirname, 'forwarder.ts'), path]
    const end = (): void => {
      if (helpers.get(netns) === helper) helpers.delete(netns)
      reject(new PodError('CONNECT_FAILED', 'the helper in the network of the pod could not be started'))
    }
    const ended = exec
      .stream({ command: 'nsenter', args }, () => resolve(), closing.signal)
      .catch((e: unknown) => void (closing.signal.aborted || log.warn('a helper in the network of a pod failed', { netns, ...errorKeys(e) })))
      .then(end)
    ready.catch(() => {})
    const helper = { path, ready, ended }
    return helper
  }

  const through = async (netns: string, line: string): Promise<Socket> => {
    let helper = helpers.get(netns)
    if (!helper) helpers.set(netns, (helper = start(netns)))
    await helper.ready
    return ask(helper.path, line)
  }

  return {
    async connect({ netns, host, port }, signal) {
      signal.throwIfAborted()
      const failed = (e: unknown): PodError => new PodError('CONNECT_FAILED', `port ${port} of the pod: ${wordsOf(e)}`, { cause: e })
      const wanted = async (): Promise<Socket> => {
        if (netns === undefined) return connectTo(host, port)
        const line = `${host} ${port}\n`
        // A helper may end for want of work just when there is some again.
        return through(netns, line).catch((e: unknown) => (isGone(e) ? again(netns, line) : Promise.reject(e as Error)))
      }
      const again = async (where: string, line: string): Promise<Socket> => {
        await helpers.get(where)?.ended
        return through(where, line)
      }
      const socket = await wanted().catch((e: unknown) => Promise.reject(failed(e)))
      if (!signal.aborted) return socket
      socket.destroy()
      throw signal.reason
    },
    async close() {
      closing.abort(new DOMException('the agent stops', 'AbortError'))
      await Promise.all([...helpers.values()].map((helper) => helper.ended))
    },
  }
}

/** The helper's socket is there no more; what it says of the pod comes as a PodError. */
const isGone = (e: unknown): boolean => ['ENOENT', 'ECONNREFUSED', 'EPIPE'].includes((e as NodeJS.ErrnoException).code ?? '')

const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ETIMEDOUT: 'no answer',
  ENETUNREACH: 'the network is not reached',
}

function wordsOf(e: unknown): string {
  const { code = '', message } = e as NodeJS.ErrnoException
  if (e instanceof PodError) return message
  return sentences[code] ?? message
}

/** Resolves when the helper is connected. */
function ask(path: string, line: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true })
    socket.once('error', reject)
    const look = (): void => {
      const bytes = socket.read() as Buffer | null
      if (!bytes) return
      const at = bytes.indexOf('\n')
      const word = bytes.toString('latin1', 0, Math.max(at, 0))
      socket.off('readable', look)
      socket.off('error', reject)
      socket.on('error', () => {})
      if (word !== 'ok') {
        socket.destroy()
        return reject(new PodError('CONNECT_FAILED', sentences[word] ?? (word || 'the helper said nothing')))
      }
      if (at + 1 < bytes.length) socket.unshift(bytes.subarray(at + 1))
      resolve(socket)
    }
    socket.on('readable', look)
    socket.write(line)
  })
}
