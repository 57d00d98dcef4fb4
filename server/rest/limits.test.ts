import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Subresource } from '../../api/resources.ts'
import { failureOf } from '../../test/kit/api.ts'
import { useTrials, type Trial } from '../../test/kit/trial.ts'
import { maxDepth, maxValues } from './body.ts'
import type { Call, RestDeps } from './call.ts'
import { beginCall, type Inflight } from './inflight.ts'
import { freshWaitMs } from './read.ts'

const start = useTrials()

const configMaps = '/api/v1/namespaces/default/configmaps'
/** It waits for a revision that does not come. */
const waiting = `${configMaps}?resourceVersion=1000000`
const authenticate: RestDeps['authenticate'] = (req) => ({ name: String(req.headers['x-user']), groups: [] })
const limits = { requestsByUser: 2, requests: 3, streamsByUser: 1 }
const as = (user: string) => ({ headers: { 'x-user': user } })

describe('requests under way', () => {
  test('of one user are bounded, of all as well; others and later ones are answered', async () => {
    const { api, clock } = await start({ authenticate, limits })
    const held = [api.send('GET', waiting, as('a')), api.send('GET', waiting, as('a'))]
    await clock.armed(freshWaitMs)
    while (clock.waiting < 2) await new Promise((resolve) => setImmediate(resolve))
    const refused = await api.send('GET', configMaps, as('a'))
    expect(refused).toMatchObject({ code: 429, headers: { 'retry-after': '1' }, body: { reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } } })
    expect((await api.send('GET', configMaps, as('b'))).code).toBe(200)
    const last = api.send('GET', waiting, as('b'))
    while (clock.waiting < 3) await new Promise((resolve) => setImmediate(resolve))
    expect((await api.send('GET', configMaps, as('c'))).body).toMatchObject({ code: 429, message: expect.stringContaining('the hub has 3 requests') })
    await clock.advance(freshWaitMs)
    expect((await Promise.all([...held, last])).map((a) => a.code)).toEqual([504, 504, 504])
    expect((await api.send('GET', configMaps, as('a'))).code).toBe(200)
  })

  test('that stay, as watches do, have a bound of their own, until they end', async () => {
    const { api } = await start({ limits })
    const life = new AbortController()
    await api.watch(configMaps, life.signal)
    expect(await failureOf(api.watch(configMaps))).toMatchObject({ code: 429 })
    expect((await api.send('GET', configMaps)).code).toBe(200)
    life.abort()
    for (;;) {
      const again = await api.send('GET', `${configMaps}?watch=1&timeoutSeconds=nonsense`)
      if (again.code === 400) break
      expect(again.code).toBe(429)
    }
  })

  test('end when the client takes nothing of the answer any more', async () => {
    const { registry, server } = await start({ limits: { stallMs: 100 } })
    const data = { a: 'x'.repeat(900_000) }
    // Not through the API, where the store might take its time over so much, in which nothing moves either.
    for (let i = 0; i < 40; i++) {
      const name = `c${i}`
      await registry.create({ resource: 'configmaps', namespace: 'default', name }, { metadata: { name }, data })
    }
    const { port } = server.address() as net.AddressInfo
    const gone = new Promise((resolve) => server.once('request', (req) => req.socket.once('close', resolve)))
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.pause()
    socket.write(`GET ${configMaps} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await gone
    socket.destroy()
  })

  type Row = readonly [words: { readonly verb: string; readonly subresource?: Subresource }, query: string, ms: number]
  const rows: readonly Row[] = [
    [{ verb: 'list' }, '', 100],
    [{ verb: 'get', subresource: 'log' }, '', 100],
    [{ verb: 'get', subresource: 'log' }, 'follow=true', 0],
    [{ verb: 'watch' }, '', 0],
    ...(['exec', 'attach', 'portforward', 'proxy'] as const).map((subresource) => [{ verb: 'get', subresource }, '', 0] satisfies Row),
  ]
  test.each(rows)('%j ?%s is cut off after %i ms in which nothing moves (0: never), and counts as what it is', (words, query, ms) => {
    let timeout: number | undefined
    const socket = { setTimeout: (after: number) => (timeout = after) }
    const begun: string[] = []
    const inflight: Inflight = { begin: (_user, kind) => (begun.push(kind), () => undefined) }
    const call = { req: { socket }, user: { name: 'jane', groups: [] }, query: new URLSearchParams(query) } as unknown as Call
    beginCall(call, { ...words, path: '' }, { inflight, stallMs: 100 })
    expect([timeout, begun]).toEqual([ms, [ms === 0 ? 'stream' : 'request']])
  })
})

describe('bodies', () => {
  const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth)
  const yaml = { 'content-type': 'application/yaml' }
  test.each([
    ['deep JSON', nested('[', ']', maxDepth + 2), {}, 'nested deeper'],
    ['very deep JSON', `{"data":${nested('[', ']', 1_000_000)}}`, {}, 'nested deeper'],
    ['deep JSON objects', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, {}, 'nested deeper'],
    ['very deep YAML', nested('[', ']', 20_000), yaml, 'nested deeper'],
    ['deep YAML blocks', Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), yaml, 'nested deeper'],
    ['a long list', `{"a":[${'1,'.repeat(maxValues)}1]}`, {}, `more than ${maxValues} values`],
    ['many fields', `{${Array.from({ length: 130_000 }, (_, i) => `"${i}":{"a":1}`).join()}}`, {}, `more than ${maxValues} values`],
    ['aliases of aliases', `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefghi'[i]}`).join()}]`).join('\n')}`, yaml, 'YAML'],
  ])('%s', async (_what, body, headers, message) => {
    const { api, complaints } = await start()
    const answer = await api.send('POST', configMaps, { body, headers })
    expect(answer.body).toMatchObject({ code: 400, reason: 'BadRequest', message: expect.stringContaining(message) })
    expect(complaints).toEqual([])
  })
})

describe('a WebSocket that watches', () => {
  const open = async (trial: Trial): Promise<WebSocket> => {
    const socket = new WebSocket(`${trial.api.url.replace('http', 'ws')}${configMaps}?watch=1`, { perMessageDeflate: true })
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return socket
  }
  const closed = (socket: WebSocket): Promise<number> => new Promise((resolve) => socket.once('close', resolve))

  test('is not compressed, and ends when it is sent too much', async () => {
    const trial = await start()
    const socket = await open(trial)
    expect(socket.extensions).toBe('')
    const code = closed(socket)
    socket.send('x'.repeat(2000))
    expect(await code).toBe(1009)
  })

  test('ends when it is sent too many fragments', async () => {
    const trial = await start()
    const socket = await open(trial)
    const code = closed(socket)
    for (let i = 0; i < 40; i++) socket.send('x', { fin: false })
    expect(await code).toBe(1008)
  })

  test('is refused before the upgrade where the user may not watch', async () => {
    const trial = await start({ authorize: () => ({ allowed: false, why: '' }) })
    await expect(open(trial)).rejects.toThrow('401')
  })
})
