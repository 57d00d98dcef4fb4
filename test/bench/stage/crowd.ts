/**
 * Many agents in one process, of many nodes: real connections with real certificates, and of what an agent does only what a hub
 * notices: hello, and the answer to pings. Says when all of them have reached a revision, and what came until then.
 * usage: crowd.ts HUB PKI FIRST COUNT FULL   (nodes FIRST to FIRST + COUNT - 1; FULL of them begin with nothing, the rest resumes)
 */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeHubFrame, encode } from '../../../api/codec.ts'
import { protocolVersion, type HubFrame } from '../../../api/frames.ts'
import { hubPaths } from '../../../api/hub.ts'
import { version } from '../../../api/version.ts'
import { issue, makeKey } from '../../../server/auth/certificate.ts'
import type { Reached } from './crowd-lines.ts'
import { dial } from './wire.ts'

const [url, pki] = process.argv.slice(2, 4) as [string, string]
const [first, count, full] = process.argv.slice(4).map(Number) as [number, number, number]
const pem = (name: string): string => readFileSync(join(pki, name), 'utf8')
const ca = { certificate: pem('ca.crt'), key: pem('ca.key') }
const key = makeKey()
const publicKey = createPublicKey(key)

const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

let bytes = 0
let longest = 0
/** How many agents have reached a revision, and when the first one did. */
const reached = new Map<number, { count: number; readonly first: number }>()

function arrived(revision: number): void {
  const now = monotonic()
  let at = reached.get(revision)
  if (!at) reached.set(revision, (at = { count: 0, first: now }))
  if (++at.count < count) return
  say({ msg: 'reached', revision, first: at.first, last: now, bytes, longest } satisfies Reached)
  for (const older of reached.keys()) if (older <= revision) reached.delete(older)
  bytes = 0
  longest = 0
}

/** Agents are sent the same bytes: they are read once. */
let last: { readonly bytes: Buffer; readonly frame: HubFrame } | undefined
function frameOf(payload: Buffer): HubFrame {
  if (last?.bytes.equals(payload) !== true) last = { bytes: Buffer.from(payload), frame: decodeHubFrame(payload) }
  return last.frame
}

/** Nothing else is so short: `welcome` and `reset` come once, before. */
const longestSync = 40
const isSync = (payload: Buffer): boolean => payload.length <= longestSync && payload.includes('sync')

interface Held {
  readonly revision: number
  readonly history: string
}

/** Masks with zeros, so that the bytes stay as they are (RFC 6455, 5.3). */
function masked(opcode: number, payload: Uint8Array): Buffer {
  const head = payload.length < 126 ? Buffer.from([0x80 | opcode, 0x80 | payload.length]) : Buffer.from([0x80 | opcode, 0xfe, payload.length >> 8, payload.length & 255])
  return Buffer.concat([head, Buffer.alloc(4), payload])
}

/** @returns the place of an agent in the stream when it has a whole state */
async function connect(n: number, held: Held | undefined): Promise<Held> {
  const node = `crowd${n}`
  const wish = { subject: { commonName: `system:node:${node}`, organization: 'system:nodes' }, purpose: { kind: 'client' }, publicKey } as const
  const socket = await dial(url, { ca: ca.certificate, cert: issue(ca, wish, Date.now()), key })
  const { promise, resolve, reject } = Promise.withResolvers<Held>()
  let history = ''
  const take = (payload: Buffer, size: number): void => {
    if (isSync(payload)) {
      const { revision } = frameOf(payload) as Extract<HubFrame, { kind: 'sync' }>
      bytes += size
      resolve({ revision, history })
      return arrived(revision)
    }
    if (history === '') {
      const frame = frameOf(payload)
      if (frame.kind === 'welcome') ({ history } = frame)
      return
    }
    bytes += size
    longest = Math.max(longest, size)
  }
  socket.on('data', reading({ take, ping: (payload) => void socket.write(masked(0xa, payload)) }))
  socket.on('error', reject)
  socket.on('close', () => {
    say({ msg: 'lost', node })
    process.exit(1)
  })
  const hello = { kind: 'hello', version: protocolVersion, node, agent: version, time: Date.now(), ...held } as const
  const upgrade = `GET ${hubPaths.agent} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`
  socket.write(Buffer.concat([Buffer.from(upgrade), masked(0x2, encode(hello))]))
  return promise
}

interface Taker {
  readonly take: (payload: Buffer, size: number) => void
  readonly ping: (payload: Buffer) => void
}

/** Cuts what comes into frames: the head of the answer, and then frames of the server, which are whole and not masked. */
function reading({ take, ping }: Taker): (some: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let upgraded = false
  return (some) => {
    let at = 0
    const all = rest.length > 0 ? Buffer.concat([rest, some]) : some
    if (!upgraded) {
      const end = all.indexOf('\r\n\r\n')
      if (end >= 0 && !all.toString('latin1', 0, 16).startsWith('HTTP/1.1 101')) throw new Error(all.toString())
      if (end >= 0) [upgraded, at] = [true, end + 4]
    }
    while (upgraded && all.length - at >= 2) {
      const short = all[at + 1]!
      const head = short < 126 ? 2 : short === 126 ? 4 : 10
      if (all.length - at < head) break
      const length = short < 126 ? short : short === 126 ? all.readUInt16BE(at + 2) : Number(all.readBigUInt64BE(at + 2))
      if (all.length - at < head + length) break
      const payload = all.subarray(at + head, at + head + length)
      const opcode = all[at]! & 15
      if (opcode === 2) take(payload, head + length)
      else if (opcode === 9) ping(payload)
      at += head + length
    }
    rest = at === all.length ? Buffer.alloc(0) : Buffer.from(all.subarray(at))
  }
}

const held = await connect(first, undefined)
for (let n = 1; n < full; n++) await connect(first + n, undefined)
let next = Math.max(1, full)
await Promise.all(
  Array.from({ length: 16 }, async () => {
    while (next < count) await connect(first + next++, held)
  }),
)
bytes = 0
longest = 0
say({ msg: 'connected', count })
process.stdin.on('end', () => process.exit(0)).resume()
