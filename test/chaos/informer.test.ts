/** The informer of the clients that people write in JavaScript, `@kubernetes/client-node`, while the hub is killed and started again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CoreV1Api, KubeConfig, makeInformer, PatchStrategy, setHeaderOptions, type V1ConfigMap } from '@kubernetes/client-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chance } from '../conformance/store.ts'
import { etcdFlags, freePorts, noEtcd, startEtcd, type EtcdServer } from '../kit/etcd.ts'
import { startHub, type HubProcess } from '../kit/hub.ts'
import { waitFor } from '../kit/wait.ts'
import { whole } from './plan.ts'
import { createPromises } from './writers.ts'

const namespace = 'chaos'
const configmaps = `/api/v1/namespaces/${namespace}/configmaps`

const stores = [
  { store: 'sqlite', changes: whole ? 100_000 : 5_000, seed: 41, skip: '' },
  { store: 'etcd', changes: whole ? 20_000 : 1_000, seed: 42, skip: noEtcd },
] as const

let dir: string
let hub: HubProcess
let etcd: EtcdServer | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wherry-informer-'))
})
afterEach(async () => {
  await hub?.end('SIGKILL')
  await etcd?.end()
  etcd = undefined
  rmSync(dir, { recursive: true, force: true })
})

async function start(port: number): Promise<HubProcess> {
  hub = await startHub({ data: join(dir, 'hub'), port, flags: etcd ? etcdFlags(etcd) : [] })
  return hub
}

function configOf(): KubeConfig {
  const config = new KubeConfig()
  config.loadFromFile(join(dir, 'hub/admin.kubeconfig'))
  return config
}

/** An informer as its documentation has it: started again when it says that something went wrong. */
function inform(core: CoreV1Api, config: KubeConfig) {
  const told: { readonly kind: 'add' | 'update' | 'delete'; readonly revision: number }[] = []
  let connections = 0
  let stopped = false
  const informer = makeInformer<V1ConfigMap>(config, configmaps, () => core.listNamespacedConfigMap({ namespace }))
  for (const kind of ['add', 'update', 'delete'] as const) {
    informer.on(kind, (object) => void told.push({ kind, revision: Number(object.metadata!.resourceVersion) }))
  }
  informer.on('connect', () => void connections++)
  informer.on('error', () => void setTimeout(() => !stopped && void informer.start(), 100))
  return {
    told,
    informer,
    connections: () => connections,
    stop: () => {
      stopped = true
      return informer.stop()
    },
  }
}

describe.for(stores)('$store $skip', ({ store, changes, seed, skip }) => {
  test.skipIf(skip !== '')(`an informer follows ${changes} changes through two restarts of the hub`, { timeout: 60_000 + changes * 10 }, async () => {
    if (store === 'etcd') etcd = await startEtcd()
    const [port] = await freePorts()
    await start(port)
    await hub.api.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
    const config = configOf()
    const core = config.makeApiClient(CoreV1Api)
    const promises = createPromises(configmaps, chance(seed))
    const { told, informer, connections, stop } = inform(core, config)
    try {
      await informer.start()
      for (const [part, signal] of (['SIGKILL', 'SIGTERM', undefined] as const).entries()) {
        const wanted = Math.ceil((changes * (part + 1)) / 3)
        const { promise: enough, resolve } = Promise.withResolvers<void>()
        const writing = promises.burst(hub.api, 16, () => promises.count >= wanted && resolve())
        await Promise.race([enough, writing])
        await hub.end(signal ?? 'SIGKILL')
        await writing
        await start(port)
        expect(promises.broken(await hub.api.list(configmaps)), `seed ${seed}, part ${part}`).toEqual([])
      }
      const { metadata } = await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'last' } } })
      await waitFor('the last change', () => told.at(-1)?.revision === Number(metadata!.resourceVersion), 60_000)
      const revisions = told.map((t) => t.revision)
      expect(revisions.filter((revision, i) => i > 0 && revision <= revisions[i - 1]!)).toEqual([])
      const heard = new Set(revisions)
      expect(promises.acknowledged.filter((revision) => !heard.has(revision))).toEqual([])
      // Every change, deletions too, that was acknowledged; and those whose answers the deaths of the hub swallowed.
      expect(told.length).toBeGreaterThan(changes)
      // Beside them the last one, and the CA that the hub puts into each namespace.
      expect(told.length).toBeLessThanOrEqual(promises.count + 3 * 16 + 2)
      expect(connections()).toBeGreaterThanOrEqual(3)
      const version = (o: V1ConfigMap) => [o.metadata!.name, o.metadata!.resourceVersion]
      const { items } = await core.listNamespacedConfigMap({ namespace })
      expect(Object.fromEntries(informer.list(namespace).map(version))).toEqual(Object.fromEntries(items.map(version)))
    } finally {
      await stop()
    }
  })
})

test('its other verbs: create, read, list, replace, three patches, delete', async () => {
  const [port] = await freePorts()
  await start(port)
  const core = configOf().makeApiClient(CoreV1Api)
  const at = { namespace: 'default', name: 'c' }
  const made = await core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'c', labels: { app: 'x' } }, data: { a: '1' } } })
  expect((await core.readNamespacedConfigMap(at)).metadata).toEqual(made.metadata)
  const patches = [
    [PatchStrategy.JsonPatch, [{ op: 'add', path: '/data/json', value: 'yes' }]],
    [PatchStrategy.MergePatch, { data: { merge: 'yes' } }],
    [PatchStrategy.StrategicMergePatch, { data: { strategic: 'yes' } }],
    [PatchStrategy.ServerSideApply, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { apply: 'yes' } }],
  ] as const
  for (const [strategy, body] of patches) {
    await core.patchNamespacedConfigMap({ ...at, body, ...(strategy === PatchStrategy.ServerSideApply && { fieldManager: 'test' }) }, setHeaderOptions('Content-Type', strategy))
  }
  const { items } = await core.listNamespacedConfigMap({ namespace: 'default', labelSelector: 'app=x' })
  expect(items.map((o) => o.data)).toEqual([{ a: '1', json: 'yes', merge: 'yes', strategic: 'yes', apply: 'yes' }])
  // It reads times into dates and writes them with milliseconds: what is read and put back is no change for all that.
  expect((await core.replaceNamespacedConfigMap({ ...at, body: items[0]! })).metadata).toEqual(items[0]!.metadata)
  const replaced = await core.replaceNamespacedConfigMap({ ...at, body: { metadata: items[0]!.metadata!, data: { b: '2' } } })
  expect(replaced.data).toEqual({ b: '2' })
  await expect(core.replaceNamespacedConfigMap({ ...at, body: made })).rejects.toMatchObject({ code: 409 })
  await core.deleteNamespacedConfigMap(at)
  await expect(core.readNamespacedConfigMap(at)).rejects.toMatchObject({ code: 404 })
})
