/** The node's own address: the one that the kernel sends from when it talks to the hub. */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { NetError } from './error.ts'

/**
 * Connecting a datagram socket sends nothing; it makes the kernel choose a route and with it a source address.
 * @param host IP address of the hub
 * @throws NetError KERNEL_REFUSED where there is no route
 */
export function sourceAddressTo(host: string, port: number, signal: AbortSignal): Promise<string> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  return new Promise<string>((resolve, reject) => {
    const refuse = (cause: unknown): void =>
      reject(new NetError('KERNEL_REFUSED', `there is no route to the hub at ${host}: ${String((cause as Error).message)}`, { cause }))
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    socket.once('error', refuse)
    socket.connect(port, host, () => {
      try {
        resolve(socket.address().address)
      } catch (e) {
        refuse(e)
      }
    })
  }).finally(() => socket.close())
}
