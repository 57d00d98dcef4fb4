/**
 * What a virtual IP costs a connection: a pod connects to a pod directly, through one rule of NAT that was written by hand, and
 * through the virtual IP of a service, in turns. By system calls that block, since an event loop would take longer than the
 * connection itself.
 */
import { closeSync } from 'node:fs'
import { dlopen } from 'node:ffi'
import { judge, quantiles, type Figure, type Target } from '../figures.ts'
import { podsOf, responderPort, scattered, vipOf } from '../stage/cluster.ts'
import { aliasOf } from '../stage/pods.ts'
import type { Measure } from './measure.ts'

/** Of each kind. */
const samples = 15_000

/** Milliseconds of each connection of a kind, until its first line was there. */
interface Connect {
  readonly direct: readonly number[]
  readonly oneRule: readonly number[]
  readonly virtual: readonly number[]
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
      const { direct, oneRule, virtual } = await pods.inside(() => connectInTurns(services, pods.client))
      return [
        figureOf('connect: through a virtual IP, times direct', services, [direct, virtual], { atMost: 1.03 }),
        figureOf('connect: through one rule of NAT alone, times direct', services, [direct, oneRule]),
      ]
    } finally {
      await pods.close()
    }
  },
}

function figureOf(name: string, services: number, [direct, other]: readonly [readonly number[], readonly number[]], target?: Target): Figure {
  const [a, b] = [quantiles(direct), quantiles(other)]
  const note = `${(a.p50 * 1_000).toFixed(1)} µs direct, ${(b.p50 * 1_000).toFixed(1)} µs so (medians, to the first line)`
  return judge({ name, services, value: b.p50 / a.p50, unit: 'x', note, detail: { direct: a, other: b } }, target)
}

function connectInTurns(services: number, client: string): Connect {
  const knock = openDoor(client)
  const [direct, oneRule, virtual]: [number[], number[], number[]] = [[], [], []]
  for (let n = 0; n < samples; n++) {
    // Each to a place where nobody has just been: what was asked for a moment ago is found sooner.
    const [i, j, k] = [scattered(3 * n, services), scattered(3 * n + 1, services), scattered(3 * n + 2, services)]
    const pod = (service: number): string => podsOf(service)[n % 3]!.address
    const turns = [
      () => direct.push(knock(pod(i), responderPort)),
      () => oneRule.push(knock(aliasOf(pod(j)), responderPort)),
      () => virtual.push(knock(vipOf(k), 80)),
    ]
    // None is always the one after another.
    for (let turn = 0; turn < 3; turn++) turns[(n + turn) % 3]!()
  }
  return { direct, oneRule, virtual }
}

/** Of sys/socket.h and netinet/tcp.h. */
const c = { inet: 2, stream: 1, socketLevel: 1, linger: 13, tcp: 6, attempts: 7 } as const

/** @param client where connections come from. @returns milliseconds to the first line */
function openDoor(client: string): (address: string, port: number) => number {
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
    const length = Number(libc.recv(fd, line, BigInt(line.length), 0))
    const answered = performance.now()
    closeSync(fd)
    if (status !== 0 || length <= 0) throw new Error(`a connection to ${address}:${port} failed`)
    return answered - started
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
