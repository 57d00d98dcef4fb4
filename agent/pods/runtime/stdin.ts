/** The writing end of a container's stdin, in its logger (`stdin-pipes.ts` tells of the pipe). */
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'

export interface Stdin {
  /** Resolves when the pipe has taken it, whoever wrote before; also when it is closed, or nobody reads it any more, or the writer is gone. */
  write(bytes: Uint8Array, gone: AbortSignal): Promise<void>
  /** After what is under way the container reads the end. */
  close(): void
  /** At once: there is nobody who could read. */
  destroy(): void
}

interface Waiting {
  readonly bytes: Uint8Array
  readonly done: () => void
}

const { O_RDWR, O_WRONLY, O_NONBLOCK } = constants

/** @param path of a named pipe. Who opens it for reading from now on finds a writer. */
export function openStdin(path: string): Stdin {
  // A pipe without a reader refuses writers that do not wait (fifo(7)), and the container comes later.
  const reader = openSync(path, O_RDWR | O_NONBLOCK)
  const pipe = new Socket({ fd: openSync(path, O_WRONLY | O_NONBLOCK), readable: false, writable: true })
  closeSync(reader)
  /** One chunk of each writer at most: they wait to be told that it was taken. */
  const queue = new Set<Waiting>()
  let busy = false

  const settle = (): void => {
    for (const { done } of queue) done()
    queue.clear()
  }
  const next = (): void => {
    const [first] = queue
    if (busy || !first) return
    queue.delete(first)
    busy = true
    pipe.write(first.bytes, () => {
      busy = false
      first.done()
      next()
    })
  }
  // It breaks when the container has closed its stdin; what comes after that has nowhere to go.
  pipe.on('error', () => {}).on('close', settle)

  return {
    write: (bytes, gone) =>
      new Promise((resolve) => {
        if (bytes.length === 0 || !pipe.writable || gone.aborted) return resolve()
        const leave = (): void => {
          queue.delete(waiting)
          resolve()
        }
        const done = (): void => {
          gone.removeEventListener('abort', leave)
          resolve()
        }
        const waiting: Waiting = { bytes, done }
        gone.addEventListener('abort', leave, { once: true })
        queue.add(waiting)
        next()
      }),
    close() {
      settle()
      pipe.end()
    },
    destroy: () => void pipe.destroy(),
  }
}
