/** Where the hubs of the cluster are: the endpoints of the service `kubernetes`, which the hubs themselves keep. */
import { keyOf, type EndpointSlice } from '../../api/objects.ts'
import type { Batch, Tables } from './tables.ts'

const slices = 'endpointslices.discovery.k8s.io'
const ofHubs = (slice: EndpointSlice | undefined): boolean =>
  slice?.metadata.namespace === 'default' && slice.metadata.labels?.['kubernetes.io/service-name'] === 'kubernetes'

/** The hubs as https URLs, in one order on all nodes; undefined where the batch has no word about them. */
export function hubsAfter(batch: Batch, tables: Tables): readonly string[] | undefined {
  const touched = batch.changes.some(({ resource, before, after }) => resource === slices && (ofHubs(before as EndpointSlice) || ofHubs(after as EndpointSlice)))
  if (!touched) return undefined
  const found = [...tables.all(slices).values()].filter(ofHubs).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  return found.flatMap(urlsOf)
}

function urlsOf({ endpoints, ports }: EndpointSlice): readonly string[] {
  const ready = (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false)
  const hosts = ready.flatMap(({ addresses }) => addresses[0] ?? []).map((address) => (address.includes(':') ? `[${address}]` : address))
  const urls = (ports ?? []).flatMap(({ port }) => hosts.map((host) => `https://${host}:${port}`))
  return urls.filter((url) => URL.canParse(url))
}
