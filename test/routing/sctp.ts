/**
 * Hands that speak SCTP, on kernels that have none of their own, too. Nobody is told when a raw socket has something, so all of
 * them are looked at in turn for as long as anybody asks.
 */
import { setTimeout as rest } from 'node:timers/promises'
import { familyOf } from '../../rules/address.ts'
import { openRawSocket, type RawSocket } from '../kit/raw-socket.ts'
import type { Errand } from './hands.ts'
import { createClient, decode, encode, reply, type SctpPacket } from './sctp-messages.ts'

export interface SctpHands {
  /** Answers from now on, in the network namespace of the main thread. */
  answer(name: string, ports: readonly number[]): void
  /** An attempt for each source, in the network namespace of the main thread; they go on anywhere, and one after the other. */
  open(errand: Errand, localPort: () => number): () => Promise<readonly string[]>
  close(): void
}

const connectionRefused = 111

export function createSctpHands(): SctpHands {
  const servers: { readonly socket: RawSocket; readonly name: string; readonly ports: readonly number[] }[] = []

  const serve = (): void => {
    for (const { socket, name, ports } of servers)
      for (const { from, packet } of arrived(socket)) {
        const answer = reply(packet, ports, (port) => `${name} ${port} ${from}\n`)
        if (answer) socket.send(encode(answer), from)
      }
  }

  async function exchange(socket: RawSocket, { to, port, patienceMs }: Errand, sourcePort: number): Promise<string> {
    const client = createClient(sourcePort, port)
    const end = performance.now() + patienceMs
    // What became of other attempts to this destination is known here, too.
    socket.error()
    for (let again = 0; performance.now() < end; await rest(1)) {
      if (performance.now() >= again) {
        socket.send(encode(client.opening), to)
        again = performance.now() + patienceMs / 3
      }
      serve()
      const error = socket.error()
      if (error !== 0) return error === connectionRefused ? 'refused' : `error ${error}`
      for (const { packet } of arrived(socket)) {
        const next = client.take(packet)
        if (next?.say) socket.send(encode(next.say), to)
        if (next && 'outcome' in next) return next.outcome
      }
    }
    return 'silent'
  }

  return {
    answer(name, ports) {
      for (const family of ['ip', 'ip6'] as const) servers.push({ socket: openRawSocket(family, 'sctp'), name, ports })
    },
    open(errand, localPort) {
      const sockets = errand.sources.map((source) => openRawSocket(familyOf(errand.to), 'sctp', { source, to: errand.to }))
      return async () => {
        const outcomes: string[] = []
        for (const socket of sockets) outcomes.push(await exchange(socket, errand, errand.sourcePort ?? localPort()))
        for (const socket of sockets) socket.close()
        return outcomes
      }
    },
    close() {
      for (const { socket } of servers.splice(0)) socket.close()
    },
  }
}

/** What is no whole packet of SCTP is nobody's. */
function* arrived(socket: RawSocket): Generator<{ readonly from: string; readonly packet: SctpPacket }> {
  for (let one = socket.receive(); one; one = socket.receive()) {
    const packet = decode(one.payload)
    if (packet) yield { from: one.from, packet }
  }
}
