/** What the API says of the endpoints of a service port, seen from a node. Pure. */
import { type EndpointSlice, keyOf, type Node, type Service } from '../../api/objects.ts'
import { canonicalAddress, familyOf, unicastFault } from '../../rules/address.ts'
import type { EndpointView, Hint } from '../../rules/model.ts'
import { select, type Selection } from '../../rules/select.ts'
import { type Cluster, podIPsOf, slicesOf } from '../cluster.ts'
import { type Front, protocolOf } from './fronts.ts'
import type { Sender } from './senders.ts'

export interface KnownEndpoint extends EndpointView {
  readonly nodeName?: string
  /** Its name, without a namespace: it is the service's. */
  readonly pod?: string
}

/** Those of the front's port and IP family, usable or not. */
export function endpointsOf(cluster: Cluster, service: Service, front: Front, node: Node): readonly KnownEndpoint[] {
  const family = familyOf(front.address)
  const mine = slicesOf(cluster, service).filter(({ addressType }) => addressType === (family === 'ip' ? 'IPv4' : 'IPv6'))
  return mine.flatMap((slice) => {
    const port = slice.ports?.find((candidate) => (candidate.name ?? '') === front.portName && protocolOf(candidate) === front.protocol)?.port
    if (!port) return []
    return (slice.endpoints ?? []).flatMap((endpoint) => {
      const text = endpoint.addresses[0]
      return text === undefined ? [] : known(cluster, endpoint, { address: canonicalAddress(family, text) ?? text, port, node })
    })
  })
}

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number]

function known(cluster: Cluster, endpoint: Endpoint, { address, port, node }: { readonly address: string; readonly port: number; readonly node: Node }): KnownEndpoint {
  const { conditions, nodeName, targetRef, hints } = endpoint
  const zone = node.metadata.labels?.['topology.kubernetes.io/zone']
  const pod = targetRef?.kind === 'Pod' ? targetRef.name : podAt(cluster, address)
  return {
    address,
    port,
    node: !nodeName ? 'unknown' : nodeName === node.metadata.name ? 'here' : 'elsewhere',
    ready: conditions?.ready ?? true,
    serving: conditions?.serving ?? true,
    terminating: conditions?.terminating ?? false,
    zoneHint: hintOf(hints?.forZones, zone),
    nodeHint: hintOf((hints as { readonly forNodes?: readonly { readonly name: string }[] } | undefined)?.forNodes, node.metadata.name),
    ...(nodeName && { nodeName }),
    ...(pod !== undefined && { pod }),
  }
}

/** The pod that has an address to itself. */
export function podAt({ pods }: Cluster, address: string): string | undefined {
  const pod = pods.find((candidate) => !candidate.spec?.hostNetwork && podIPsOf(candidate).includes(address))
  return pod && keyOf(pod).split('/').at(-1)
}

function hintOf(named: readonly { readonly name: string }[] | undefined, mine: string | undefined): Hint {
  if (!named || named.length === 0) return 'none'
  return named.some(({ name }) => name === mine) ? 'here' : 'elsewhere'
}

/** Why an endpoint that the API names gets no new connections, although its service has others, or would have. */
export function reasonAgainst(endpoint: KnownEndpoint): string {
  const fault = unicastFault(familyOf(endpoint.address), endpoint.address)
  if (fault !== undefined) return `its address ${fault}`
  if (endpoint.terminating) return endpoint.serving ? 'terminating, and others are ready' : 'terminating, and serves no more'
  if (!endpoint.ready) return 'not ready'
  if (endpoint.nodeHint === 'elsewhere') return 'its hints name other nodes'
  if (endpoint.zoneHint === 'elsewhere') return 'its hints name other zones'
  return 'not chosen'
}

/** The endpoints that count, by the API. */
export function selectionOf(endpoints: readonly KnownEndpoint[]): Selection {
  return select(endpoints.filter(({ address }) => unicastFault(familyOf(address), address) === undefined))
}

/** Whether only this node's endpoints are for a sender. */
export function isLocalOnly({ spec }: Service, { kind }: Front, sender: Sender): boolean {
  if (kind === 'cluster-ip') return spec?.internalTrafficPolicy === 'Local'
  return spec?.externalTrafficPolicy === 'Local' && sender.kind === 'stranger'
}
