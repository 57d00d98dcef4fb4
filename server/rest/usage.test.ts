import { afterEach, expect, test } from 'vitest'
import type { Sessions } from '../hub/sessions.ts'
import { failureOf } from '../../test/kit/api.ts'
import { noSessions } from '../../test/kit/calls.ts'
import { startTrial, type Trial } from '../../test/kit/trial.ts'

let trial: Trial
afterEach(() => trial.close())

const base = '/apis/metrics.k8s.io/v1beta1'
const used = { cpuMillis: 250.5, memoryBytes: 2_097_152, cpuCapacityMillis: 2_000, memoryCapacityBytes: 4_000_000 }

/** Two nodes, the first of which is measured; a pod on each. */
async function start(): Promise<void> {
  const sessions: Sessions = {
    ...noSessions,
    usage: (node) => (node === 'n1' ? used : undefined),
    podLoad: (node) =>
      node === 'n1' ? { at: Date.UTC(2026, 0, 1), windowMs: 10_004, pods: [{ key: 'default/a', containers: [{ name: 'web', ...used }] }] } : undefined,
  }
  trial = await startTrial({ sessions })
  const { api } = trial
  for (const name of ['n1', 'n2']) await api.create('/api/v1/nodes', { metadata: { name, labels: { of: name } } })
  for (const [name, nodeName] of [['a', 'n1'], ['b', 'n2']]) {
    await api.create('/api/v1/namespaces/default/pods', { metadata: { name, labels: { app: name } }, spec: { nodeName, containers: [{ name: 'web', image: 'web' }] } })
  }
}

const measuredNode = { metadata: { name: 'n1', labels: { of: 'n1' } }, window: '3s', usage: { cpu: '250500000n', memory: '2048Ki' } }
const measuredPod = {
  metadata: { name: 'a', namespace: 'default', labels: { app: 'a' } },
  timestamp: '2026-01-01T00:00:00Z',
  window: '10s',
  containers: [{ name: 'web', usage: { cpu: '250500000n', memory: '2048Ki' } }],
}

test('what was measured is listed, and what was not is left out', async () => {
  await start()
  expect(await trial.api.get(`${base}/nodes`)).toMatchObject({ kind: 'NodeMetricsList', apiVersion: 'metrics.k8s.io/v1beta1', items: [measuredNode] })
  for (const path of ['pods', 'namespaces/default/pods', 'namespaces/default/pods?labelSelector=app%3Da']) {
    expect(await trial.api.get(`${base}/${path}`)).toMatchObject({ kind: 'PodMetricsList', items: [measuredPod] })
  }
  for (const path of ['nodes?labelSelector=of%3Dn2', 'namespaces/other/pods', 'pods?labelSelector=app%3Db']) {
    expect(await trial.api.get(`${base}/${path}`)).toMatchObject({ items: [] })
  }
})

test('one of them, or a Status', async () => {
  await start()
  expect(await trial.api.get(`${base}/nodes/n1`)).toMatchObject({ kind: 'NodeMetrics', ...measuredNode })
  expect(await trial.api.get(`${base}/namespaces/default/pods/a`)).toMatchObject({ kind: 'PodMetrics', ...measuredPod })
  for (const path of ['nodes/n2', 'nodes/none', 'namespaces/default/pods/b']) {
    expect(await failureOf(trial.api.get(`${base}/${path}`))).toMatchObject({ code: 404, reason: 'NotFound' })
  }
  expect((await trial.api.send('POST', `${base}/nodes`)).code).toBe(405)
})

test('discovery tells of the group in each form', async () => {
  await start()
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  expect((await trial.api.send('GET', '/apis', { headers: { accept } })).text).toContain('"NodeMetrics"')
  expect((await trial.api.send('GET', '/apis')).text).toContain('"metrics.k8s.io/v1beta1"')
  expect(await trial.api.get('/apis/metrics.k8s.io')).toMatchObject({ versions: [{ version: 'v1beta1' }] })
  expect(await trial.api.get(base)).toMatchObject({ resources: [{ name: 'nodes', verbs: ['get', 'list'] }, { name: 'pods' }] })
})
