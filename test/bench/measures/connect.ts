/**
 * What a virtual IP costs a connection: a pod connects to a pod directly, and through the virtual IP of a service, in turns. By
 * system calls that block, since an event loop would take longer than the connection itself.
 */
import { closeSync } from 'node:fs'
import { dlopen } from 'node:ffi'
import { judge, quantiles, type Figure, type Target } from '../figures.ts'
import { podsOf, responderPort, scattered, vipOf } from '../stage/cluster.ts'
import type { Measure } from './measure.ts'

/** Of each kind. */
const samples = 20_000

interface Connect {
  /** Milliseconds of each sample until connect(2) came back. */
  readonly connected: Pair
  /** Until the first line was there. */
  readonly answered: Pair
}

interface Pair {
  readonly direct: readonly number[]
  readonly virtual: readonly number[]
}

interface Sample {
  readonly connectedMs: number
  readonly answeredMs: number
}

export const connect: Measure = {
  name: 'connect',
  about: 'what a connect through a virtual IP costs, times a direct one',
  services: [50_000],
  limitMs: 120_000,
  async figures(stage, { services }) {
    await stage.serving()
    const pods = await stage.pods()
    try {
      const { connected, answered } = await pods.inside(() => connectInTurns(services, pods.client))
      return [
        figureOf('connect: connect and first line, times direct', services, answered, { atMost: 1.03 }),
        figureOf('connect: connect(2) alone, times direct', services, connected),
      ]
    } finally {
      await pods.close()
    }
  },
}

function figureOf(name: string, services: number, { direct, virtual }: Pair, target?: Target): Figure {
  const [a, b] = [quantiles(direct), quantiles(virtual)]
  const note = `${a.p50.toFixed(4)} ms direct, ${b.p50.toFixed(4)} ms through a virtual IP (medians)`
  return judge({ name, services, value: b.p50 / a.p50, unit: 'x', note, detail: { direct: a, virtual: b } }, target)
}

function connectInTurns(services: number, client: string): Connect {
  const knock = openDoor(client)
  const direct: Sample[] = []
  const virtual: Sample[] = []
  for (let n = 0; n < samples; n++) {
    const i = scattered(n, services)
    const [pod] = podsOf(i)
    const toPod = (): void => void direct.push(knock(pod!.address, responderPort))
    const toService = (): void => void virtual.push(knock(vipOf(i), 80))
    // Neither is always the second one.
    for (const go of n % 2 === 0 ? [toPod, toService] : [toService, toPod]) go()
  }
  const pair = (of: (sample: Sample) => number): Pair => ({ direct: direct.map(of), virtual: virtual.map(of) })
  return { connected: pair((sample) => sample.connectedMs), answered: pair((sample) => sample.answeredMs) }
}

/** Of sys/socket.h and netinet/tcp.h. */
const c = { inet: 2, stream: 1, socketLevel: 1, linger: 13, tcp: 6, attempts: 7 } as const

/** @param client where connections come from */
function openDoor(client: string): (address: string, port: number) => Sample {
  const { functions: libc } = dlopen(null, {
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
    connect: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
    recv: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i64' },
    setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'], return: 'i32' },
  })
  /** struct linger: closing resets. */
  const reset = Buffer.from(new Int32Array([1, 0]).buffer)
  /** First packets that are sent again, which takes seven seconds: no deadline of this program could end a call that blocks. */
  const attempts = Buffer.from(new Int32Array([2]).buffer)
  const own = placeOf(client, 0)
  const line = Buffer.alloc(64)
  return (address, port) => {
    const to = placeOf(address, port)
    const fd = libc.socket(c.inet, c.stream, 0)
    libc.setsockopt(fd, c.socketLevel, c.linger, reset, reset.length)
    libc.setsockopt(fd, c.tcp, c.attempts, attempts, attempts.length)
    libc.bind(fd, own, own.length)
    const started = performance.now()
    const status = libc.connect(fd, to, to.length)
    const connected = performance.now()
    const length = Number(libc.recv(fd, line, BigInt(line.length), 0))
    const answered = performance.now()
    closeSync(fd)
    if (status !== 0 || length <= 0) throw new Error(`a connection to ${address}:${port} failed`)
    return { connectedMs: connected - started, answeredMs: answered - started }
  }
}

/** struct sockaddr_in */
function placeOf(address: string, port: number): Buffer {
  const place = Buffer.alloc(16)
  place.writeUInt16LE(c.inet, 0)
  place.writeUInt16BE(port, 2)
  place.set(address.split('.').map(Number), 4)
  return place
}
