import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { silentLog } from '../../../api/log.ts'
import type { KubeObject } from '../../../api/objects.ts'
import { failureOf } from '../../../test/kit/api.ts'
import { createApi } from '../../../test/kit/api.ts'
import { cronTab, customResourceDefinition } from '../../../test/kit/custom.ts'
import { createFakeClock } from '../../../test/kit/clock.ts'
import type { WatchEvent } from '../../../test/kit/api.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import type { Change, Store } from '../../store/store.ts'
import { freshWaitMs } from '../read.ts'
import { useTrials, type Trial } from '../../../test/kit/trial.ts'
import { bookmarkMs, lifeMs, pauseBytes, stallMs } from './watch.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'
const configMap = (name: string, labels: Readonly<Record<string, string>> = {}, data: Readonly<Record<string, string>> = {}) => ({
  metadata: { name, labels },
  data,
})

const start = useTrials()

/** The next events of a watch: how many, in short. */
async function take(events: AsyncGenerator<WatchEvent>, count: number): Promise<readonly string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    const { value, done } = await events.next()
    if (done) return [...taken, 'END']
    taken.push(`${value.type} ${value.object.metadata.name ?? ''}`.trim())
  }
  return taken
}

const watch = (trial: Trial, query = ''): Promise<AsyncGenerator<WatchEvent>> => trial.api.watch(`${configMaps}${query}`)

describe('a watch over HTTP', () => {
  test('tells of all that is there, then of what changes', async () => {
    const trial = await start()
    const { api } = trial
    await api.create(configMaps, configMap('a'))
    const events = await watch(trial)
    await api.create(configMaps, configMap('b'))
    await api.patch(`${configMaps}/a`, 'merge', { data: { x: '1' } })
    await api.delete(`${configMaps}/a`)
    expect(await take(events, 4)).toEqual(['ADDED a', 'ADDED b', 'MODIFIED a', 'DELETED a'])
  })

  test('of a kind that somebody defined it ends when the definition changes, or goes', async () => {
    const trial = await start()
    const { api } = trial
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const crontabs = '/apis/stable.example.com/v1/namespaces/default/crontabs'
    const at = `${definitions}/crontabs.stable.example.com`
    await api.create(definitions, customResourceDefinition())
    const events = await api.watch(crontabs)
    const others = await watch(trial)
    await api.create(crontabs, cronTab())
    await api.patch(at, 'merge', { metadata: { labels: { a: 'b' } } })
    await api.patch(`${crontabs}/nightly`, 'merge', { spec: { replicas: 2 } })
    expect(await take(events, 2)).toEqual(['ADDED nightly', 'MODIFIED nightly'])
    await api.patch(at, 'merge', { spec: { names: { categories: ['more'] } } })
    expect(await take(events, 1)).toEqual(['END'])
    const again = await api.watch(`${crontabs}?resourceVersion=${trial.store.revision}`)
    await api.delete(`${crontabs}/nightly`)
    await api.delete(at)
    await api.patch(at, 'json', [{ op: 'remove', path: '/metadata/finalizers' }])
    expect(await take(again, 2)).toEqual(['DELETED nightly', 'END'])
    expect((await failureOf(api.get(crontabs))).code).toBe(404)
    await api.create(configMaps, configMap('a'))
    expect(await take(others, 1)).toEqual(['ADDED a'])
  })

  test('from a revision it tells of nothing older', async () => {
    const trial = await start()
    const { api, store } = trial
    await api.create(configMaps, configMap('a'))
    const { revision } = store
    await api.create(configMaps, configMap('b'))
    expect(await take(await watch(trial, `?resourceVersion=${revision}`), 1)).toEqual(['ADDED b'])
  })

  test('objects that begin or cease to match are ADDED and DELETED', async () => {
    const trial = await start()
    const { api } = trial
    const events = await watch(trial, '?labelSelector=app%3Dweb')
    await api.create(configMaps, configMap('a', { app: 'db' }))
    await api.patch(`${configMaps}/a`, 'merge', { metadata: { labels: { app: 'web' } } })
    await api.patch(`${configMaps}/a`, 'merge', { metadata: { labels: { app: 'db' } } })
    await api.create(configMaps, configMap('end', { app: 'web' }))
    expect(await take(events, 3)).toEqual(['ADDED a', 'DELETED a', 'ADDED end'])
  })

  test('other namespaces and other names are not told of', async () => {
    const trial = await start()
    const { api } = trial
    await api.create('/api/v1/namespaces', { metadata: { name: 'other' } })
    const events = await watch(trial, '/b')
    await api.create('/api/v1/namespaces/other/configmaps', configMap('b'))
    await api.create(configMaps, configMap('a'))
    await api.create(configMaps, configMap('b'))
    const { value } = await events.next()
    expect(value).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'b', namespace: 'default' } } })
  })

  test('the initial events end with a bookmark, and one comes every minute', async () => {
    const trial = await start()
    const { api, clock, store } = trial
    await api.create(configMaps, configMap('a'))
    const events = await watch(trial, '?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true')
    expect(await take(events, 1)).toEqual(['ADDED a'])
    expect((await events.next()).value).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', metadata: { resourceVersion: String(store.revision), annotations: { 'k8s.io/initial-events-end': 'true' } } },
    })
    await api.create('/api/v1/namespaces', { metadata: { name: 'other' } })
    await clock.advance(bookmarkMs)
    expect((await events.next()).value).toMatchObject({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(store.revision) } } })
  })

  test('ends after timeoutSeconds', async () => {
    const trial = await start()
    const events = await watch(trial, `?timeoutSeconds=5&resourceVersion=${trial.store.revision}`)
    await trial.clock.advance(5_000)
    expect(await take(events, 1)).toEqual(['END'])
  })

  test('ends with a bookmark, where those are wanted', async () => {
    const trial = await start()
    const events = await watch(trial, `?timeoutSeconds=5&allowWatchBookmarks=true&resourceVersion=${trial.store.revision}`)
    await trial.api.create('/api/v1/namespaces', { metadata: { name: 'other' } })
    await trial.clock.advance(5_000)
    expect((await events.next()).value).toMatchObject({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(trial.store.revision) } } })
    expect(await take(events, 1)).toEqual(['END'])
  })

  test('from a forgotten revision it is an error event', async () => {
    const trial = await start()
    const { api, store } = trial
    await api.create(configMaps, configMap('a'))
    await api.create(configMaps, configMap('b'))
    await store.compact(store.revision)
    const events = await watch(trial, '?resourceVersion=1&allowWatchBookmarks=true')
    expect((await events.next()).value).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })
    expect((await events.next()).done).toBe(true)
  })

  test('from a revision that does not come it is a Timeout', async () => {
    const trial = await start()
    const failed = failureOf(watch(trial, `?resourceVersion=${trial.store.revision + 999}`))
    await trial.clock.armed(freshWaitMs)
    await trial.clock.advance(freshWaitMs)
    expect(await failed).toMatchObject({ code: 504, reason: 'Timeout' })
  })

  test('as tables, of which the first has the columns', async () => {
    const { api } = await start()
    await api.create(configMaps, configMap('a'))
    const tables = createApi({ url: api.url, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' } })
    const events = await tables.watch<object>(configMaps)
    await api.create(configMaps, configMap('b'))
    const name = { name: 'Name', type: 'string', format: 'name' }
    expect((await events.next()).value).toMatchObject({ type: 'ADDED', object: { kind: 'Table', columnDefinitions: [name, {}, {}], rows: [{ cells: ['a', 0, '0s'] }] } })
    expect((await events.next()).value).toMatchObject({ type: 'ADDED', object: { kind: 'Table', columnDefinitions: null, rows: [{ cells: ['b', 0, '0s'] }] } })
    tables.close()
  })

  test('as metadata alone, with the end of the initial events', async () => {
    const { api } = await start()
    await api.create(configMaps, configMap('a', { x: '1' }))
    const partial = createApi({ url: api.url, headers: { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' } })
    const events = await partial.watch(`${configMaps}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`)
    const typed = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' }
    const first = (await events.next()).value!
    expect(first).toMatchObject({ type: 'ADDED', object: { ...typed, metadata: { name: 'a' } } })
    expect(first.object).not.toHaveProperty('data')
    expect((await events.next()).value).toMatchObject({ type: 'BOOKMARK', object: { ...typed, metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } } })
    await events.return(undefined)
    partial.close()
  })

  test('the store is left alone once the client is gone', async () => {
    let watching = 0
    const stopped = Promise.withResolvers<void>()
    const store = openSqliteStore({ path: ':memory:', log: silentLog, clock: createFakeClock() })
    // A proxy, because the store's revisions are getters.
    const counted = new Proxy(store, {
      get(of, property: keyof Store) {
        if (property !== 'watch') return of[property]
        return (from: number, onChange: (change: Change) => void) => {
          const stop = of.watch(from, onChange)
          watching++
          return () => {
            watching--
            stopped.resolve()
            stop()
          }
        }
      },
    })
    const trial = await start({ store: counted })
    const others = watching
    const events = await watch(trial)
    await trial.api.create(configMaps, configMap('a'))
    await take(events, 1)
    expect(watching).toBe(others + 1)
    await events.return(undefined)
    await stopped.promise
    expect(watching).toBe(others)
  })
})

describe('a reader that does not read', () => {
  const names = Array.from({ length: 30 }, (_, i) => `c${i}`)
  const filling = 'x'.repeat(1024 * 1024)

  /**
   * A watch whose answer is not read until `resume`, and everything that happens until its server has paused. The changes
   * come while it watches, or came before, so that they are its history.
   */
  async function stall(trial: Trial, changes: 'coming' | 'past' = 'coming'): Promise<net.Socket> {
    const { hostname, port } = new URL(trial.api.url)
    const { revision } = trial.store
    const change = async (): Promise<void> => {
      for (const name of names) await trial.api.create(configMaps, configMap(name, {}, { filling }))
    }
    if (changes === 'past') await change()
    const socket = net.connect({ host: hostname, port: Number(port) })
    socket.pause()
    socket.write(`GET ${configMaps}?watch=1&resourceVersion=${revision} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await trial.clock.armed(lifeMs)
    if (changes === 'coming') await change()
    await trial.clock.armed(stallMs)
    return socket
  }

  test.each(['coming', 'past'] as const)('is cut off (changes: %s)', async (changes) => {
    const trial = await start()
    const socket = await stall(trial, changes)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await trial.clock.advance(stallMs)
    socket.on('error', () => {}).resume()
    await closed
    expect(trial.complaints.join()).toContain('slow watcher cut off')
    const [, waiting] = /"waiting":(\d+)/.exec(trial.complaints.join())!
    expect(Number(waiting)).toBeLessThan(pauseBytes + 2 * filling.length)
  })

  test('misses nothing if it goes on in time', async () => {
    const trial = await start()
    const socket = await stall(trial)
    let text = ''
    const whole = new Promise<void>((resolve) => {
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk.replaceAll(/x{50,}/g, '')
        if (text.includes(`"name":"${names.at(-1)!}"`)) resolve()
      })
    })
    socket.resume()
    await whole
    socket.destroy()
    expect([...text.matchAll(/"type":"ADDED".*?"name":"(c\d+)"/gs)].map(([, name]) => name)).toEqual(names)
    expect(trial.complaints).toEqual([])
  })
})

describe('a watch over a WebSocket', () => {
  const open = (trial: Trial, path: string): WebSocket => new WebSocket(trial.api.url.replace('http', 'ws') + path)

  /** The status code of a refused upgrade. */
  function refusal(socket: WebSocket): Promise<number> {
    return new Promise((resolve, reject) => {
      socket.on('error', () => {})
      socket.on('open', () => reject(new Error('it was accepted')))
      socket.on('unexpected-response', (_, res) => {
        res.resume()
        resolve(res.statusCode!)
      })
    })
  }

  test('has one frame for each event, and ends with the server', async () => {
    const trial = await start()
    const { api, clock } = trial
    await api.create(configMaps, configMap('a'))
    const socket = open(trial, `${configMaps}?watch=true&timeoutSeconds=7`)
    const frames: WatchEvent<KubeObject>[] = []
    const second = Promise.withResolvers<void>()
    socket.on('message', (data: Buffer) => {
      frames.push(JSON.parse(data.toString()) as WatchEvent)
      if (frames.length === 2) second.resolve()
    })
    await new Promise((resolve) => socket.once('open', resolve))
    await api.create(configMaps, configMap('b'))
    await second.promise
    expect(frames.map((f) => `${f.type} ${f.object.metadata.name}`)).toEqual(['ADDED a', 'ADDED b'])
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await clock.advance(7_000)
    expect(await closed).toBe(1000)
  })

  test('is refused where it is no watch, not allowed, or nothing', async () => {
    const trial = await start({ authorize: (_, wish) => ({ allowed: wish.resource !== 'secrets', why: '' }) })
    expect(await refusal(open(trial, configMaps))).toBe(400)
    expect(await refusal(open(trial, '/api/v1/secrets?watch=1'))).toBe(401)
    expect(await refusal(open(trial, '/api/v1/widgets?watch=1'))).toBe(400)
    expect((await trial.api.send('GET', '/version')).code).toBe(200)
  })
})
