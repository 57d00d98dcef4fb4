/**
 * Hands in network namespaces: they answer, and ask what they are told. All of them are sockets of this process, made while its
 * main thread is in the namespace, so that no further process is needed.
 *
 * A hand answers `NAME PORT ADDRESS`: who it is, on which port it was reached, and from which address; on a TCP connection at
 * once and then for every line, on UDP for every datagram, on an SCTP association at once.
 */
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import type { Protocol } from '../../rules/model.ts'
import { inNamespace, type Netns } from '../kit/netns.ts'
import { createSctpHands } from './sctp.ts'
import type { Connection } from './stage.ts'

export interface Errand {
  readonly protocol: Protocol
  readonly to: string
  readonly port: number
  /** The addresses from which it is asked; `undefined` for whatever the kernel takes. One attempt for each. */
  readonly sources: readonly (string | undefined)[]
  readonly sourcePort?: number
  /** How long an answer is waited for. */
  readonly patienceMs: number
}

export interface Hands {
  /** Answers from now on, on TCP, UDP and SCTP. */
  answer(netns: Netns, name: string, ports: readonly number[]): Promise<void>
  /** One for each attempt, all at once: the line that was answered, `refused`, `silent`, or the code of another error. */
  ask(netns: Netns, errand: Errand): Promise<readonly string[]>
  open(netns: Netns, errand: Omit<Errand, 'protocol' | 'sources' | 'sourcePort'>): Promise<Connection & { close(): void }>
  close(): void
}

const plain = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '')
const ignore = (): void => {}

export function createHands(): Hands {
  const servers: (net.Server | dgram.Socket)[] = []
  const accepted = new Set<net.Socket>()
  const sctp = createSctpHands()
  let turn: Promise<unknown> = Promise.resolve()
  const localPort = createPorts()
  /** One at a time: there is one main thread. */
  const inside = <T>(netns: Netns, run: () => T | Promise<T>): Promise<T> => {
    const mine = turn.then(() => inNamespace(netns, run))
    turn = mine.catch(ignore)
    return mine
  }

  const answerTcp = (name: string) =>
    net.createServer((socket) => {
      const line = `${name} ${socket.localPort} ${plain(socket.remoteAddress)}\n`
      accepted.add(socket)
      socket.on('error', ignore)
      socket.once('close', () => accepted.delete(socket))
      socket.on('data', () => socket.write(line))
      socket.write(line)
    })

  return {
    answer: (netns, name, ports) =>
      inside(netns, async () => {
        for (const port of ports) {
          const tcp = answerTcp(name)
          const udp = dgram.createSocket({ type: 'udp6', ipv6Only: false, recvBufferSize: 1 << 20 })
          udp.on('message', (_, from) => udp.send(`${name} ${port} ${plain(from.address)}\n`, from.port, from.address))
          udp.on('error', ignore)
          servers.push(tcp, udp)
          tcp.listen({ port, host: '::', backlog: 1024 })
          udp.bind(port, '::')
          await Promise.all([once(tcp, 'listening'), once(udp, 'listening')])
        }
        sctp.answer(name, ports)
      }),
    async ask(netns, errand) {
      if (errand.protocol === 'sctp') return (await inside(netns, () => sctp.open(errand, localPort)))()
      const asked = await inside(netns, () => (errand.protocol === 'tcp' ? askTcp(errand, localPort) : askUdp(errand)))
      return Promise.all(asked.map((attempt) => attempt()))
    },
    async open(netns, { to, port, patienceMs }) {
      const socket = await inside(netns, () => connectTcp({ to, port }, localPort()))
      return connectionOver(socket, patienceMs)
    },
    close() {
      for (const server of servers) server.close()
      for (const socket of accepted) socket.destroy()
      sctp.close()
    },
  }
}

/**
 * No two connections of a lab begin at one port: of a client that talks to one endpoint by two virtual addresses from one port,
 * IPVS cannot tell which answer belongs to which.
 */
function createPorts(): () => number {
  const [first, count] = [10_000, 20_000]
  let next = 0
  return () => first + (next++ % count)
}

/** Goes on outside the namespace. */
type Attempt = () => Promise<string>

/** net.connect makes its socket in the next tick. */
async function connectTcp({ to, port }: Pick<Errand, 'to' | 'port'>, localPort: number): Promise<net.Socket> {
  const socket = net.connect({ host: to, port, localPort })
  socket.on('error', ignore)
  await new Promise((resolve) => setImmediate(resolve))
  return socket
}

async function askTcp(errand: Errand, localPort: () => number): Promise<readonly Attempt[]> {
  const started = errand.sources.map((source) => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const socket = net.connect({ host: errand.to, port: errand.port, localPort: localPort(), ...(source !== undefined && { localAddress: source }) })
    socket.once('data', (data) => resolve(String(data).trim()))
    socket.once('error', (e) => resolve(failure(e)))
    socket.once('end', () => resolve('ended'))
    return async (): Promise<string> => {
      const outcome = await within(errand.patienceMs, promise)
      socket.resetAndDestroy()
      return outcome
    }
  })
  await new Promise((resolve) => setImmediate(resolve))
  return started
}

async function askUdp(errand: Errand): Promise<readonly Attempt[]> {
  const isIPv6 = net.isIPv6(errand.to)
  return Promise.all(
    errand.sources.map(async (source): Promise<Attempt> => {
      const socket = dgram.createSocket(isIPv6 ? 'udp6' : 'udp4')
      socket.bind({ port: errand.sourcePort ?? 0, ...(source !== undefined && { address: source }) })
      await once(socket, 'listening')
      return () => exchange(socket, errand)
    }),
  )
}

/** A datagram may be lost while a neighbour is looked for, so it is sent again. */
async function exchange(socket: dgram.Socket, { to, port, patienceMs }: Errand): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  socket.once('message', (data) => resolve(String(data).trim()))
  socket.on('error', (e) => resolve(failure(e)))
  socket.connect(port, to)
  await once(socket, 'connect')
  const say = (): void => socket.send('?', (e) => (e ? resolve(failure(e)) : undefined))
  say()
  const again = setInterval(say, patienceMs / 3)
  const outcome = await within(patienceMs, promise)
  clearInterval(again)
  await new Promise<void>((done) => socket.close(() => done()))
  return outcome
}

function failure(error: Error): string {
  const { code = error.message } = error as NodeJS.ErrnoException
  return code === 'ECONNREFUSED' ? 'refused' : code
}

async function within(ms: number, outcome: Promise<string>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(() => resolve('silent'), ms)
  try {
    return await Promise.race([outcome, promise])
  } finally {
    clearTimeout(timer)
  }
}

async function connectionOver(socket: net.Socket, patienceMs: number): Promise<Connection & { close(): void }> {
  let heard: (line: string) => void = ignore
  let isOpen = true
  const end = (): void => {
    isOpen = false
    heard('closed')
  }
  socket.on('data', (data) => heard(String(data).split(' ')[0]!))
  socket.on('end', end)
  socket.on('close', end)
  const listen = (ms: number): Promise<string> => within(ms, new Promise((resolve) => (heard = resolve)))
  const greeting = await listen(patienceMs)
  if (greeting === 'silent' || greeting === 'closed') throw new Error(`a connection that was to be opened is ${greeting}`)
  return {
    async ask() {
      if (!isOpen) return 'closed'
      const answer = listen(patienceMs)
      socket.write('?\n')
      return (await answer) as Awaited<ReturnType<Connection['ask']>>
    },
    close: () => socket.resetAndDestroy(),
  }
}
