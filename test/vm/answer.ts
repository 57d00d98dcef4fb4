import { once } from 'node:events'
import { connect } from 'node:net'
import { inNamespace, type Netns } from '../kit/netns.ts'

/** All that a TCP server says to a client that is silent. Asked from inside a namespace; rejects as the connection fails. */
export async function answer(netns: Netns, host: string, port: number): Promise<string> {
  let said = ''
  const socket = await inNamespace(netns, async () => {
    const made = connect({ host, port, signal: AbortSignal.timeout(10_000) })
    made.setEncoding('utf8').on('data', (text: string) => (said += text))
    // Node makes the socket a turn later than `connect` returns, and it must be made inside.
    await once(made, 'connect')
    return made
  })
  if (!socket.closed) await once(socket, 'close')
  return said
}
