/** One TCP connection. */
import { connect, type Socket } from 'node:net'

/** Milliseconds. */
const connectMs = 10_000

/** What stands for the pod's own loopback, whichever family its program listens on. */
export const loopback = 'loopback'

/** @param host an address, or `loopback`. Rejects with the system's error (ECONNREFUSED, ETIMEDOUT, …) */
export async function connectTo(host: string, port: number): Promise<Socket> {
  if (host !== loopback) return dial(host, port)
  try {
    return await dial('127.0.0.1', port)
  } catch (refused) {
    return dial('::1', port).catch(() => Promise.reject(refused as Error))
  }
}

function dial(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true })
    const late = (): void => void socket.destroy(Object.assign(new RangeError('the connection took too long'), { code: 'ETIMEDOUT' }))
    socket.setTimeout(connectMs, late)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.setTimeout(0)
      socket.off('error', reject)
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}
