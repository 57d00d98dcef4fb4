/**
 * Opens one new connection after another to the services of connections.ts, until standard input ends. Says what came of them
 * every 50 ms, and once more at the end. usage: client.ts SERVICES TOGETHER
 */
import { ask } from './ask.ts'
import { ownPrefix, vipOf } from './cluster.ts'

export interface Tally {
  readonly msg: 'tally'
  readonly made: number
  /** What went wrong, by kind: an error's code, TIMEOUT, EMPTY, or WRONG where an endpoint of another service answered. */
  readonly failed: Readonly<Record<string, number>>
  /** Took longer than a second, as a connection does whose first packet was lost. */
  readonly slow: number
}

const [services, together] = process.argv.slice(2).map(Number) as [number, number]
/** Pods, whose address an endpoint sees, and the node itself, which is masqueraded. */
const sources = [undefined, '10.244.253.1', '10.244.253.2', '10.244.253.3', '10.244.253.4']
const failed: Record<string, number> = {}
let made = 0
let slow = 0
let stopped = false

const say = (): void => void process.stdout.write(`${JSON.stringify({ msg: 'tally', made, failed, slow } satisfies Tally)}\n`)

async function work(first: number): Promise<void> {
  for (let n = first; !stopped; n += together) {
    const i = (n * 7919) % services
    const from = sources[n % sources.length]
    const started = performance.now()
    const answer = await ask({ host: vipOf(i), timeoutMs: 5_000, ...(from !== undefined && { from }) })
    made++
    if (performance.now() - started > 900) slow++
    if (answer.startsWith(ownPrefix(i))) continue
    const kind = /^[A-Z_]+$/.test(answer) ? answer : 'WRONG'
    failed[kind] = (failed[kind] ?? 0) + 1
  }
}

process.stdin.on('end', () => (stopped = true)).resume()
const ticker = setInterval(say, 50)
await Promise.all(Array.from({ length: together }, (_, n) => work(n)))
clearInterval(ticker)
say()
process.exit(0)
