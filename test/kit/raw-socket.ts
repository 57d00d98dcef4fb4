/** Raw sockets (raw(7), ipv6(7)) through Node's foreign function interface; Node watches none, so whoever waits looks again and again. */
import { closeSync } from 'node:fs'
import { dlopen } from 'node:ffi'
import ipaddr from 'ipaddr.js'
import type { Family } from '../../rules/model.ts'

export interface RawSocket {
  /** @param payload what comes after the IP header. What the kernel does not let out is lost, as on a wire. */
  send(payload: Buffer, to: string): void
  /** What has arrived, if anything. */
  receive(): { readonly from: string; readonly payload: Buffer } | undefined
  /** The number of an error that was reported meanwhile (errno(3), e.g. 111 for ICMP's port unreachable), once; 0 for none. */
  error(): number
  close(): void
}

/** Of sys/socket.h and asm-generic/socket.h. */
const c = { afInet: 2, afInet6: 10, raw: 3, nonBlocking: 0o4000, closeOnExec: 0o2000000, socketLevel: 1, error: 4 } as const
const protocols = { sctp: 132 } as const
const addressBytes = { ip: 16, ip6: 28 } as const

const { functions: libc } = dlopen(null, {
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  connect: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
  sendto: { arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'u32'], return: 'i64' },
  recvfrom: { arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'pointer'], return: 'i64' },
})

/**
 * In the network namespace of the main thread.
 * @param ends `source`: from which address it sends; `to`: hears of nobody else, and of what becomes of the packets on their way
 * @throws Error if the kernel does not let us, as without root
 */
export function openRawSocket(family: Family, protocol: keyof typeof protocols, ends: { readonly source?: string | undefined; readonly to?: string } = {}): RawSocket {
  const fd = libc.socket(family === 'ip' ? c.afInet : c.afInet6, c.raw | c.nonBlocking | c.closeOnExec, protocols[protocol])
  if (fd < 0) throw new Error('a raw socket was refused; run as root')
  const [bytes, sender, value, size] = [Buffer.alloc(2048), Buffer.alloc(addressBytes.ip6), Buffer.alloc(4), Buffer.alloc(4)]
  const call = (name: 'bind' | 'connect', address: string | undefined): void => {
    if (address === undefined || libc[name](fd, socketAddress(family, address), addressBytes[family]) === 0) return
    closeSync(fd)
    throw new Error(`a raw socket: ${name} to ${address} was refused`)
  }
  call('bind', ends.source)
  call('connect', ends.to)
  return {
    send: (payload, to) => void libc.sendto(fd, payload, BigInt(payload.length), 0, socketAddress(family, to), addressBytes[family]),
    receive() {
      size.writeInt32LE(sender.length)
      const length = Number(libc.recvfrom(fd, bytes, BigInt(bytes.length), 0, sender, size))
      if (length <= 0) return undefined
      // IPv4 has its header in front.
      const start = family === 'ip' ? (bytes[0]! & 0x0f) * 4 : 0
      const from = family === 'ip' ? sender.subarray(4, 8) : sender.subarray(8, 24)
      return { from: ipaddr.fromByteArray([...from]).toString(), payload: Buffer.from(bytes.subarray(start, length)) }
    },
    error() {
      size.writeInt32LE(value.length)
      return libc.getsockopt(fd, c.socketLevel, c.error, value, size) === 0 ? value.readInt32LE() : 0
    },
    close: () => closeSync(fd),
  }
}

/** struct sockaddr_in and sockaddr_in6, without a port. */
function socketAddress(family: Family, address: string): Buffer {
  const bytes = Buffer.alloc(addressBytes[family])
  bytes.writeUInt16LE(family === 'ip' ? c.afInet : c.afInet6, 0)
  bytes.set(ipaddr.parse(address).toByteArray(), family === 'ip' ? 4 : 8)
  return bytes
}
