import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import { createFakeClock, settled } from '../../test/kit/clock.ts'
import { healthFace, metricsFace } from './faces.ts'
import { holdListener, listen } from './listener.ts'
import { createProxyHealth } from './proxy-health.ts'
import { createHealthServers, type HealthCheck, type HealthServers } from './service-health.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

interface Reply {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

async function ask(port: number, path = '/', host = '127.0.0.1'): Promise<Reply | 'refused'> {
  const request = http.get({ host, port, path, agent: false })
  try {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    let body = ''
    for await (const part of response) body += String(part)
    return { status: response.statusCode!, headers: response.headers, body }
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ECONNREFUSED') return 'refused'
    throw e
  }
}

/** A port that nobody has; taken by `holder` if that is asked for. */
async function freePort(keep = false): Promise<number> {
  const holder = net.createServer()
  await once(holder.listen(0, '127.0.0.1'), 'listening')
  const { port } = holder.address() as net.AddressInfo
  const close = () => new Promise((resolve) => void holder.close(resolve))
  if (keep) releases.set(port, close)
  else await close()
  return port
}
const releases = new Map<number, () => Promise<unknown>>()

function servers(addresses: readonly string[] = ['127.0.0.1']) {
  const failures: { port: number; service: { name: string } }[] = []
  const clock = createFakeClock()
  const state = { healthy: true }
  const made: HealthServers = createHealthServers({
    addresses: () => addresses,
    isHealthy: () => state.healthy,
    onFailure: (failure) => failures.push(failure),
    clock,
    log: silentLog,
  })
  stops.push(() => made.close())
  const take = async (...wanted: HealthCheck[]): Promise<void> => {
    made.take(wanted)
    await made.settled()
  }
  return { take, failures, clock, state, made }
}

const check = (port: number, localEndpoints: number, name = 'web'): HealthCheck => ({ service: { namespace: 'default', name }, port, localEndpoints })

describe('a health check of a service', () => {
  test('says how many endpoints are here, on any path', async () => {
    const { take } = servers()
    const port = await freePort()
    await take(check(port, 2))
    const reply = (await ask(port, '/any/path?x=1')) as Reply
    expect(reply.status).toBe(200)
    expect(JSON.parse(reply.body)).toEqual({ service: { namespace: 'default', name: 'web' }, localEndpoints: 2, serviceProxyHealthy: true })
    expect(reply.headers).toMatchObject({ 'content-type': 'application/json', 'x-content-type-options': 'nosniff', 'x-load-balancing-endpoint-weight': '2' })
  })

  test('is 503 without endpoints, and while the rules are late', async () => {
    const { take, state } = servers()
    const port = await freePort()
    await take(check(port, 0))
    expect(await ask(port)).toMatchObject({ status: 503, headers: { 'x-load-balancing-endpoint-weight': '0' } })
    await take(check(port, 1))
    expect(await ask(port)).toMatchObject({ status: 200 })
    state.healthy = false
    const late = (await ask(port)) as Reply
    expect(late.status).toBe(503)
    expect(JSON.parse(late.body)).toMatchObject({ localEndpoints: 1, serviceProxyHealthy: false })
  })

  test('keeps its connections while only counts change', async () => {
    const { take } = servers()
    const port = await freePort()
    await take(check(port, 1))
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const get = async (): Promise<boolean> => {
      const request = http.get({ port, agent })
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      await once(response.resume(), 'end')
      return request.reusedSocket
    }
    expect(await get()).toBe(false)
    await take(check(port, 2))
    await settled()
    expect(await get()).toBe(true)
    agent.destroy()
  })

  test('moves when its port does, and goes when it is not wanted any more', async () => {
    const { take } = servers()
    const [first, second] = [await freePort(), await freePort()]
    await take(check(first, 1))
    await take(check(second, 1))
    expect([await ask(first), ((await ask(second)) as Reply).status]).toEqual(['refused', 200])
    await take()
    expect(await ask(second)).toBe('refused')
  })

  test('may take over the port of another in one step', async () => {
    const { take, failures } = servers()
    const [a, b] = [await freePort(), await freePort()]
    await take(check(a, 1, 'one'), check(b, 2, 'two'))
    await take(check(b, 1, 'one'), check(a, 2, 'two'))
    expect(JSON.parse(((await ask(a)) as Reply).body)).toMatchObject({ service: { name: 'two' } })
    expect(JSON.parse(((await ask(b)) as Reply).body)).toMatchObject({ service: { name: 'one' } })
    expect(failures).toEqual([])
  })

  test('answers on the addresses that it is told, and no other', async () => {
    const { take } = servers(['127.0.0.2', '127.0.0.3'])
    const port = await freePort()
    await take(check(port, 1))
    expect([await ask(port, '/', '127.0.0.1'), ((await ask(port, '/', '127.0.0.2')) as Reply).status, ((await ask(port, '/', '127.0.0.3')) as Reply).status]).toEqual(['refused', 200, 200])
  })

  test('answers on all addresses by ::', async () => {
    const { take } = servers(['::'])
    const port = await freePort()
    await take(check(port, 1))
    expect(((await ask(port, '/', '127.0.0.9')) as Reply).status).toBe(200)
  })

  test('whose port is taken is told once, tried again, and opens when the port is free', async () => {
    const { take, failures, clock, made } = servers(['127.0.0.2', '127.0.0.1'])
    const port = await freePort(true)
    await take(check(port, 1))
    expect(failures).toMatchObject([{ port, service: { name: 'web' } }])
    expect(await ask(port, '/', '127.0.0.2'), 'not on half of its addresses').toBe('refused')
    await clock.advance(5_000)
    await made.settled()
    expect(failures, 'told once').toHaveLength(1)
    await releases.get(port)!()
    await clock.advance(5_000)
    await made.settled()
    expect(((await ask(port)) as Reply).status).toBe(200)
    expect(clock.waiting).toBe(0)
  })
})

describe('the health of the proxy', () => {
  const health = () => {
    const clock = createFakeClock()
    return { clock, health: createProxyHealth({ now: () => clock.now(), lateMs: 60_000 }) }
  }

  test('is good from the start, and while nothing waits', async () => {
    const { clock, health: h } = health()
    expect(h.healthz().status).toBe(200)
    await clock.advance(10_000_000)
    expect([h.healthz().status, h.livez().status]).toEqual([200, 200])
  })

  test('turns bad when a change of one family waits for twice the period, and good when it is written', async () => {
    const { clock, health: h } = health()
    h.updated('ip')
    h.queued('ip')
    h.queued('ip6')
    await clock.advance(30_000)
    h.queued('ip6')
    h.updated('ip')
    await clock.advance(29_999)
    expect(h.isHealthy()).toBe(true)
    await clock.advance(1)
    expect([h.isHealthy(), h.healthz().status, h.livez().status], 'by the oldest change').toEqual([false, 503, 503])
    h.updated('ip6')
    expect(h.healthz().status).toBe(200)
  })

  test.each([
    ['is being deleted', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }],
    ['was chosen by the autoscaler', { metadata: {}, spec: { taints: [{ key: 'x' }, { key: 'ToBeDeletedByClusterAutoscaler' }] } }],
  ])('of a node that %s: /healthz says no, /livez does not mind', (_what, node) => {
    const { health: h } = health()
    h.node(node)
    expect([h.healthz().status, h.livez().status]).toEqual([503, 200])
    expect(JSON.parse(h.healthz().body)).toMatchObject({ nodeEligible: false })
    h.node({ metadata: {}, spec: { taints: [{ key: 'x' }] } })
    expect(h.healthz().status).toBe(200)
    h.node(node)
    h.node(undefined)
    expect(h.healthz().status, 'and what is unknown counts for it').toBe(200)
  })

  test('is told with times as Go prints them', async () => {
    const { clock, health: h } = health()
    h.updated('ip')
    await clock.advance(1_500)
    const now = '2026-01-01 00:00:01.5 +0000 UTC'
    expect(h.healthz().body).toBe(`{"lastUpdated": "${now}","currentTime": "${now}", "nodeEligible": true}`)
    h.queued('ip')
    await clock.advance(60_000)
    expect(h.livez().body).toBe(`{"lastUpdated": "2026-01-01 00:00:00 +0000 UTC","currentTime": "2026-01-01 00:01:01.5 +0000 UTC"}`)
    expect(h.livez().headers).toEqual({ 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' })
  })
})

describe('the faces', () => {
  test('of health count their answers, and know no other path', () => {
    const told: string[] = []
    const proxy = createProxyHealth({ now: () => 0, lateMs: 1 })
    const face = healthFace(proxy, (path, code) => told.push(`${path} ${code}`))
    expect([face('/healthz').status, face('/livez').status, face('/').status]).toEqual([200, 200, 404])
    proxy.node({ metadata: { deletionTimestamp: 'x' } })
    face('/healthz')
    expect(told).toEqual(['healthz 200', 'livez 200', 'healthz 503'])
  })

  test('of metrics', () => {
    const face = metricsFace({ metrics: () => 'a 1\n', mode: 'nftables', config: { mode: 'nftables' } })
    expect(face('/metrics')).toEqual({ status: 200, headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }, body: 'a 1\n' })
    expect(face('/proxyMode')).toMatchObject({ status: 200, body: 'nftables' })
    expect(face('/healthz')).toMatchObject({ status: 200, body: 'ok' })
    expect(JSON.parse(face('/configz').body)).toEqual({ 'kubeproxy.config.k8s.io': { mode: 'nftables' } })
    expect(face('/debug/pprof/').status).toBe(404)
  })
})

describe('a listener that is held', () => {
  const held = async (hardFail: boolean) => {
    const clock = createFakeClock()
    const stop = new AbortController()
    const port = await freePort(true)
    const handler = () => ({ status: 200, headers: {}, body: 'here' })
    const running = holdListener({ place: { host: '127.0.0.1', port }, handler, name: 'test', hardFail, clock, log: silentLog }, stop.signal)
    return { clock, stop, port, running }
  }
  const waits = async (clock: { readonly waiting: number }): Promise<void> => {
    while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve))
  }

  test('is tried again every 5 s, and ends with the signal', async () => {
    const { clock, stop, port, running } = await held(false)
    await waits(clock)
    await releases.get(port)!()
    await clock.advance(5_000)
    for (;;) {
      const reply = await ask(port)
      if (reply === 'refused') continue
      expect(reply.body).toBe('here')
      break
    }
    stop.abort()
    await running
    expect(await ask(port)).toBe('refused')
  })

  test('fails at once where that is asked for', async () => {
    const { port, running } = await held(true)
    await expect(running).rejects.toMatchObject({ code: 'SETUP', message: expect.stringContaining(`127.0.0.1:${port}`) })
    await releases.get(port)!()
  })

  test('refuses headers without bound', async () => {
    const listener = await listen({ host: '127.0.0.1', port: 0 }, () => ({ status: 200, headers: {}, body: '' }))
    stops.push(() => listener.close())
    const request = http.get({ port: listener.port, headers: { long: 'x'.repeat(20_000) }, agent: false })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    expect(response.resume().statusCode).toBe(431)
  })
})
