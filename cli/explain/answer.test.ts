import { expect, test } from 'vitest'
import { hubPaths } from '../../api/hub.ts'
import type { HubClient } from '../hub.ts'
import { explainTarget } from './answer.ts'

const never = (): never => {
  throw new Error('nobody should ask for this')
}
const metadata = (name: string) => ({ name, namespace: 'default', uid: name, resourceVersion: '3', creationTimestamp: '2026-01-01T00:00:00Z' })
const node = { metadata: metadata('node1'), spec: { podCIDR: '10.244.0.0/24' }, status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] } }
const service = { metadata: metadata('web'), spec: { clusterIP: '10.96.0.1', ports: [{ port: 80 }] } }
const slice = {
  addressType: 'IPv4', ports: [{ port: 8080 }], endpoints: [{ addresses: ['10.244.0.2'], nodeName: 'node1' }],
  metadata: { ...metadata('web-x'), labels: { 'kubernetes.io/service-name': 'web' } },
}

/** What nft prints of a table with this endpoint, cut down to what the packets of these tests meet. */
const rules = (endpoint: string): string => `table ip wherry {
	map endpoints-1 {
		typeof ip daddr . meta l4proto . th dport . numgen random mod 1 : ip daddr . th dport
		counter
		elements = { 10.96.0.1 . tcp . 80 . 0 counter packets 3 bytes 180 comment "default/web" : ${endpoint} . 8080 }
	}

	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints-1
	}

	chain nat-output {
		type nat hook output priority -100; policy accept;
		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints-1
	}
}
`

/** A hub whose node gives these rules, one after the other; the last of them again and again. */
function hubOf(...texts: readonly string[]): { readonly hub: HubClient; readonly asked: () => number } {
  let asked = 0
  const lists: Readonly<Record<string, unknown>> = {
    '/api/v1/nodes': { items: [node] },
    '/api/v1/services': { items: [service] },
    '/apis/discovery.k8s.io/v1/endpointslices': { items: [slice] },
    '/api/v1/pods': { items: [] },
    [hubPaths.status]: { version: '0.1.0', revision: 3, nodes: [{ name: 'node1', connected: true, received: 3, applied: 3 }] },
  }
  const hub: HubClient = {
    server: 'https://hub.test',
    json: async <T>(path: string) => (lists[path] ?? never()) as T,
    text: async (path) => (path === `${hubPaths.nodes}/node1/rules` ? texts[Math.min(asked++, texts.length - 1)]! : never()),
    stream: never, post: never, close: never,
  }
  return { hub, asked: () => asked }
}

const signal = new AbortController().signal

test('a change on its way is no disagreement: both are read once more', async () => {
  const settled = hubOf(rules('10.244.0.9'), rules('10.244.0.2'))
  const { text, served } = await explainTarget(settled.hub, 'web', {}, signal)
  expect(text).toMatch(/^default\/web {2}ClusterIP {2}as the kernel of node1 has it \(the first node; --node names another\)\n/)
  expect(served).toBe(true)
  expect(settled.asked()).toBe(2)

  const stuck = hubOf(rules('10.244.0.9'))
  expect((await explainTarget(stuck.hub, 'web', {}, signal)).text).toMatch(/^Kernel and API disagree: 10\.244\.0\.9:8080 is in the rules/)
  expect(stuck.asked()).toBe(2)
})

test('a port that no service has is not served; as JSON it is a value', async () => {
  const { hub, asked } = hubOf(rules('10.244.0.2'))
  const { text, served } = await explainTarget(hub, '10.96.0.1:81', { output: 'json' }, signal)
  expect(served).toBe(false)
  expect(JSON.parse(text)).toMatchObject([{ node: 'node1', served: false, fronts: [{ front: { protocol: 'tcp', port: 81 } }, { front: { protocol: 'udp', port: 81 } }] }])
  expect(asked()).toBe(1)
})
