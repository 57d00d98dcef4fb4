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
const servicesPath = '/api/v1/namespaces/default/services'
const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'

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

export function sliceOf(i: number, pods: readonly Pod[]): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: sliceName(i), labels: { 'kubernetes.io/service-name': `svc-${i}` } },
    addressType: 'IPv4',
    endpoints: pods.map(({ address, node }) => ({ addresses: [address], conditions: { ready: true }, nodeName: node })),
    ports: [{ name: 'http', protocol: 'TCP', port: responderPort }],
  }
}

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
