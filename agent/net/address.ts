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
    const refuse = (cause: Error): void =>
      reject(new NetError('KERNEL_REFUSED', `there is no route to the hub at ${host}: ${cause.message}`, { cause }))
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    socket.once('error', refuse)
    // The types do not say so, but a connect that failed is told to the callback.
    socket.connect(port, host, (failed?: Error | null) => (failed ? refuse(failed) : resolve(socket.address().address)))
  }).finally(() => socket.close())
}
