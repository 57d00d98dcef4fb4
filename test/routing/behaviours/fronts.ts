/** A service with every front that a service can have, and its endpoints: what most behaviours begin with. */
import { service, slice, type EndpointText, type ServiceParts } from '../objects.ts'
import type { Backend, Stage } from '../stage.ts'

/** All pods that answer, two on each node. */
export const all: readonly Backend[] = ['b1', 'b2', 'b3', 'b4']
/** Whoever may ask where the answer must find its way back through node1. */
export const everyone = ['pod', 'node', 'outside'] as const

export interface Fronts {
  readonly vip: string
  readonly external: string
  readonly balancer: string
  readonly nodePort: number
}

/** `default/web`: TCP port 80 of a cluster IP, an external IP and a load balancer IP, and a node port. */
export async function web(s: Stage, endpoints: readonly EndpointText[] = all, spec: ServiceParts['spec'] = {}): Promise<Fronts> {
  const fronts = { vip: s.at.vip(), external: s.at.externalIP(), balancer: s.at.loadBalancerIP(), nodePort: s.at.nodePort() }
  await s.apply(webService(fronts, spec), slice(s.at, 'web', endpoints))
  return fronts
}

/** The Service of `web` alone, to be altered. */
export function webService({ vip, external, balancer, nodePort }: Fronts, spec: ServiceParts['spec'] = {}): object {
  return service('web', vip, {
    ports: [{ port: 80, nodePort }],
    ingress: [{ ip: balancer }],
    spec: { type: 'LoadBalancer', externalIPs: [external], ...spec },
  })
}

export async function setEndpoints(s: Stage, ...endpoints: readonly EndpointText[]): Promise<void> {
  await s.apply(slice(s.at, 'web', endpoints))
}

/** The addresses on which `web` is reached from outside on port 80, the node port aside. */
export const externals = ({ external, balancer }: Fronts): readonly string[] => [external, balancer]
