/**
 * The listening socket of the API on the host's loopback. It is bound here and lent to the hub as an inherited descriptor, so it
 * outlives every hub: connections that come while a hub restarts wait in the kernel's queue instead of being refused.
 */
import { BoundSocket } from 'node:net'
import { CliError } from '../error.ts'
import { copyDescriptor } from './pidfd.ts'

export interface Listener {
  /** The descriptor, opened at the first call. @throws CliError SETUP if the port is taken */
  descriptor(): number
  /** Takes a copy of the socket that a living hub holds as descriptor 3; without it, the next `descriptor` opens a new one. */
  takeFrom(pid: number): void
}

export const loopback = '127.0.0.1'

export function createListener(port: number): Listener {
  let held: number | undefined
  // Kept so that the socket is not collected and closed.
  let socket: BoundSocket | undefined
  return {
    descriptor() {
      if (held === undefined) {
        socket = bind(port)
        held = socket.fd()
      }
      return held
    },
    takeFrom(pid) {
      held ??= copyDescriptor(pid, 3)
    },
  }
}

/** @throws CliError SETUP naming port and `--port` if somebody else listens there */
export function requireFreePort(port: number): void {
  bind(port).close()
}

function bind(port: number): BoundSocket {
  try {
    return new BoundSocket({ host: loopback, port })
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    throw new CliError(
      'SETUP',
      taken
        ? `something else listens on ${loopback}:${port} already`
        : `${loopback}:${port} cannot be bound (${(error as Error).message})`,
      `end that (\`ss -ltnp sport = :${port}\` names it), or take another port: wherry up --port 7443`,
      { cause: error },
    )
  }
}
