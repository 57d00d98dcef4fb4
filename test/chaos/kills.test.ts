/** The hub as its users have it, a process, killed at any moment of their writing: what it acknowledged is there, and told of once and in order. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Api } from '../kit/api.ts'
import { etcdFlags, freePorts, noEtcd, startEtcd, type EtcdServer } from '../kit/etcd.ts'
import { startHub, type HubProcess } from '../kit/hub.ts'
import { waitFor } from '../kit/wait.ts'
import { chance } from '../conformance/store.ts'
import { createFollower, type Follower } from './follower.ts'
import { whole } from './plan.ts'
import { createPromises } from './writers.ts'

const configmaps = '/api/v1/namespaces/chaos/configmaps'
const writers = 12
/** At the most, before the kill. */
const acks = 200

const stores = [
  { store: 'sqlite', bursts: whole ? 1_000 : 24, seed: 31, skip: '' },
  { store: 'etcd', bursts: whole ? 1_000 : 4, seed: 32, skip: noEtcd },
] as const

let dir: string
let hub: HubProcess | undefined
let etcd: EtcdServer | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wherry-chaos-'))
})
afterEach(async () => {
  await hub?.end('SIGKILL')
  await etcd?.end()
  etcd = undefined
  rmSync(dir, { recursive: true, force: true })
})

/** Lets writers write until some moment, and kills the hub in it. */
async function killInBurst(process: HubProcess, { promises, below }: { promises: ReturnType<typeof createPromises>; below: (n: number) => number }): Promise<void> {
  let left = 1 + below(acks)
  const { promise: enough, resolve } = Promise.withResolvers<void>()
  const writing = promises.burst(process.api, writers, () => --left === 0 && resolve())
  await Promise.race([enough, writing])
  // Not only right after an answer: anywhere in what it does for the next ones.
  const until = performance.now() + below(4_000) / 1_000
  while (performance.now() < until) await new Promise((next) => setImmediate(next))
  await process.end('SIGKILL')
  await writing
}

/** A change after which it is known that a follower has been told of everything before. */
async function mark(api: Api, follower: Follower): Promise<void> {
  const draft = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mark' }, data: { value: `${Math.random()}` } }
  const there = follower.present.has('mark')
  const { metadata } = await (there ? api.patch(`${configmaps}/mark`, 'merge', { data: draft.data }) : api.create(configmaps, draft))
  await follower.reached(Number(metadata.resourceVersion))
}

describe.for(stores)('$store $skip', ({ store, bursts, seed, skip }) => {
  test.skipIf(skip !== '')(`${bursts} bursts of writes, each ended by a kill`, { timeout: bursts * 10_000 + 60_000 }, async () => {
    const below = chance(seed)
    const [port] = await freePorts()
    const promises = createPromises(configmaps, below)
    const prompt = createFollower(configmaps)
    const rare = createFollower(configmaps)
    if (store === 'etcd') etcd = await startEtcd()
    const flags = etcd ? etcdFlags(etcd) : []
    let counted = 0
    let heard = 0
    let compared = 0
    for (let burst = 0; burst <= bursts; burst++) {
      hub = await startHub({ data: join(dir, 'hub'), port, flags })
      const { api } = hub
      if (burst === 0) await api.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'chaos' } })
      // The hub's own object comes at its leisure: from here on all writes are the test's.
      await waitFor('the CA of the namespace', async () => (await api.send('GET', `${configmaps}/kube-root-ca.crt`)).code === 200)
      const what = `seed ${seed}, burst ${burst}`
      expect(promises.broken(await api.list(configmaps)), what).toEqual([])
      await prompt.resume(api)
      await mark(api, prompt)
      const present = (await api.list(configmaps)).map((o) => [o.metadata.name, Number(o.metadata.resourceVersion)] as const)
      expect(Object.fromEntries(prompt.present), what).toEqual(Object.fromEntries(present))
      const told = new Set(prompt.told.slice(heard).map((t) => t.revision))
      expect(promises.acknowledged.slice(counted).filter((revision) => !told.has(revision)), what).toEqual([])
      counted = promises.acknowledged.length
      heard = prompt.told.length
      if (burst % 10 === 0 || burst === bursts) {
        // Who comes back later hears the same story, out of the history on disk.
        await rare.resume(api)
        await rare.reached(prompt.told.at(-1)!.revision)
        rare.stop()
        expect(rare.told.slice(compared), what).toEqual(prompt.told.slice(compared))
        compared = prompt.told.length
      }
      if (burst < bursts) await killInBurst(hub, { promises, below })
    }
    expect(promises.count).toBeGreaterThan(bursts)
    prompt.stop()
    await hub!.end()
  })
})
