/** The agent's end of a container's live socket: what it says, and what is said to it. `live.ts` is the other end. */
import { connect, type Socket } from 'node:net'
import type { CallInput, CallPart } from '../../../api/call-flow.ts'
import type { Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { createChunkReader, writeChunk } from './chunks.ts'
import { RuntimeError } from './error.ts'
import type { ContainerStreams } from './runtime.ts'

type Output = Exclude<CallPart, { readonly kind: 'exit' }>
type Resize = Extract<CallInput, { readonly kind: 'resize' }>

export interface AttachDeps {
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  /** Of the container's terminal. */
  readonly resize: (size: Resize) => Promise<void>
}

/** No chunk of input is longer. Bytes. */
const inputBytes = 64 * 1024
/** After the end of its input, where the container does not end with it, a session goes on so long, for the answer to the last words. */
const farewellMs = 1_000

/**
 * What comes from now on, until the container has ended; or until a moment after the end of the input, where the container has
 * a stdin that goes on. @param path of the socket
 * @throws RuntimeError CONTAINER_UNKNOWN where nobody listens there; the signal's reason
 */
export async function* attachTo(path: string, streams: ContainerStreams, input: AsyncIterable<CallInput>, deps: AttachDeps): AsyncGenerator<Output> {
  const { signal } = deps
  signal.throwIfAborted()
  const socket = connect(path)
  const speaker = createSpeaker(socket)
  const abort = (): void => void socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  const over = new AbortController()
  void listenTo(input, { streams, speaker, deps, over: over.signal }).catch((e: unknown) => {
    if (!over.signal.aborted) deps.log.debug('the input of a container broke off', errorKeys(e))
  })
  const reader = createChunkReader()
  try {
    for await (const part of socket as AsyncIterable<Buffer>) {
      for (const { kind, bytes } of reader(part)) {
        if (kind === 'taken') speaker.taken()
        else if (kind === 'out' || kind === 'err') yield { kind, bytes }
      }
    }
  } catch (e) {
    signal.throwIfAborted()
    const { code } = e as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw e
    throw new RuntimeError('CONTAINER_UNKNOWN', 'the container cannot be attached to: it has ended, or its outputs are not followed', { cause: e })
  } finally {
    signal.removeEventListener('abort', abort)
    over.abort()
    speaker.taken()
    socket.destroy()
  }
}

interface Speaker {
  /** Resolves when the container's pipe has taken it. */
  say(bytes: Uint8Array): Promise<void>
  endInput(): void
  /** No more of us either; what is still on its way is heard. */
  leave(): void
  taken(): void
}

function createSpeaker(socket: Socket): Speaker {
  let taken = Promise.withResolvers<void>()
  return {
    say(bytes) {
      taken = Promise.withResolvers()
      socket.write(writeChunk('input', bytes))
      return taken.promise
    },
    endInput: () => void socket.write(writeChunk('inputEnd')),
    leave: () => void socket.end(),
    taken: () => taken.resolve(),
  }
}

interface Listening {
  readonly streams: ContainerStreams
  readonly speaker: Speaker
  readonly deps: AttachDeps
  /** The session has ended. */
  readonly over: AbortSignal
}

/** Reads the input to its end, whoever wants it. */
async function listenTo(input: AsyncIterable<CallInput>, { streams: { stdin, stdinOnce, tty }, speaker, deps, over }: Listening): Promise<void> {
  if (stdin) await speaker.say(new Uint8Array())
  for await (const part of input) {
    if (over.aborted) return
    if (part.kind === 'resize') await (tty && deps.resize(part).catch(() => {}))
    else for (let at = 0; stdin && at < part.bytes.length && !over.aborted; at += inputBytes) await speaker.say(part.bytes.subarray(at, at + inputBytes))
  }
  if (!stdin || over.aborted) return
  speaker.endInput()
  if (stdinOnce && !tty) return
  const cancel = deps.clock.after(farewellMs, () => speaker.leave())
  over.addEventListener('abort', cancel, { once: true })
}
