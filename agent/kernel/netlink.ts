/**
 * Netlink sockets (netlink(7)), through Node's foreign function interface.
 *
 * `openNetlinkTalk` asks. `openNetlinkSocket` hears of changes to nf_tables: `nft monitor` would keep a copy of all rules (200 MB
 * at 30,000 services) and print every element (1.4 s of processor time for a load of that size). Here our own changes are left
 * out by the kernel, and of others' nothing is kept.
 */
import { closeSync, readdirSync } from 'node:fs'
import { endianness } from 'node:os'
import { KernelError } from './errors.ts'
import { offsets } from './netlink-messages.ts'
import { generationIn, generationQuestion } from './nft/messages.ts'

export interface NetlinkSocket {
  /** The kernel leaves out what sockets with these addresses change. */
  ignore(senders: Iterable<number>): void
  /** To be told of changes, or not: while anybody listens, the kernel makes a message of 4 KB for each element that changes. */
  listen(wish: 'on' | 'off'): void
  /** How many transactions changed the rules of this network namespace (NFT_MSG_GETGEN), in 32 bits. */
  generation(): number
  /**
   * Hands on what arrived, each datagram once, in the same buffer. Never waits.
   * @returns whether there was more than the kernel could keep, so that some of it is lost
   */
  read(take: (datagram: Buffer) => void): boolean
  /** Netlink addresses of all sockets of this process: the sender of what they ask the kernel to change. */
  ownAddresses(): ReadonlySet<number>
  close(): void
}

/** Of sys/socket.h, asm-generic/socket.h, linux/netlink.h and linux/netfilter/nfnetlink.h. */
const c = {
  afNetlink: 16,
  raw: 3,
  nonBlocking: 0o4000,
  closeOnExec: 0o2000000,
  netfilter: 12,
  socketLevel: 1,
  error: 4,
  attachFilter: 26,
  sendBufferForce: 32,
  receiveBufferForce: 33,
  namespaceCookie: 71,
  netlinkLevel: 270,
  addMembership: 1,
  dropMembership: 2,
  nftables: 7,
} as const

/** Questions to a part of the kernel and its answers (netlink(7)), in this process. */
export interface NetlinkTalk {
  /**
   * Sends one message, or several in a row. What the kernel does for it is done when this comes back, but for the parts of a listing.
   * @throws KernelError SETUP if it was not taken
   */
  ask(message: Buffer): void
  /** The next datagram of the answer, in the same buffer each time; undefined if there is none, or it was lost. Never waits. */
  answer(): Buffer | undefined
  close(): void
}

/** @throws KernelError SETUP if this Node cannot call foreign functions, or the kernel does not let us */
export async function openNetlinkTalk(): Promise<NetlinkTalk> {
  const libc = await load()
  const fd = libc.socket(c.afNetlink, c.raw | c.nonBlocking | c.closeOnExec, c.netfilter)
  if (fd < 0) throw refused('no socket could be opened')
  if (libc.bind(fd, addressOf(), addressBytes) !== 0) {
    closeSync(fd)
    throw refused('a socket got no address')
  }
  const datagram = Buffer.alloc(datagramBytes)
  let mostSent = defaultSendBytes
  return {
    ask(message) {
      if (message.length > mostSent) {
        mostSent = 2 * message.length
        libc.setsockopt(fd, c.socketLevel, c.sendBufferForce, number(mostSent), 4)
      }
      if (Number(libc.send(fd, message, BigInt(message.length), 0)) < 0) throw refused('a question was refused')
    },
    answer() {
      const length = Number(libc.recv(fd, datagram, BigInt(datagramBytes), 0))
      return length > 0 ? datagram.subarray(0, length) : undefined
    },
    close: () => closeSync(fd),
  }
}

/**
 * A number of this network namespace that no other has had since the machine booted (SO_NETNS_COOKIE).
 * @returns undefined before Linux 5.14
 * @throws KernelError SETUP if this Node cannot call foreign functions, or the kernel does not let us
 */
export async function namespaceNumber(): Promise<bigint | undefined> {
  const libc = await load()
  const fd = libc.socket(c.afNetlink, c.raw | c.closeOnExec, c.netfilter)
  if (fd < 0) throw refused('no socket could be opened')
  const [cookie, size] = [Buffer.alloc(8), number(8)]
  const isTold = libc.getsockopt(fd, c.socketLevel, c.namespaceCookie, cookie, size) === 0
  closeSync(fd)
  return isTold ? cookie.readBigUInt64LE() : undefined
}

const number = (value: number): Buffer => Buffer.from(new Int32Array([value]).buffer)

const refused = (what: string): KernelError => new KernelError('SETUP', `netlink: ${what}; run as root`)

/** What a socket takes in one piece without being asked (net.core.wmem_default), or less. */
const defaultSendBytes = 64 << 10
/** What may wait between two looks: some 250,000 elements of other programs. Memory is taken only while they wait. */
const receiveBufferBytes = 16 << 20
/** The kernel puts messages together until a page is full; a single message may be larger. */
const datagramBytes = 64 << 10

/** @throws KernelError SETUP if this Node cannot call foreign functions, or the kernel does not let us */
export async function openNetlinkSocket(bufferBytes: number = receiveBufferBytes): Promise<NetlinkSocket> {
  const libc = await load()
  const fd = libc.socket(c.afNetlink, c.raw | c.nonBlocking | c.closeOnExec, c.netfilter)
  if (fd < 0) throw refused('no socket could be opened')
  const set = (level: number, option: number, value: Buffer): boolean =>
    libc.setsockopt(fd, level, option, value, value.length) === 0
  set(c.socketLevel, c.receiveBufferForce, number(bufferBytes))
  const asking = libc.socket(c.afNetlink, c.raw | c.nonBlocking | c.closeOnExec, c.netfilter)
  const close = (): void => {
    closeSync(fd)
    if (asking >= 0) closeSync(asking)
  }
  if (asking < 0 || [fd, asking].some((each) => libc.bind(each, addressOf(), addressBytes) !== 0)) {
    close()
    throw refused('a socket got no address')
  }
  const datagram = Buffer.alloc(datagramBytes)
  const [value, size] = [Buffer.alloc(4), Buffer.alloc(4)]
  return {
    ignore(senders) {
      const program = filterOf(senders)
      // struct sock_fprog: a number of instructions, and where they are.
      const description = Buffer.alloc(16)
      description.writeUInt16LE(program.length / instructionBytes, 0)
      description.writeBigUInt64LE(libc.placeOf(program), 8)
      if (!set(c.socketLevel, c.attachFilter, description)) throw refused('a socket filter was refused')
    },
    listen(wish) {
      const option = wish === 'on' ? c.addMembership : c.dropMembership
      if (!set(c.netlinkLevel, option, number(c.nftables))) throw refused('the kernel does not tell of changes to its rules')
    },
    generation() {
      const question = generationQuestion()
      libc.send(asking, question, BigInt(question.length), 0)
      // The kernel has answered before it comes back from the question.
      const length = Number(libc.recv(asking, datagram, BigInt(datagramBytes), 0))
      const generation = generationIn(datagram.subarray(0, Math.max(length, 0)))
      if (generation === undefined) throw refused('the kernel does not tell the generation of its rules')
      return generation
    },
    read(take) {
      size.writeInt32LE(value.length)
      // Also forgets the error, which would otherwise end the first read.
      const lost = libc.getsockopt(fd, c.socketLevel, c.error, value, size) === 0 && value.readInt32LE() !== 0
      for (;;) {
        const length = Number(libc.recv(fd, datagram, BigInt(datagramBytes), 0))
        if (length <= 0) return lost
        take(datagram.subarray(0, length))
      }
    },
    ownAddresses() {
      const found = new Set<number>()
      for (const name of readdirSync('/proc/self/fd')) {
        const address = Buffer.alloc(addressBytes)
        size.writeInt32LE(addressBytes)
        if (libc.getsockname(Number(name), address, size) !== 0 || address.readUInt16LE() !== c.afNetlink) continue
        found.add(address.readUInt32LE(4))
      }
      return found
    },
    close,
  }
}

/** struct sockaddr_nl; the kernel chooses the address. */
const addressBytes = 12
function addressOf(): Buffer {
  const address = Buffer.alloc(addressBytes)
  address.writeUInt16LE(c.afNetlink)
  return address
}

/** How many instructions to skip if true and if not. */
type Instruction = readonly [code: number, ifTrue: number, ifNot: number, constant: number]

const instructionBytes = 8

/** A program for the kernel (struct sock_filter, linux/filter.h): nothing of a datagram whose first message has such a sender. */
function filterOf(senders: Iterable<number>): Buffer {
  const [loadWord, equals, end] = [0x20, 0x15, 0x06]
  const instructions: Instruction[] = [[loadWord, 0, 0, offsets.sender]]
  for (const sender of senders) instructions.push([equals, 0, 1, swapped(sender)], [end, 0, 0, 0])
  instructions.push([end, 0, 0, 0xffff_ffff])
  const program = Buffer.alloc(instructions.length * instructionBytes)
  for (const [i, [code, ifTrue, ifNot, constant]] of instructions.entries()) {
    program.writeUInt16LE(code, i * instructionBytes)
    program.writeUInt8(ifTrue, i * instructionBytes + 2)
    program.writeUInt8(ifNot, i * instructionBytes + 3)
    program.writeUInt32LE(constant, i * instructionBytes + 4)
  }
  return program
}

/** Such programs read numbers as big-endian. */
function swapped(value: number): number {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.readUInt32BE()
}

async function load() {
  if (endianness() !== 'LE') throw new KernelError('SETUP', 'netlink: messages of big-endian machines are not understood')
  try {
    const { dlopen, getRawPointer } = await import('node:ffi')
    const { functions } = dlopen(null, {
      socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
      bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
      setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'], return: 'i32' },
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
      getsockname: { arguments: ['i32', 'pointer', 'pointer'], return: 'i32' },
      send: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i64' },
      recv: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i64' },
    })
    return { ...functions, placeOf: (bytes: Buffer): bigint => getRawPointer(bytes) }
  } catch (cause) {
    throw new KernelError('SETUP', 'netlink: cannot be reached from this Node (is --experimental-ffi set?)', { cause })
  }
}
