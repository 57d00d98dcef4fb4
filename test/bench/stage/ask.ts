/** One connection to a service: who answers? */
import net from 'node:net'

export interface Question {
  readonly host: string
  readonly port?: number
  /** Whom the connection comes from; the address of the route by default. */
  readonly from?: string
  readonly timeoutMs?: number
}

/**
 * @returns the address that answered, or an error's code, or TIMEOUT. The connection is reset, so that no port waits for its
 *   last packets (TIME_WAIT): thousands of connections to one address would run out of ports otherwise.
 */
export function ask({ host, port = 80, from, timeoutMs = 1_000 }: Question): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, ...(from !== undefined && { localAddress: from }) })
    const end = (answer: string): void => {
      socket.resetAndDestroy()
      resolve(answer)
    }
    socket.setTimeout(timeoutMs, () => end('TIMEOUT'))
    socket.once('data', (bytes) => end(String(bytes).trim()))
    socket.once('end', () => end('EMPTY'))
    socket.once('error', (e: NodeJS.ErrnoException) => resolve(e.code ?? 'ERROR'))
  })
}
