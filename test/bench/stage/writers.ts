/**
 * Writes to the hub over some connections, one write after another on each, until standard input ends or everything is written.
 * Says every 100 ms what was acknowledged since. usage: writers.ts HUB PKI WRITES CONNECTIONS SERVICES [FROM TO [PER SECOND]]
 *
 *   endpoints    slices of three endpoints, one of which is another one
 *   slices       slices of a hundred endpoints, ten of which are others
 *   configmaps   new ones, of the numbers FROM up to TO, PER SECOND or as fast as they are taken
 *   pods         likewise
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { bigSlice, configMapOf, newPod, podOf, podsOf, scattered, sliceOf, slicesPath, type Pod } from './cluster.ts'
import { adminIn, openWire, type Wire } from './wire.ts'
import type { Told, Writes } from './writes.ts'

const [url, pki] = process.argv.slice(2, 4) as [string, string]
const what = process.argv[4] as Writes
const [connections, services, from = 0, to = Infinity, perSecond = Infinity] = process.argv.slice(5).map(Number) as [number, number, number?, number?, number?]

const at = (namespace: string, plural: string): string => `/api/v1/namespaces/${namespace}/${plural}`
/** Changed endpoints are new ones each time. */
const others = (n: number): readonly Pod[] => Array.from({ length: 10 }, (_, i) => newPod(n * 10 + i))

const writes: { readonly [W in Writes]: (wire: Wire, n: number) => Promise<Buffer> } = {
  endpoints(wire, n) {
    const service = scattered(n, services)
    const slice = sliceOf(service, [newPod(n), ...podsOf(service).slice(1)])
    return wire.send('PUT', `${slicesPath}/${slice.metadata.name}`, slice)
  },
  slices(wire, n) {
    const slice = bigSlice(n % services, others(Math.floor(n / services)))
    return wire.send('PUT', `${slicesPath}/${slice.metadata.name}`, slice)
  },
  configmaps: (wire, n) => wire.send('POST', at('default', 'configmaps'), configMapOf(n)),
  pods: (wire, n) => wire.send('POST', at('default', 'pods'), podOf(n)),
}

/** The answer need not be parsed for one number. */
const revisionIn = (body: Buffer): number => Number(/"resourceVersion":"(\d+)"/.exec(body.toString('latin1'))![1])

let told: [number, number][] = []
let next = from
let stopped = false
const say = (): void => {
  if (told.length === 0) return
  process.stdout.write(`${JSON.stringify({ msg: 'told', writes: told } satisfies Told)}\n`)
  told = []
}

async function work(wire: Wire, began: number): Promise<void> {
  while (!stopped && next < to) {
    const n = next++
    const early = began + ((n - from) * 1_000) / perSecond - performance.now()
    if (early > 1) await sleep(early)
    const body = await writes[what](wire, n)
    told.push([revisionIn(body), Date.now()])
  }
}

const credentials = adminIn(pki)
const wires = await Promise.all(Array.from({ length: connections }, () => openWire(url, credentials)))
process.stdin.on('end', () => (stopped = true)).resume()
const ticker = setInterval(say, 100)
const began = performance.now()
await Promise.all(wires.map((wire) => work(wire, began)))
clearInterval(ticker)
say()
process.exit(0)
