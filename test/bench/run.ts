/** One size of the benchmark, inside its namespace. usage: run.ts SERVICES CHANGES; prints one JSON object. */
import net from 'node:net'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { joinNode, publicKeyHash } from '../../cli/join.ts'
import { createApi, type Api } from '../kit/api.ts'
import { waitFor } from '../kit/wait.ts'
import { hubUrl, openStage, responderPort, type Member } from './stage.ts'
import { quantiles } from './figures.ts'

const endpoints = 3
const [services, changes] = process.argv.slice(2).map(Number) as [number, number]

const vipOf = (i: number): string => `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
/** Never .0 or .255, and any number of services share the pods of this range. */
const podOf = (n: number): string => `10.244.${1 + (Math.floor(n / 250) % 250)}.${1 + (n % 250)}`
const sliceName = (i: number): string => `svc-${i}-bench`

function serviceOf(i: number): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: `svc-${i}` }, spec: { clusterIP: vipOf(i), ports: [{ name: 'http', port: 80, targetPort: responderPort }] } }
}

function sliceOf(i: number, addresses: readonly string[]): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: sliceName(i), labels: { 'kubernetes.io/service-name': `svc-${i}` } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: 'http', protocol: 'TCP', port: responderPort }],
  }
}

const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'

async function populate(api: Api): Promise<number> {
  const started = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < services) {
      const i = next++
      await api.create('/api/v1/namespaces/default/services', serviceOf(i))
      await api.create(slices, sliceOf(i, Array.from({ length: endpoints }, (_, e) => podOf(i * endpoints + e))))
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  return performance.now() - started
}

/** The address that answered, or the error's code. The connection is reset, so that no port is left in TIME_WAIT. */
function ask(host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: 80 })
    socket.setTimeout(1_000, () => {
      socket.resetAndDestroy()
      resolve('TIMEOUT')
    })
    socket.once('data', (d) => {
      socket.resetAndDestroy()
      resolve(String(d).trim())
    })
    socket.once('error', (e: NodeJS.ErrnoException) => resolve(e.code ?? 'ERROR'))
  })
}

/** One endpoint change after another; ms from the API's answer to the first connection that the new endpoint answers. */
async function measureChanges(api: Api): Promise<readonly number[]> {
  const taken: number[] = []
  for (let n = 0; n < changes; n++) {
    const i = (n * 7919) % services
    const address = `10.244.254.${1 + (n % 250)}`
    await api.update(`${slices}/${sliceName(i)}`, sliceOf(i, [address]))
    const answered = performance.now()
    const limit = answered + 5_000
    while ((await ask(vipOf(i))) !== address) if (performance.now() > limit) throw new Error(`change ${n} did not reach the kernel within 5 s`)
    taken.push(performance.now() - answered)
  }
  return taken
}

async function measureStart(start: () => Member): Promise<{ agent: Member; startToServingMs: number; syncToRulesMs: number }> {
  const started = performance.now()
  const agent = start()
  const last = vipOf(services - 1)
  await waitFor('the last service to answer', async () => (await ask(last)).startsWith('10.244.'), 120_000)
  const startToServingMs = performance.now() - started
  await waitFor('the first pass to be logged', () => agent.lines('rules applied').length > 0)
  const at = (message: string): number => Date.parse(String(agent.lines(message)[0]!['time']))
  return { agent, startToServingMs, syncToRulesMs: at('rules applied') - at('first sync') }
}

const stage = await openStage()
try {
  await stage.responder()
  const hub = await stage.hub()
  const pki = join(stage.dir, 'hub', 'pki')
  const file = (name: string): string => readFileSync(join(pki, name), 'utf8')
  const api = createApi({ url: hubUrl, tls: { ca: file('ca.crt'), cert: file('admin.crt'), key: file('admin.key') } })
  const populateMs = await populate(api)
  await joinNode({
    url: hubUrl,
    token: readFileSync(join(stage.dir, 'hub', 'join-token'), 'utf8').trim(),
    caHash: publicKeyHash(file('ca.crt')),
    node: 'node1',
    dir: join(stage.dir, 'node1'),
    signal: AbortSignal.timeout(30_000),
  })
  const { agent, startToServingMs, syncToRulesMs } = await measureStart(() => stage.agent())
  const cpuBefore = agent.cpuSeconds()
  const taken = await measureChanges(api)
  const result = {
    services,
    endpoints: services * endpoints,
    populateMs: Math.round(populateMs),
    startToServingMs: Math.round(startToServingMs),
    syncToRulesMs: Math.round(syncToRulesMs),
    changeToServingMs: quantiles(taken),
    changes: taken.length,
    agent: { rssMB: agent.rssMB(), cpuMsPerChange: Math.round(((agent.cpuSeconds() - cpuBefore) * 100_000) / taken.length) / 100 },
    hub: { rssMB: hub.rssMB() },
  }
  api.close()
  process.stdout.write(`${JSON.stringify(result)}\n`)
} finally {
  await stage.close()
}
