/** What a node reads for its pods, over the real hub: with its own certificate, of any hub that answers, and no more than its pods name. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { isWherryError } from '../../api/errors.ts'
import { createHubApi, type HubApi } from '../../agent/link/hub-api.ts'
import { createObjects, type Objects } from '../../agent/objects/objects.ts'
import { groups } from '../../server/auth/auth.ts'
import { startHubProcess, type HubProcess } from '../kit/hub-process.ts'

const signal = (): AbortSignal => AbortSignal.timeout(20_000)
let hub: HubProcess
let uid: string
const opened: HubApi[] = []

beforeAll(async () => {
  hub = await startHubProcess()
  await hub.api.create('/api/v1/nodes', { metadata: { name: 'n1' } })
  await hub.api.create('/api/v1/namespaces/default/configmaps', { metadata: { name: 'settings' }, data: { colour: 'blue' } })
  await hub.api.create('/api/v1/namespaces/default/secrets', { metadata: { name: 'others' } })
  const spec = { nodeName: 'n1', containers: [{ name: 'web', image: 'i', envFrom: [{ configMapRef: { name: 'settings' } }, { secretRef: { name: 'none' } }] }] }
  uid = (await hub.api.create('/api/v1/namespaces/default/pods', { metadata: { name: 'web' }, spec })).metadata.uid
})
afterAll(async () => {
  for (const api of opened) api.close()
  await hub?.close()
})

function objectsOf(node: string, hubs: readonly string[]): Objects {
  const api = createHubApi({ hubs, tls: hub.certificate(`system:node:${node}`, groups.nodes), clock: systemClock })
  opened.push(api)
  return createObjects({ api, clock: systemClock, closing: signal() })
}
const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'none', (e: unknown) => (isWherryError(e) ? e.code : e))
const name = (kind: 'ConfigMap' | 'Secret', of: string) => ({ kind, namespace: 'default', name: of })
const wish = (of = uid) => ({ namespace: 'default', account: 'default', pod: { name: 'web', uid: of }, seconds: 600 })

test("its pods' objects are given, by the next hub where one is not there; one that is missing is no error, others are refused", async () => {
  const objects = objectsOf('n1', ['https://127.0.0.1:1', hub.url])
  const found = await objects.find(name('ConfigMap', 'settings'), systemClock.now(), signal())
  expect(found?.get('colour')?.bytes.toString()).toBe('blue')
  expect(await objects.find(name('Secret', 'none'), systemClock.now(), signal())).toBeUndefined()
  expect(await codeOf(objects.find(name('Secret', 'others'), systemClock.now(), signal()))).toBe('LINK_REFUSED')
  expect(await codeOf(objectsOf('n2', [hub.url]).find(name('ConfigMap', 'settings'), systemClock.now(), signal()))).toBe('LINK_REFUSED')
  expect(await codeOf(objectsOf('n1', ['https://127.0.0.1:1']).find(name('ConfigMap', 'settings'), systemClock.now(), signal()))).toBe('LINK_LOST')
})

test('a token for one of its pods counts until the pod is gone; there is none for others', async () => {
  const objects = objectsOf('n1', [hub.url])
  const client = hub.bearer(await objects.token(wish(), signal()))
  expect((await client.send('GET', '/api')).code).toBe(200)
  expect(await codeOf(objects.token(wish('another'), signal()))).toBe('LINK_REFUSED')
  expect(await codeOf(objectsOf('n2', [hub.url]).token(wish(), signal()))).toBe('LINK_REFUSED')
  await hub.api.delete('/api/v1/namespaces/default/pods/web', { gracePeriodSeconds: 0 })
  expect((await client.send('GET', '/api')).code).toBe(401)
})
