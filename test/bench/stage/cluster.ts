/** The cluster that is measured: any number of services with three endpoints each, spread over a hundred nodes. */
import type { Api } from '../../kit/api.ts'

const endpointsEach = 3
/** Where every pod address answers, see responder.ts. */
export const responderPort = 8080
/** The first of a hundred. */
export const ownNode = 'node1'

export interface Pod {
  readonly address: string
  readonly node: string
}

/** The service that the n-th of many changes or connections is about: far from the one before, and all in the end. */
export const scattered = (n: number, services: number): number => (n * 7919) % services

export const vipOf = (i: number): string => `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
const sliceName = (i: number): string => `svc-${i}-bench`
export const servicesPath = '/api/v1/namespaces/default/services'
export const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'

const nodeNumber = (n: number): string => `node${1 + (n % 100)}`

/** The endpoints that service `i` begins with. Never .0 or .255, and far services share pods. */
export function podsOf(i: number): readonly Pod[] {
  return Array.from({ length: endpointsEach }, (_, e) => {
    const n = i * endpointsEach + e
    return { address: `10.244.${1 + (Math.floor(n / 250) % 250)}.${1 + (n % 250)}`, node: nodeNumber(n) }
  })
}

/** A pod that no service begins with, for the n-th change. */
export const newPod = (n: number): Pod => ({ address: `10.244.${252 + (Math.floor(n / 250) % 3)}.${1 + (n % 250)}`, node: nodeNumber(n + 1) })

/** Services that share no pod with others: who answers tells whose endpoint it is. At most `lonely`. @param n which of its sets of three */
export function ownPods(i: number, n: number): readonly Pod[] {
  return Array.from({ length: endpointsEach }, (_, e) => ({ address: `${ownPrefix(i)}${1 + ((n * endpointsEach + e) % 250)}`, node: nodeNumber(n + e) }))
}
export const ownPrefix = (i: number): string => `10.244.${1 + i}.`
export const lonely = 240

export function serviceOf(i: number): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: `svc-${i}` }, spec: { clusterIP: vipOf(i), ports: [{ name: 'http', port: 80, targetPort: responderPort }] } }
}

interface Named extends Readonly<Record<string, unknown>> {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
}

export function sliceOf(i: number, pods: readonly Pod[]): Named {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: sliceName(i), labels: { 'kubernetes.io/service-name': `svc-${i}` } },
    addressType: 'IPv4',
    endpoints: pods.map(({ address, node }) => ({ addresses: [address], conditions: { ready: true }, nodeName: node })),
    ports: [{ name: 'http', protocol: 'TCP', port: responderPort }],
  }
}

/** Endpoints of each service that `bigSlice` is about, and how many of them are others each time. */
const bigEndpoints = 100
/** Services with many endpoints, beside the others. */
export const bigServices = 50
const bigName = (i: number): string => `big-${i}`

export function bigServiceOf(i: number): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: bigName(i) }, spec: { clusterIP: `10.111.1.${i}`, ports: [{ name: 'http', port: 80, targetPort: responderPort }] } }
}

/** The slice of big service `i`, with these pods in the places of some: every tenth for ten. */
export function bigSlice(i: number, others: readonly Pod[] = []): Named {
  const pods = Array.from({ length: bigEndpoints }, (_, e): Pod => {
    const n = i * bigEndpoints + e
    return { address: `10.244.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`, node: nodeNumber(n) }
  })
  const every = others.length > 0 ? bigEndpoints / others.length : Infinity
  const slice = sliceOf(i, pods.map((pod, e) => (e % every === 0 && others[e / every]) || pod))
  return { ...slice, metadata: { ...slice.metadata, name: `${bigName(i)}-bench`, labels: { 'kubernetes.io/service-name': bigName(i) } } }
}

/** Names come in no order. */
export const configMapOf = (n: number): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `object-${String((n * 7919) % 1_000_003).padStart(7, '0')}` },
  data: { text: 'x'.repeat(100) },
})

export const nodeOf = (n: number): object => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: nodeNumber(n) } })
export const nodes = 100

/** As a deployment makes them, on a node. */
export const podOf = (n: number): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `web-6d4b75cb6d-${String(n).padStart(5, '0')}`, labels: { app: 'web', 'pod-template-hash': '6d4b75cb6d' }, annotations: { 'example.com/note': 'one of many' } },
  spec: {
    nodeName: nodeNumber(n),
    containers: [
      {
        name: 'web',
        image: 'registry.example.com/web:1.2.3',
        ports: [{ name: 'http', containerPort: responderPort }],
        env: [{ name: 'LEVEL', value: 'info' }, { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 5 },
      },
    ],
  },
})

export interface Growth {
  readonly from: number
  readonly to: number
  readonly pods: (i: number) => readonly Pod[]
  readonly signal: AbortSignal
}

/** Makes the services from number `from` up to `to`, with their slices. */
export async function populate(api: Api, { from, to, pods, signal }: Growth): Promise<void> {
  let next = from
  await together(32, async () => {
    while (next < to) {
      signal.throwIfAborted()
      const i = next++
      await api.create(servicesPath, serviceOf(i))
      await api.create(slicesPath, sliceOf(i, pods(i)))
    }
  })
}

/** Gives service `i` other endpoints. @returns the revision */
export async function setEndpoints(api: Api, i: number, pods: readonly Pod[]): Promise<number> {
  const { metadata } = await api.update(`${slicesPath}/${sliceName(i)}`, sliceOf(i, pods))
  return Number(metadata.resourceVersion)
}

export async function together(workers: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: workers }, work))
}
