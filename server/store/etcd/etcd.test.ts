import { randomBytes } from 'node:crypto'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { holding, objectOf, put, refOf, remove, valueOf, witness, wordsOf } from '../../../test/conformance/store.ts'
import { type Clock, systemClock } from '../../../api/clock.ts'
import { customResource } from '../../../api/resources.ts'
import { noEtcd, openOn, startEtcd, type EtcdServer } from '../../../test/kit/etcd.ts'
import { waitFor } from '../../../test/kit/wait.ts'
import { createSeal, type Key } from '../../seal/seal.ts'
import { StoreError } from '../error.ts'
import type { Change, Ref } from '../store.ts'
import type { EtcdStore, EtcdStoreOptions } from './etcd.ts'

describe.skipIf(noEtcd)(`two hubs on one etcd${noEtcd && ` (skipped: ${noEtcd})`}`, () => {
  let server: EtcdServer
  let opened: EtcdStore[]
  const lost: StoreError[] = []
  beforeEach(async () => {
    server = await startEtcd()
    opened = []
    lost.length = 0
  })
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()))
    await server.end()
  })
  const open = async (more: Partial<EtcdStoreOptions> = {}): Promise<EtcdStore> => {
    const store = await openOn(server, { words: wordsOf, onLost: (why) => lost.push(why), ...more })
    opened.push(store)
    return store
  }
  /** etcd's own command, as people use it. */
  const etcdctl = async (...args: readonly string[]): Promise<string> => {
    const at = (name: string): string => join(server.pki, name)
    const flags = ['--endpoints', server.url, '--cacert', at('ca.crt'), '--cert', at('admin.crt'), '--key', at('admin.key')]
    return (await promisify(execFile)('etcdctl', [...flags, ...args], { env: { ...process.env, ETCDCTL_API: '3' }, timeout: 10_000, maxBuffer: 8 * 1024 * 1024 })).stdout
  }

  test('what one writes the other reads, after `fresh`, and watches, in the same order', async () => {
    const [a, b] = [await open(), await open()]
    expect(b.history).toBe(a.history)
    const told = [witness(a, 0), witness(b, 0)]
    for (let i = 0; i < 50; i++) {
      const [writer, reader] = i % 2 ? [a, b] : [b, a]
      const stored = await put(writer, refOf('x'), i)
      await reader.fresh()
      expect(reader.get(refOf('x'))).toEqual(stored)
    }
    await remove(a, refOf('x'))
    await Promise.all([told[0]!.reached(a.revision), told[1]!.reached(a.revision)])
    expect(told[1]!.changes).toEqual(told[0]!.changes)
    expect(told[0]!.changes).toHaveLength(51)
  })

  test('a hub that cannot begin says why, once', async () => {
    const a = await open()
    for (let i = 0; i < 20; i++) await put(a, refOf('x'), i)
    // As if ten seconds went by without an event.
    const clock: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms === 10_000 ? 0 : ms, run) }
    await expect(open({ clock })).rejects.toMatchObject({ code: 'STORE_LOST', message: expect.stringMatching(/^etcd is at revision \d+, and its events come to \d+ only$/) as string })
    expect(lost).toEqual([])
  })

  test('secrets lie sealed in etcd, are sealed anew by a new first key, and need the key', async () => {
    const key = (name: string): Key => ({ name, secret: randomBytes(32) })
    const [first, second] = [key('key1'), key('key2')]
    const sealedBy = (...keys: readonly Key[]) => ({ seal: createSeal({ keys, plain: true }) })
    const at: Ref = { resource: 'secrets', namespace: 'default', name: 's' }
    const word = Buffer.from('sesame').toString('base64').repeat(170_000)
    const inEtcd = (): Promise<string> => etcdctl('get', '/registry/secrets/default/s', '--print-value-only')
    const secretOf = (store: EtcdStore): unknown => (store.get(at) as unknown as { readonly data: unknown }).data

    const plain = await open()
    await plain.write(at, () => ({ put: { ...objectOf(at, 1), data: { word } } as never }))
    expect(await inEtcd()).toContain(word)
    const a = await open(sealedBy(first))
    expect(secretOf(a)).toEqual({ word })
    expect(await a.reseal()).toBe(1)
    expect(await inEtcd()).toMatch(/^k8s:enc:aesgcm:v1:key1:/)
    expect(await inEtcd()).not.toContain(word.slice(0, 40))
    await a.fresh()
    expect(secretOf(a)).toEqual({ word })

    const b = await open(sealedBy(second, first))
    expect(await b.reseal()).toBe(1)
    expect(await b.reseal()).toBe(0)
    expect(await inEtcd()).toMatch(/^k8s:enc:aesgcm:v1:key2:/)
    await b.fresh()
    expect(secretOf(b)).toEqual({ word })
    await put(b, refOf('open'), 7)
    expect(await etcdctl('get', '--prefix', '/registry/configmaps/', '--print-value-only')).toMatch(/^\{/)
    await expect(open(sealedBy(first))).rejects.toThrow('the key key2 is not in the file of keys')
    // The ones that do not have the key cannot follow any more: they stop rather than miss it.
    expect(lost.length).toBeGreaterThan(0)
  })

  test('a hub with other keys is refused before there is a secret', async () => {
    const sealed = () => ({ seal: createSeal({ keys: [{ name: 'key1', secret: randomBytes(32) }], plain: true }) })
    const [own, other] = [await open(sealed()), await open(sealed())]
    expect(await own.reseal()).toBe(0)
    await expect(other.reseal()).rejects.toMatchObject({ code: 'SEAL_BROKEN', message: expect.stringContaining("copy another hub's encryption.yaml") })
    await expect((await open()).reseal()).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    expect(await own.reseal()).toBe(0)
  })

  test('two that count on one object lose no update', async () => {
    const hubs = [await open(), await open()]
    await put(hubs[0]!, refOf('counter'), 0)
    const count = async (store: EtcdStore): Promise<void> => {
      for (let i = 0; i < 25; i++) {
        await store.write(refOf('counter'), (current) => ({ put: objectOf(refOf('counter'), Number(valueOf(current)) + 1) }))
      }
    }
    await Promise.all([...hubs, ...hubs].map(count))
    await Promise.all(hubs.map((store) => store.fresh()))
    expect(hubs.map((store) => valueOf(store.get(refOf('counter'))))).toEqual([100, 100])
  })

  test('what one decided to refuse or to keep, it decided on the newest state', async () => {
    const [a, b] = [await open(), await open()]
    await put(a, refOf('x'), 'old')
    await b.fresh()
    // Not awaited by b: its memory may be behind.
    await put(a, refOf('x'), 'new')
    const kept = await b.write(refOf('x'), () => ({ keep: true }))
    expect(valueOf(kept)).toBe('new')
    await remove(a, refOf('x'))
    const exists = b.write(refOf('x'), (current) => {
      if (current) throw new TypeError('there already')
      return { put: objectOf(refOf('x'), 'again') }
    })
    expect(valueOf(await exists)).toBe('again')
  })

  test('a word that both want at the same time is given once', async () => {
    const hubs = [await open(), await open()]
    for (let round = 0; round < 20; round++) {
      const want = hubs.map((store, i) => {
        const ref = refOf(`r${round}-${i}`)
        return store.write(ref, () => ({ put: holding(ref, `word-${round}`) }))
      })
      const outcomes = await Promise.allSettled(want)
      expect(outcomes.map((o) => o.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    }
  })

  const rules = customResource('rules', 'stable.example.com')
  test.each([
    ['its namespace', { resource: 'namespaces', namespace: '', name: 'default' }, refOf],
    ['the definition of its kind', { resource: 'customresourcedefinitions.apiextensions.k8s.io', namespace: '', name: rules }, (name: string) => ({ resource: rules, namespace: '', name })],
  ] as const)('a new object waits for the news about %s', async (_what, home, refTo: (name: string) => Ref) => {
    const [a, b] = [await open(), await open()]
    await a.write(home, () => ({ put: objectOf(home, 'open') }))
    await b.fresh()
    for (let round = 0; round < 20; round++) {
      const seen: unknown[] = []
      const state = round % 2 ? 'open' : 'ending'
      const ref = refTo(`n${round}`)
      await a.write(home, () => ({ put: objectOf(home, state) }))
      await b.write(ref, () => {
        seen.push(valueOf(b.get(home)))
        return { put: objectOf(ref, round) }
      })
      expect(seen.at(-1)).toBe(state)
    }
  })

  test('etcd dies and comes back: writes are refused meanwhile, watches go on with nothing lost', async () => {
    const [a, b] = [await open(), await open()]
    const told = witness(b, 0)
    await put(a, refOf('x'), 1)
    expect(a.problem()).toBeUndefined()
    await told.reached(a.revision)
    await server.kill()
    const refused = await Promise.allSettled([put(a, refOf('x'), 2), b.fresh()])
    expect(refused).toMatchObject([{ reason: { code: 'STORE_LOST' } }, { reason: { code: 'STORE_LOST' } }])
    expect(valueOf(b.get(refOf('x')))).toBe(1)
    expect(a.problem()).toContain('etcd')
    await server.start()
    await put(a, refOf('x'), 3)
    expect(a.problem()).toBeUndefined()
    await told.reached(a.revision)
    expect(told.changes.map((c) => valueOf(c.object)).filter((v) => v !== 2)).toEqual([1, 3])
    expect(lost).toEqual([])
  })

  test('a hub that missed what etcd has forgotten stops, and says why', async () => {
    const told: Change[] = []
    // A clock that stands still keeps the hub from connecting again until it is told to.
    let goOn: (() => void) | undefined
    const slow = await open({ clock: { now: Date.now, after: (ms, call) => (ms < 5_000 ? ((goOn = call), () => {}) : () => {}) } })
    slow.watch(slow.revision, (c) => told.push(c))
    await server.kill()
    await waitFor('the watch to break', () => goOn !== undefined)
    await server.start()
    const other = await open()
    for (const value of [1, 2, 3]) await put(other, refOf('x'), value)
    await other.compact(other.revision)
    goOn!()
    await waitFor('the hub to notice', () => lost.length > 0)
    expect(lost.map((e) => e.code)).toEqual(['STORE_COMPACTED'])
    await expect(put(slow, refOf('x'), 4)).rejects.toMatchObject({ code: 'STORE_COMPACTED' })
    expect(told).toEqual([])
  })

  test('etcdctl reads it like Kubernetes, and what it changes is seen', async () => {
    const store = await open()
    const told = witness(store, 0)
    const node = { resource: 'nodes', namespace: '', name: 'n1' } as const
    const service = { resource: 'services', namespace: 'default', name: 'web' } as const
    await store.write(node, () => ({ put: { ...objectOf(node, 1), kind: 'Node' } }))
    await store.write(service, () => ({ put: { ...holding(service, 'serviceips/10.96.0.10'), kind: 'Service' } }))
    const keys = await etcdctl('get', '--prefix', '/registry', '--keys-only')
    expect(keys.split('\n').filter(Boolean)).toEqual(['/registry/minions/n1', '/registry/ranges/serviceips/10.96.0.10', '/registry/services/specs/default/web'])
    expect(JSON.parse(await etcdctl('get', '--print-value-only', '/registry/minions/n1'))).toMatchObject({ kind: 'Node', metadata: { name: 'n1' } })
    await etcdctl('put', '/elsewhere', 'not ours')
    await store.fresh()
    await etcdctl('del', '--prefix', '/registry/')
    await store.fresh()
    expect([store.list('nodes'), store.list('services')]).toEqual([[], []])
    // Both went at one revision, and each is told.
    expect(told.changes.map((c) => c.type)).toEqual(['ADDED', 'ADDED', 'DELETED', 'DELETED'])
    expect(told.changes.at(-1)!.revision).toBe(told.changes.at(-2)!.revision)
  })

  test('a word whose object was deleted in etcd by hand can be taken over', async () => {
    const store = await open()
    const hold = (name: string) => store.write(refOf(name), () => ({ put: holding(refOf(name), 'x') }))
    await hold('a')
    await etcdctl('del', '/registry/configmaps/default/a')
    await hold('b')
    await expect(hold('c')).rejects.toMatchObject({ code: 'STORE_TAKEN' })
  })

  test('values that another API server wrote are refused at the start, by the key', async () => {
    await etcdctl('put', '/registry/configmaps/default/a', 'k8s\nprotobuf')
    await expect(open()).rejects.toMatchObject({ code: 'STORE_BROKEN', message: expect.stringContaining('/registry/configmaps/default/a') })
  })
})
